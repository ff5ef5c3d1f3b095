"""The lines of Algorithm 1, one by one, as functions of tensors.

`learner.py` puts them together, in the paper's order. Nothing is assigned here.
Shapes: `B` batch, `K` constraints, `N` outputs of the critic.
"""

import functools
from typing import Any, Dict, NamedTuple, Optional, Tuple

import tensorflow as tf

from metal_tf.agent import agents
from metal_tf.agent import commit
from metal_tf.agent import critics
from metal_tf.agent import mesh as shaping_lib
from metal_tf.agent import networks as networks_lib
from metal_tf.agent import outer_loss as outer_loss_lib
from metal_tf.agent import theorem_check
from metal_tf import config as config_lib
from metal_tf.maths import lagrange
from metal_tf.maths import losses
from metal_tf.maths import meta_gradient
from metal_tf.maths import optimizers
from metal_tf import types


class PolicySide(NamedTuple):
  """What the policy's update changes: variables, or their values."""
  weights: Any
  adam: optimizers.AdamSlots


class CriticSide(NamedTuple):
  """What the rest of a step changes: variables, or their values."""
  weights: Any
  adam: optimizers.AdamSlots
  multiplier: Any  # lambda, `[K]`.
  meta_parameter: Any  # alpha_lambda, `[K]`.
  meta_adam: optimizers.AdamSlots
  shaping: Any  # MeSh's weights and slots, or ().


