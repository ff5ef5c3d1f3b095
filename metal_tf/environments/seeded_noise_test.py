"""Tests of an environment whose noise comes from numpy's global generator."""

import threading
import types

from absl.testing import absltest
from absl.testing import parameterized
import dm_env
from dm_env import specs
import numpy as np

from metal_tf.environments import constraint
from metal_tf.environments import contract
from metal_tf.environments import seeded_noise
from metal_tf.environments import wrapper

_STEPS = 6


class _Noisy(dm_env.Environment):
  """Has noise, is late by a step over episodes, zeroes the given action."""

  def __init__(self, seed):
    self.task = types.SimpleNamespace(
        random=np.random.RandomState(seed), broken=False)
    self.walked = 0  # Episodes so far, as a perturbation would have it.
    self._late = None
    self._step = 0

  def _observation(self):
    now = np.array([self._start, np.random.normal(), self._step])
    late, self._late = (now if self._late is None else self._late), now
    return late

  def reset(self):
    self.walked += 1
    self._step, self._start = 0, self.task.random.uniform()
    return dm_env.restart(self._observation())

  def step(self, action):
    if self.task.broken:
      raise RuntimeError('broken on purpose')
    action[0] = 0.0
    self._step += 1
    step = dm_env.truncation if self._step == _STEPS else dm_env.transition
    return step(float(np.random.uniform()), self._observation(), 1.0)

  def observation_spec(self):
    self._start = 0.0
    return specs.Array(self._observation().shape, np.float64, 'observation')

  def action_spec(self):
    return specs.BoundedArray([2], np.float64, -1.0, 1.0, 'action')


def _episode(environment):
  """All that an episode shows."""
  steps = [environment.reset()]
  while not steps[-1].last():
    steps.append(environment.step(np.zeros(2)))
  return [[*step.observation, step.reward or 0.0] for step in steps]


def _seeded(seed=0, episodes_apart=True):
  return seeded_noise.SeededNoise(_Noisy, seed, episodes_apart)


def _constrained(seed=0):
  return wrapper.ConstrainedEnvironment(_seeded(seed), [
      constraint.Constraint.of_time_step(
          'high', lambda step: step.observation[1] > 0.0, threshold=0.5)])


class ContractTest(contract.ConstrainedEnvironmentTestMixin,
                   absltest.TestCase):

  def make_environment(self):
    return _constrained()


class SeededNoiseTest(parameterized.TestCase):

  def test_an_episode_follows_from_its_seed_alone(self):
    one, two = _seeded(7), _seeded(0)
    expected = _episode(one)
    _episode(two)
    two.step(np.zeros(2))  # Starts an episode, which is left unfinished.
    two.reseed(7)
    self.assertEqual(_episode(two), expected)
    one.reseed(7)
    self.assertEqual(_episode(one), expected)
    self.assertNotEqual(_episode(one), expected)
    self.assertNotEqual(_episode(_seeded(8)), expected)

  def test_behind_a_wrapper_likewise(self):
    one, two = _constrained(1), _constrained(2)
    one.reset()
    for environment in (one, two):
      self.assertTrue(environment.reseed(3))
    for _ in range(2):
      np.testing.assert_array_equal(one.reset().observation,
                                    two.reset().observation)

  def test_episodes_that_belong_together_stay_so(self):
    environment = _seeded(7, episodes_apart=False)
    _episode(environment)
    environment.reseed(7)
    again = _episode(environment)
    self.assertEqual(environment.walked, 2)
    # Its start and its noise follow from the seed nevertheless.
    fresh = _episode(_seeded(7, episodes_apart=False))
    self.assertEqual([step[3] for step in again], [step[3] for step in fresh])
    self.assertNotEqual(again[0], fresh[0])  # Late, of the episode before.

  def test_nobody_elses_numbers_change(self):
    np.random.seed(5)
    expected = np.random.uniform(size=20)
    np.random.seed(5)
    environment = _seeded(7)
    got = list(np.random.uniform(size=5))
    environment.reset()
    got += list(np.random.uniform(size=5))
    environment.step(np.zeros(2))
    got += list(np.random.uniform(size=5))
    environment.task.broken = True
    with self.assertRaisesRegex(RuntimeError, 'broken'):
      environment.step(np.zeros(2))
    environment.reseed(3)
    got += list(np.random.uniform(size=5))
    np.testing.assert_array_equal(got, expected)

  def test_nor_do_others_change_its_own(self):
    environment = _seeded(7)
    np.random.seed(11)
    self.assertEqual(_episode(environment), _episode(_seeded(7)))

  def test_threads_do_not_mix(self):
    expected = {seed: _episode(_seeded(seed)) for seed in range(4)}
    got = {}

    def run(seed):
      environment = _seeded(seed)
      for _ in range(20):
        environment.reseed(seed)
        got.setdefault(seed, []).append(_episode(environment))

    threads = [threading.Thread(target=run, args=(seed,)) for seed in expected]
    for thread in threads:
      thread.start()
    for thread in threads:
      thread.join()
    for seed, episodes in got.items():
      self.assertLen(episodes, 20)
      for episode in episodes:
        self.assertEqual(episode, expected[seed])

  def test_the_callers_action_stays(self):
    environment = _seeded()
    environment.reset()
    action = np.array([0.5, 0.5])
    environment.step(action)
    np.testing.assert_array_equal(action, [0.5, 0.5])

  def test_what_cannot_be_loaded_is_a_value_error(self):

    def load(seed):
      raise KeyError('pole_length')

    np.random.seed(5)
    expected = np.random.uniform()
    np.random.seed(5)
    with self.assertRaisesRegex(ValueError, "cannot run .*KeyError: 'pole"):
      seeded_noise.SeededNoise(load, 0, True)
    self.assertEqual(np.random.uniform(), expected)


if __name__ == '__main__':
  absltest.main()
