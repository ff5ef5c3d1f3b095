"""Tests for `source`."""

import os

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from metal_tf.agent import agents
from metal_tf.assessment import source
from metal_tf import config as config_lib
from metal_tf.training import run
from metal_tf.training import testing
from metal_tf import validation


def _source(**settings):
  return source.Source('runs/one', 'metal', config_lib.Config(**settings),
                       'builtin (dm-control 1)', lambda: None)


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
    config, task = source.resolve(_source(**trained), **changed)
    self.assertEqual([(c.name, c.threshold) for c in task.constraints],
                     expected)
    self.assertEqual(config.seed, 0)

  def test_other_settings(self):
    config, task = source.resolve(
        _source(domain='walker'), safety_coeff=0.05, seed=7, suite='builtin')
    self.assertEqual((config.safety_coeff, config.seed, config.suite),
                     (0.05, 7, 'builtin'))
    self.assertEqual(task.info.domain, 'walker')

  @parameterized.parameters(
      ({'safety_coeff': 2.}, '--safety_coeff: got 2.0, allowed'),
      ({'threshold': -1.}, '--threshold: got -1.0'),
      ({'constraints': ['slider_position']}, 'Did you mean slider_pos'),
      ({'seed': -1}, '--seed: got -1'),
  )
  def test_refuses(self, changed, message):
    with self.assertRaisesRegex(validation.ConfigError, message):
      source.resolve(_source(), **changed)


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
        source.resolve(found)


if __name__ == '__main__':
  absltest.main()
