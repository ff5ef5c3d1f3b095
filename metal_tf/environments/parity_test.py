"""Our tasks against the real suite: exact equality, both in one process.

By default two episodes a domain; the full matrix (seeds x coefficients, two
episodes each) with the environment variable METAL_TF_FULL_PARITY=1.
"""

import importlib.util
import itertools
import os

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from metal_tf import environments
from metal_tf.environments import registry

_SEEDS = (0, 1, 12345)
_COEFFICIENTS = (0.05, 0.1, 0.2, 0.3, 1.0)
_EPISODES = 2

if os.environ.get('METAL_TF_FULL_PARITY') == '1':
  _CASES = tuple(itertools.product(_SEEDS, _COEFFICIENTS))
else:
  # Both episodes of one seed; the coefficients between them touch limits only.
  _CASES = ((1, 0.3),)


def _flat(observation) -> np.ndarray:
  """The suite's observation in float64, without the bits."""
  return np.concatenate([np.ravel(value) for key, value in observation.items()
                         if key != 'constraints'])


class _Recorder:
  """Remembers the raw time steps that a wrapper saw, before float32."""

  def __init__(self, environment):
    self._step = environment.step
    self._reset = environment.reset
    self.last = None
    environment.step = self.step
    environment.reset = self.reset

  def step(self, action):
    self.last = self._step(action)
    return self.last

  def reset(self):
    self.last = self._reset()
    return self.last


def _make(domain: str, suite: str, seed: int, safety_coeff: float):
  environment = environments.make(
      domain, safety_coeff=safety_coeff, seed=seed, suite=suite,
      constraints=[(name, 0.1)
                   for name in registry.TASKS[domain].constraint_names])
  return environment, _Recorder(environment.environment)


class ParityTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    if importlib.util.find_spec('realworldrl_suite') is None:
      reason = ('realworldrl_suite is not installed: parity with it is covered '
                'by the golden trajectories (golden_test) on this machine')
      print(f'SKIPPED: {reason}', flush=True)
      self.skipTest(reason)

  @parameterized.parameters(*registry.TASKS)
  def test_equals_the_suite_bit_for_bit(self, domain):
    steps, largest, violated = 0, 0.0, 0
    for seed, safety_coeff in _CASES:
      real, real_raw = _make(domain, 'realworldrl', seed, safety_coeff)
      ours, ours_raw = _make(domain, 'builtin', seed, safety_coeff)
      random = np.random.RandomState(seed + 1)
      for _ in range(_EPISODES):
        action = None
        while action is None or not expected.last():  # pylint: disable=used-before-assignment
          if action is None:
            expected, got = real.reset(), ours.reset()
          else:
            expected, got = real.step(action), ours.step(action)
            steps += 1
            violated += expected.penalty.sum()
          where = f'{domain}, seed {seed}, coefficient {safety_coeff}, {steps}'
          raw, our_raw = _flat(real_raw.last.observation), _flat(
              ours_raw.last.observation)
          largest = max(largest, np.abs(raw - our_raw).max())
          np.testing.assert_array_equal(our_raw, raw, where)
          np.testing.assert_array_equal(got.observation, expected.observation,
                                        where)
          np.testing.assert_array_equal(got.penalty, expected.penalty, where)
          self.assertEqual(got.reward, expected.reward, where)
          self.assertEqual(got.discount, expected.discount, where)
          self.assertEqual(got.step_type, expected.step_type, where)
          action = random.uniform(-1, 1, ours.spec.action_size)
    self.assertGreaterEqual(steps, len(_CASES) * _EPISODES * 1000)
    # Parity of penalties that are never 1 would say little.
    self.assertGreater(violated, 0)
    print(f'{domain}: {steps} steps equal, largest difference {largest}, '
          f'{violated:.0f} violations', flush=True)


if __name__ == '__main__':
  absltest.main()
