"""The learner: Algorithm 1 of the paper in one step.

The step is a graph of parts, pure functions each, which XLA compiles: the
target networks, the policy's update, and the critic's with all that depends on
it. Parts run side by side where there are two threads; within a part XLA runs
one operation after the other.

D4PG, RS-D4PG, RC-D4PG, MetaL and MeSh are settings of this one learner (see
`algorithm.py` and `baselines/`). Shapes: `B` batch, `K` constraints, `M`
sampled episode penalties, `N` outputs of the critic, `O` and `A` observation
and action size.
"""

from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Tuple

import numpy as np
import tensorflow as tf
import trfl

from metal_tf.agent import adam as adam_lib
from metal_tf.agent import agents
from metal_tf.agent import algorithm_lines
from metal_tf.agent import commit
from metal_tf.agent import counts
from metal_tf.agent import critics
from metal_tf.agent import networks as networks_lib
from metal_tf.agent import priorities as priorities_lib
from metal_tf.agent import state as state_lib
from metal_tf.agent import step_metrics
from metal_tf import config as config_lib
from metal_tf.maths import lagrange
from metal_tf.maths import meta_gradient
from metal_tf import types


class Learner:
  """Holds everything that training changes, and changes it."""

  def __init__(self,
               spec: types.EnvironmentSpec,
               algorithm: agents.Algorithm,
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
    agents.check(algorithm)
    self._algorithm = algorithm
    self._config = config
    head = critics.make(config)
    self._num_training = config.batch_size
    if algorithm.splits_batch:
      self._num_training -= config.num_validation
    self.networks = networks_lib.Networks(
        spec, config.policy_layer_sizes, config.critic_layer_sizes,
        head.size, dtype)
    self._lines = algorithm_lines.Lines(
        spec, algorithm, config, head, self.networks, dtype)

    k = spec.num_constraints
    self.multiplier = tf.Variable(
        tf.fill([k], tf.constant(config.lagrange_multiplier, dtype)),
        trainable=False, name='multiplier')
    self.meta_parameter = tf.Variable(
        tf.zeros([k], dtype), trainable=False, name='meta_parameter')
    policy, critic = (network.trainable_variables for network in (
        self.networks.policy, self.networks.critic))
    shaping = self._lines.shaping
    self._policy_side = algorithm_lines.PolicySide(
        policy, adam_lib.make_slots(policy, 'policy_adam'))
    self._critic_side = algorithm_lines.CriticSide(
        critic, adam_lib.make_slots(critic, 'critic_adam'), self.multiplier,
        self.meta_parameter,
        adam_lib.make_slots([self.meta_parameter], 'meta_adam'),
        (shaping.variables, shaping.slots) if shaping else ())
    self._counts = counts.Counts()
    self._metrics = step_metrics.Metrics(algorithm, config, k, dtype)
    self._priorities = priorities_lib.Priorities(config, head)

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
    first_t, second_t = self._target_outputs(batch.o_t)
    # Lines 13-14: the policy, by the critic from before its update. Only an
    # actor's outer loss needs the result, else it runs beside the critic.
    with tf.control_dependencies([second_t]):  # Each thread has one half first.
      o_t = tf.identity(training.o_t)
    policy = self._compiled(self._lines.update_policy)(
        before_policy, before.weights, o_t)
    # Lines 5-12 and 14-17.
    critic = self._compiled(self._update_critic_side)(
        before, training, validation,
        first_t if validation else tf.concat([first_t, second_t], 0), second_t,
        episode_penalties, None if importance_weights is None else
        importance_weights[:self._num_training],
        policy.state.weights if 'actor' in self._config.outer_loss else None)
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
      self, before: algorithm_lines.CriticSide, training: types.Transition,
      validation: Optional[types.Transition], output_t: tf.Tensor,
      validation_output_t: tf.Tensor, episode_penalties: tf.Tensor,
      importance_weights: Optional[tf.Tensor],
      policy_t: Optional[commit.Tensors]) -> commit.Part:
    """Lines 5-12 and 14-17, in their order; arguments belong to their parts."""
    lines = self._lines
    with tf.GradientTape(
        persistent=True, watch_accessed_variables=False) as inner_tape:
      inner_tape.watch(before.meta_parameter)
      # Lines 5-6: the Lagrange multiplier.
      episode_penalty = tf.reduce_mean(episode_penalties, axis=0)
      multiplier_t = lines.update_multiplier(before, episode_penalty)
      # Lines 8-12, 14: the critic, towards a target with the new multiplier.
      shaped = lines.shape(before, training, inner_tape)  # By MeSh only.
      critic_t, adam, critic_metrics = lines.update_critic(
          before, shaped.batch, output_t, multiplier_t, importance_weights)
    # Lines 15-17: the meta-parameter, by the updated networks and multiplier.
    outer = lines.outer_loss(
        critic_t, policy_t, validation, validation_output_t, multiplier_t)
    meta_parameter, meta_adam, gradient, meta_metrics = (
        lines.update_meta_parameter(
            before, inner_tape, multiplier_t, critic_t, outer))
    shaping, norms = lines.update_shaping(before, inner_tape, critic_t, outer)

    after = algorithm_lines.CriticSide(
        critic_t, adam, multiplier_t, meta_parameter, meta_adam, shaping)
    metrics = {
        **critic_metrics, **outer.metrics, **shaped.metrics, **meta_metrics,
        **lines.theorem_error(before, after, gradient, training, validation,
                              validation_output_t, episode_penalty)}
    priorities = [
        *self._priorities.of(
            lines.critic(before.weights), training, output_t, multiplier_t),
        *self._priorities.of(
            lines.critic(critic_t), validation, validation_output_t,
            multiplier_t)]
    return commit.Part(
        after, metrics,
        commit.all_finite([multiplier_t, *metrics.values(), *norms]),
        priorities_lib.join(priorities))

  # --- Its machinery -------------------------------------------------------

  def _compiled(self, part: Callable[..., Any]) -> Callable[..., Any]:
    """A part of the step, compiled by XLA unless that is switched off."""
    if not self._config.xla:
      return part
    return tf.function(part, autograph=False, jit_compile=True)

  def _target_outputs(self, o_t: tf.Tensor) -> Sequence[tf.Tensor]:
    """The target networks' output for two parts of a batch, `[B1, N]` each.

    The training and the validation part, or two halves: apart, so that two
    threads share the work.
    """
    networks = self.networks
    critic, policy = commit.read([
        networks.target_critic.trainable_variables,
        networks.target_policy.trainable_variables])

    def apply(critic: commit.Tensors, policy: commit.Tensors,
              o_t: tf.Tensor) -> tf.Tensor:
      return networks.apply_critic(
          critic, o_t, networks.apply_policy(policy, o_t))

    compiled = self._compiled(apply)  # Once: both parts are mostly of one size.
    size = (self._num_training if self._algorithm.splits_batch else
            self._config.batch_size // 2)
    return [compiled(critic, policy, part)
            for part in (o_t[:size], o_t[size:])]

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
        self._config.multiplier_learning_rate, self.meta_parameter).numpy()

  @property
  def num_traces(self) -> int:
    """How often the step was traced; 1 after the first call, and ever after."""
    return self._step.experimental_get_tracing_count()

  def _state_variables(self) -> Dict[str, tf.Variable]:
    shaping, critic, policy = (
        self._lines.shaping, self._critic_side, self._policy_side)
    return state_lib.name_groups(dict(
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
    return state_lib.get({**self._state_variables(), **self._metrics.later})

  def set_state(self, state: Mapping[str, np.ndarray]) -> None:
    """Takes over a state from `get_state`, of this version or an older one.

    Args:
      state: arrays by name.

    Raises:
      ValueError: naming the first array that is missing, left over or of
        another shape; nothing is taken over then.
    """
    state_lib.put(self._state_variables(), self._metrics.later, state)
