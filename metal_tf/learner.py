"""The learner: Algorithm 1 of the paper, one compiled step.

D4PG, RS-D4PG, RC-D4PG, MetaL and MeSh are settings of this one learner (see
`algorithm.py` and `baselines/`). Shapes: `B` batch, `K` constraints, `M`
sampled episode penalties, `N` outputs of the critic, `O` and `A` observation
and action size.
"""

from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

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
    self._policy_variables = self.networks.policy.trainable_variables
    self._critic_variables = self.networks.critic.trainable_variables
    self._online_variables = self.networks.online_variables
    self._shaping = (shaping_lib.Shaping(spec, config, dtype)
                     if algorithm.learns_shaping else None)

    k = spec.num_constraints
    self._threshold = tf.constant(spec.thresholds, dtype)
    self.multiplier = tf.Variable(
        tf.fill([k], tf.constant(config.lagrange_multiplier, dtype)),
        trainable=False, name='multiplier')
    self.meta_parameter = tf.Variable(
        tf.zeros([k], dtype), trainable=False, name='meta_parameter')
    self._policy_adam = adam_lib.Adam(self._policy_variables, 'policy_adam')
    self._critic_adam = adam_lib.Adam(self._critic_variables, 'critic_adam')
    self._meta_adam = adam_lib.Adam([self.meta_parameter], 'meta_adam')
    self._counts = learner_counts.Counts()
    self._metrics = learner_metrics.Metrics(algorithm, config, k, dtype)
    self._priorities = priorities_lib.Priorities(
        config, self._head, self.networks.critic)
    self._theorem = theorem_check.TheoremCheck(
        algorithm, config, self._value, self._critic_variables, self._threshold)

    b, o, a = config.batch_size, spec.observation_size, spec.action_size
    self._step = tf.function(
        self._update,
        input_signature=[
            types.Transition(*(
                tf.TensorSpec(shape, dtype)
                for shape in ([b, o], [b, a], [b], [b, k], [b], [b, o]))),
            tf.TensorSpec([config.penalty_samples, k], dtype),
        ] + ([tf.TensorSpec([b], dtype)] if self._priorities.wanted else []),
        autograph=False,  # Nothing to convert; looking for it takes seconds.
        jit_compile=config.xla or None)

  # --- Algorithm 1 ---------------------------------------------------------

  def _update(
      self, batch: types.Transition, episode_penalties: tf.Tensor,
      importance_weights: Optional[tf.Tensor] = None) -> Optional[tf.Tensor]:
    """One iteration of Algorithm 1, in its order; line numbers are the paper's.

    Args:
      batch: transitions sampled from replay, `[B, ...]`.
      episode_penalties: sampled from the penalty table, `[M, K]`.
      importance_weights: of the batch, `[B]`; None where replay is uniform.

    Returns:
      The batch's new priorities `[B]`, or None where replay is uniform.
    """
    self._copy_targets_when_due()
    training, validation, output_t = self._split(batch)
    with tf.GradientTape(
        persistent=True, watch_accessed_variables=False) as inner_tape:
      meta_parameter = self.meta_parameter.read_value()
      inner_tape.watch(meta_parameter)
      # Lines 5-6: the Lagrange multiplier.
      episode_penalty = tf.reduce_mean(episode_penalties, axis=0)
      multiplier_t = self._update_multiplier(meta_parameter, episode_penalty)
      # Lines 7-12, 14: the critic, towards a target with the new multiplier.
      shaped = self._shape(training, inner_tape)  # By MeSh only.
      critic = self._update_critic(
          shaped.batch, output_t[:self._num_training], multiplier_t,
          None if importance_weights is None else
          importance_weights[:self._num_training])
    # Lines 13-14: the policy, by the critic from before its update.
    policy = self._update_policy(training)
    new = [*critic.weights, *policy.weights]
    for_theorem = self._theorem.before_update(training)
    priorities = self._priorities.of(
        training, output_t[:self._num_training], multiplier_t)
    before = [v.read_value() for v in self._online_variables]
    commit.assign(self._online_variables, new)
    # Lines 15-17: the meta-parameter, by the updated networks and multiplier.
    outer = self._outer_loss(
        validation, output_t[self._num_training:], multiplier_t)
    meta, gradient = self._update_meta_parameter(
        inner_tape, meta_parameter, multiplier_t, critic.weights, outer)
    shaping = self._update_shaping(inner_tape, critic.weights, outer)
    priorities += self._priorities.of(
        validation, output_t[self._num_training:], multiplier_t)
    theorem_error = self._theorem.error(
        for_theorem, gradient, validation,
        self._head.value(output_t[self._num_training:]), meta_parameter,
        episode_penalty, multiplier_t)
    # Line 18: commit, unless a number went wrong.
    parts = [part for part in (critic, policy, meta, shaping) if part]
    metrics = {**outer.metrics, **shaped.metrics, **theorem_error}
    for part in parts:
      metrics.update(part.metrics)
    checked = [x for part in parts for x in part.checked]
    finite = commit.all_finite([multiplier_t, *metrics.values(), *checked])
    commit.commit(finite, [
        ([self.multiplier], [multiplier_t], None),
        (self._online_variables, new, before),
        *((part.variables, part.values, None) for part in parts)])
    self._counts.add(finite)
    self._metrics.record(finite, metrics)
    return priorities_lib.join(finite, priorities)

  def _update_multiplier(self, meta_parameter: tf.Tensor,
                         episode_penalty: tf.Tensor) -> tf.Tensor:
    """Line 6; a fixed multiplier stays."""
    if not self._algorithm.learns_multiplier:
      return self.multiplier.read_value()
    return lagrange.update_multiplier(
        self.multiplier.read_value(), meta_parameter, episode_penalty,
        self._threshold, self._config.lagrange_lr, self._straight_through)

  def _shape(self, training: types.Transition,
             inner_tape: tf.GradientTape) -> shaping_lib.Shaped:
    """MeSh: scale and offset of what the critic learns."""
    if self._shaping is None:
      return shaping_lib.Shaped(training, {})
    inner_tape.watch(self._shaping.variables)
    return self._shaping.apply(training)

  def _update_critic(
      self, training: types.Transition, output_t: tf.Tensor,
      multiplier_t: tf.Tensor,
      importance_weights: Optional[tf.Tensor]) -> commit.Part:
    """Lines 9-12 and 14: one differentiable step on the critic."""
    config, variables = self._config, self._critic_variables
    with tf.GradientTape(watch_accessed_variables=False) as tape:
      tape.watch(variables)
      target = self._head.target(training, multiplier_t, output_t)
      loss_b = self._head.loss(self.networks.critic, training, target)  # [B]
      loss = losses.weighted_mean(loss_b, importance_weights)
    gradients = tape.gradient(loss, variables)
    if config.inner_optimizer == 'sgd':  # Theorem 1's step: nothing clipped.
      weights = optimizers.sgd_update(variables, gradients, config.critic_lr)
      slots = self._critic_adam.read()
      norm = optimizers.global_norm(gradients)
    else:
      weights, slots, norm = self._critic_adam.descend(
          gradients, config.critic_lr, config.clip_norm)
    return commit.Part(
        weights, self._critic_adam.variables, adam_lib.values(slots),
        dict(critic_loss=loss, critic_gradient_norm=norm,
             clipped_mass=target.clipped_mass))

  def _update_policy(self, training: types.Transition) -> commit.Part:
    """Lines 13-14: deterministic policy gradient and a step of Adam."""
    loss, gradients = losses.policy_gradient(
        self.networks.policy, self._value, self._policy_variables,
        training.o_t, self._config.dqda_clip_norm)
    weights, slots, norm = self._policy_adam.descend(
        gradients, self._config.policy_lr, self._config.clip_norm)
    return commit.Part(
        weights, self._policy_adam.variables, adam_lib.values(slots),
        dict(policy_loss=loss, policy_gradient_norm=norm))

  def _outer_loss(self, validation: Optional[types.Transition],
                  output_t: tf.Tensor,
                  multiplier_t: tf.Tensor) -> outer_loss.OuterLoss:
    """Lines 15-16: the outer loss at (theta', lambda')."""
    if validation is None:
      return outer_loss.NONE
    return outer_loss.differentiate(
        self._config.outer_loss, self._head, self.networks.critic,
        self.networks.policy, self._critic_variables, validation, multiplier_t,
        output_t)

  def _update_meta_parameter(
      self, inner_tape: tf.GradientTape, meta_parameter: tf.Tensor,
      multiplier_t: tf.Tensor, critic_t: commit.Tensors,
      outer: outer_loss.OuterLoss
  ) -> Tuple[Optional[commit.Part], Optional[meta_gradient.MetaGradient]]:
    """Line 17: alpha_lambda along both paths of the outer loss."""
    if not self._algorithm.learns_meta_parameter:
      return None, None
    gradient = meta_gradient.pull_back(
        inner_tape, meta_parameter, multiplier_t, critic_t, outer.d_multiplier,
        outer.d_critic)
    rate, limit = (
        self._config.meta_learning_rate, self._config.meta_parameter_limit)
    slots = self._meta_adam.read()
    if self._config.meta_optimizer == 'adam':
      [updated], slots = optimizers.adam_update(
          [meta_parameter], [gradient.total], slots, rate)
    else:
      [updated] = optimizers.sgd_update(
          [meta_parameter], [gradient.total], rate)
    updated = tf.clip_by_value(updated, -limit, limit)
    return commit.Part(
        (), [self.meta_parameter, *self._meta_adam.variables],
        [updated, *adam_lib.values(slots)],
        dict(meta_gradient_direct=gradient.direct,
             meta_gradient_weights=gradient.through_weights,
             meta_gradient_direct_share=gradient.direct_share,
             alpha_lambda_at_limit=tf.cast(
                 tf.abs(updated) >= limit, updated.dtype))), gradient

  def _update_shaping(
      self, inner_tape: tf.GradientTape, critic_t: commit.Tensors,
      outer: outer_loss.OuterLoss) -> Optional[commit.Part]:
    """MeSh: scale and offset, along the path through the critic."""
    if self._shaping is None:
      return None
    weights, slots, norm = self._shaping.descend(inner_tape.gradient(
        critic_t, self._shaping.variables, output_gradients=outer.d_critic))
    return commit.Part((), [*self._shaping.variables, *self._shaping.slots],
                       [*weights, *slots], {}, [norm])

  # --- Its machinery -------------------------------------------------------

  def _value(self, observation: tf.Tensor, action: tf.Tensor) -> tf.Tensor:
    """Q of the critic as it stands, `[B]`."""
    return self._head.value(self.networks.critic(observation, action))

  def _copy_targets_when_due(self) -> None:
    """Hard copy before the update, at step 0 as well, as Acme's D4PG does."""

    def copy() -> bool:
      trfl.update_target_variables(
          self.networks.target_variables, self._online_variables)
      return True

    tf.cond(self._counts.steps % self._config.target_update_period == 0, copy,
            lambda: False)

  def _split(
      self, batch: types.Transition
  ) -> Tuple[types.Transition, Optional[types.Transition], tf.Tensor]:
    """Line 7, and the target networks' output `[B, N]` for both parts."""
    output_t = self.networks.target_critic(
        batch.o_t, self.networks.target_policy(batch.o_t))
    if not self._algorithm.splits_batch:
      return batch, None, output_t
    return (*meta_gradient.split_batch(batch, self._num_training), output_t)

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
    shaping = self._shaping
    return learner_state.name_groups(dict(
        critic=self._critic_variables,
        policy=self._policy_variables,
        target=self.networks.target_variables,
        critic_adam=self._critic_adam.variables,
        policy_adam=self._policy_adam.variables,
        meta_adam=self._meta_adam.variables,
        multiplier=[self.multiplier],
        meta_parameter=[self.meta_parameter],
        counts=[self._counts.steps, self._counts.skipped, self._metrics.steps,
                self._counts.skipped_in_a_row],
        sums=self._metrics.first,
        shaping=shaping.variables if shaping else (),
        shaping_adam=shaping.slots if shaping else ()))

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
