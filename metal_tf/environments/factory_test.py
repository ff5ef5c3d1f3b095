"""Tests of `make` and `resolve_suite`."""

import importlib.util
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from metal_tf import environments


def _suite_installed(installed: bool):
  return mock.patch.object(importlib.util, 'find_spec',
                           lambda name: object() if installed else None)


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
        'which is not installed: use the builtin suite .* or run pip install '
        '.*@be7a51c'):
      environments.resolve_suite('realworldrl')

  def test_unknown(self):
    with self.assertRaisesRegex(ValueError, "unknown suite: 'rwrl', expected "
                                'one of auto, realworldrl, builtin'):
      environments.resolve_suite('rwrl')


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
      ('suite', dict(suite='x'), 'unknown suite'))
  def test_refuses(self, changes, message):
    with self.assertRaisesRegex(ValueError, message):
      self._make(**changes)


if __name__ == '__main__':
  absltest.main()
