"""The meta-gradient's two terms (Algorithm 1, line 17; Theorem 1).

`alpha_lambda` reaches the outer loss only through the updated multiplier
lambda', and from there on two paths: *directly*, as lambda' stands in the
validation target, and *through the weights*, as the critic was updated towards
a target with lambda' in it. The outer loss is differentiated at the updated
critic by lambda' and by theta_c'; the inner tape pulls both back to
alpha_lambda.
"""

from typing import NamedTuple, Optional, Sequence, Tuple

import tensorflow as tf

from metal_tf import types


class MetaGradient(NamedTuple):
  """Derivative of the outer loss by alpha_lambda, per constraint.

  Attributes:
    direct: the term through lambda' in the validation target, `[K]`.
    through_weights: the term through the updated critic, `[K]`.
  """
  direct: tf.Tensor
  through_weights: tf.Tensor

  @property
  def total(self) -> tf.Tensor:
    """The derivative itself, `[K]`."""
    return self.direct + self.through_weights

  @property
  def direct_share(self) -> tf.Tensor:
    """`|direct| / (|direct| + |through_weights|)`, `[K]`; 0 if both are 0."""
    direct = tf.abs(self.direct)
    return tf.math.divide_no_nan(direct, direct + tf.abs(self.through_weights))


def split_batch(
    batch: types.Transition, num_training: int
) -> Tuple[types.Transition, Optional[types.Transition]]:
  """Splits a batch into its training and validation parts (line 7).

  Args:
    batch: transitions, `[B, ...]`, in random order.
    num_training: size of the first part, 0 < num_training <= B.

  Returns:
    The first `num_training` transitions, and the rest; None if there is none.

  Raises:
    ValueError: if the first part would be empty or larger than the batch.
  """
  size = batch.r_t.shape[0]
  if not 0 < num_training <= size:
    raise ValueError(
        f'num_training must lie between 1 and {size}, got {num_training}.')
  if num_training == size:
    return batch, None
  return (types.Transition(*(x[:num_training] for x in batch)),
          types.Transition(*(x[num_training:] for x in batch)))


def pull_back(inner_tape: tf.GradientTape, meta_parameter: tf.Tensor,
              new_multiplier: tf.Tensor, new_critic: Sequence[tf.Tensor],
              d_multiplier: tf.Tensor,
              d_critic: Sequence[tf.Tensor]) -> MetaGradient:
  """Pulls the outer loss's derivatives back to alpha_lambda.

  Args:
    inner_tape: persistent; recorded alpha_lambda -> lambda' -> theta_c'.
    meta_parameter: alpha_lambda, `[K]`, watched by the tape.
    new_multiplier: lambda', `[K]`.
    new_critic: the updated weights theta_c'.
    d_multiplier: derivative of the outer loss by lambda' at fixed theta_c',
      `[K]`.
    d_critic: derivative of the outer loss by theta_c' at fixed lambda'.

  Returns:
    The two terms of the meta-gradient.
  """
  return MetaGradient(
      direct=inner_tape.gradient(
          new_multiplier, meta_parameter, output_gradients=d_multiplier),
      through_weights=inner_tape.gradient(
          new_critic, meta_parameter, output_gradients=d_critic))
