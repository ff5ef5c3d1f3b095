"""Draws in proportion to masses that change one by one."""

import numpy as np


class SumTree:
  """Numbers >= 0 in the leaves of a binary tree, their sums in its nodes.

  Every node is always the sum of its two children as they are, never corrected
  by a difference; so nothing drifts, and the leaves alone give the whole tree.
  """

  def __init__(self, size: int) -> None:
    """Makes a tree of zeros.

    Args:
      size: number of leaves, >= 1.
    """
    self._size = size
    self._depth = max(0, (size - 1).bit_length())
    self._first_leaf = 1 << self._depth
    # The root is 1, the children of node i are 2 i and 2 i + 1.
    self._nodes = np.zeros(2 * self._first_leaf)

  @property
  def total(self) -> float:
    """Sum of all leaves."""
    return float(self._nodes[1])

  @property
  def leaves(self) -> np.ndarray:
    """A view of the leaves, float64 `[size]`; not to be written to."""
    return self._nodes[self._first_leaf:self._first_leaf + self._size]

  def set(self, indices: np.ndarray, masses: np.ndarray) -> None:
    """Replaces some leaves.

    Args:
      indices: integers `[n]`, of leaves; of equal ones the last counts.
      masses: finite numbers >= 0, `[n]`.
    """
    nodes = self._first_leaf + np.asarray(indices)
    self._nodes[nodes] = masses
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
    return nodes - self._first_leaf
