"""The paper's metrics (section 5), defined once.

`E` episodes, `K` constraints. J_C is the mean penalty per step of an episode,
so that it can be held against thresholds below 1.
"""

from typing import Any, NamedTuple

import numpy as np

# "For the purposes of evaluation, we want to penalize algorithms that
# consistently violate the constraints and therefore set kappa = 1000."
KAPPA = 1000.0

# "R is the average return for the algorithm upon convergence (computed as an
# average over the previous 100 episodes)."
WINDOW = 100


def overshoot(penalty: np.ndarray, threshold: np.ndarray) -> np.ndarray:
  """`max(0, J_C - beta)`, elementwise.

  Args:
    penalty: J_C, mean penalty per step, `[..., K]`.
    threshold: beta, `[K]`.
  """
  return np.maximum(0.0, np.asarray(penalty) - np.asarray(threshold))


def penalized_return(episode_return: Any, penalty: np.ndarray,
                     threshold: np.ndarray) -> Any:
  """`R - kappa * sum_k max(0, J_C - beta)`; for K = 1 the paper's.

  Args:
    episode_return: R, `[...]`.
    penalty: J_C, mean penalty per step, `[..., K]`.
    threshold: beta, `[K]`.
  """
  return episode_return - KAPPA * np.sum(overshoot(penalty, threshold), axis=-1)


class Score(NamedTuple):
  """The paper's metrics over a window of episodes.

  Attributes:
    episodes: how many episodes the window has; at most 100.
    episode_return: R, mean return.
    penalty: mean J_C, `[K]`.
    overshoot: of the mean J_C, `[K]`.
    penalized_return: `R - kappa * sum of overshoots`.
  """
  episodes: int
  episode_return: float
  penalty: np.ndarray
  overshoot: np.ndarray
  penalized_return: float


def score(returns: Any, penalties: Any,
          threshold: np.ndarray) -> Score:
  """Scores the last 100 episodes, or all where there are fewer.

  Args:
    returns: of all episodes so far, oldest first, `[E]`, at least one.
    penalties: J_C of the same episodes, `[E, K]`.
    threshold: beta, `[K]`.

  Raises:
    ValueError: if there is no episode or the lengths differ.
  """
  if not len(returns) or len(returns) != len(penalties):
    raise ValueError('returns and penalties must be of one length above 0, got '
                     f'{len(returns)} and {len(penalties)}.')
  last_returns = np.asarray(returns, np.float64)[-WINDOW:]
  last_penalties = np.asarray(penalties, np.float64)[-WINDOW:]
  mean_return = float(np.mean(last_returns))
  mean_penalty = np.mean(last_penalties, axis=0)
  return Score(
      len(last_returns), mean_return, mean_penalty,
      overshoot(mean_penalty, threshold),
      penalized_return(mean_return, mean_penalty, threshold))
