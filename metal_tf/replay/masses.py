"""Draws in proportion to masses that change one by one."""

from typing import Optional

import numpy as np

# Masses whose sum is kept. A draw looks through all sums, and through the
# masses of one block.
_BLOCK = 64


class Masses:
  """Numbers >= 0, and the sums of blocks of them.

  A sum is always that of the masses as they are, never corrected by a
  difference; so nothing drifts, and the masses alone give all the rest. Memory
  is taken by the system as it is written to, from the first mass on.
  """

  def __init__(self, size: int) -> None:
    """Makes masses of zero.

    Args:
      size: how many, >= 1.
    """
    self._size = size
    num_blocks = -(-size // _BLOCK)
    self._masses = np.zeros((num_blocks, _BLOCK), np.float32)
    self._sums = np.zeros(num_blocks)
    self._used = 0  # Blocks that may have something above 0.
    self._ends: Optional[np.ndarray] = None  # Of the blocks in use, if known.

  @property
  def total(self) -> float:
    """Sum of all masses."""
    ends = self._block_ends()
    return float(ends[-1]) if ends.size else 0.0

  @property
  def values(self) -> np.ndarray:
    """A view of the masses, float32 `[size]`; not to be written to."""
    return self._masses.reshape(-1)[:self._size]

  def set(self, indices: np.ndarray, masses: np.ndarray) -> None:
    """Replaces some masses.

    Args:
      indices: integers `[n]`; of equal ones the last counts.
      masses: finite numbers >= 0, `[n]`; they are rounded to float32.
    """
    indices = np.asarray(indices)
    if not indices.size:
      return
    self._masses.reshape(-1)[indices] = masses
    blocks = np.unique(indices // _BLOCK)
    self._sums[blocks] = self._masses[blocks].astype(np.float64).sum(axis=1)
    self._used = max(self._used, int(blocks[-1]) + 1)
    self._ends = None

  def find(self, positions: np.ndarray) -> np.ndarray:
    """Finds the masses that positions along the row of them fall into.

    Args:
      positions: numbers in [0, total), `[n]`; some mass is > 0.

    Returns:
      The largest i with `sum(values[:i]) <= position`, `[n]`, but for rounding;
      never one of 0.
    """
    positions = np.asarray(positions, np.float64)
    ends = self._block_ends()
    # Rounding may carry a position just beyond the last mass.
    blocks = np.minimum(np.searchsorted(ends, positions, side='right'),
                        np.searchsorted(ends, ends[-1]))
    positions = positions - np.where(blocks, ends[blocks - 1], 0.0)
    within = np.cumsum(self._masses[blocks], axis=1, dtype=np.float64)
    found = (within <= positions[:, np.newaxis]).sum(axis=1)
    last = (within < within[:, -1:]).sum(axis=1)  # Of those above 0.
    return blocks * _BLOCK + np.minimum(found, last)

  def _block_ends(self) -> np.ndarray:
    """Where the blocks in use end along the row of masses."""
    if self._ends is None:
      self._ends = np.cumsum(self._sums[:self._used])
    return self._ends
