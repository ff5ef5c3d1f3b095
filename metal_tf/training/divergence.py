"""Watches over skipped updates: says so, and ends a run that learns nothing."""

import json
import os
from typing import Callable, Mapping, Optional

import numpy as np

from metal_tf import types
from metal_tf.training import records

_SHARE = 0.01  # Of an episode's updates may be skipped without a word.
_IN_A_ROW = 100


class DivergenceError(RuntimeError):
  """Learning came to nothing but NaN; the message names the dump."""


class SkipWatch:
  """Looks at the learner's reports, one per episode."""

  def __init__(self, directory: str, warn: Callable[[str], None]):
    """Looks at nothing yet.

    Args:
      directory: where to put a dump.
      warn: takes one line.
    """
    self._directory = directory
    self._warn = warn
    self._steps = self._skipped = 0

  def start(self, learned: records.LearnerReport) -> None:
    """Takes note of where the learner stands."""
    self._steps, self._skipped = learned.steps, learned.skipped

  def check(self, learned: records.LearnerReport,
            state: Callable[[], Mapping[str, np.ndarray]],
            sample: Optional[types.Sample]) -> None:
    """Looks at the steps since the last look.

    Args:
      learned: the learner now.
      state: gives the learner's arrays by name.
      sample: what the newest step was made on; None without one.

    Raises:
      DivergenceError: if the newest 100 steps were all skipped.
    """
    steps = learned.steps - self._steps
    skipped = learned.skipped - self._skipped
    self.start(learned)
    if skipped > _SHARE * steps:
      self._warn(f'Warning: {skipped} of the last {steps} updates had a NaN or '
                 'infinity and were skipped.')
    if learned.skipped_in_a_row >= _IN_A_ROW:
      assert sample is not None  # A step was made.
      self._dump(learned, state(), sample)
      raise DivergenceError(
          f'the last {learned.skipped_in_a_row} updates had a NaN or infinity '
          f'and were skipped; the batch, the learner and its numbers are in '
          f'{self._directory}.')

  def _dump(self, learned: records.LearnerReport,
            state: Mapping[str, np.ndarray],
            sample: types.Sample) -> None:
    os.makedirs(self._directory, exist_ok=True)
    np.savez(
        os.path.join(self._directory, 'batch.npz'),
        episode_penalties=np.asarray(sample.episode_penalties),
        importance_weights=np.asarray(sample.importance_weights),
        **{name: np.asarray(value) for name, value in zip(
            types.Transition._fields, sample.transitions)})
    np.savez(os.path.join(self._directory, 'learner.npz'), **state)
    numbers = {**learned._asdict(), **learned.means}
    del numbers['means']
    with open(os.path.join(self._directory, 'metrics.json'), 'w',
              encoding='utf-8') as stream:
      json.dump({name: np.asarray(value).tolist()
                 for name, value in numbers.items()}, stream, indent=2)
