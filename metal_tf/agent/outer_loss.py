"""The outer loss at the updated networks, and its derivatives (line 16).

Figure 1, left, of the paper compares three: the critic's, the actor's, and
their sum. The choice of the parts is the paper's, the actor's form is our
reading (docs/algorithm.md).
"""

import functools
from typing import Callable, Dict, NamedTuple, Optional, Sequence

import tensorflow as tf

from metal_tf.agent import critics
from metal_tf.maths import losses
from metal_tf import types


class OuterLoss(NamedTuple):
  """An outer loss and its derivatives.

  Attributes:
    metrics: the loss `outer_loss` and its parts, `[]` each, by name.
    d_multiplier: derivative by lambda' at fixed weights, `[K]`; None for an
      agent without an outer loss.
    d_critic: derivative by each of the critic's weights at fixed lambda';
      None likewise.
  """
  metrics: Dict[str, tf.Tensor]
  d_multiplier: Optional[tf.Tensor]
  d_critic: Optional[Sequence[tf.Tensor]]


NONE = OuterLoss({}, None, None)


def differentiate(
    choice: str, head: critics.Head, apply_critic: Callable[..., tf.Tensor],
    policy: losses.Policy, critic_weights: Sequence[tf.Tensor],
    validation: types.Transition, multiplier_t: tf.Tensor,
    output_t: tf.Tensor) -> OuterLoss:
  """Takes the outer loss at the updated networks.

  Args:
    choice: 'critic', 'actor' or 'actor_critic', their sum with weights 1.
    head: the critic's.
    apply_critic: maps a critic's weights, `[B, O]` and `[B, A]` to `[B, N]`.
    policy: the updated policy, theta_a'. It was updated by the critic from
      before its own update, so it does not depend on lambda'.
    critic_weights: theta_c'.
    validation: the validation part, `[B, ...]`.
    multiplier_t: the updated multiplier lambda', `[K]`.
    output_t: the target critic's output for the validation part, `[B, N]`.
  """
  critic = functools.partial(apply_critic, critic_weights)
  parts = {}
  with tf.GradientTape(watch_accessed_variables=False) as tape:
    tape.watch(multiplier_t)
    tape.watch(critic_weights)
    if choice in ('critic', 'actor_critic'):
      parts['outer_critic_loss'] = tf.reduce_mean(head.outer_loss(
          critic, validation, head.target(validation, multiplier_t, output_t)))
    if choice in ('actor', 'actor_critic'):
      parts['outer_actor_loss'] = losses.actor_loss(
          policy, lambda o, a: head.value(critic(o, a)), validation.o_t)
    loss = tf.add_n(list(parts.values()))
  d_multiplier, d_critic = tape.gradient(loss, [multiplier_t, critic_weights])
  if d_multiplier is None:
    # Lambda is no input of the networks: the actor's loss has no direct term.
    d_multiplier = tf.zeros_like(multiplier_t)
  return OuterLoss(dict(parts, outer_loss=loss), d_multiplier, d_critic)
