"""A small environment for tests of acting."""

import dm_env
import numpy as np

from metal_tf import types
from metal_tf.environments import TimeStep

NUM_CONSTRAINTS = 2


class CountingEnvironment:
  """Observes its step count; the reward is the count, too.

  The first penalty is 1 on every second step, the other one always.
  """

  def __init__(self, episode_steps: int) -> None:
    self._episode_steps = episode_steps
    self._count = 0

  def reset(self) -> TimeStep:
    self._count = 0
    return TimeStep(dm_env.StepType.FIRST, None, None, self._observe(), None)

  def step(self, action: np.ndarray) -> TimeStep:
    assert action.shape == (2,), action.shape
    self._count += 1
    last = self._count == self._episode_steps
    return TimeStep(
        dm_env.StepType.LAST if last else dm_env.StepType.MID,
        float(self._count), 1., self._observe(),
        np.array([1. - self._count % 2, 1.], np.float32))

  def _observe(self) -> np.ndarray:
    return np.full(3, self._count, np.float32)


def make_spec() -> types.EnvironmentSpec:
  """The spec of the above."""
  return types.EnvironmentSpec(
      observation_size=3,
      action_minimum=np.array([-1., -2.], np.float32),
      action_maximum=np.array([1., 0.5], np.float32),
      constraint_names=('second', 'always'),
      thresholds=np.full(NUM_CONSTRAINTS, 0.1, np.float32))


def make_weights(action: float) -> list:
  """Weights of a policy whose action before rescaling is tanh(`action`)."""
  return [np.zeros((3, 4)), np.zeros(4), np.ones(4), np.zeros(4),
          np.zeros((4, 2)), np.full(2, action)]
