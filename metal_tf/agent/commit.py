"""Committing a step's results: all of them, or none if a number went wrong."""

from typing import Any, Dict, NamedTuple, Optional, Sequence

import tensorflow as tf

from metal_tf.maths import optimizers

Tensors = Sequence[tf.Tensor]


class Part(NamedTuple):
  """What a compiled part of the step leads to; assigned to nothing yet.

  Attributes:
    state: new values, in the structure of the variables that they are for.
    metrics: numbers to log, by name.
    finite: whether no number went wrong, bool `[]`.
    priorities: of the batch's transitions, `[B]`, where the part has them.
  """
  state: Any
  metrics: Dict[str, tf.Tensor]
  finite: tf.Tensor
  priorities: Optional[tf.Tensor] = None


def read(variables: Any) -> Any:
  """Reads a structure of variables."""
  return tf.nest.map_structure(lambda v: v.read_value(), variables)


def assign(variables: Any, values: Any) -> None:
  """Assigns values to variables, structures of one order."""
  for variable, value in zip(
      tf.nest.flatten(variables), tf.nest.flatten(values)):
    variable.assign(value)


def all_finite(tensors: Tensors) -> tf.Tensor:
  """Whether every number is finite, `[]`."""
  return tf.reduce_all(tf.math.is_finite(optimizers.flatten(tensors)))
