"""The paper's metrics of some episodes, each with a 95 % interval.

The intervals of the return and of its discounted sum are Student's. Whatever
has penalties in it is bounded, skewed or has a kink, so its interval is a
percentile bootstrap over whole episodes (returns and penalties of one episode
stay together). They
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
DISCOUNTED_RETURN = 'discounted return'


def penalty(name: str) -> str:
  """What J_C of a constraint is called."""
  return f'{name} J_C'


def overshoot(name: str) -> str:
  """What the overshoot of a constraint is called."""
  return f'{name} overshoot'


def discounted_penalty(name: str) -> str:
  """What the discounted sum of a constraint's penalties is called."""
  return f'{name} discounted penalty'


def assess(measured: measure.Measured, threshold: np.ndarray,
           names: Sequence[str]) -> pd.DataFrame:
  """Estimates the paper's metrics.

  Args:
    measured: at least one episode.
    threshold: beta, `[K]`.
    names: of the K constraints.

  Returns:
    A row each for R, the penalized return, J_C and the overshoot (of the mean
    J_C) of every constraint, and the discounted sums of the rewards and of
    every constraint's penalties. Columns: `value`, the estimate; `sd`, over
    episodes (n - 1), NaN where the number belongs to all episodes together;
    `low` and `high` end of the interval. All but the value are NaN for one
    episode.
  """
  n = len(measured.episode_return)
  returns = pd.DataFrame({RETURN: measured.episode_return,
                          DISCOUNTED_RETURN: measured.discounted_return})
  penalties = pd.DataFrame(
      np.hstack([measured.penalty, measured.discounted_penalty]),
      columns=[*map(penalty, names), *map(discounted_penalty, names)])
  found = pd.DataFrame(
      {'value': _estimates(np.full((1, n), 1 / n), measured, threshold)[0],
       'sd': np.nan, 'low': np.nan, 'high': np.nan},
      [*returns, *penalties, *map(overshoot, names), PENALIZED_RETURN])
  if n > 1:
    found.loc[[*returns, *penalties], 'sd'] = [
        *returns.std(), *penalties.std()]
    found[['low', 'high']] = _bootstrap(measured, threshold)
    for name, error in returns.sem().items():
      mean = found.value[name]
      found.loc[name, ['low', 'high']] = (
          stats.t.interval(_LEVEL, n - 1, mean, error) if error > 0 else mean)
  return found.loc[[
      RETURN, PENALIZED_RETURN,
      *(row(name) for name in names for row in (penalty, overshoot)),
      DISCOUNTED_RETURN, *map(discounted_penalty, names)]]


def _estimates(weights: np.ndarray, measured: measure.Measured,
               threshold: np.ndarray) -> np.ndarray:
  """All that is estimated, from weighted episodes.

  Args:
    weights: of the E episodes, each row with the sum 1, `[B, E]`.
    measured: the episodes.
    threshold: beta, `[K]`.

  Returns:
    R, the discounted return, J_C, the discounted penalties, the overshoots and
    the penalized return, `[B, 3 K + 3]`.
  """
  # Means are a product of matrices.
  mean_return = weights @ measured.episode_return
  mean_penalty = weights @ measured.penalty
  over = metrics.overshoot(mean_penalty, threshold)
  return np.column_stack([
      mean_return, weights @ measured.discounted_return, mean_penalty,
      weights @ measured.discounted_penalty, over,
      mean_return - metrics.KAPPA * over.sum(axis=1)])


def _bootstrap(measured: measure.Measured, threshold: np.ndarray) -> np.ndarray:
  """Intervals of what `_estimates` returns, `[3 K + 3, 2]`."""
  rng = np.random.default_rng(_BOOTSTRAP_SEED)
  n = len(measured.episode_return)
  # How often each episode is drawn, over n.
  resampled = [
      _estimates(rng.multinomial(n, np.full(n, 1 / n), size=_BATCH) / n,
                 measured, threshold) for _ in range(_BATCHES)]
  tail = (1 - _LEVEL) / 2
  return np.quantile(np.concatenate(resampled), [tail, 1 - tail], axis=0).T
