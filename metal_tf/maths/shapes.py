"""Static shape checks that name the argument, what was expected, what came."""

from typing import Optional, Sequence

import tensorflow as tf


def check(name: str, tensor: tf.Tensor,
          expected: Sequence[Optional[int]]) -> None:
  """Raises if a tensor's static shape is not the expected one.

  Args:
    name: what the caller calls the tensor.
    tensor: the tensor.
    expected: its dimensions; None stands for any size.

  Raises:
    ValueError: naming the tensor, the expected and the actual shape.
  """
  if not tensor.shape.is_compatible_with(tf.TensorShape(expected)):
    raise ValueError(
        f'{name} must have shape {list(expected)}, got {tensor.shape}.')
