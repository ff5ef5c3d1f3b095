"""Committing a step's results: all of them, or none if a number went wrong."""

from typing import Dict, NamedTuple, Optional, Sequence, Tuple

import tensorflow as tf

from metal_tf.maths import optimizers

Tensors = Sequence[tf.Tensor]
# Variables, their new values, and the old ones, or None to read them.
Update = Tuple[Sequence[tf.Variable], Tensors, Optional[Tensors]]


class Part(NamedTuple):
  """What a part of the step leads to; assigned to nothing yet.

  Attributes:
    weights: new weights of the critic or policy.
    variables: what else the part changes.
    values: their new values.
    metrics: numbers to log, by name.
    checked: further numbers that have to be finite.
  """
  weights: Tensors
  variables: Sequence[tf.Variable]
  values: Tensors
  metrics: Dict[str, tf.Tensor]
  checked: Tensors = ()


def assign(variables: Sequence[tf.Variable], values: Tensors) -> None:
  """Assigns one value to each variable."""
  for variable, value in zip(variables, values):
    variable.assign(value)


def commit(finite: tf.Tensor, updates: Sequence[Update]) -> None:
  """Assigns new values, or the old ones if a number is not finite.

  Args:
    finite: bool `[]`.
    updates: what to assign.
  """
  for variables, new, old in updates:
    if old is None:
      old = [v.read_value() for v in variables]
    assign(variables, [tf.where(finite, n, o) for n, o in zip(new, old)])


def all_finite(tensors: Tensors) -> tf.Tensor:
  """Whether every number is finite, `[]`.

  The sum is written as a product of matrices, which XLA keeps as one operation;
  it would copy a chain of cheap ones into each of the many assignments that
  depend on the answer. Scaled, so that finite numbers do not overflow.
  """
  scaled = 1e-20 * optimizers.flatten(tensors)
  total = tf.matmul(scaled[None, :], tf.ones_like(scaled)[:, None])
  return tf.math.is_finite(total[0, 0])
