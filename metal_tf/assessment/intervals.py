"""The paper's metrics of some episodes, each with a 95 % interval.

The intervals of the return and of its discounted sum are Student's. Whatever
has penalties in it is bounded, skewed or has a kink, so its interval is a
percentile bootstrap over whole episodes (returns and penalties of one episode
stay together). They say how sure the mean over *more episodes of this policy*
is, and nothing about other training seeds. With few episodes a bootstrap
interval is too narrow, and where all episodes are alike it is a point.
"""

from typing import Callable, Sequence

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
  each = pd.DataFrame(
      np.column_stack([
          measured.episode_return, measured.discounted_return,
          measured.penalty, measured.discounted_penalty]),
      columns=[RETURN, DISCOUNTED_RETURN, *map(penalty, names),
               *map(discounted_penalty, names)])

  def estimates(weights: np.ndarray) -> pd.DataFrame:
    """All that is estimated, for each row of weights of the episodes."""
    means = pd.DataFrame(weights @ each.to_numpy(), columns=each.columns)
    mean_penalty = means[[*map(penalty, names)]].to_numpy()
    means[[*map(overshoot, names)]] = metrics.overshoot(mean_penalty, threshold)
    means[PENALIZED_RETURN] = metrics.penalized_return(
        means[RETURN], mean_penalty, threshold)
    return means

  n = len(each)
  found = pd.DataFrame({
      'value': estimates(np.full((1, n), 1 / n)).loc[0], 'sd': np.nan,
      'low': np.nan, 'high': np.nan})
  if n > 1:
    found['sd'] = each.std()  # NaN where there is no such column.
    found[['low', 'high']] = _bootstrap(estimates, n)
    for name, error in each[[RETURN, DISCOUNTED_RETURN]].sem().items():
      mean = found.value[name]
      found.loc[name, ['low', 'high']] = (
          stats.t.interval(_LEVEL, n - 1, mean, error) if error > 0 else mean)
  return found.loc[[
      RETURN, PENALIZED_RETURN,
      *(row(name) for name in names for row in (penalty, overshoot)),
      DISCOUNTED_RETURN, *map(discounted_penalty, names)]]


def _bootstrap(estimates: Callable[[np.ndarray], pd.DataFrame],
               num_episodes: int) -> np.ndarray:
  """The intervals' ends, a row for each column of `estimates`."""
  rng = np.random.default_rng(_BOOTSTRAP_SEED)
  # How often each episode is drawn, over their number: so means are a product
  # of matrices.
  resampled = pd.concat([
      estimates(rng.multinomial(
          num_episodes, np.full(num_episodes, 1 / num_episodes), size=_BATCH)
                / num_episodes) for _ in range(_BATCHES)])
  tail = (1 - _LEVEL) / 2
  return np.quantile(resampled, [tail, 1 - tail], axis=0).T
