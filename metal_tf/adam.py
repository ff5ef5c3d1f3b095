"""Adam's state as variables, and a clipped, differentiable step with it."""

from typing import Sequence, Tuple

import numpy as np
import tensorflow as tf

from metal_tf.maths import optimizers


class Adam:
  """Slots for some variables, built before the learner step is compiled.

  The moments of all variables lie in one vector each, and the step is made on
  vectors: one loop over a long vector compiles in half the time of dozens over
  short ones.
  """

  def __init__(self, variables: Sequence[tf.Variable], name: str):
    """Makes slots at step 0.

    Args:
      variables: what will be optimized.
      name: prefix of the slots' names.
    """
    self._optimized = variables
    zeros = tf.zeros_like(optimizers.flatten(variables))
    self._count = tf.Variable(
        0, dtype=tf.int64, trainable=False, name=f'{name}/count')
    self._m = tf.Variable(zeros, trainable=False, name=f'{name}/m')
    self._v = tf.Variable(zeros, trainable=False, name=f'{name}/v')

  @property
  def variables(self) -> Sequence[tf.Variable]:
    """The slots, in the order of `values`."""
    return [self._count, self._m, self._v]

  def read(self) -> optimizers.AdamSlots:
    """The slots as tensors."""
    return optimizers.AdamSlots(
        self._count.read_value(), [self._m.read_value()],
        [self._v.read_value()])

  def descend(
      self, gradients: Sequence[tf.Tensor], learning_rate: float,
      clip_norm: float
  ) -> Tuple[Sequence[tf.Tensor], optimizers.AdamSlots, tf.Tensor]:
    """Clips by global norm and makes a step; assigns nothing.

    Args:
      gradients: one per variable.
      learning_rate: step size.
      clip_norm: bound on the gradients' joint norm.

    Returns:
      The new values of the variables, the new slots, and the gradients' norm
      `[]` before clipping; differentiable in the gradients.
    """
    clipped, norm = optimizers.clip_by_global_norm(
        [optimizers.flatten(gradients)], clip_norm)
    [vector], slots = optimizers.adam_update(
        [optimizers.flatten(self._optimized)], clipped, self.read(),
        learning_rate)
    parts = tf.split(vector, [int(np.prod(v.shape)) for v in self._optimized])
    updated = [tf.reshape(part, variable.shape)
               for part, variable in zip(parts, self._optimized)]
    return updated, slots, norm


def values(slots: optimizers.AdamSlots) -> Sequence[tf.Tensor]:
  """The slots in a row, in the order of `Adam.variables`."""
  return [slots.count, *slots.m, *slots.v]
