"""Our tasks against the real suite: exact equality, both in one process.

By default two episodes a domain; the full matrix (seeds x coefficients, two
episodes each, some minutes) with METAL_TF_FULL_PARITY=1 in the environment
(`--test_env=METAL_TF_FULL_PARITY=1 --test_timeout=3600` for Bazel).
"""

import collections
import importlib.util
import itertools
import os

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from metal_tf import environments
from metal_tf.environments import tasks

_SEEDS = (0, 1, 12345)
_COEFFICIENTS = (0.05, 0.1, 0.2, 0.3, 1.0)
_EPISODES = 2

if os.environ.get('METAL_TF_FULL_PARITY') == '1':
  _CASES = tuple(itertools.product(_SEEDS, _COEFFICIENTS))
else:
  # The coefficient changes limits only, and the seed the start: one case shows
  # every quantity; the full matrix is for a new simulator or a change here.
  _CASES = ((1, 0.3),)


def _flat(observation) -> np.ndarray:
  """The suite's observation in float64, without the bits."""
  return np.concatenate([np.ravel(value) for key, value in observation.items()
                         if key != 'constraints'])


def _make(domain: str, suite: str, seed: int, safety_coeff: float):
  """An environment with all constraints, and the raw steps it was made of.

  Returns:
    The environment, and a list whose last element is the last time step that
    the wrapper saw, before it rounded to float32.
  """
  environment = environments.make(
      domain, safety_coeff=safety_coeff, seed=seed, suite=suite,
      constraints=[(name, 0.1)
                   for name in tasks.TASKS[domain].constraint_names])
  seen = collections.deque(maxlen=1)
  for name in ('reset', 'step'):
    _remember(environment.environment, name, seen)
  return environment, seen


def _remember(environment, name: str, seen) -> None:
  method = getattr(environment, name)

  def call(*arguments):
    time_step = method(*arguments)
    seen.append(time_step)
    return time_step

  setattr(environment, name, call)


class ParityTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    if importlib.util.find_spec('realworldrl_suite') is None:
      reason = ('realworldrl_suite is not installed: parity with it is covered '
                'by the golden trajectories (golden_test) on this machine')
      print(f'SKIPPED: {reason}', flush=True)
      self.skipTest(reason)

  @parameterized.parameters(*tasks.TASKS)
  def test_equals_the_suite_bit_for_bit(self, domain):
    self._steps, self._violations, self._largest = 0, 0.0, 0.0
    for seed, safety_coeff in _CASES:
      self._where = f'{domain}, seed {seed}, coefficient {safety_coeff}'
      real, self._real_seen = _make(domain, 'realworldrl', seed, safety_coeff)
      ours, self._ours_seen = _make(domain, 'builtin', seed, safety_coeff)
      random = np.random.RandomState(seed + 1)
      for _ in range(_EPISODES):
        self._run_episode(real, ours, random)
    self.assertGreaterEqual(self._steps, len(_CASES) * _EPISODES * 1000)
    # Parity of penalties that are never 1 would say little.
    self.assertGreater(self._violations, 0)
    print(f'{domain}: {self._steps} steps equal, largest difference '
          f'{self._largest}, {self._violations:.0f} violations', flush=True)

  def _run_episode(self, real, ours, random):
    expected, got = real.reset(), ours.reset()
    self._compare(expected, got)
    while not expected.last():
      # float64, beyond some of the bounds: both must do the same with it.
      action = random.uniform(-1.1, 1.1, ours.spec.action_size)
      expected, got = real.step(action), ours.step(action)
      self._steps += 1
      self._violations += expected.penalty.sum()
      self._compare(expected, got)

  def _compare(self, expected, got):
    expected_raw = _flat(self._real_seen[-1].observation)
    got_raw = _flat(self._ours_seen[-1].observation)
    self._largest = max(self._largest, np.abs(expected_raw - got_raw).max())
    for name, one, other in (
        ('float64 observation', expected_raw, got_raw),
        ('observation', expected.observation, got.observation),
        ('reward', expected.reward, got.reward),
        ('discount', expected.discount, got.discount),
        ('step type', expected.step_type, got.step_type),
        ('penalty', expected.penalty, got.penalty)):
      if not np.array_equal(one, other):
        self.fail(f'{self._where}, step {self._steps}: {name} {one} of the '
                  f'suite, {other} of ours')


if __name__ == '__main__':
  absltest.main()
