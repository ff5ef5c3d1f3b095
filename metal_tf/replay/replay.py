"""What a learner and an actor's loop need of a replay memory."""

import abc
import dataclasses
from typing import Any, Callable, Dict, Mapping, Optional, Union

import numpy as np

from metal_tf import types
from metal_tf.replay import priorities as priorities_lib
from metal_tf.replay import rate_limits

# What a replay gives to be saved: itself in parts, or a function that writes
# its files into the empty folder it is given.
ToSave = Union[types.ReplaySnapshot, Callable[[str], None]]
# What becomes of it: the parts again, or the folder.
Saved = Union[types.ReplaySnapshot, str]


@dataclasses.dataclass(frozen=True)
class Settings:
  """What a replay holds, hands out and waits for, wherever it is kept.

  Attributes:
    batch_size: B, transitions per sample.
    num_penalty_samples: M, episode penalties per sample.
    capacity: transitions held, first in first out.
    min_size: transitions before the first sample.
    samples_per_insert: how often a transition is sampled on average.
    penalty_capacity: episode penalties held, first in first out.
    prioritization: how priorities are used; None draws uniformly.
  """
  batch_size: int
  num_penalty_samples: int
  capacity: int
  min_size: int
  samples_per_insert: float
  penalty_capacity: int
  prioritization: Optional[priorities_lib.Prioritization] = None

  def window(self, *, prefetched_batches: int,
             first_inserts: int) -> rate_limits.RateLimiterWindow:
    """Checks the sizes and says how far sampling and inserting may run apart.

    Args:
      prefetched_batches: see `rate_limits.rate_limiter_window`.
      first_inserts: likewise.

    Raises:
      ValueError: naming the field, what it was and what is allowed.
    """
    rate_limits.check_penalty_sizes(
        self.num_penalty_samples, self.penalty_capacity)
    return rate_limits.rate_limiter_window(
        samples_per_insert=self.samples_per_insert, min_size=self.min_size,
        capacity=self.capacity, batch_size=self.batch_size,
        prefetched_batches=prefetched_batches, first_inserts=first_inserts)

  def saved(self, spec: types.EnvironmentSpec,
            window: rate_limits.RateLimiterWindow) -> Dict[str, Any]:
    """What a saved replay must share with one that goes on from it, as JSON.

    Args:
      spec: the environment's.
      window: as it is kept.
    """
    kind = dict(replay='uniform')
    if self.prioritization is not None:
      kind = dict(replay='prioritized', **self.prioritization._asdict())
    return dict(
        **kind,
        observation_size=spec.observation_size,
        action_size=spec.action_size,
        num_constraints=spec.num_constraints,
        capacity=self.capacity,
        penalty_capacity=self.penalty_capacity,
        min_size=window.min_size,
        samples_per_insert=window.samples_per_insert,
        min_diff=window.min_diff,
        max_diff=window.max_diff)


class Replay(abc.ABC):
  """Transitions, and beside them the penalties of the latest episodes.

  The paper keeps penalties inside the transitions and an additional penalty
  replay buffer (section 3, Algorithm 1): the learner's multiplier follows the
  J_C of whole episodes, the critic the penalties of single transitions.

  One loop of acting and learning in a single thread is

      replay.insert(transition)          # for every transition
      replay.insert_episode_penalty(episode_penalty)  # at the end of an episode
      while replay.batches_due():
        sample = replay.sample()
        priorities = learner.step(sample.transitions, sample.episode_penalties,
                                  sample.importance_weights)
        replay.update_priorities(sample.keys, priorities)  # If prioritized.

  Attributes:
    window: how far samples may be ahead of insertions, and behind.
  """
  window: rate_limits.RateLimiterWindow

  @abc.abstractmethod
  def insert(self, transition: types.Transition) -> None:
    """Adds one transition; the oldest is removed beyond the capacity.

    Raises:
      ValueError: if a field does not have the shape of the environment's spec.
    """

  @abc.abstractmethod
  def insert_episode_penalty(self, episode_penalty: np.ndarray) -> None:
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
  def sample(self, num_batches: Optional[int] = None) -> types.Sample:
    """Draws with replacement.

    Transitions are drawn uniformly, or in proportion to priorities (see
    `priorities`), episode penalties always uniformly.

    Args:
      num_batches: how many batches to draw, one behind the other; they are
        those that as many calls without it would have given. None draws one.

    Returns:
      B transitions and M episode penalties; float32, arrays or tensors. With
      `num_batches` everything has it as its first dimension.

    Raises:
      RuntimeError: if `can_sample()` is false, or if a batch would leave the
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
  def to_save(self) -> ToSave:
    """Gives everything that `restore` needs, to be saved before anything else.

    Whether the result appears under its final name at once or not at all is for
    the caller to arrange.
    """

  @abc.abstractmethod
  def restore(self, saved: Saved) -> None:
    """Replaces the contents by what `to_save` gave.

    Args:
      saved: the parts, or the folder with what was written.

    Raises:
      OSError: if a file cannot be read.
      ValueError: if it comes from a replay of other sizes or settings or of
        another kind, or is damaged; the replay can only be closed then.
    """

  @abc.abstractmethod
  def close(self) -> None:
    """Ends background work; nothing else may be called afterwards."""


def check_settings(saved: Mapping[str, Any], own: Mapping[str, Any]) -> None:
  """Raises ValueError, naming the field, unless saved settings are our own."""
  saved = {'replay': 'uniform', **saved}  # There was no other kind once.
  for name, value in own.items():
    if saved.get(name) != value:
      raise ValueError(f'{name}: got {saved.get(name)} in the saved replay, '
                       f'expected {value} as in this run')
