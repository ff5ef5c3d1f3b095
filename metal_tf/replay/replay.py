"""What a learner and an actor's loop need of a replay memory."""

import abc
from typing import Any, Dict, Mapping, Optional

import numpy as np

from metal_tf import types
from metal_tf.replay import priorities as priorities_lib
from metal_tf.replay import rate_limits


class Replay(abc.ABC):
  """Transitions, and beside them the penalties of the latest episodes.

  The paper keeps penalties inside the transitions and an additional penalty
  replay buffer (section 3, Algorithm 1): the learner's multiplier follows the
  J_C of whole episodes, the critic the penalties of single transitions.

  One loop of acting and learning in a single thread is

      replay.insert(transition)          # for every transition
      replay.insert_episode_penalty(j_c)  # at the end of an episode
      while replay.batches_due():
        sample = replay.sample()
        priorities = learner.step(sample.transitions, sample.episode_penalties,
                                  sample.importance_weights)
        replay.update_priorities(sample.keys, priorities)  # If prioritized.
  """

  @abc.abstractmethod
  def insert(self, transition: types.Transition) -> None:
    """Adds one transition; the oldest is removed beyond the capacity.

    Raises:
      ValueError: if a field does not have the shape of the environment's spec.
    """

  @abc.abstractmethod
  def insert_episode_penalty(self, j_c: np.ndarray) -> None:
    """Adds J_C `[K]`, mean penalty per step, of an episode that has ended.

    Raises:
      ValueError: if the shape is not `[K]`.
    """

  @abc.abstractmethod
  def can_sample(self) -> bool:
    """Whether min_size transitions and one episode penalty are there."""

  @abc.abstractmethod
  def batches_due(self) -> int:
    """How many batches the ratio samples_per_insert asks for now.

    0 while `can_sample()` is false. Taking them all before the next insertion
    keeps the ratio and can never block.
    """

  @abc.abstractmethod
  def sample(self) -> types.Sample:
    """Draws with replacement.

    Transitions are drawn uniformly, or in proportion to priorities (see
    `priorities`), episode penalties always uniformly.

    Returns:
      B transitions and M episode penalties; float32, arrays or tensors.

    Raises:
      RuntimeError: if `can_sample()` is false, or if the batch would leave the
        window around the ratio (see `rate_limits`).
    """

  @abc.abstractmethod
  def update_priorities(self, keys: Any, priorities: Any) -> None:
    """Gives transitions new priorities; of a key given twice, the last one.

    A transition that was removed is passed over, and one whose new priority is
    not finite keeps what it has. Batches that were drawn ahead stay as they
    are, and the update may come into effect somewhat later.

    Args:
      keys: of a sample, `[B]`.
      priorities: of its transitions, `[B]`, > 0.

    Raises:
      ValueError: for other shapes, or a priority that is not > 0; at the latest
        in the next calls.
      RuntimeError: if the replay is uniform.
    """

  @property
  @abc.abstractmethod
  def num_transitions(self) -> int:
    """Transitions held now."""

  @property
  @abc.abstractmethod
  def num_episode_penalties(self) -> int:
    """Episode penalties held now."""

  @abc.abstractmethod
  def save(self, directory: str) -> None:
    """Writes everything into a directory, which exists and is the replay's own.

    Whether the result appears under its final name at once or not at all is for
    the caller to arrange, by renaming the directory afterwards.
    """

  @abc.abstractmethod
  def restore(self, directory: str) -> None:
    """Replaces the contents by what `save` wrote.

    Raises:
      ValueError: if it was written by a replay of other sizes or settings, or
        is damaged; the replay can only be closed then.
    """

  @abc.abstractmethod
  def close(self) -> None:
    """Ends background work; nothing else may be called afterwards."""


def settings(spec: types.EnvironmentSpec,
             window: rate_limits.RateLimiterWindow, capacity: int,
             penalty_capacity: int,
             prioritization: Optional[priorities_lib.Prioritization]
            ) -> Dict[str, Any]:
  """The settings without which a saved replay would mean something else."""
  kind = dict(replay='uniform')
  if prioritization is not None:
    kind = dict(replay='prioritized', **prioritization._asdict())
  return dict(
      **kind,
      observation_size=spec.observation_size,
      action_size=spec.action_size,
      num_constraints=spec.num_constraints,
      capacity=capacity,
      penalty_capacity=penalty_capacity,
      min_size=window.min_size,
      samples_per_insert=window.samples_per_insert,
      min_diff=window.min_diff,
      max_diff=window.max_diff)


def check_settings(saved: Mapping[str, Any], own: Mapping[str, Any]) -> None:
  """Raises ValueError, naming the field, unless saved settings are our own."""
  saved = {'replay': 'uniform', **saved}  # There was no other kind once.
  for name, value in own.items():
    if saved.get(name) != value:
      raise ValueError(f'{name}: got {saved.get(name)} in the saved replay, '
                       f'expected {value} as in this run')
