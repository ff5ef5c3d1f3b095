"""A step's new priorities, where replay is prioritized."""

from typing import List, Optional, Sequence

import numpy as np
import tensorflow as tf

from metal_tf.agent import critics
from metal_tf import config as config_lib
from metal_tf.maths import losses
from metal_tf import types


class Priorities:
  """Rates transitions by how far the critic is from its target."""

  def __init__(self, config: config_lib.Config, head: critics.Head):
    """Nothing is computed unless the configuration has prioritized replay.

    Args:
      config: the learner's settings.
      head: of its critic.
    """
    self.wanted = config.replay == 'prioritized'
    self._head = head

  def of(self, critic: losses.Critic, part: Optional[types.Transition],
         output_t: tf.Tensor, multiplier_t: tf.Tensor) -> List[tf.Tensor]:
    """Rates a part of the batch.

    To be asked where the part's own loss is taken, so that XLA computes target
    and prediction once for both.

    Args:
      critic: maps `[B, O]` and `[B, A]` to the critic's output.
      part: transitions, `[B, ...]`, or None if the batch has no such part.
      output_t: the target critic's output for them, `[B, N]`.
      multiplier_t: lambda', `[K]`.

    Returns:
      One tensor `[B]`, or nothing.
    """
    if not self.wanted or part is None:
      return []
    return [self._head.priorities(
        critic, part, self._head.target(part, multiplier_t, output_t))]


def join(parts: Sequence[tf.Tensor]) -> Optional[tf.Tensor]:
  """Priorities of the whole batch, `[B]`.

  Args:
    parts: `[B1]`, `[B2]`, ... in the batch's order; nothing gives None.
  """
  return tf.concat(parts, 0) if parts else None


def where_finite(finite: tf.Tensor,
                 priorities: Optional[tf.Tensor]) -> Optional[tf.Tensor]:
  """Priorities `[B]`, NaN each if the update is skipped; None stays.

  Args:
    finite: bool `[]`, whether the update counts.
    priorities: of the batch, `[B]`, or None.
  """
  if priorities is None:
    return None
  return tf.where(finite, priorities, tf.constant(np.nan, priorities.dtype))
