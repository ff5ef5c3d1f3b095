"""The Lagrange multiplier's update (Algorithm 1, line 6)."""

import tensorflow as tf

from metal_tf.maths import shapes


def effective_rate(learning_rate: float,
                   meta_parameter: tf.Tensor) -> tf.Tensor:
  """`alpha_1 * exp(alpha_lambda)`, `[K]`: the multiplier's learning rate."""
  return learning_rate * tf.exp(meta_parameter)


def update_multiplier(multiplier: tf.Tensor, meta_parameter: tf.Tensor,
                      episode_penalty: tf.Tensor, threshold: tf.Tensor,
                      learning_rate: float,
                      straight_through: bool = False) -> tf.Tensor:
  """`lambda' = [lambda - alpha_1 exp(alpha_lambda) (beta - J_C)]_+`.

  Plain projected gradient descent on the Lagrange loss `lambda (beta - J_C)`
  (section 3): the step scales with the violation, which Adam's would not. Where
  the projection is active the derivative by alpha_lambda is zero, as automatic
  differentiation of `max(0, .)` has it. Theorem 1 leaves the projection out;
  `straight_through` does so in the derivative, the value is the same.

  Args:
    multiplier: lambda, `[K]`, not negative.
    meta_parameter: alpha_lambda, `[K]`.
    episode_penalty: J_C, mean penalty per step, `[K]`.
    threshold: beta, `[K]`.
    learning_rate: alpha_1.
    straight_through: whether to differentiate the update before its projection.

  Returns:
    The updated multiplier `[K]`.
  """
  for name, tensor in (('meta_parameter', meta_parameter),
                       ('episode_penalty', episode_penalty),
                       ('threshold', threshold)):
    shapes.check(name, tensor, multiplier.shape)
  rate = effective_rate(learning_rate, meta_parameter)
  unprojected = multiplier - rate * (threshold - episode_penalty)
  projected = tf.nn.relu(unprojected)
  if straight_through:
    # The difference is 0 or exactly -unprojected, so the value is projected.
    return unprojected + tf.stop_gradient(projected - unprojected)
  return projected