class Lines:
  """What the algorithm and its settings make of each line.

  Attributes:
    shaping: MeSh's scale and offset; None for other agents.
  """

  def __init__(self, spec: types.EnvironmentSpec,
               algorithm: agents.Algorithm, config: config_lib.Config,
               head: critics.Head, networks: networks_lib.Networks,
               dtype: tf.DType):
    """Takes what does not change.

    Args:
      spec: sizes, bounds and thresholds of the environment.
      algorithm: which agent.
      config: its settings.
      head: of its critic.
      networks: its networks.
      dtype: of all numbers.
    """
    self._algorithm = algorithm
    self._config = config
    self._straight_through = (
        config.multiplier_projection == 'straight_through')
    self._head = head
    self._networks = networks
    self._threshold = tf.constant(spec.thresholds, dtype)
    self.shaping = (shaping_lib.Shaping(spec, config, dtype)
                    if algorithm.learns_shaping else None)
    self._theorem = theorem_check.TheoremCheck(
        algorithm, config, self._threshold)

  def update_multiplier(self, before: CriticSide,
                        episode_penalty: tf.Tensor) -> tf.Tensor:
    """Line 6; a fixed multiplier stays."""
    if not self._algorithm.learns_multiplier:
      return before.multiplier
    return lagrange.update_multiplier(
        before.multiplier, before.meta_parameter, episode_penalty,
        self._threshold, self._config.multiplier_learning_rate,
        self._straight_through)

  def shape(self, before: CriticSide, training: types.Transition,
            inner_tape: tf.GradientTape) -> shaping_lib.Shaped:
    """MeSh: scale and offset of what the critic learns."""
    if self.shaping is None:
      return shaping_lib.Shaped(training, {})
    weights, _ = before.shaping
    inner_tape.watch(weights)
    return self.shaping.apply(weights, training)

  def update_critic(
      self, before: CriticSide, training: types.Transition,
      output_t: tf.Tensor, multiplier_t: tf.Tensor,
      importance_weights: Optional[tf.Tensor]
  ) -> Tuple[commit.Tensors, optimizers.AdamSlots, Dict[str, tf.Tensor]]:
    """Lines 9-12 and 14: one differentiable step on the critic."""
    config, weights = self._config, before.weights
    with tf.GradientTape(watch_accessed_variables=False) as tape:
      tape.watch(weights)
      target = self._head.target(training, multiplier_t, output_t)
      loss_b = self._head.loss(self.critic(weights), training, target)  # [B]
      loss = losses.weighted_mean(loss_b, importance_weights)
    gradients = tape.gradient(loss, weights)
    if config.inner_optimizer == 'sgd':  # Theorem 1's step: nothing clipped.
      critic_t = optimizers.sgd_update(weights, gradients, config.critic_lr)
      slots, norm = before.adam, optimizers.global_norm(gradients)
    else:
      critic_t, slots, norm = optimizers.clipped_adam_update(
          weights, gradients, before.adam, config.critic_lr, config.clip_norm)
    return critic_t, slots, dict(
        critic_loss=loss, critic_gradient_norm=norm,
        clipped_mass=target.clipped_mass)

  def update_policy(self, before: PolicySide, critic: commit.Tensors,
                    o_t: tf.Tensor) -> commit.Part:
    """Lines 13-14: deterministic policy gradient and a step of Adam."""
    config = self._config
    loss, gradients = losses.policy_gradient(
        functools.partial(self._networks.apply_policy, before.weights),
        self.value(critic), before.weights, o_t, config.dqda_clip_norm)
    weights, slots, norm = optimizers.clipped_adam_update(
        before.weights, gradients, before.adam, config.policy_lr,
        config.clip_norm)
    return commit.Part(
        PolicySide(weights, slots),
        dict(policy_loss=loss, policy_gradient_norm=norm),
        commit.all_finite([loss, norm]))

  def outer_loss(self, critic_t: commit.Tensors,
                 policy_t: Optional[commit.Tensors],
                 validation: Optional[types.Transition], output_t: tf.Tensor,
                 multiplier_t: tf.Tensor) -> outer_loss_lib.OuterLoss:
    """Lines 15-16: the outer loss at (theta', lambda')."""
    if validation is None:
      return outer_loss_lib.NONE
    return outer_loss_lib.differentiate(
        self._config.outer_loss, self._head, self._networks.apply_critic,
        functools.partial(self._networks.apply_policy, policy_t), critic_t,
        validation, multiplier_t, output_t)

  def update_meta_parameter(
      self, before: CriticSide, inner_tape: tf.GradientTape,
      multiplier_t: tf.Tensor, critic_t: commit.Tensors,
      outer: outer_loss_lib.OuterLoss
  ) -> Tuple[tf.Tensor, optimizers.AdamSlots,
             Optional[meta_gradient.MetaGradient], Dict[str, tf.Tensor]]:
    """Line 17: alpha_lambda along both paths of the outer loss."""
    if not self._algorithm.learns_meta_parameter:
      return before.meta_parameter, before.meta_adam, None, {}
    gradient = meta_gradient.pull_back(
        inner_tape, before.meta_parameter, multiplier_t, critic_t,
        outer.d_multiplier, outer.d_critic)
    rate, limit = (
        self._config.meta_learning_rate, self._config.meta_parameter_limit)
    slots = before.meta_adam
    if self._config.meta_optimizer == 'adam':
      [updated], slots = optimizers.adam_update(
          [before.meta_parameter], [gradient.total], slots, rate)
    else:
      [updated] = optimizers.sgd_update(
          [before.meta_parameter], [gradient.total], rate)
    updated = tf.clip_by_value(updated, -limit, limit)
    return updated, slots, gradient, dict(
        meta_gradient_direct=gradient.direct,
        meta_gradient_weights=gradient.through_weights,
        meta_gradient_direct_share=gradient.direct_share,
        alpha_lambda_at_limit=tf.cast(
            tf.abs(updated) >= limit, updated.dtype))

  def update_shaping(
      self, before: CriticSide, inner_tape: tf.GradientTape,
      critic_t: commit.Tensors,
      outer: outer_loss_lib.OuterLoss) -> Tuple[Any, commit.Tensors]:
    """MeSh: scale and offset, along the path through the critic."""
    if self.shaping is None:
      return (), ()
    weights, slots = before.shaping
    weights, slots, norm = self.shaping.descend(
        weights, slots, inner_tape.gradient(
            critic_t, weights, output_gradients=outer.d_critic))
    return (weights, slots), [norm]

  def theorem_error(
      self, before: CriticSide, after: CriticSide,
      gradient: Optional[meta_gradient.MetaGradient],
      training: types.Transition, validation: Optional[types.Transition],
      validation_output_t: tf.Tensor,
      episode_penalty: tf.Tensor) -> Dict[str, tf.Tensor]:
    """How far the meta-gradient is from Theorem 1, where that applies."""
    if validation is None:
      return {}
    for_theorem = self._theorem.before_update(
        self.value(before.weights), before.weights, training)
    return self._theorem.error(
        self.value(after.weights), after.weights, for_theorem, gradient,
        validation, self._head.value(validation_output_t),
        before.meta_parameter, episode_penalty, after.multiplier)

  def critic(self, weights: commit.Tensors) -> losses.Critic:
    """The critic at some weights: `[B, N]`."""
    return functools.partial(self._networks.apply_critic, weights)

  def value(self, weights: commit.Tensors) -> losses.Critic:
    """Q of the critic at some weights: `[B]`."""
    return lambda o, a: self._head.value(
        self._networks.apply_critic(weights, o, a))
