"""Tests of the rates by a run's length, against numbers made by hand."""

from absl.testing import absltest
from absl.testing import parameterized

from metal_tf import config as config_lib
from metal_tf.runs import time_scales


def _resolve(episode_steps=1000, **settings):
  resolved = time_scales.resolve(
      config_lib.Config(**settings), episode_steps)
  return resolved.lagrange_lr, resolved.meta_lr


class ResolveTest(parameterized.TestCase):

  @parameterized.parameters(
      (dict(num_episodes=500), 62_500, 6.4e-5),
      (dict(num_episodes=500, batch_size=128), 125_000, 3.2e-5),
      (dict(), 2_500_000, 1.6e-6),
      (dict(num_episodes=500, samples_per_insert=8.0), 15_625, 2.56e-4))
  def test_alpha_1_takes_lambda_to_2(self, settings, steps, expected):
    config = config_lib.Config(**settings)
    self.assertEqual(time_scales.learner_steps(config, 1000), steps)
    self.assertAlmostEqual(_resolve(**settings)[0], expected, delta=1e-12)
    self.assertAlmostEqual(0.5 * _resolve(**settings)[0] * steps, 2.0)

  def test_the_environment_says_how_long_an_episode_is(self):
    self.assertAlmostEqual(
        _resolve(250, num_episodes=500)[0], 4 * 6.4e-5, delta=1e-12)
    self.assertEqual(_resolve(0), _resolve(1000))

  def test_or_else_after_how_many_steps_it_is_cut(self):
    for steps in (0, 1000):
      self.assertEqual(_resolve(steps, max_episode_steps=250), _resolve(250))
      self.assertEqual(_resolve(steps, max_episode_steps=5000), _resolve(1000))

  @parameterized.parameters(
      (dict(), 28.125), (dict(num_episodes=500), 28.125),
      (dict(lagrange_lr=1e-3), 28.125),
      (dict(meta_optimizer='adam'), 1e-3),
      (dict(outer_divergence='kl'), 1e3),
      (dict(outer_divergence='cross_entropy'), 1e3),
      (dict(outer_divergence='kl', meta_optimizer='adam'), 1e-3))
  def test_alpha_eta_is_a_constant_of_the_optimizer_and_the_loss(
      self, settings, expected):
    self.assertAlmostEqual(_resolve(**settings)[1], expected)

  def test_what_is_given_stays(self):
    self.assertEqual(_resolve(lagrange_lr=0.5, meta_lr=7.0), (0.5, 7.0))
    config = config_lib.Config(seed=3, batch_size=128)
    self.assertEqual(
        time_scales.resolve(config, 1000).replace(
            lagrange_lr=None, meta_lr=None), config)

  def test_rates_that_are_not_resolved_are_an_error(self):
    for name in ('multiplier_learning_rate', 'meta_learning_rate'):
      with self.assertRaisesRegex(ValueError, 'unset: time_scales.resolve'):
        getattr(config_lib.Config(), name)


class DescribeTest(parameterized.TestCase):

  def _describe(self, episode_steps=1000, prolonged=False, meta=True,
                **settings):
    config = config_lib.Config(num_episodes=500, batch_size=128, **settings)
    return time_scales.describe(
        config, time_scales.resolve(config, episode_steps), episode_steps,
        prolonged, meta)

  def test_by_the_runs_length(self):
    self.assertEqual(self._describe(), [
        'Learning rate of lambda: alpha_1 = 3.2e-05, chosen so that lambda '
        'would reach 2 at the end of this run (125000 learner steps) if J_C '
        'stayed 0.5 above its threshold.',
        'Learning rate of alpha_lambda: alpha_eta = 28.1, the default for sgd '
        'and td.'])
    self.assertLen(self._describe(meta=False), 1)
    self.assertIn('1000 steps are assumed', self._describe(0)[1])
    first, second, _ = self._describe(0, max_episode_steps=100)
    self.assertIn('at the end of this run (12500 learner steps)', first)
    self.assertIn('100 steps are assumed', second)

  def test_as_given_and_as_before(self):
    self.assertEqual(
        self._describe(lagrange_lr=5e-5, meta_lr=3.0),
        ['Learning rate of lambda: alpha_1 = 5e-05, as given.',
         'Learning rate of alpha_lambda: alpha_eta = 3, as given.'])
    self.assertEqual(self._describe(prolonged=True), [
        'Learning rate of lambda: alpha_1 = 3.2e-05, kept from the run\'s '
        'first start.', 'Learning rate of alpha_lambda: alpha_eta = 28.1, kept '
        "from the run's first start."])
    self.assertEqual(
        self._describe(meta_optimizer='adam')[1],
        'Learning rate of alpha_lambda: alpha_eta = 0.001, the default for '
        'adam.')

  @parameterized.parameters((7.9e-5, False), (8.1e-5, True), (0.0, False))
  def test_warns_of_lambda_at_1_in_the_first_fifth(self, rate, warns):
    # 0.5 * 8e-5 * 125000 / 5 = 1.
    lines = self._describe(lagrange_lr=rate, meta=False)
    self.assertLen(lines, 1 + warns)
    if warns:
      self.assertRegex(
          lines[1], 'Warning: with --lagrange_lr=8.1e-05 lambda reaches 1 '
          'within 99 of 500 episodes .* the rate would be 3.2e-05')

  def test_when_lambda_would_be_at_1(self):
    # 1 / (0.5 * 1e-4 * 125 steps an episode).
    config = config_lib.Config(
        num_episodes=1000, batch_size=256, lagrange_lr=1e-4)
    self.assertAlmostEqual(time_scales.too_fast(config, 1000), 160.0)


class EarlierRunsTest(absltest.TestCase):
  _EARLIER = dict(lagrange_lr=1e-4, meta_optimizer='adam', meta_epsilon=1e-8,
                  outer_divergence='cross_entropy', exploration_sigma=0.3)

  def _given(self, **settings):
    return time_scales.saved_settings(
        {'resolved': {}, 'config': settings})

  def test_what_a_run_did_without_a_setting(self):
    earlier = time_scales.saved_settings({'config': {'discount': 0.9}})
    self.assertEqual(
        {name: earlier[name] for name in self._EARLIER}, self._EARLIER)
    self.assertEqual(earlier['discount'], 0.9)
    self.assertEqual(earlier['preset'], 'paper')
    self.assertEqual(earlier['policy_layer_sizes'], [256, 256, 256])
    now = self._given(discount=0.9)
    self.assertEqual(now['outer_divergence'], 'td')
    self.assertIsNone(now['lagrange_lr'])

  def test_the_same_command_goes_on_with_the_defaults_of_its_time(self):
    saved = {'config': dict(self._EARLIER)}
    resumed = time_scales.resumed_settings(saved, self._given(discount=0.9))
    self.assertEqual(resumed, {**self._given(discount=0.9), **self._EARLIER})
    self.assertEqual(
        time_scales.resumed_settings(saved, self._given(lagrange_lr=1e-5)),
        {**self._given(), **self._EARLIER, 'lagrange_lr': 1e-5})

  def test_what_was_given_then_has_to_be_given_again(self):
    saved = {'config': {**self._EARLIER, 'lagrange_lr': 2e-4}}
    self.assertIsNone(time_scales.resumed_settings(
        saved, self._given())['lagrange_lr'])

  def test_nothing_is_taken_from_a_run_of_today(self):
    saved = {'config': dict(self._EARLIER), 'resolved': {}}
    self.assertEqual(
        time_scales.resumed_settings(saved, self._given()), self._given())


if __name__ == '__main__':
  absltest.main()
