"""Theorem 1 in closed form, for batches: no tape inside another one.

For a scalar critic, squared TD error and plain gradient descent. The inner loss
is a mean over T training transitions, the outer one over V validation
transitions, so the paper's formula becomes a mean over all pairs:

    dJ'/dalpha = mean_v mean_t [ 2 delta'_v (-c_v
                   + 2 alpha_c c_t grad Q'_v . grad Q_t) ] dlambda'/dalpha

Q is taken before and Q' after the inner update. The sum over pairs is a product
of two sums, so K + 1 first-order gradients are all it takes, see
docs/algorithm.md.
"""

from typing import NamedTuple, Sequence

import tensorflow as tf

from metal_tf import types
from metal_tf.maths import losses
from metal_tf.maths import meta_gradient
from metal_tf.maths import optimizers
from metal_tf.maths import shapes

# Errors are told up to here: a number that no sum of them makes infinite.
_LARGEST_ERROR = 1e6
# Sizes below it count as this: 0 / 0 is no error, and anything / 0 a large one.
_TINY = 1e-30


class ClosedForm(NamedTuple):
  """The meta-gradient by Theorem 1.

  Attributes:
    gradient: its two terms, `[K]` each.
    bound: what the size of each term cannot exceed, `[K]` each, by the
      inequality of Cauchy and Schwarz and without the projection of lambda.
      Errors are measured by it: a term that vanishes because its summands
      cancel is known no better than they are.
  """
  gradient: meta_gradient.MetaGradient
  bound: meta_gradient.MetaGradient


def penalty_gradients(value: losses.Critic, weights: Sequence[tf.Tensor],
                      training: types.Transition) -> tf.Tensor:
  """`mean_t c_t grad Q_t` at the present weights, those before the update.

  Args:
    value: maps `[B, O]` and `[B, A]` to values `[B]`.
    weights: the critic's, P numbers in all.
    training: the training part, `[T, ...]`.

  Returns:
    `[K, P]`.
  """
  with tf.GradientTape(
      persistent=True, watch_accessed_variables=False) as tape:
    tape.watch(weights)
    q_tm1 = value(training.o_tm1, training.a_tm1)
    means = [tf.reduce_mean(c_t * q_tm1)
             for c_t in tf.unstack(training.c_t, axis=1)]
  return tf.stack([
      optimizers.flatten(tape.gradient(mean, weights)) for mean in means])


def closed_form(value: losses.Critic, weights: Sequence[tf.Tensor],
                validation: types.Transition, value_t: tf.Tensor,
                new_multiplier: tf.Tensor, penalty_gradient: tf.Tensor,
                rate: tf.Tensor, straight_through: bool,
                critic_lr: float) -> ClosedForm:
  """Theorem 1 at the present weights, those after the update.

  Args:
    value: maps `[B, O]` and `[B, A]` to values `[B]`.
    weights: the critic's, P numbers in all.
    validation: the validation part, `[V, ...]`.
    value_t: target critic at `(o_t, target_policy(o_t))`, `[V]`.
    new_multiplier: lambda', `[K]`.
    penalty_gradient: of `penalty_gradients` before the update, `[K, P]`.
    rate: `alpha_1 exp(alpha_lambda) (J_C - beta)`, `[K]`: the derivative of
      lambda' by alpha_lambda where lambda' was not projected to 0.
    straight_through: whether it is that where it was projected, too; else 0.
    critic_lr: alpha_c, rate of the inner update.
  """
  shapes.check('value_t', value_t, validation.r_t.shape)
  dtype = value_t.dtype
  reward = validation.r_t - tf.linalg.matvec(
      validation.c_t, tf.cast(new_multiplier, dtype))
  y_t = reward + validation.discount_t * value_t
  with tf.GradientTape(watch_accessed_variables=False) as tape:
    tape.watch(weights)
    q_tm1 = value(validation.o_tm1, validation.a_tm1)
    error = tf.stop_gradient(y_t - q_tm1)  # delta', after the update.
    mean = tf.reduce_mean(error * q_tm1)
  d_multiplier = rate if straight_through else tf.where(
      new_multiplier > 0, rate, tf.zeros_like(rate))
  # Some 400,000 numbers, added up one after the other by XLA: in 32 bits this
  # alone made errors of up to 4e-4.
  error_gradient = tf.cast(
      optimizers.flatten(tape.gradient(mean, weights)), tf.float64)
  penalty_gradient = tf.cast(penalty_gradient, tf.float64)
  product = tf.linalg.matvec(penalty_gradient, error_gradient)
  bound = tf.norm(penalty_gradient, axis=1) * tf.norm(error_gradient)
  rate, d_multiplier = (tf.cast(x, tf.float64) for x in (rate, d_multiplier))
  error, c_t = (tf.cast(x, tf.float64) for x in (error, validation.c_t))
  return ClosedForm(
      gradient=meta_gradient.MetaGradient(
          direct=-2 * tf.reduce_mean(
              error[:, None] * c_t, axis=0) * d_multiplier,
          through_weights=4 * critic_lr * product * d_multiplier),
      bound=meta_gradient.MetaGradient(
          direct=2 * _rms(error) * _rms(c_t) * tf.abs(rate),
          through_weights=4 * critic_lr * bound * tf.abs(rate)))


def largest_error(got: meta_gradient.MetaGradient,
                  expected: ClosedForm) -> tf.Tensor:
  """The largest of both terms' errors over the constraints, `[]`.

  Args:
    got: the learner's meta-gradient.
    expected: Theorem 1's.

  Returns:
    The error relative to `expected.bound`; finite always.
  """
  errors = [
      tf.abs(tf.cast(term, tf.float64) - by_theorem) / tf.maximum(bound, _TINY)
      for term, by_theorem, bound in zip(
          got, expected.gradient, expected.bound)]
  error = tf.reduce_max(tf.concat(errors, axis=0))
  # Written so that NaN counts as large.
  return tf.where(error < _LARGEST_ERROR, error,
                  tf.constant(_LARGEST_ERROR, error.dtype))


def _rms(x: tf.Tensor) -> tf.Tensor:
  return tf.sqrt(tf.reduce_mean(tf.square(x), axis=0))
