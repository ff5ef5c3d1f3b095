"""The paper's metrics of some episodes, each with a 95 % interval.

The return's interval is Student's. J_C, the overshoot and the penalized return
are bounded, skewed or have a kink, so theirs are percentile bootstrap intervals
over whole episodes (returns and penalties of one episode stay together). They
say how sure the mean over *more episodes of this policy* is, and nothing about
other training seeds. With few episodes a bootstrap interval is too narrow, and
where all episodes are alike it is a point.
"""

from typing import Any, Dict, NamedTuple, Sequence, Tuple

import numpy as np
from scipy import stats

from metal_tf import metrics
from metal_tf.assessment import measure

_BATCHES, _BATCH = 10, 1000  # Resamples, so many at a time for memory.
_BOOTSTRAP_SEED = 0  # The same episodes give the same intervals.
_LEVEL = 0.95


class Estimate(NamedTuple):
  """A number from n episodes.

  Attributes:
    value: the estimate; for a mean, the mean.
    sd: standard deviation over episodes (with n - 1); NaN for one episode, or
      where the number belongs to all episodes together.
    low: lower end of the interval; NaN for one episode.
    high: upper end.
  """
  value: float
  sd: float
  low: float
  high: float

  def as_json(self) -> Dict[str, Any]:
    """For a JSON file, which has no NaN."""
    def number(x: float) -> Any:
      return float(x) if np.isfinite(x) else None
    return {'value': number(self.value), 'sd': number(self.sd),
            'interval_95': [number(self.low), number(self.high)]}


class Assessment(NamedTuple):
  """The paper's metrics.

  Attributes:
    episode_return: R.
    penalized_return: R - kappa * sum of overshoots of the mean J_C.
    penalty: J_C, K estimates.
    overshoot: of the mean J_C, K estimates.
    satisfied: whether the mean J_C is at most the threshold, K of them.
  """
  episode_return: Estimate
  penalized_return: Estimate
  penalty: Sequence[Estimate]
  overshoot: Sequence[Estimate]
  satisfied: Sequence[bool]


def assess(measured: measure.Measured, threshold: np.ndarray) -> Assessment:
  """Estimates the paper's metrics.

  Args:
    measured: at least one episode.
    threshold: beta, `[K]`.
  """
  returns, penalties = measured.episode_return, measured.penalty
  mean_penalty = penalties.mean(axis=0)
  spread = _sd(penalties)
  low, high = _bootstrap(returns, penalties, threshold)
  num = len(threshold)

  def bootstrapped(value: float, sd: float, column: int) -> Estimate:
    return Estimate(float(value), float(sd), low[column], high[column])

  return Assessment(
      episode_return=Estimate(
          float(returns.mean()), float(_sd(returns)), *_student(returns)),
      penalized_return=bootstrapped(
          metrics.penalized_return(returns.mean(), mean_penalty, threshold),
          np.nan, 2 * num),
      penalty=[bootstrapped(mean_penalty[k], spread[k], k)
               for k in range(num)],
      overshoot=[bootstrapped(overshoot, np.nan, num + k) for k, overshoot in
                 enumerate(metrics.overshoot(mean_penalty, threshold))],
      satisfied=[bool(ok) for ok in mean_penalty <= threshold])


def _sd(values: np.ndarray) -> np.ndarray:
  """Over episodes; NaN for one, without numpy's warning."""
  if len(values) < 2:
    return np.full(values.shape[1:], np.nan)
  return values.std(axis=0, ddof=1)


def _student(values: np.ndarray) -> Tuple[float, float]:
  """Student's t interval of a mean."""
  if len(values) < 2:
    return np.nan, np.nan
  mean, error = values.mean(), stats.sem(values)
  if error == 0:
    return float(mean), float(mean)
  low, high = stats.t.interval(_LEVEL, len(values) - 1, mean, error)
  return float(low), float(high)


def _bootstrap(returns: np.ndarray, penalties: np.ndarray,
               threshold: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
  """Percentile intervals `[2K + 1]`: J_C, overshoots, penalized return."""
  num = len(threshold)
  if len(returns) < 2:
    return np.full(2 * num + 1, np.nan), np.full(2 * num + 1, np.nan)

  rng = np.random.default_rng(_BOOTSTRAP_SEED)
  n = len(returns)
  resampled = []
  for _ in range(_BATCHES):
    # How often each episode is drawn, over n: means are a product of matrices.
    weights = rng.multinomial(n, np.full(n, 1 / n), size=_BATCH) / n
    penalty = weights @ penalties
    overshoot = metrics.overshoot(penalty, threshold)
    penalized = weights @ returns - metrics.KAPPA * overshoot.sum(axis=1)
    resampled.append(np.column_stack([penalty, overshoot, penalized]))
  tail = (1 - _LEVEL) / 2
  low, high = np.quantile(np.concatenate(resampled), [tail, 1 - tail], axis=0)
  return low, high
