"""Turns single environment steps into n-step transitions."""

import collections
from typing import Deque, List, Optional, Tuple

import numpy as np

from metal_tf import types


class NStepAccumulator:
  """Collects steps and gives exactly one `Transition` per time step.

  The transition of time t spans s_t -> s_{min(t + n, T)}, T being the end of
  the episode. With d_j the environment's discounts and m <= n the steps it
  spans,

      r_t = sum_{i<m} (prod_{j<i} gamma * d_j) * r_i      (c_t likewise, [K])
      discount_t = prod_{j<m} gamma * d_j

  so that a learner bootstraps with `r_t + discount_t * V(o_t)` and never
  multiplies by gamma itself. Rewards and penalties are summed apart because the
  multiplier weighs the penalties at learning time (paper, section 3).

  Acme's `NStepTransitionAdder` gives the same sums, with two differences: its
  stored product lacks the last gamma (`gamma ** (m - 1)`; Acme's learner
  supplies it), and it also writes shortened transitions at the beginning of an
  episode.
  """

  def __init__(self, n: int, gamma: float) -> None:
    """Makes an empty accumulator.

    Args:
      n: the number of steps a transition spans, at least 1.
      gamma: the agent's discount, in [0, 1].

    Raises:
      ValueError: if an argument is out of range.
    """
    if n < 1:
      raise ValueError(f'n: got {n}, allowed are integers >= 1')
    if not 0. <= gamma <= 1.:
      raise ValueError(f'gamma: got {gamma}, allowed is [0, 1]')
    self._n = n
    self._gamma = float(gamma)
    # Observation and action of the steps whose transition is not complete.
    self._pending: Deque[Tuple[np.ndarray, np.ndarray]] = collections.deque()
    # Running [reward, penalties] sums and discount products of the pending
    # steps, in float64, in a ring: step t has row t % n.
    self._sums = np.zeros((n, 0))
    self._values = np.zeros(0)  # The newest [reward, penalties].
    self._products = np.zeros(n)
    self._row = 0
    self._shapes: Optional[Tuple[Tuple[int, ...], ...]] = None

  def append(self, o_tm1: np.ndarray, a_tm1: np.ndarray, reward: float,
             penalty: np.ndarray, discount: float, o_t: np.ndarray,
             last: bool) -> List[types.Transition]:
    """Adds one step and returns the transitions that it completes.

    Args:
      o_tm1: observation before the action, `[O]`.
      a_tm1: the action, `[A]`.
      reward: the reward that followed.
      penalty: the penalties that followed, `[K]`.
      discount: the environment's discount; 0 at a termination, usually 1
        elsewhere, a time limit included.
      o_t: observation after the action, `[O]`.
      last: whether the episode ends with this step.

    Returns:
      Float32 transitions, oldest first: none before n steps were seen, then one
      per step, and at the end of an episode one for every step still pending.

    Raises:
      ValueError: if a shape is not as in the docstring, or not the one of the
        first step.
    """
    o_tm1, a_tm1, penalty, o_t = (
        np.asarray(x, np.float32) for x in (o_tm1, a_tm1, penalty, o_t))
    self._check_shapes(o_tm1, a_tm1, penalty, o_t)
    self._pending.append((o_tm1, a_tm1))
    self._sums[self._row] = 0.
    self._products[self._row] = 1.
    self._row = (self._row + 1) % self._n
    self._values[0] = reward
    self._values[1:] = penalty
    self._sums += self._products[:, np.newaxis] * self._values
    self._products *= self._gamma * discount
    transitions = []
    if len(self._pending) == self._n:
      transitions.append(self._take_oldest(o_t))
    if last:
      while self._pending:
        transitions.append(self._take_oldest(o_t))
    return transitions

  def reset(self) -> None:
    """Drops the steps of an unfinished episode."""
    self._pending.clear()

  def _take_oldest(self, o_t: np.ndarray) -> types.Transition:
    """Completes the oldest pending step at the newest observation."""
    row = (self._row - len(self._pending)) % self._n
    o_tm1, a_tm1 = self._pending.popleft()
    return types.Transition(
        o_tm1=o_tm1,
        a_tm1=a_tm1,
        r_t=np.float32(self._sums[row, 0]),
        c_t=self._sums[row, 1:].astype(np.float32),
        discount_t=np.float32(self._products[row]),
        o_t=o_t)

  def _check_shapes(self, o_tm1: np.ndarray, a_tm1: np.ndarray,
                    penalty: np.ndarray, o_t: np.ndarray) -> None:
    """Raises unless the shapes are flat, consistent and those seen first."""
    shapes = (o_tm1.shape, a_tm1.shape, penalty.shape, o_t.shape)
    if shapes == self._shapes:
      return
    for name, shape in zip(('o_tm1', 'a_tm1', 'penalty', 'o_t'), shapes):
      if len(shape) != 1 or not shape[0]:
        raise ValueError(
            f'{name}: got shape {shape}, expected a non-empty flat vector')
    if o_t.shape != o_tm1.shape:
      raise ValueError(
          f'o_t: got shape {o_t.shape}, expected {o_tm1.shape} as o_tm1')
    if self._shapes is not None:
      raise ValueError(
          f'(o_tm1, a_tm1, penalty, o_t): got shapes {shapes}, expected '
          f'{self._shapes} as in the first step')
    self._shapes = shapes
    self._values = np.zeros(1 + penalty.size)
    self._sums = np.zeros((self._n, 1 + penalty.size))
