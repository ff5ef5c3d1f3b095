"""Tests of which runs may be pooled, and of their names."""

from absl.testing import absltest

from metal_tf import config as config_lib
from metal_tf.agent import agents
from metal_tf.report import naming
from metal_tf.runs import run_folder


def _run(algorithm, status=run_folder.FINISHED, **settings):
  config = {'safety_coeff': 0.3, 'seed': 0, **settings}
  return run_folder.RunFolder(
      '', algorithm, config, (), (), (), '', {}, {}, None, status)


def _labels(*runs):
  return [variant.label for variant in naming.assign(runs)]


class VariantsTest(absltest.TestCase):

  def test_names_are_the_papers(self):
    self.assertEqual(
        _labels(_run('metal'), _run('rc_d4pg'), _run('d4pg'), _run('mesh'),
                _run('rs_d4pg', lagrange_multiplier=0.1),
                _run('rs_d4pg', lagrange_multiplier=10),
                _run('metal', outer_loss='actor_critic'),
                _run('metal', outer_loss='critic')),
        ['MetaL', 'RC-D4PG', 'D4PG', 'MeSh', 'RS-0.1', 'RS-10.0',
         'MetaL (actor+critic)', 'MetaL'])

  def test_runs_with_another_setting_are_not_pooled(self):
    runs = [_run('metal', meta_optimizer='adam'), _run('metal'),
            _run('metal', lagrange_lr=0.01, meta_optimizer='adam')]
    self.assertEqual(
        _labels(*runs),
        ['MetaL [meta_optimizer=adam]', 'MetaL',
         'MetaL [lagrange_lr=0.01, meta_optimizer=adam]'])

  def test_the_defaults_have_the_plain_name(self):
    self.assertEqual(
        _labels(_run('metal'),
                *[_run('metal', lagrange_lr=0.01, seed=i) for i in range(2)]),
        ['MetaL'] + ['MetaL [lagrange_lr=0.01]'] * 2)

  def test_else_the_setting_with_most_finished_runs_has_the_plain_name(self):
    plain = [_run('metal', lagrange_lr=0.01, seed=seed) for seed in range(2)]
    others = [_run('metal', lagrange_lr=0.1)] + [
        _run('metal', run_folder.UNFINISHED, seed=seed) for seed in range(3)]
    self.assertEqual(
        _labels(*plain, *others),
        ['MetaL'] * 2 + ['MetaL [lagrange_lr=0.1]']
        + ['MetaL [lagrange_lr=default]'] * 3)

  def test_of_alpha_eta_what_the_run_had_counts(self):
    before, today, given, adam = (
        _run('metal', **settings)._replace(rates={'meta_lr': rate})
        for rate, settings in (
            (56.25, {}), (28.125, {}), (28.125, {'meta_lr': 28.125}),
            (1e-3, {'meta_optimizer': 'adam'})))
    self.assertEqual(
        _labels(before, today, given, adam),
        ['MetaL [meta_lr=56.25]', 'MetaL', 'MetaL',
         'MetaL [meta_optimizer=adam]'])
    other = _run('metal', outer_divergence='of another version')
    self.assertEqual(
        _labels(today, other._replace(rates={'meta_lr': 2.0})),
        ['MetaL', 'MetaL [meta_lr=2.0, outer_divergence=of another version]'])

  def test_what_an_algorithm_does_not_use_and_machinery_do_not_count(self):
    same = _run('d4pg'), _run(
        'd4pg', meta_optimizer='adam', lagrange_lr=1.0, lagrange_multiplier=3.0,
        outer_loss='actor', mesh_lr=1.0, validation_fraction=0.3, seed=5,
        num_episodes=7,
        workdir='elsewhere', xla=False, suite='builtin',
        feasibility_episodes=0, replay_store='reverb', deterministic=True)
    self.assertEqual(_labels(*same), ['D4PG', 'D4PG'])
    self.assertLen(set(naming.assign(same)), 1)
    self.assertLen(set(_labels(
        _run('rc_d4pg'), _run('rc_d4pg', lagrange_lr=1.0),
        _run('rc_d4pg', meta_lr=1.0))), 2)

    self.assertLen(set(_labels(
        _run('mesh'), _run('mesh', meta_optimizer='adam'),
        _run('mesh', mesh_lr=1.0))), 2)

  def test_conditions_are_no_settings(self):
    self.assertLen(set(_labels(
        _run('metal'), _run('metal', safety_coeff=0.1, domain='walker',
                            threshold=0.2, constraints=['a']))), 1)

  def test_every_setting_of_learning_tells_the_agents_that_use_it_apart(self):
    # Generated, so that a new setting cannot be forgotten.
    for field, setting in config_lib.Config.settings():
      if field.name == 'preset':  # Other defaults come with it: see below.
        continue
      for algorithm in agents.ALGORITHMS:
        changed = _run(algorithm, lagrange_multiplier=2.0, **{
            field.name: 'something else'}) if (
                field.name != 'lagrange_multiplier') else _run(
                    algorithm, lagrange_multiplier=3.0)
        uses = setting.role == config_lib.LEARNING and (
            setting.agents is None or algorithm in setting.agents)
        labels = _labels(_run(algorithm, lagrange_multiplier=2.0), changed)
        self.assertLen(set(labels), 1 + uses, (field.name, algorithm))

  def test_given_and_default_settings_are_the_same(self):
    self.assertLen(set(_labels(
        _run('metal', policy_layer_sizes=[256, 256, 256]),
        _run('metal', meta_lr=None))), 1)

  def test_a_preset_is_no_setting_and_what_differs_from_it_is_one(self):
    small = dict(preset='small', policy_layer_sizes=[128, 128],
                 critic_layer_sizes=[256, 128])
    self.assertEqual(
        _labels(*[_run('metal')] * 2, _run('metal', batch_size=128, **small),
                _run('metal', batch_size=256, **small)),
        ['MetaL', 'MetaL', 'MetaL', 'MetaL [batch_size=256]'])

  def test_order(self):
    labels = ['X', 'MeSh', 'RS-10.0', 'D4PG', 'MetaL [a=1]', 'RS-2.0', 'MetaL',
              'MetaL (actor)', 'D4PG']
    self.assertEqual(
        naming.order(labels),
        ['MetaL', 'MetaL [a=1]', 'D4PG', 'RS-10.0', 'MetaL (actor)', 'MeSh',
         'RS-2.0', 'X'])


if __name__ == '__main__':
  absltest.main()
