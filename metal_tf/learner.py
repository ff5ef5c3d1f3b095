"""The learner: Algorithm 1 of the paper, one compiled step.

D4PG, RS-D4PG, RC-D4PG and MetaL are settings of this one learner (see
`algorithm.py` and `baselines/`). Shapes: `B` batch, `K` constraints, `M`
sampled episode penalties, `N` atoms, `O` and `A` observation and action size.
"""

from typing import Any, Dict, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import tensorflow as tf
import trfl

from metal_tf import adam as adam_lib
from metal_tf import algorithm as algorithm_lib
from metal_tf import config as config_lib
from metal_tf import networks as networks_lib
from metal_tf import types
from metal_tf.maths import lagrange
from metal_tf.maths import losses
from metal_tf.maths import meta_gradient
from metal_tf.maths import optimizers
from metal_tf.maths import projection

_DIVERGENCES = {
    'cross_entropy': losses.cross_entropy,
    'kl': losses.kl_divergence,
}


class _CriticUpdate(NamedTuple):
  """The inner update of the critic: new weights and what led to them."""
  weights: Sequence[tf.Tensor]
  slots: optimizers.AdamSlots
  loss: tf.Tensor
  gradient_norm: tf.Tensor
  clipped_mass: tf.Tensor


class _MetaUpdate(NamedTuple):
  """The outer update: new alpha_lambda and what led to it."""
  meta_parameter: tf.Tensor
  slots: optimizers.AdamSlots
  loss: tf.Tensor
  gradient: meta_gradient.MetaGradient


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
      ValueError: for an algorithm that learns alpha_lambda, which acts through
        lambda's update only, without learning lambda.
    """
    if algorithm.learns_meta_parameter and not algorithm.learns_multiplier:
      raise ValueError(f'{algorithm.name}: learns_meta_parameter needs '
                       'learns_multiplier.')
    self._algorithm = algorithm
    self._config = config
    self._dtype = dtype
    self._prioritized = config.replay == 'prioritized'
    self._support = projection.Support(
        config.vmin, config.vmax, config.num_atoms)
    self._num_training = config.batch_size
    if algorithm.learns_meta_parameter:
      self._num_training -= config.num_validation
    self.networks = networks_lib.Networks(
        spec, config.policy_layer_sizes, config.critic_layer_sizes,
        config.num_atoms, dtype)
    self._policy_variables = self.networks.policy.trainable_variables
    self._critic_variables = self.networks.critic.trainable_variables

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
    self._steps = tf.Variable(0, dtype=tf.int64, trainable=False, name='steps')
    self._skipped = tf.Variable(
        0, dtype=tf.int64, trainable=False, name='skipped')
    self._skipped_in_a_row = tf.Variable(
        0, dtype=tf.int64, trainable=False, name='skipped_in_a_row')
    self._sums = {
        name: tf.Variable(tf.zeros(shape, dtype), trainable=False)
        for name, shape in self._metric_shapes(k).items()
    }
    self._summed_steps = tf.Variable(0, dtype=tf.int64, trainable=False)

    b, o, a = config.batch_size, spec.observation_size, spec.action_size
    self._step = tf.function(
        self._update,
        input_signature=[
            types.Transition(*(
                tf.TensorSpec(shape, dtype)
                for shape in ([b, o], [b, a], [b], [b, k], [b], [b, o]))),
            tf.TensorSpec([config.penalty_samples, k], dtype),
        ] + ([tf.TensorSpec([b], dtype)] if self._prioritized else []),
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
    training, validation, logits_t = self._split(batch)
    with tf.GradientTape(
        persistent=True, watch_accessed_variables=False) as inner_tape:
      meta_parameter = self.meta_parameter.read_value()
      inner_tape.watch(meta_parameter)
      # Lines 5-6: the Lagrange multiplier.
      episode_penalty = tf.reduce_mean(episode_penalties, axis=0)
      multiplier_t = self._update_multiplier(meta_parameter, episode_penalty)
      # Lines 7-12, 14: the critic, towards a target with the new multiplier.
      critic = self._update_critic(
          training, logits_t[:self._num_training], multiplier_t,
          importance_weights)
    # Lines 13-14: the policy, by the critic from before its update.
    policy_loss, policy_norm, policy, policy_slots = self._update_policy(
        training)
    training_priorities = self._priorities(
        training, logits_t[:self._num_training], multiplier_t)
    old_critic = [v.read_value() for v in self._critic_variables]
    _assign(self._critic_variables, critic.weights)
    # Lines 15-17: the meta-parameter, by the updated critic and multiplier.
    meta = self._update_meta_parameter(
        inner_tape, meta_parameter, multiplier_t, critic.weights, validation,
        logits_t[self._num_training:])
    validation_priorities = self._priorities(
        validation, logits_t[self._num_training:], multiplier_t)
    # Line 18: commit, unless a number went wrong.
    metrics = dict(
        critic_loss=critic.loss, critic_gradient_norm=critic.gradient_norm,
        clipped_mass=critic.clipped_mass, policy_loss=policy_loss,
        policy_gradient_norm=policy_norm)
    if meta is not None:
      metrics.update(
          outer_loss=meta.loss, meta_gradient_direct=meta.gradient.direct,
          meta_gradient_weights=meta.gradient.through_weights)
    finite = _all_finite([*metrics.values(), multiplier_t])
    self._commit(finite, [
        (self._critic_variables, critic.weights, old_critic),
        (self._critic_adam.variables, adam_lib.values(critic.slots), None),
        (self._policy_variables, policy, None),
        (self._policy_adam.variables, adam_lib.values(policy_slots), None),
        ([self.multiplier], [multiplier_t], None),
    ] + ([] if meta is None else [
        ([self.meta_parameter], [meta.meta_parameter], None),
        (self._meta_adam.variables, adam_lib.values(meta.slots), None),
    ]))
    self._record(finite, metrics)
    return _join(finite, training_priorities, validation_priorities)

  def _update_multiplier(self, meta_parameter: tf.Tensor,
                         episode_penalty: tf.Tensor) -> tf.Tensor:
    """Line 6; a fixed multiplier stays."""
    if not self._algorithm.learns_multiplier:
      return self.multiplier.read_value()
    return lagrange.update_multiplier(
        self.multiplier.read_value(), meta_parameter, episode_penalty,
        self._threshold, self._config.lagrange_lr)

  def _update_critic(
      self, training: types.Transition, logits_t: tf.Tensor,
      multiplier_t: tf.Tensor,
      importance_weights: Optional[tf.Tensor]) -> _CriticUpdate:
    """Lines 9-12 and 14: one differentiable step of Adam on the critic."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
      tape.watch(self._critic_variables)
      target = losses.critic_target(
          training, multiplier_t, logits_t, self._support)
      if importance_weights is not None:
        importance_weights = importance_weights[:self._num_training]
      loss = losses.critic_loss(
          self.networks.critic, training, target,
          importance_weights=importance_weights)
    weights, slots, norm = self._critic_adam.descend(
        tape.gradient(loss, self._critic_variables), self._config.critic_lr,
        self._config.clip_norm)
    return _CriticUpdate(weights, slots, loss, norm, target.clipped_mass)

  def _update_policy(
      self, training: types.Transition
  ) -> Tuple[tf.Tensor, tf.Tensor, Sequence[tf.Tensor], optimizers.AdamSlots]:
    """Lines 13-14: deterministic policy gradient and a step of Adam."""
    loss, gradients = losses.policy_gradient(
        self.networks.policy, self.networks.critic, self._policy_variables,
        training.o_t, self._support, self._config.dqda_clip_norm)
    weights, slots, norm = self._policy_adam.descend(
        gradients, self._config.policy_lr, self._config.clip_norm)
    return loss, norm, weights, slots

  def _update_meta_parameter(
      self, inner_tape: tf.GradientTape, meta_parameter: tf.Tensor,
      multiplier_t: tf.Tensor, critic_t: Sequence[tf.Tensor],
      validation: types.Transition,
      logits_t: tf.Tensor) -> Optional[_MetaUpdate]:
    """Lines 15-17: the outer loss at (theta_c', lambda') and its gradient."""
    if not self._algorithm.learns_meta_parameter:
      return None
    with tf.GradientTape(watch_accessed_variables=False) as outer_tape:
      outer_tape.watch(multiplier_t)
      outer_tape.watch(self._critic_variables)  # They hold theta_c' by now.
      loss = losses.critic_loss(
          self.networks.critic, validation,
          losses.critic_target(
              validation, multiplier_t, logits_t, self._support),
          _DIVERGENCES[self._config.outer_divergence])
    d_multiplier, d_critic = outer_tape.gradient(
        loss, [multiplier_t, self._critic_variables])
    gradient = meta_gradient.pull_back(
        inner_tape, meta_parameter, multiplier_t, critic_t, d_multiplier,
        d_critic)
    slots = self._meta_adam.read()
    if self._config.meta_optimizer == 'adam':
      [updated], slots = optimizers.adam_update(
          [meta_parameter], [gradient.total], slots, self._config.meta_learning_rate)
    else:
      [updated] = optimizers.sgd_update(
          [meta_parameter], [gradient.total], self._config.meta_learning_rate)
    limit = self._config.meta_parameter_limit
    return _MetaUpdate(
        tf.clip_by_value(updated, -limit, limit), slots, loss, gradient)

  # --- Its machinery -------------------------------------------------------

  def _copy_targets_when_due(self) -> None:
    """Hard copy before the update, at step 0 as well, as Acme's D4PG does."""

    def copy() -> bool:
      trfl.update_target_variables(
          self.networks.target_variables, self.networks.online_variables)
      return True

    tf.cond(self._steps % self._config.target_update_period == 0, copy,
            lambda: False)

  def _split(
      self, batch: types.Transition
  ) -> Tuple[types.Transition, Optional[types.Transition], tf.Tensor]:
    """Line 7, and the target networks' output `[B, N]` for both parts."""
    logits_t = self.networks.target_critic(
        batch.o_t, self.networks.target_policy(batch.o_t))
    if not self._algorithm.learns_meta_parameter:
      return batch, None, logits_t
    return (*meta_gradient.split_batch(batch, self._num_training), logits_t)

  def _commit(
      self, finite: tf.Tensor,
      updates: Sequence[Tuple[Sequence[tf.Variable], Sequence[tf.Tensor],
                              Optional[Sequence[tf.Tensor]]]]) -> None:
    """Assigns new values, or the old ones if a number is not finite.

    Args:
      finite: bool `[]`.
      updates: (variables, new values, old values or None to read them).
    """
    for variables, new, old in updates:
      if old is None:
        old = [v.read_value() for v in variables]
      _assign(variables, [tf.where(finite, n, o) for n, o in zip(new, old)])
    self._steps.assign_add(1)
    skipped = tf.cast(tf.logical_not(finite), tf.int64)
    self._skipped.assign_add(skipped)
    self._skipped_in_a_row.assign(
        skipped * (self._skipped_in_a_row.read_value() + 1))

  def _priorities(self, part: Optional[types.Transition], logits_t: tf.Tensor,
                  multiplier_t: tf.Tensor) -> Optional[tf.Tensor]:
    """Of a part of the batch, if replay wants them, by the critic as it stands.

    This is asked where the part's own loss is taken, so that XLA computes
    target and prediction once for both.
    """
    if not self._prioritized or part is None:
      return None
    return losses.priorities(
        self.networks.critic, part, losses.critic_target(
            part, multiplier_t, logits_t, self._support))

  @staticmethod
  def _metric_shapes(k: int) -> Mapping[str, Sequence[int]]:
    return dict(
        critic_loss=[], critic_gradient_norm=[], clipped_mass=[],
        policy_loss=[], policy_gradient_norm=[], outer_loss=[],
        meta_gradient_direct=[k], meta_gradient_weights=[k])

  def _record(self, finite: tf.Tensor,
              metrics: Mapping[str, tf.Tensor]) -> None:
    """Adds this step's numbers to the sums that `read_metrics` averages."""
    for name, value in metrics.items():
      self._sums[name].assign_add(
          tf.where(finite, value, tf.zeros_like(value)))
    self._summed_steps.assign_add(tf.cast(finite, tf.int64))

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
    if self._prioritized:
      return self._step(batch, episode_penalties, importance_weights)
    return self._step(batch, episode_penalties)

  def read_metrics(self) -> Dict[str, np.ndarray]:
    """Returns means over the steps since the last call, and starts anew.

    Losses `[]` and meta-gradient terms `[K]` are NaN where no step was made or
    where the algorithm has no such number.
    """
    count = int(self._summed_steps.numpy())
    means = {}
    for name, total in self._sums.items():
      applies = self._algorithm.learns_meta_parameter or not name.startswith(
          ('outer', 'meta'))
      value = total.numpy()
      means[name] = (
          value / count if count and applies else np.full_like(value, np.nan))
      total.assign(tf.zeros_like(total))
    self._summed_steps.assign(0)
    return means

  @property
  def num_steps(self) -> int:
    """Learner steps made, skipped ones included."""
    return int(self._steps.numpy())

  @property
  def num_skipped(self) -> int:
    """Learner steps whose update was dropped for a NaN or infinity."""
    return int(self._skipped.numpy())

  @property
  def num_skipped_in_a_row(self) -> int:
    """The newest learner steps, if they were all skipped; else 0."""
    return int(self._skipped_in_a_row.numpy())

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

  def _state_variables(self) -> Mapping[str, tf.Variable]:
    groups = dict(
        critic=self._critic_variables,
        policy=self._policy_variables,
        target=self.networks.target_variables,
        critic_adam=self._critic_adam.variables,
        policy_adam=self._policy_adam.variables,
        meta_adam=self._meta_adam.variables,
        multiplier=[self.multiplier],
        meta_parameter=[self.meta_parameter],
        counts=[self._steps, self._skipped, self._summed_steps,
                self._skipped_in_a_row],
        sums=list(self._sums.values()))
    return {
        f'{group}/{i}': variable for group, variables in groups.items()
        for i, variable in enumerate(variables)
    }

  def get_state(self) -> Dict[str, np.ndarray]:
    """Returns everything that an exact continuation needs, by name."""
    return {name: v.numpy() for name, v in self._state_variables().items()}

  def set_state(self, state: Mapping[str, np.ndarray]) -> None:
    """Takes over a state from `get_state`.

    Args:
      state: arrays by name.

    Raises:
      ValueError: naming the first array that is missing, left over or of
        another shape; nothing is taken over then.
    """
    variables = self._state_variables()
    for name in sorted(set(variables) ^ set(state)):
      where = 'missing from' if name in variables else 'unknown to'
      raise ValueError(f'{name!r} is {where} the learner state.')
    for name, variable in variables.items():
      if tuple(variable.shape) != state[name].shape:
        raise ValueError(
            f'learner state {name!r} must have shape {tuple(variable.shape)}, '
            f'got {state[name].shape}.')
    for name, variable in variables.items():
      variable.assign(state[name])


def _assign(variables: Sequence[tf.Variable],
            values: Sequence[tf.Tensor]) -> None:
  for variable, value in zip(variables, values):
    variable.assign(value)


def _join(finite: tf.Tensor,
          *parts: Optional[tf.Tensor]) -> Optional[tf.Tensor]:
  """Priorities of the whole batch `[B]`, NaN each if the update is skipped."""
  parts = [part for part in parts if part is not None]
  if not parts:
    return None
  return tf.where(finite, tf.concat(parts, 0),
                  tf.constant(np.nan, parts[0].dtype))


def _all_finite(tensors: Sequence[tf.Tensor]) -> tf.Tensor:
  """Whether every number is finite, `[]`.

  The sum is written as a product of matrices, which XLA keeps as one operation;
  it would copy a chain of cheap ones into each of the many assignments that
  depend on the answer. Scaled, so that finite numbers do not overflow.
  """
  scaled = 1e-20 * adam_lib.flatten(tensors)
  total = tf.matmul(scaled[None, :], tf.ones_like(scaled)[:, None])
  return tf.math.is_finite(total[0, 0])
