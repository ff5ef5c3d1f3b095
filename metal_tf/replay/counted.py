"""What replays of a single process share: counts and the ratio they keep."""

from typing import Any, Dict, Optional

from metal_tf import types
from metal_tf.replay import priorities as priorities_lib
from metal_tf.replay import rate_limits
from metal_tf.replay import replay


class CountedReplay(replay.Replay):
  """Counts insertions and samples; where they are kept is for subclasses.

  Made for a single thread that inserts and samples in turn, so insertion never
  waits: the thread would wait for itself.
  """

  def __init__(self, *, spec: types.EnvironmentSpec, batch_size: int,
               num_penalty_samples: int, capacity: int, min_size: int,
               samples_per_insert: float, penalty_capacity: int,
               prefetched_batches: int,
               error_buffer: Optional[float] = None,
               prioritization: Optional[priorities_lib.Prioritization] = None
              ) -> None:
    """Checks the sizes and starts at zero.

    Args:
      spec: the environment's.
      batch_size: B, transitions per sample.
      num_penalty_samples: M, episode penalties per sample.
      capacity: transitions held, first in first out.
      min_size: transitions before the first sample.
      samples_per_insert: how often a transition is sampled on average.
      penalty_capacity: episode penalties held, first in first out.
      prefetched_batches: batches that may be drawn ahead of the learner.
      error_buffer: see `rate_limits.rate_limiter_window`.
      prioritization: how priorities are used; None draws uniformly.

    Raises:
      ValueError: naming the argument, what it was and what is allowed.
    """
    rate_limits.check_penalty_sizes(num_penalty_samples, penalty_capacity)
    self.window = rate_limits.rate_limiter_window(
        samples_per_insert=samples_per_insert, min_size=min_size,
        capacity=capacity, batch_size=batch_size,
        prefetched_batches=prefetched_batches, first_inserts=0,
        error_buffer=error_buffer)
    self._spec = spec
    self._batch_size = batch_size
    self._num_penalty_samples = num_penalty_samples
    self._capacity = capacity
    self._penalty_capacity = penalty_capacity
    self._prioritization = prioritization
    self._inserts = 0
    self._episodes = 0
    self._samples = 0

  def can_sample(self) -> bool:
    return self.num_transitions >= self.window.min_size and self._episodes > 0

  def batches_due(self) -> int:
    if not self.can_sample():
      return 0
    return self.window.batches_due(
        self._inserts, self._samples, self._batch_size)

  @property
  def num_transitions(self) -> int:
    return min(self._inserts, self._capacity)

  @property
  def num_episode_penalties(self) -> int:
    return min(self._episodes, self._penalty_capacity)

  def _check_can_sample(self) -> None:
    """Raises RuntimeError unless a batch is there inside the window."""
    if not self.can_sample():
      raise RuntimeError(
          f'replay: sampled with {self.num_transitions} transitions and '
          f'{self.num_episode_penalties} episode penalties, expected at least '
          f'{self.window.min_size} and 1')
    if not self.window.admits_batch(self._inserts, self._samples,
                                    self._batch_size):
      raise RuntimeError(
          f'replay: sampled too far ahead, {self._samples} samples of '
          f'{self._inserts} insertions ({self.window.description})')

  def _settings(self) -> Dict[str, Any]:
    """What a saved replay has to share with the one that restores it."""
    return replay.settings(
        self._spec, self.window, self._capacity, self._penalty_capacity,
        self._prioritization)

  def _check_prioritized(self) -> None:
    """Raises RuntimeError unless there are priorities to update."""
    if self._prioritization is None:
      raise RuntimeError('replay: got priorities, but draws uniformly')
