"""The learner: Algorithm 1 of the paper in one step.

The step is a graph of three parts, pure functions each, which XLA compiles: the
target networks, the policy, and the critic with all that depends on it. Policy
and critic run side by side where there are two threads; XLA itself runs one
operation after the other.

D4PG, RS-D4PG, RC-D4PG, MetaL and MeSh are settings of this one learner (see
`algorithm.py` and `baselines/`). Shapes: `B` batch, `K` constraints, `M`
sampled episode penalties, `N` outputs of the critic, `O` and `A` observation
and action size.
"""

import functools
from typing import Any, Callable, Dict, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import tensorflow as tf
import trfl

from metal_tf import adam as adam_lib
from metal_tf import algorithm as algorithm_lib
from metal_tf import commit
from metal_tf import config as config_lib
from metal_tf import heads
from metal_tf import learner_counts
from metal_tf import learner_metrics
from metal_tf import learner_state
from metal_tf import networks as networks_lib
from metal_tf import outer_loss
from metal_tf import priorities as priorities_lib
from metal_tf import shaping as shaping_lib
from metal_tf import theorem_check
from metal_tf import types
from metal_tf.maths import lagrange
from metal_tf.maths import losses
from metal_tf.maths import meta_gradient
from metal_tf.maths import optimizers


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


