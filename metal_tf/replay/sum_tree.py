"""Draws in proportion to masses that change one by one."""

import numpy as np

# Leaves under one node of the tree, which are searched in one go. So beside the
# leaves there is next to nothing in memory, and a search has few levels.
_BLOCK = 64


class SumTree:
  """Numbers >= 0 in the leaves of a binary tree, their sums in its nodes.

  Every node is always the sum of what is below it as it is, never corrected by
  a difference; so nothing drifts, and the leaves alone give the whole tree.
  Memory is taken by the system as it is written to, from the first leaf on.
  """

  def __init__(self, size: int) -> None:
    """Makes a tree of zeros.

    Args:
      size: number of leaves, >= 1.
    """
    self._size = size
    num_blocks = -(-size // _BLOCK)
    self._depth = (num_blocks - 1).bit_length()
    self._first_block = 1 << self._depth
    # The root is 1, the children of node i are 2 i and 2 i + 1.
    self._nodes = np.zeros(2 * self._first_block)
    self._leaves = np.zeros((num_blocks, _BLOCK), np.float32)

  @property
  def total(self) -> float:
    """Sum of all leaves."""
    return float(self._nodes[1])

  @property
  def leaves(self) -> np.ndarray:
    """A view of the leaves, float32 `[size]`; not to be written to."""
    return self._leaves.reshape(-1)[:self._size]

  def set(self, indices: np.ndarray, masses: np.ndarray) -> None:
    """Replaces some leaves.

    Args:
      indices: integers `[n]`, of leaves; of equal ones the last counts.
      masses: finite numbers >= 0, `[n]`; they are rounded to float32.
    """
    indices = np.asarray(indices)
    self._leaves.reshape(-1)[indices] = masses
    blocks = indices // _BLOCK
    nodes = self._first_block + blocks
    self._nodes[nodes] = self._leaves[blocks].astype(np.float64).sum(axis=1)
    for _ in range(self._depth):
      nodes = nodes >> 1
      self._nodes[nodes] = self._nodes[2 * nodes] + self._nodes[2 * nodes + 1]

  def find(self, positions: np.ndarray) -> np.ndarray:
    """Finds the leaves that positions along the row of masses fall into.

    Args:
      positions: numbers in [0, total), `[n]`; some leaf is > 0.

    Returns:
      The largest i with `sum(leaves[:i]) <= position`, `[n]`, but for rounding;
      never a leaf of 0.
    """
    positions = np.array(positions, np.float64)
    nodes = np.ones(positions.shape, np.int64)
    for _ in range(self._depth):
      left = self._nodes[2 * nodes]
      # Rounding may carry a position just beyond the last mass.
      right = (positions >= left) & (self._nodes[2 * nodes + 1] > 0)
      positions -= np.where(right, left, 0.0)
      nodes = 2 * nodes + right
    blocks = nodes - self._first_block
    ends = np.cumsum(self._leaves[blocks], axis=1, dtype=np.float64)
    within = (ends <= positions[:, np.newaxis]).sum(axis=1)
    last = (ends < ends[:, -1:]).sum(axis=1)  # Of the masses above 0.
    return blocks * _BLOCK + np.minimum(within, last)
