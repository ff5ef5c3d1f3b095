"""Tests for `measure`."""

from absl.testing import absltest
import numpy as np

from metal_tf.acting import episode as episode_lib
from metal_tf.assessment import measure
from metal_tf.environments import constraint
from metal_tf.environments import errors
from metal_tf.environments import wrapper
from metal_tf.training import seeding
from metal_tf.training import testing


def _policy(observation):
  return np.float32([0.4]) - 0.2 * observation[:1]


class _Fading(testing.Slope):
  """The slope where every next step counts half."""

  def step(self, action):
    return super().step(action)._replace(discount=0.5)


def _make_fading(seed):
  return wrapper.ConstrainedEnvironment(_Fading(seed), [
      constraint.Constraint.of_time_step(
          'left_half', lambda step: step.observation[0] > 0.0, threshold=0.25)])


def _by_hand(seed, num_episodes, discount, make=testing.make_environment,
             cuts=lambda number: 0):
  """Return, J_C and discounted sums of the same episodes by a plain loop."""
  results = []
  for number in range(1, num_episodes + 1):
    environment = make(
        seeding.seed_of('evaluation', seed, number, cuts(number)))
    step, rewards, penalties = environment.reset(), [], []
    while not step.last():
      step = environment.step(_policy(step.observation))
      rewards.append(step.reward)
      penalties.append(step.penalty)
    weights = discount ** np.arange(len(rewards))
    results.append((np.sum(rewards), np.mean(penalties, axis=0),
                    weights @ rewards, weights @ penalties))
  return results


class MeasureTest(absltest.TestCase):

  def test_equals_a_plain_loop(self):
    config = testing.small_config('', seed=3, discount=0.9)
    seen = []
    measured = measure.measure(
        _policy, testing.make_environment, config, 4,
        lambda episode, number, environment, step: seen.append(
            (episode, number, environment.spec.num_constraints, step.last)))
    returns, penalties, *discounted = zip(*_by_hand(3, 4, 0.9))
    np.testing.assert_allclose(measured.episode_return, returns, rtol=1e-6)
    np.testing.assert_allclose(measured.penalty, penalties, rtol=1e-6)
    np.testing.assert_allclose(
        measured.discounted_return, discounted[0], rtol=1e-6)
    np.testing.assert_allclose(
        measured.discounted_penalty, discounted[1], rtol=1e-6)
    self.assertGreater(np.ptp(measured.penalty[:, 0]), 0)
    self.assertEqual(measured.steps.tolist(), 4 * [testing.EPISODE_STEPS])
    self.assertEqual(measured.cut_episodes, 0)
    self.assertEqual(seen, [
        (episode, number, 2, number == testing.EPISODE_STEPS)
        for episode in range(1, 5)
        for number in range(1, testing.EPISODE_STEPS + 1)])

  def test_the_environments_own_discount(self):
    measured = measure.measure(
        _policy, _make_fading, testing.small_config('', seed=3, discount=0.9),
        2)
    _, _, returns, penalties = zip(*_by_hand(3, 2, 0.45, _make_fading))
    np.testing.assert_allclose(measured.discounted_return, returns, rtol=1e-6)
    np.testing.assert_allclose(
        measured.discounted_penalty, penalties, rtol=1e-6)

  def test_another_seed_starts_elsewhere(self):
    one, two = (
        measure.measure(_policy, testing.make_environment,
                        testing.small_config('', seed=seed), 2).episode_return
        for seed in (0, 1))
    self.assertTrue((one != two).all())

  def _with_cuts(self, num_cuts):
    """Cuts that many episodes at step 5, from the second one on."""
    left = num_cuts

    def watch(episode, number, environment, step):
      nonlocal left
      del step
      if episode == 2 and number == 5 and left:
        left -= 1
        raise errors.EpisodeCut(environment.name, number, 'diverged')

    return measure.measure(
        _policy, testing.make_environment, testing.small_config('', seed=3), 3,
        watch)

  def test_cut_episodes_run_again_and_are_counted(self):
    measured = self._with_cuts(2)
    self.assertEqual(measured.cut_episodes, 2)
    self.assertEqual(measured.steps.tolist(), 3 * [testing.EPISODE_STEPS])
    returns, penalties, *discounted = zip(*_by_hand(
        3, 3, testing.small_config('').discount,
        cuts=lambda number: 2 * (number == 2)))
    for got, want in (
        (measured.episode_return, returns), (measured.penalty, penalties),
        (measured.discounted_return, discounted[0]),
        (measured.discounted_penalty, discounted[1])):
      np.testing.assert_allclose(got, want, rtol=1e-6)
    uncut, *_ = zip(*_by_hand(3, 3, 1.0))
    self.assertNotAlmostEqual(measured.episode_return[1], uncut[1])

  def test_too_many_cuts(self):
    with self.assertRaises(errors.EpisodeCut):
      self._with_cuts(episode_lib.MAX_CUTS_IN_A_ROW)


if __name__ == '__main__':
  absltest.main()
