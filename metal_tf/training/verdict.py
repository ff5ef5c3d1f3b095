"""Says whether constraints are satisfied, and which way lambda goes, in words.

Two rules, over the last `WINDOW` training episodes (fewer where there are no
more), whose mean J_C is held against the threshold:

* lambda is `rising` or `falling` if it has moved over these episodes by more
  than 1 % of its largest value among them, otherwise it has `settled`;
* a constraint is `satisfied` if the mean J_C is at most the threshold,
  otherwise it is `not satisfied so far`, `no longer satisfied` if such a mean
  has been below before, or, after a whole window, `infeasible so far` if not
  one episode satisfied it. Before means in this session, behind the last
  resume.
"""

import collections
from typing import Deque, List, NamedTuple, Tuple

import numpy as np

WINDOW = 10
_SETTLED = 0.01  # Share of lambda.


def trend(multipliers: np.ndarray) -> str:
  """Says which way a multiplier goes.

  Args:
    multipliers: lambda at the end of successive episodes, `[E]`.

  Returns:
    'rising', 'falling' or 'settled'; '' for fewer than two episodes.
  """
  values = np.asarray(multipliers, np.float64)
  if len(values) < 2:
    return ''
  change = values[-1] - values[0]
  if abs(change) <= _SETTLED * np.max(np.abs(values)):
    return 'settled'
  return 'rising' if change > 0 else 'falling'


class Verdict(NamedTuple):
  """What is said of one constraint.

  Attributes:
    penalty: mean J_C over the window.
    words: 'satisfied', 'not satisfied so far' and so on.
    trend: of lambda, see `trend`.
  """
  penalty: float
  words: str
  trend: str


class Judge:
  """Looks at one episode after the other."""

  def __init__(self, threshold: np.ndarray):
    """Has seen nothing yet.

    Args:
      threshold: beta, `[K]`.
    """
    self._threshold = np.asarray(threshold)
    self._recent: Deque[Tuple[np.ndarray, np.ndarray]] = collections.deque(
        maxlen=WINDOW)
    self._episode_satisfied = np.zeros(len(self._threshold), bool)
    self._mean_satisfied = np.zeros(len(self._threshold), bool)
    self._seen = 0

  def episode(self, penalty: np.ndarray, multiplier: np.ndarray) -> None:
    """Takes in a finished episode: its J_C `[K]` and lambda `[K]` after it."""
    self._recent.append((penalty, multiplier))
    self._seen += 1
    self._episode_satisfied |= penalty <= self._threshold
    self._mean_satisfied |= self._penalty() <= self._threshold

  def verdicts(self) -> List[Verdict]:
    """Returns one verdict per constraint, none before the first episode."""
    if not self._recent:
      return []
    multipliers = np.array([multiplier for _, multiplier in self._recent])
    return [
        Verdict(float(penalty), self._words(k, penalty),
                trend(multipliers[:, k]))
        for k, penalty in enumerate(self._penalty())]

  def _penalty(self) -> np.ndarray:
    return np.mean([penalty for penalty, _ in self._recent], axis=0)

  def _words(self, k: int, penalty: float) -> str:
    if penalty <= self._threshold[k]:
      return 'satisfied'
    if self._mean_satisfied[k]:
      return 'no longer satisfied'
    if self._seen >= WINDOW and not self._episode_satisfied[k]:
      return 'infeasible so far'
    return 'not satisfied so far'
