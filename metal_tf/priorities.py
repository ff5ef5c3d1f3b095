"""A step's new priorities, where replay is prioritized."""

from typing import List, Optional, Sequence

import numpy as np
import tensorflow as tf

from metal_tf import config as config_lib
from metal_tf import heads
from metal_tf import types
from metal_tf.maths import losses


class Priorities:
  """Rates transitions by how far the critic is from its target."""

  def __init__(self, config: config_lib.Config, head: heads.Head,
               critic: losses.Critic):
    """Nothing is computed unless the configuration has prioritized replay.

    Args:
      config: the learner's settings.
      head: of its critic.
      critic: its critic.
    """
    self.wanted = config.replay == 'prioritized'
    self._head = head
    self._critic = critic

  def of(self, part: Optional[types.Transition], output_t: tf.Tensor,
         multiplier_t: tf.Tensor) -> List[tf.Tensor]:
    """Rates a part of the batch by the critic as it stands.

    To be asked where the part's own loss is taken, so that XLA computes target
    and prediction once for both.

    Args:
      part: transitions, `[B, ...]`, or None if the batch has no such part.
      output_t: the target critic's output for them, `[B, N]`.
      multiplier_t: lambda', `[K]`.

    Returns:
      One tensor `[B]`, or nothing.
    """
    if not self.wanted or part is None:
      return []
    return [self._head.priorities(
        self._critic, part, self._head.target(part, multiplier_t, output_t))]


def join(finite: tf.Tensor, parts: Sequence[tf.Tensor]) -> Optional[tf.Tensor]:
  """Priorities of the whole batch `[B]`, NaN each if the update is skipped.

  Args:
    finite: bool `[]`, whether the update counts.
    parts: `[B1]`, `[B2]`, ... in the batch's order; nothing gives None.
  """
  if not parts:
    return None
  return tf.where(
      finite, tf.concat(parts, 0), tf.constant(np.nan, parts[0].dtype))
