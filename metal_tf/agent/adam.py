"""Adam's slots as variables, and as checkpoints have them."""

from typing import Sequence, Tuple

import numpy as np
import tensorflow as tf

from metal_tf.maths import optimizers


def make_slots(variables: Sequence[tf.Variable],
               name: str) -> optimizers.AdamSlots:
  """Returns slots at step 0, variables all, for what will be optimized.

  Args:
    variables: what will be optimized.
    name: prefix of the slots' names.
  """

  def moments(moment: str) -> Sequence[tf.Variable]:
    return [tf.Variable(tf.zeros_like(variable), trainable=False,
                        name=f'{name}/{moment}') for variable in variables]

  count = tf.Variable(0, dtype=tf.int64, trainable=False, name=f'{name}/count')
  return optimizers.AdamSlots(count, moments('m'), moments('v'))


class Joined:
  """Several variables that a checkpoint has as one vector."""

  def __init__(self, variables: Sequence[tf.Variable]):
    """Takes variables of any shapes, at least one."""
    self._variables = variables
    self._ends = np.cumsum([int(np.prod(v.shape)) for v in variables])

  @property
  def shape(self) -> Tuple[int]:
    return (int(self._ends[-1]),)

  def numpy(self) -> np.ndarray:
    """Returns all numbers in a row."""
    return np.concatenate([v.numpy().ravel() for v in self._variables])

  def assign(self, vector: np.ndarray) -> None:
    """Takes over numbers of this shape."""
    for variable, part in zip(
        self._variables, np.split(vector, self._ends[:-1])):
      variable.assign(np.reshape(part, variable.shape))


def checkpointed(slots: optimizers.AdamSlots) -> Sequence[object]:
  """The slots as a learner's state has them: count, and a vector each."""
  return [slots.count, Joined(slots.m), Joined(slots.v)]
