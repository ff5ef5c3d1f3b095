"""A small world and small networks, for tests of whole runs."""

import os
import pickle
from typing import Any, Dict, List, Tuple
import unittest
from unittest import mock

import dm_env
from dm_env import specs
import numpy as np
import tensorflow as tf

from metal_tf import config as config_lib
from metal_tf import types
from metal_tf.agent import agents
from metal_tf.agent import learner as learner_lib
from metal_tf.environments import constraint
from metal_tf.environments import wrapper
from metal_tf.training import parts

EPISODE_STEPS = 40
# Settings of a run that its learner's graph does not depend on.
_OF_THE_RUN_ALONE = (
    'workdir', 'num_episodes', 'seed', 'evaluation_period', 'exploration_sigma',
    'checkpoint_seconds', 'replay_store')


class Slope(dm_env.Environment):
  """A point on a line that is paid for being near 1, from a random start."""

  def __init__(self, seed: int):
    self._rng = np.random.default_rng(seed)
    self._position = 0.0
    self._steps = 0

  def reseed(self, seed: int) -> None:
    self._rng = np.random.default_rng(seed)

  def reset(self) -> dm_env.TimeStep:
    self._position = self._rng.uniform(-1, 0)
    self._steps = 0
    return dm_env.restart(self._observation())

  def step(self, action: np.ndarray) -> dm_env.TimeStep:
    self._position += 0.1 * float(np.clip(action[0], -1, 1))
    self._steps += 1
    reward = float(np.exp(-(self._position - 1)**2))
    if self._steps == EPISODE_STEPS:
      return dm_env.truncation(reward, self._observation(), discount=1.0)
    return dm_env.transition(reward, self._observation())

  def _observation(self) -> np.ndarray:
    return np.array([self._position, 1.0, -self._position], np.float64)

  def observation_spec(self) -> specs.Array:
    return specs.Array([3], np.float64, 'position')

  def action_spec(self) -> specs.BoundedArray:
    return specs.BoundedArray([1], np.float64, -1.0, 1.0, 'velocity')


def make_environment(seed: int) -> wrapper.ConstrainedEnvironment:
  """The slope with two constraints: one that binds and one that does not."""
  return wrapper.ConstrainedEnvironment(Slope(seed), [
      constraint.Constraint.of_time_step(
          'left_half', lambda step: step.observation[0] > 0.0, threshold=0.25),
      constraint.Constraint.of_time_step(
          'far_away', lambda step: abs(step.observation[0]) > 9.0,
          threshold=0.5),
  ])


def small_config(workdir: str, **changes: Any) -> config_lib.Config:
  """A run of a few seconds; uncompiled unless asked for."""
  settings = dict(
      workdir=workdir, num_episodes=6, policy_layer_sizes=(8, 8),
      critic_layer_sizes=(8, 8), num_atoms=11, vmin=-20.0, vmax=60.0,
      batch_size=16, min_replay_size=EPISODE_STEPS, replay_capacity=1000,
      samples_per_insert=4.0, penalty_samples=4, lagrange_lr=0.01,
      target_update_period=10, feasibility_episodes=0, xla=False)
  return config_lib.Config(**{**settings, **changes})


def read_tensorboard(directory: str) -> Dict[str, List[Tuple[int, float]]]:
  """Reads the scalars of a folder: (step, value) by tag, in file order."""
  scalars: Dict[str, List[Tuple[int, float]]] = {}
  for name in sorted(os.listdir(directory)):
    path = os.path.join(directory, name)
    if not os.path.isfile(path):
      continue
    for event in tf.compat.v1.train.summary_iterator(path):
      for value in event.summary.value:
        scalars.setdefault(value.tag, []).append(
            (event.step, float(tf.make_ndarray(value.tensor))))
  return scalars


def share_learners() -> None:
  """Runs of equal settings use one learner, which is traced once.

  Tracing takes seconds, and a test of whole runs makes dozens of them. A run
  that would get a new learner gets the one of an earlier run in the state of a
  new one. To be called by `setUpModule`; ends with the module.
  """
  make = parts.make_learner
  shared: Dict[bytes, learner_lib.Learner] = {}

  def make_or_reset(
      spec: types.EnvironmentSpec, algorithm: agents.Algorithm,
      config: config_lib.Config) -> learner_lib.Learner:
    learner = make(spec, algorithm, config)
    settings = {name: value for name, value in vars(config).items()
                if name not in _OF_THE_RUN_ALONE}
    first = shared.setdefault(
        pickle.dumps((spec, algorithm, settings)), learner)
    if first is not learner:
      first.set_state(learner.get_state())
    return first

  patch = mock.patch.object(parts, 'make_learner', make_or_reset)
  patch.start()
  unittest.addModuleCleanup(patch.stop)
