"""The paper's metrics of some episodes, each with a 95 % interval.

The return's interval is Student's. J_C, the overshoot and the penalized return
are bounded, skewed or have a kink, so theirs are percentile bootstrap intervals
over whole episodes (returns and penalties of one episode stay together). They
say how sure the mean over *more episodes of this policy* is, and nothing about
other training seeds. With few episodes a bootstrap interval is too narrow, and
where all episodes are alike it is a point.
"""

from typing import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from metal_tf import metrics
from metal_tf.assessment import measure

_BATCHES, _BATCH = 10, 1000  # Resamples, so many at a time for memory.
_BOOTSTRAP_SEED = 0  # The same episodes give the same intervals.
_LEVEL = 0.95
RETURN, PENALIZED_RETURN = 'return', 'penalized return'


def penalty(name: str) -> str:
  """What J_C of a constraint is called."""
  return f'{name} J_C'


def overshoot(name: str) -> str:
  """What the overshoot of a constraint is called."""
  return f'{name} overshoot'


def assess(measured: measure.Measured, threshold: np.ndarray,
           names: Sequence[str]) -> pd.DataFrame:
  """Estimates the paper's metrics.

  Args:
    measured: at least one episode.
    threshold: beta, `[K]`.
    names: of the K constraints.

  Returns:
    A row each for R, the penalized return, and J_C and the overshoot (of the
    mean J_C) of every constraint. Columns: `value`, the estimate; `sd`, over
    episodes (n - 1), NaN where the number belongs to all episodes together;
    `low` and `high` end of the interval. All but the value are NaN for one
    episode.
  """
  returns, penalties = measured.episode_return, measured.penalty
  mean_penalty = penalties.mean(axis=0)
  found = pd.DataFrame({
      'value': [returns.mean(), metrics.penalized_return(
          returns.mean(), mean_penalty, threshold), *mean_penalty,
                *metrics.overshoot(mean_penalty, threshold)],
      'sd': np.nan, 'low': np.nan, 'high': np.nan}, [
          RETURN, PENALIZED_RETURN, *map(penalty, names),
          *map(overshoot, names)])
  if len(returns) > 1:
    found.loc[RETURN, 'sd'] = returns.std(ddof=1)
    found.loc[[*map(penalty, names)], 'sd'] = penalties.std(axis=0, ddof=1)
    ends = found.columns[2:]
    found.loc[found.index[1:], ends] = _bootstrap(returns, penalties, threshold)
    error = stats.sem(returns)
    found.loc[RETURN, ends] = (
        stats.t.interval(_LEVEL, len(returns) - 1, returns.mean(), error)
        if error > 0 else returns.mean())
  return found.loc[[RETURN, PENALIZED_RETURN, *(
      row(name) for name in names for row in (penalty, overshoot))]]


def _bootstrap(returns: np.ndarray, penalties: np.ndarray,
               threshold: np.ndarray) -> np.ndarray:
  """Intervals of penalized return, J_C, overshoots, `[2 K + 1, 2]`."""
  rng = np.random.default_rng(_BOOTSTRAP_SEED)
  n = len(returns)
  resampled = []
  for _ in range(_BATCHES):
    # How often each episode is drawn, over n: means are a product of matrices.
    weights = rng.multinomial(n, np.full(n, 1 / n), size=_BATCH) / n
    drawn = weights @ penalties
    over = metrics.overshoot(drawn, threshold)
    penalized = weights @ returns - metrics.KAPPA * over.sum(axis=1)
    resampled.append(np.column_stack([penalized, drawn, over]))
  tail = (1 - _LEVEL) / 2
  return np.quantile(np.concatenate(resampled), [tail, 1 - tail], axis=0).T
