"""Optimizers as pure functions, so that one can differentiate through a step.

`snt.optimizers.Adam` assigns to variables, through which no gradient flows;
`adam_update` computes the same numbers (tested) as a function of parameters,
gradients and slots.
"""

from typing import Callable, NamedTuple, Sequence, Tuple

import tensorflow as tf

Tensors = Sequence[tf.Tensor]

# Below this, sqrt(x) is taken as 0 with a derivative of 0. Adam's second moment
# is exactly 0 for a weight that never had a gradient (a constant observation
# component); the derivative of the square root is infinite there, and infinity
# times zero made the whole compiled meta-gradient NaN. A root of 1e-15 is
# nothing beside Adam's epsilon of 1e-8.
_SQRT_FLOOR = 1e-30


class AdamSlots(NamedTuple):
  """Adam's state.

  Attributes:
    count: steps taken so far, scalar.
    m: first moments, one per parameter.
    v: second moments, one per parameter.
  """
  count: tf.Tensor
  m: Tensors
  v: Tensors


# Maps parameters, their gradients and slots to new parameters, new slots and
# the gradients' joint norm `[]`; assigns nothing.
Optimizer = Callable[[Tensors, Tensors, AdamSlots],
                     Tuple[Tensors, AdamSlots, tf.Tensor]]


def safe_sqrt(x: tf.Tensor) -> tf.Tensor:
  """Square root whose value and derivative are 0 below 1e-30; NaN for NaN."""
  tiny = x <= _SQRT_FLOOR
  root = tf.sqrt(tf.where(tiny, tf.ones_like(x), x))
  return tf.where(tiny, tf.zeros_like(x), root)


def adam_update(parameters: Tensors,
                gradients: Tensors,
                slots: AdamSlots,
                learning_rate: float,
                beta1: float = 0.9,
                beta2: float = 0.999,
                epsilon: float = 1e-8) -> Tuple[Tensors, AdamSlots]:
  """One step of Adam (Kingma and Ba, 2015, algorithm 1).

  Args:
    parameters: tensors of any shape.
    gradients: one per parameter, same shapes.
    slots: the state before the step.
    learning_rate: step size.
    beta1: decay of the first moment.
    beta2: decay of the second moment.
    epsilon: added to the root of the second moment.

  Returns:
    The updated parameters and the state after the step.
  """
  count = slots.count + 1
  dtype = parameters[0].dtype
  # In the dtype from here on: moments and corrections must round alike.
  beta1, beta2 = tf.constant(beta1, dtype), tf.constant(beta2, dtype)
  m = [beta1 * m + (1 - beta1) * g for m, g in zip(slots.m, gradients)]
  v = [beta2 * v + (1 - beta2) * g * g for v, g in zip(slots.v, gradients)]
  t = tf.cast(count, dtype)
  correction1 = 1 - tf.pow(beta1, t)
  correction2 = 1 - tf.pow(beta2, t)
  updated = [
      p - learning_rate * (m_ / correction1) /
      (safe_sqrt(v_ / correction2) + epsilon)
      for p, m_, v_ in zip(parameters, m, v)
  ]
  return updated, AdamSlots(count, m, v)


def sgd_update(parameters: Tensors, gradients: Tensors,
               learning_rate: float) -> Tensors:
  """One step of gradient descent."""
  return [p - learning_rate * g for p, g in zip(parameters, gradients)]


def global_norm(gradients: Tensors) -> tf.Tensor:
  """The joint norm of gradients, `[]`, with a finite derivative at zero."""
  return safe_sqrt(tf.add_n([tf.reduce_sum(g * g) for g in gradients]))


def clip_by_global_norm(gradients: Tensors,
                        max_norm: float) -> Tuple[Tensors, tf.Tensor]:
  """Scales gradients down so that their joint norm is at most `max_norm`.

  The value of `tf.clip_by_global_norm`, with a derivative that stays finite for
  gradients that are all zero.

  Args:
    gradients: tensors of any shape.
    max_norm: the bound, positive.

  Returns:
    The scaled gradients and their norm `[]` before.
  """
  norm = global_norm(gradients)
  scale = max_norm / tf.maximum(norm, max_norm)
  return [g * scale for g in gradients], norm


def clipped_adam_update(
    parameters: Tensors, gradients: Tensors, slots: AdamSlots,
    learning_rate: float,
    clip_norm: float) -> Tuple[Tensors, AdamSlots, tf.Tensor]:
  """Clips by global norm and makes a step of Adam.

  Args:
    parameters: tensors of any shape.
    gradients: one per parameter.
    slots: the state before the step.
    learning_rate: step size.
    clip_norm: bound on the gradients' joint norm.

  Returns:
    The updated parameters, the state after the step, and the gradients' norm
    `[]` before clipping; differentiable in the gradients.
  """
  clipped, norm = clip_by_global_norm(gradients, clip_norm)
  return (*adam_update(parameters, clipped, slots, learning_rate), norm)


def clipped_adam(learning_rate: float, clip_norm: float) -> Optimizer:
  """Adam behind clipping by global norm, see `clipped_adam_update`."""
  return lambda parameters, gradients, slots: clipped_adam_update(
      parameters, gradients, slots, learning_rate, clip_norm)


def adam(learning_rate: float, epsilon: float) -> Optimizer:
  """Adam, see `adam_update`."""
  return lambda parameters, gradients, slots: (
      *adam_update(parameters, gradients, slots, learning_rate,
                   epsilon=epsilon), global_norm(gradients))


def sgd(learning_rate: float) -> Optimizer:
  """Gradient descent, which has no use for the slots and leaves them alone."""
  return lambda parameters, gradients, slots: (
      sgd_update(parameters, gradients, learning_rate), slots,
      global_norm(gradients))


def within(optimizer: Optimizer, limit: float) -> Optimizer:
  """The same optimizer with parameters kept within plus and minus a limit."""

  def update(parameters: Tensors, gradients: Tensors, slots: AdamSlots
            ) -> Tuple[Tensors, AdamSlots, tf.Tensor]:
    updated, slots, norm = optimizer(parameters, gradients, slots)
    return [tf.clip_by_value(x, -limit, limit) for x in updated], slots, norm

  return update


def flatten(tensors: Tensors) -> tf.Tensor:
  """Joins tensors of any shapes into one vector."""
  return tf.concat([tf.reshape(tensor, [-1]) for tensor in tensors], axis=0)
