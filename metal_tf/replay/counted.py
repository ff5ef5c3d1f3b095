"""What replays of a single process share: counts and the ratio they keep."""

from typing import Any, Dict

from metal_tf import types
from metal_tf.replay import replay


class CountedReplay(replay.Replay):
  """Counts insertions and samples; where they are kept is for subclasses.

  Made for a single thread that inserts and samples in turn, so insertion never
  waits: the thread would wait for itself.
  """

  def __init__(self, spec: types.EnvironmentSpec, settings: replay.Settings,
               prefetched_batches: int) -> None:
    """Checks the sizes and starts at zero.

    Args:
      spec: the environment's.
      settings: of the replay.
      prefetched_batches: batches that may be drawn ahead of the learner.

    Raises:
      ValueError: naming the field, what it was and what is allowed.
    """
    self.window = settings.window(
        prefetched_batches=prefetched_batches, first_inserts=0)
    self._spec = spec
    self._settings = settings
    self._inserts = 0
    self._episodes = 0
    self._samples = 0

  def can_sample(self) -> bool:
    return self.num_transitions >= self.window.min_size and self._episodes > 0

  def batches_due(self) -> int:
    if not self.can_sample():
      return 0
    return self.window.batches_due(
        self._inserts, self._samples, self._settings.batch_size)

  @property
  def num_transitions(self) -> int:
    return min(self._inserts, self._settings.capacity)

  @property
  def num_episode_penalties(self) -> int:
    return min(self._episodes, self._settings.penalty_capacity)

  def _check_can_sample(self, num_batches: int = 1) -> None:
    """Raises RuntimeError unless batches are there inside the window."""
    if num_batches < 1:
      raise ValueError(
          f'num_batches: got {num_batches}, allowed are integers >= 1')
    if not self.can_sample():
      raise RuntimeError(
          f'replay: sampled with {self.num_transitions} transitions and '
          f'{self.num_episode_penalties} episode penalties, expected at least '
          f'{self.window.min_size} and 1')
    if not self.window.admits_batch(
        self._inserts, self._samples, num_batches * self._settings.batch_size):
      raise RuntimeError(
          f'replay: sampled too far ahead, {self._samples} samples of '
          f'{self._inserts} insertions ({self.window.description})')

  def _saved_settings(self) -> Dict[str, Any]:
    """What a saved replay has to share with the one that restores it."""
    return self._settings.saved(self._spec, self.window)

  def _check_prioritized(self) -> None:
    """Raises RuntimeError unless there are priorities to update."""
    if self._settings.prioritization is None:
      raise RuntimeError('replay: got priorities, but draws uniformly')
