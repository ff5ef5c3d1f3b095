"""Tests of `make` and `resolve_suite`."""

import importlib.machinery
import importlib.util
import sys
import types
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from metal_tf import environments


def _suite_installed(installed: bool):
  spec = types.SimpleNamespace(origin='somewhere/__init__.py')
  return mock.patch.object(importlib.util, 'find_spec',
                           lambda name: spec if installed else None)


class ResolveSuiteTest(parameterized.TestCase):

  @parameterized.parameters(
      ('auto', True, 'realworldrl'), ('auto', False, 'builtin'),
      ('builtin', True, 'builtin'), ('builtin', False, 'builtin'),
      ('realworldrl', True, 'realworldrl'))
  def test_choice(self, suite, installed, expected):
    with _suite_installed(installed):
      self.assertEqual(environments.resolve_suite(suite), expected)

  def test_not_installed(self):
    with _suite_installed(False), self.assertRaisesRegex(
        ValueError, "suite 'realworldrl' needs the package realworldrl_suite, "
        'which is not on the path: use the builtin suite .* or run '
        'tools/realworldrl_suite.sh, which fetches commit be7a51c'):
      environments.resolve_suite('realworldrl')

  def test_directory_of_that_name_is_no_package(self):
    directory = self.create_tempdir()
    directory.mkdir('realworldrl_suite')
    others = [path for path in sys.path
              if importlib.machinery.PathFinder.find_spec(
                  'realworldrl_suite', [path]) is None]
    with mock.patch.object(sys, 'path', [directory.full_path] + others):
      self.assertEqual(environments.resolve_suite('auto'), 'builtin')

  def test_unknown(self):
    with self.assertRaisesRegex(ValueError, "unknown suite: 'rwrl', expected "
                                'one of auto, realworldrl, builtin'):
      environments.resolve_suite('rwrl')


class BrokenSuiteTest(absltest.TestCase):

  def test_says_what_to_do(self):
    # None in sys.modules makes an import fail.
    with _suite_installed(True), mock.patch.dict(
        sys.modules, {'realworldrl_suite': None,
                      'realworldrl_suite.environments': None}):
      sys.modules.pop('metal_tf.environments.realworldrl', None)
      with self.assertRaisesRegex(
          ValueError, 'realworldrl_suite is there but cannot be imported .*: '
          'use the builtin suite'):
        environments.make('cartpole', safety_coeff=0.3, seed=0,
                          constraints=[('slider_pos', 0.1)],
                          suite='realworldrl')


class MakeTest(parameterized.TestCase):

  def _make(self, **changes):
    arguments = dict(domain='cartpole', safety_coeff=0.3, seed=1,
                     constraints=[('slider_pos', 0.2)], suite='builtin')
    arguments.update(changes)
    return environments.make(**arguments)

  def test_chosen_constraints_in_their_order(self):
    environment = self._make(constraints=[('balance_velocity', 0.115),
                                          ('slider_pos', 0.2)])
    self.assertEqual(
        [(c.name, c.threshold, c.description) for c in environment.constraints],
        [('balance_velocity', 0.115, 'pole at most 0.15 rad/s where its cosine '
          'exceeds cos(1.55 rad)'),
         ('slider_pos', 0.2, 'cart strictly between -0.6 and 0.6 m')])

  def test_coefficients_do_not_mix(self):
    """Each environment has limits of its own, whatever was made before it."""
    moderate, strict = self._make(), self._make(safety_coeff=0.05)
    penalties = []
    for environment in (moderate, strict):
      environment.reset()
      environment.environment.physics.data.qpos[0] = 0.3
      penalties.append(environment.step(np.zeros(1)).penalty[0])
    self.assertEqual(penalties, [0.0, 1.0])

  def test_seed_decides_the_start(self):
    starts = [self._make(seed=seed).reset().observation for seed in (1, 1, 2)]
    np.testing.assert_array_equal(starts[0], starts[1])
    self.assertFalse(np.array_equal(starts[0], starts[2]))

  @parameterized.named_parameters(
      ('domain', dict(domain='cart'), 'unknown domain'),
      ('task', dict(task='run'), 'unknown task of cartpole'),
      ('safety_coeff', dict(safety_coeff=2.0), 'safety_coeff must be'),
      ('constraint', dict(constraints=[('upright', 0.1)]),
       'unknown constraint of cartpole'),
      ('no_constraint', dict(constraints=[]), 'at least one constraint'),
      ('threshold', dict(constraints=[('slider_pos', -1)]), 'threshold must'),
      ('suite', dict(suite='x'), 'unknown suite'),
      ('rwrl_spec', dict(rwrl_spec='{"delay": 1}'),
       "unknown key: 'delay'.*did you mean delay_spec"),
      ('rwrl_spec_of_the_builtin_suite',
       dict(rwrl_spec='{"combined_challenge": "easy"}'), 'for the real suite'))
  def test_refuses(self, changes, message):
    with self.assertRaisesRegex(ValueError, message):
      self._make(**changes)


if __name__ == '__main__':
  absltest.main()
