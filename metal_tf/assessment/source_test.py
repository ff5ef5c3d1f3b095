"""Tests for `source`."""

import os

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from metal_tf import config as config_lib
from metal_tf import validation
from metal_tf.agent import agents
from metal_tf.assessment import source
from metal_tf.environments import own
from metal_tf.environments import own_testing
from metal_tf.training import run
from metal_tf.training import testing


def _source(**settings):
  return source.Source('runs/one', 'metal', config_lib.Config(**settings),
                       'builtin (dm-control 1)', 5, 1, None, lambda: None)


class ResolveTest(parameterized.TestCase):

  @parameterized.parameters(
      ({}, {}, [('balance_velocity', 0.115)]),
      ({}, {'threshold': 0.2}, [('balance_velocity', 0.2)]),
      ({'constraints': ('slider_pos:0.3',)}, {}, [('slider_pos', 0.3)]),
      # Not silently that of the run.
      ({'constraints': ('slider_pos:0.3',)}, {'threshold': 0.2},
       [('slider_pos', 0.2)]),
      ({'threshold': 0.4}, {'constraints': ['slider_pos', 'slider_accel:0.1']},
       [('slider_pos', 0.4), ('slider_accel', 0.1)]),
  )
  def test_constraints_and_thresholds(self, trained, changed, expected):
    config, plant = source.resolve(_source(**trained), changed)
    self.assertEqual([(c.name, c.threshold) for c in plant.constraints],
                     expected)
    self.assertEqual(config.seed, 0)

  def test_other_settings(self):
    config, plant = source.resolve(
        _source(domain='walker'),
        dict(safety_coeff=0.05, seed=7, suite='builtin'))
    self.assertEqual((config.safety_coeff, config.seed, config.suite),
                     (0.05, 7, 'builtin'))
    self.assertEqual(plant.name, 'walker/realworld_walk')

  @parameterized.parameters(
      ({'safety_coeff': 2.}, '--safety_coeff: got 2.0, allowed'),
      ({'threshold': -1.}, '--threshold: got -1.0'),
      ({'constraints': ['slider_position']}, 'Did you mean slider_pos'),
      ({'seed': -1}, '--seed: got -1'),
  )
  def test_refuses(self, changed, message):
    with self.assertRaisesRegex(validation.ConfigError, message):
      source.resolve(_source(), changed)


class OwnEnvironmentTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.path = own_testing.write_plant(self.create_tempdir().full_path)
    self.name = f'{self.path}:make'

  def _source(self, size=2, **changes):
    return source.Source(
        'runs/one', 'metal', config_lib.Config(**changes), 'own', size, 1,
        own.describe_source(self.name), lambda: None)

  def test_it_is_the_runs_or_another_one(self):
    trained = self._source(environment=self.name)
    config, plant = source.resolve(trained, {})
    self.assertEqual((plant.name, config.environment), ('Push', self.name))
    heavy = {'environment_kwargs': '{"mass": 2}'}
    config, plant = source.resolve(trained, heavy)
    self.assertEqual(config.environment_kwargs, '{"mass": 2}')
    # Also for a run on a task of the suite, or whose program did not name it.
    for settings in ({}, {'domain': 'walker', 'threshold': 0.1}):
      config, plant = source.resolve(
          self._source(**settings), {'environment': self.name})
      self.assertEqual(plant.name, 'Push')

  def test_what_does_not_fit_is_refused(self):
    trained = self._source(environment=self.name)
    for changes, message in (
        ({'safety_coeff': 0.3}, '--safety_coeff: .*unset with --environment'),
        ({'threshold': 0.3}, 'states its constraints'),
        ({'environment_kwargs': '{"mas": 2}'}, 'called as make')):
      with self.assertRaisesRegex(validation.ConfigError, message):
        source.resolve(trained, changes)
    with self.assertRaisesRegex(
        validation.ConfigError, 'with 3 numbers as observation.*There are 2'):
      source.resolve(self._source(3, environment=self.name), {})

  def test_a_changed_file_is_told(self):
    trained = self._source(environment=self.name)
    self.assertEqual(source.changed_source(trained, trained.config), '')
    with open(self.path, 'a', encoding='utf-8') as stream:
      stream.write('# more\n')
    self.assertIn('has changed since the run',
                  source.changed_source(trained, trained.config))


class LoadTest(absltest.TestCase):

  def test_checkpoint_and_export_are_one_policy(self):
    workdir = self.create_tempdir().full_path
    run.train(agents.METAL, testing.small_config(
        workdir, num_episodes=3, evaluation_period=0), testing.make_environment)
    of_run = source.of_run(workdir, self.fail)
    of_export = source.of_export(os.path.join(workdir, 'export'))
    self.assertEqual(of_run.config, of_export.config)
    self.assertEqual(of_run.algorithm, of_export.algorithm)
    (one, episodes), (two, same) = of_run.load(), of_export.load()
    self.assertEqual((episodes, same), (3, 3))
    for observation in np.random.default_rng(0).normal(size=(5, 3)):
      np.testing.assert_allclose(
          one(np.float32(observation)), two(observation), rtol=0, atol=1e-6)
    # Trained on a world that only this test can make.
    for found in (of_run, of_export):
      with self.assertRaisesRegex(validation.ConfigError, 'measure.measure'):
        source.resolve(found, {})


if __name__ == '__main__':
  absltest.main()
