"""One episode of acting, step by step."""

import time
from typing import Any, Iterator, NamedTuple, Optional

import numpy as np

from metal_tf.acting import actor as actor_lib

# Episodes that a simulator may give up one after the other before that is no
# accident any more.
MAX_CUTS_IN_A_ROW = 10


class Step(NamedTuple):
  """One step; the fields are the arguments of `NStepAccumulator.append`.

  Attributes:
    o_tm1: observation before the action, float32 `[O]`.
    a_tm1: the action, float32 `[A]`.
    reward: the reward that followed.
    penalty: the penalties that followed, float32 `[K]`.
    discount: the environment's discount.
    o_t: observation after the action, float32 `[O]`.
    last: whether the episode ends here.
  """
  o_tm1: np.ndarray
  a_tm1: np.ndarray
  reward: float
  penalty: np.ndarray
  discount: float
  o_t: np.ndarray
  last: bool


class EpisodeResult(NamedTuple):
  """What an episode came to.

  Attributes:
    episode_return: undiscounted sum of rewards.
    episode_penalty: J_C, mean penalty per step, float64 `[K]`.
    steps: number of steps.
    seconds: wall time from the reset to the end, whatever the caller did
      between the steps included.
    cut: whether it was stopped at `max_steps` before the environment ended it.
  """
  episode_return: float
  episode_penalty: np.ndarray
  steps: int
  seconds: float
  cut: bool


class Episode:
  """Runs one episode as it is iterated over, so that learning can interleave.

      episode = Episode(environment, actor)
      for step in episode:
        for transition in accumulator.append(*step):
          replay.insert(transition)
        ...  # learner steps
      replay.insert_episode_penalty(episode.result.episode_penalty)
  """

  def __init__(self, environment: Any, actor: actor_lib.Actor,
               max_steps: Optional[int] = None) -> None:
    """Prepares an episode; nothing happens before the iteration.

    Args:
      environment: has `reset` and `step` as `ConstrainedEnvironment`.
      actor: chooses the actions.
      max_steps: stop there; the last step keeps the environment's discount, so
        that a learner bootstraps. None: run until the environment ends.

    Raises:
      ValueError: if max_steps is below 1.
    """
    if max_steps is not None and max_steps < 1:
      raise ValueError(f'max_steps: got {max_steps}, allowed are integers >= 1')
    self._environment = environment
    self._actor = actor
    self._max_steps = max_steps
    self._result: Optional[EpisodeResult] = None

  def __iter__(self) -> Iterator[Step]:
    """Yields every step right after the environment made it."""
    start = time.monotonic()
    self._actor.begin_episode()
    timestep = self._environment.reset()
    episode_return, steps = 0., 0
    penalty_sum: Any = 0.
    last = False
    while not last:
      observation = timestep.observation
      action = self._actor.select_action(observation)
      timestep = self._environment.step(action)
      steps += 1
      episode_return += timestep.reward
      penalty_sum = penalty_sum + timestep.penalty.astype(np.float64)
      last = timestep.last() or steps == self._max_steps
      yield Step(observation, action, timestep.reward, timestep.penalty,
                 timestep.discount, timestep.observation, last)
    self._result = EpisodeResult(
        episode_return=float(episode_return),
        episode_penalty=penalty_sum / steps, steps=steps,
        seconds=time.monotonic() - start, cut=not timestep.last())

  @property
  def result(self) -> EpisodeResult:
    """The result.

    Raises:
      RuntimeError: if the iteration has not come to the episode's end.
    """
    if self._result is None:
      raise RuntimeError('result: the episode has not been run to its end')
    return self._result
