"""Prioritized replay (Schaul et al. 2016), the proportional variant.

    P(i) = p_i ** alpha / sum_k p_k ** alpha
    w_i = (N P(i)) ** -beta / max_j w_j, the maximum over the batch

with N transitions in the table, p_i the priority that the learner gave
transition i when it saw it last, and for one that it has not seen the largest
priority so far.
"""

from typing import Any, NamedTuple, Tuple

import numpy as np

# The largest priority before the learner has given any.
FIRST = 1.0


class Prioritization(NamedTuple):
  """What tells a prioritized replay from a uniform one.

  Attributes:
    priority_exponent: alpha, 0 to 1; 0 draws uniformly.
    importance_exponent: beta, 0 to 1; 0 weighs all alike, 1 corrects the whole
      difference to uniform draws.
  """
  priority_exponent: float
  importance_exponent: float


def importance_weights(probabilities: Any, table_size: Any,
                       exponent: float) -> np.ndarray:
  """Weights that correct for draws that were not uniform, in (0, 1].

  Args:
    probabilities: P(i) of each draw, `[B]`, > 0.
    table_size: N, `[]`, or `[B]` where it changed between the draws.
    exponent: beta.

  Returns:
    float32 `[B]`, the largest of them 1.
  """
  # The smallest N P has the largest weight. Divided first, nothing overflows.
  scaled = np.asarray(probabilities, np.float64) * table_size
  return ((scaled / scaled.min()) ** -exponent).astype(np.float32)


def usable(keys: Any, priorities: Any) -> Tuple[np.ndarray, np.ndarray]:
  """Checks what a learner gave, and leaves out what is not finite.

  A learner that skipped its update has no priorities to give; those that the
  transitions have stay then.

  Args:
    keys: integers `[B]`.
    priorities: `[B]`, > 0; NaN or infinity leaves a priority as it is.

  Returns:
    Both without those entries; the priorities as float64.

  Raises:
    ValueError: for other shapes or types, or a priority that is not > 0.
  """
  keys, priorities = np.asarray(keys), np.asarray(priorities, np.float64)
  if keys.shape != priorities.shape or keys.ndim != 1:
    raise ValueError(f'priorities: got shape {priorities.shape} for keys of '
                     f'shape {keys.shape}, expected [B] for both')
  if keys.dtype.kind not in 'iu':  # A large key would not survive as a float.
    raise ValueError(f'keys: got {keys.dtype}, expected integers')
  finite = np.isfinite(priorities)
  keys, priorities = keys[finite], priorities[finite]
  if (priorities <= 0).any():
    raise ValueError(f'priorities: got {priorities.min():g}, allowed are '
                     'numbers > 0')
  return keys, priorities