class Learner:
  """Holds everything that training changes, and changes it."""

  def __init__(self,
               spec: types.EnvironmentSpec,
               algorithm: algorithm_lib.Algorithm,
               config: config_lib.Config,
               dtype: tf.DType = tf.float32):
    """Builds networks, optimizers and the compiled step.

    Args:
      spec: sizes, bounds and thresholds of the environment.
      algorithm: which agent.
      config: its settings.
      dtype: of all numbers; float64 is for checking gradients.

    Raises:
      ValueError: for an algorithm whose switches contradict each other.
    """
    algorithm_lib.check(algorithm)
    self._algorithm = algorithm
    self._config = config
    self._straight_through = (
        config.multiplier_projection == 'straight_through')
    self._head = heads.make(config)
    self._num_training = config.batch_size
    if algorithm.splits_batch:
      self._num_training -= config.num_validation
    self.networks = networks_lib.Networks(
        spec, config.policy_layer_sizes, config.critic_layer_sizes,
        self._head.size, dtype)
    self._shaping = (shaping_lib.Shaping(spec, config, dtype)
                     if algorithm.learns_shaping else None)

    k = spec.num_constraints
    self._threshold = tf.constant(spec.thresholds, dtype)
    self.multiplier = tf.Variable(
        tf.fill([k], tf.constant(config.lagrange_multiplier, dtype)),
        trainable=False, name='multiplier')
    self.meta_parameter = tf.Variable(
        tf.zeros([k], dtype), trainable=False, name='meta_parameter')
    policy, critic = (network.trainable_variables for network in (
        self.networks.policy, self.networks.critic))
    self._policy_side = PolicySide(
        policy, adam_lib.make_slots(policy, 'policy_adam'))
    self._critic_side = CriticSide(
        critic, adam_lib.make_slots(critic, 'critic_adam'), self.multiplier,
        self.meta_parameter,
        adam_lib.make_slots([self.meta_parameter], 'meta_adam'),
        (self._shaping.variables, self._shaping.slots) if self._shaping else ())
    self._counts = learner_counts.Counts()
    self._metrics = learner_metrics.Metrics(algorithm, config, k, dtype)
    self._priorities = priorities_lib.Priorities(config, self._head)
    self._theorem = theorem_check.TheoremCheck(
        algorithm, config, self._threshold)

    b, o, a = config.batch_size, spec.observation_size, spec.action_size
    self._step = tf.function(
        self._update,
        input_signature=[
            types.Transition(*(
                tf.TensorSpec(shape, dtype)
                for shape in ([b, o], [b, a], [b], [b, k], [b], [b, o]))),
            tf.TensorSpec([config.penalty_samples, k], dtype),
        ] + ([tf.TensorSpec([b], dtype)] if self._priorities.wanted else []),
        autograph=False)  # Nothing to convert; looking for it takes seconds.

  # --- Algorithm 1 ---------------------------------------------------------

  def _update(
      self, batch: types.Transition, episode_penalties: tf.Tensor,
      importance_weights: Optional[tf.Tensor] = None) -> Optional[tf.Tensor]:
    """One iteration of Algorithm 1; line numbers are the paper's.

    Args:
      batch: transitions sampled from replay, `[B, ...]`.
      episode_penalties: sampled from the penalty table, `[M, K]`.
      importance_weights: of the batch, `[B]`; None where replay is uniform.

    Returns:
      The batch's new priorities `[B]`, or None where replay is uniform.
    """
    self._copy_targets_when_due()
    before, before_policy = commit.read([self._critic_side, self._policy_side])
    training, validation = self._split(batch)  # Line 7.
    output_t = self._compiled(self._apply_targets)(
        *commit.read([self.networks.target_critic.trainable_variables,
                      self.networks.target_policy.trainable_variables]),
        batch.o_t)
    # Lines 13-14: the policy, by the critic from before its update.
    policy = self._compiled(self._update_policy)(
        before_policy, before.weights, training.o_t)
    # Only an actor's outer loss needs the result; else both run side by side.
    policy_t = policy.state.weights if 'actor' in self._config.outer_loss else ()
    critic = self._compiled(self._update_critic_side)(
        before, training, validation, output_t, episode_penalties,
        importance_weights, policy_t)
    # Line 18: commit, unless a number went wrong.
    finite = tf.logical_and(policy.finite, critic.finite)

    def commit_all() -> bool:
      commit.assign([self._policy_side, self._critic_side],
                    [policy.state, critic.state])
      self._metrics.record({**policy.metrics, **critic.metrics})
      return True

    tf.cond(finite, commit_all, lambda: False)
    self._counts.add(finite)
    return priorities_lib.where_finite(finite, critic.priorities)

  def _update_critic_side(
      self, before: CriticSide, training: types.Transition,
      validation: Optional[types.Transition], output_t: tf.Tensor,
      episode_penalties: tf.Tensor, importance_weights: Optional[tf.Tensor],
      policy_t: commit.Tensors) -> commit.Part:
    """Lines 5-12 and 14-17, in their order."""
    n = self._num_training
    with tf.GradientTape(
        persistent=True, watch_accessed_variables=False) as inner_tape:
      inner_tape.watch(before.meta_parameter)
      # Lines 5-6: the Lagrange multiplier.
      episode_penalty = tf.reduce_mean(episode_penalties, axis=0)
      multiplier_t = self._update_multiplier(before, episode_penalty)
      # Lines 7-12, 14: the critic, towards a target with the new multiplier.
      shaped = self._shape(before, training, inner_tape)  # By MeSh only.
      critic_t, adam, metrics = self._update_critic(
          before, shaped.batch, output_t[:n], multiplier_t,
          None if importance_weights is None else importance_weights[:n])
    # Lines 15-16: the outer loss, at the updated networks and multiplier.
    outer = self._outer_loss(
        critic_t, policy_t, validation, output_t[n:], multiplier_t)
    # Line 17: what it says of the meta-parameter.
    meta_parameter, meta_adam, gradient, meta_metrics = (
        self._update_meta_parameter(
            before, inner_tape, multiplier_t, critic_t, outer))
    shaping, norms = self._update_shaping(before, inner_tape, critic_t, outer)

    after = CriticSide(critic_t, adam, multiplier_t, meta_parameter, meta_adam,
                       shaping)
    metrics = {
        **metrics, **outer.metrics, **shaped.metrics, **meta_metrics,
        **self._theorem_error(before, after, gradient, training, validation,
                              output_t, episode_penalty)}
    return commit.Part(
        after, metrics,
        commit.all_finite([multiplier_t, *metrics.values(), *norms]),
        priorities_lib.join([
            *self._priorities.of(self._critic(before.weights), training,
                                 output_t[:n], multiplier_t),
            *self._priorities.of(self._critic(critic_t), validation,
                                 output_t[n:], multiplier_t)]))

  def _update_multiplier(self, before: CriticSide,
                         episode_penalty: tf.Tensor) -> tf.Tensor:
    """Line 6; a fixed multiplier stays."""
    if not self._algorithm.learns_multiplier:
      return before.multiplier
    return lagrange.update_multiplier(
        before.multiplier, before.meta_parameter, episode_penalty,
        self._threshold, self._config.lagrange_lr, self._straight_through)

  def _shape(self, before: CriticSide, training: types.Transition,
             inner_tape: tf.GradientTape) -> shaping_lib.Shaped:
    """MeSh: scale and offset of what the critic learns."""
    if self._shaping is None:
      return shaping_lib.Shaped(training, {})
    weights, _ = before.shaping
    inner_tape.watch(weights)
    return self._shaping.apply(weights, training)

  def _update_critic(
      self, before: CriticSide, training: types.Transition,
      output_t: tf.Tensor, multiplier_t: tf.Tensor,
      importance_weights: Optional[tf.Tensor]
  ) -> Tuple[commit.Tensors, optimizers.AdamSlots, Dict[str, tf.Tensor]]:
    """Lines 9-12 and 14: one differentiable step on the critic."""
    config, weights = self._config, before.weights
    with tf.GradientTape(watch_accessed_variables=False) as tape:
      tape.watch(weights)
      target = self._head.target(training, multiplier_t, output_t)
      loss_b = self._head.loss(self._critic(weights), training, target)  # [B]
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

  def _update_policy(self, before: PolicySide, critic: commit.Tensors,
                     o_t: tf.Tensor) -> commit.Part:
    """Lines 13-14: deterministic policy gradient and a step of Adam."""
    config = self._config
    loss, gradients = losses.policy_gradient(
        functools.partial(self.networks.apply_policy, before.weights),
        self._value(critic), before.weights, o_t, config.dqda_clip_norm)
    weights, slots, norm = optimizers.clipped_adam_update(
        before.weights, gradients, before.adam, config.policy_lr,
        config.clip_norm)
    return commit.Part(
        PolicySide(weights, slots),
        dict(policy_loss=loss, policy_gradient_norm=norm),
        commit.all_finite([loss, norm]))

  def _outer_loss(self, critic_t: commit.Tensors, policy_t: commit.Tensors,
                  validation: Optional[types.Transition], output_t: tf.Tensor,
                  multiplier_t: tf.Tensor) -> outer_loss.OuterLoss:
    """Lines 15-16: the outer loss at (theta', lambda')."""
    if validation is None:
      return outer_loss.NONE
    return outer_loss.differentiate(
        self._config.outer_loss, self._head, self.networks.apply_critic,
        functools.partial(self.networks.apply_policy, policy_t), critic_t,
        validation, multiplier_t, output_t)

  def _update_meta_parameter(
      self, before: CriticSide, inner_tape: tf.GradientTape,
      multiplier_t: tf.Tensor, critic_t: commit.Tensors,
      outer: outer_loss.OuterLoss
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

  def _update_shaping(
      self, before: CriticSide, inner_tape: tf.GradientTape,
      critic_t: commit.Tensors,
      outer: outer_loss.OuterLoss) -> Tuple[Any, commit.Tensors]:
    """MeSh: scale and offset, along the path through the critic."""
    if self._shaping is None:
      return (), ()
    weights, slots = before.shaping
    weights, slots, norm = self._shaping.descend(
        weights, slots, inner_tape.gradient(
            critic_t, weights, output_gradients=outer.d_critic))
    return (weights, slots), [norm]

  def _theorem_error(
      self, before: CriticSide, after: CriticSide,
      gradient: Optional[meta_gradient.MetaGradient],
      training: types.Transition, validation: Optional[types.Transition],
      output_t: tf.Tensor,
      episode_penalty: tf.Tensor) -> Dict[str, tf.Tensor]:
    """How far the meta-gradient is from Theorem 1, where that applies."""
    for_theorem = self._theorem.before_update(
        self._value(before.weights), before.weights, training)
    return self._theorem.error(
        self._value(after.weights), after.weights, for_theorem, gradient,
        validation, self._head.value(output_t[self._num_training:]),
        before.meta_parameter, episode_penalty, after.multiplier)

  # --- Its machinery -------------------------------------------------------

  def _compiled(self, part: Callable[..., Any]) -> Callable[..., Any]:
    """A part of the step, compiled by XLA unless that is switched off."""
    if not self._config.xla:
      return part
    return tf.function(part, autograph=False, jit_compile=True)

  def _critic(self, weights: commit.Tensors) -> losses.Critic:
    """The critic at some weights: `[B, N]`."""
    return functools.partial(self.networks.apply_critic, weights)

  def _value(self, weights: commit.Tensors) -> losses.Critic:
    """Q of the critic at some weights: `[B]`."""
    return lambda o, a: self._head.value(
        self.networks.apply_critic(weights, o, a))

  def _apply_targets(self, critic: commit.Tensors, policy: commit.Tensors,
                     o_t: tf.Tensor) -> tf.Tensor:
    """The target networks' output, `[B, N]`."""
    return self.networks.apply_critic(
        critic, o_t, self.networks.apply_policy(policy, o_t))

  def _copy_targets_when_due(self) -> None:
    """Hard copy before the update, at step 0 as well, as Acme's D4PG does."""

    def copy() -> bool:
      trfl.update_target_variables(
          self.networks.target_variables, self.networks.online_variables)
      return True

    tf.cond(self._counts.steps % self._config.target_update_period == 0, copy,
            lambda: False)

  def _split(
      self, batch: types.Transition
  ) -> Tuple[types.Transition, Optional[types.Transition]]:
    """Line 7; without an outer loss all of the batch trains."""
    if not self._algorithm.splits_batch:
      return batch, None
    return meta_gradient.split_batch(batch, self._num_training)

  # --- The public side -----------------------------------------------------

  def step(self, batch: types.Transition, episode_penalties: Any,
           importance_weights: Any = None) -> Optional[tf.Tensor]:
    """Does one learner step.

    Args:
      batch: transitions sampled from replay, `[B, ...]`, arrays or tensors.
      episode_penalties: `[M, K]`, mean penalties per step of M episodes.
      importance_weights: `[B]`, factors of the training part in the critic's
        loss; not used where replay is uniform.

    Returns:
      New priorities of the transitions, `[B]`, all NaN if the update was
      skipped; None where replay is uniform.

    Raises:
      ValueError: for other shapes or types than those the learner was built
        for.
    """
    if self._priorities.wanted:
      return self._step(batch, episode_penalties, importance_weights)
    return self._step(batch, episode_penalties)

  def read_metrics(self) -> Dict[str, np.ndarray]:
    """Returns means over the steps since the last call, and starts anew.

    Losses `[]` and meta-gradient terms `[K]`; see `learner_metrics`. NaN where
    no step was made or where the algorithm has no such number.
    """
    return self._metrics.read()

  @property
  def num_steps(self) -> int:
    """Learner steps made, skipped ones included."""
    return int(self._counts.steps.numpy())

  @property
  def num_skipped(self) -> int:
    """Learner steps whose update was dropped for a NaN or infinity."""
    return int(self._counts.skipped.numpy())

  @property
  def num_skipped_in_a_row(self) -> int:
    """The newest learner steps, if they were all skipped; else 0."""
    return int(self._counts.skipped_in_a_row.numpy())

  @property
  def effective_rate(self) -> np.ndarray:
    """alpha_1 exp(alpha_lambda), `[K]`; 0 where lambda is fixed."""
    if not self._algorithm.learns_multiplier:
      return np.zeros_like(self.multiplier.numpy())
    return lagrange.effective_rate(
        self._config.lagrange_lr, self.meta_parameter).numpy()

  @property
  def num_traces(self) -> int:
    """How often the step was traced; 1 after the first call, and ever after."""
    return self._step.experimental_get_tracing_count()

  def _state_variables(self) -> Dict[str, tf.Variable]:
    shaping, critic, policy = (
        self._shaping, self._critic_side, self._policy_side)
    return learner_state.name_groups(dict(
        critic=critic.weights,
        policy=policy.weights,
        target=self.networks.target_variables,
        critic_adam=adam_lib.checkpointed(critic.adam),
        policy_adam=adam_lib.checkpointed(policy.adam),
        meta_adam=adam_lib.checkpointed(critic.meta_adam),
        multiplier=[self.multiplier],
        meta_parameter=[self.meta_parameter],
        counts=[self._counts.steps, self._counts.skipped, self._metrics.steps,
                self._counts.skipped_in_a_row],
        sums=self._metrics.first,
        shaping=shaping.variables if shaping else (),
        shaping_adam=adam_lib.checkpointed(shaping.slots) if shaping else ()))

  def get_state(self) -> Dict[str, np.ndarray]:
    """Returns everything that an exact continuation needs, by name."""
    return learner_state.get({**self._state_variables(), **self._metrics.later})

  def set_state(self, state: Mapping[str, np.ndarray]) -> None:
    """Takes over a state from `get_state`, of this version or an older one.

    Args:
      state: arrays by name.

    Raises:
      ValueError: naming the first array that is missing, left over or of
        another shape; nothing is taken over then.
    """
    learner_state.put(self._state_variables(), self._metrics.later, state)
