"""The learner: holds what training changes, and makes compiled steps.

D4PG, RS-D4PG, RC-D4PG, MetaL and MeSh are settings of this one learner (see
`agents.py`). The step itself is in `algorithm1.py`, what is wrapped around it
in `iteration.py`.

Shapes: `B` batch, `K` constraints, `M` sampled episode penalties, `S` steps in
a call.
"""

import functools
from typing import Any, Dict, Mapping, Optional, Tuple

import numpy as np
import tensorflow as tf

from metal_tf import config as config_lib
from metal_tf import types
from metal_tf.agent import agents
from metal_tf.agent import algorithm1
from metal_tf.agent import compilation
from metal_tf.agent import critics
from metal_tf.agent import iteration
from metal_tf.agent import mesh
from metal_tf.agent import networks as networks_lib
from metal_tf.agent import side_by_side
from metal_tf.agent import state as state_lib
from metal_tf.agent import step_metrics
from metal_tf.maths import lagrange
from metal_tf.maths import optimizers


class Learner:
  """Holds everything that training changes, and changes it."""

  def __init__(self,
               spec: types.EnvironmentSpec,
               algorithm: agents.Algorithm,
               config: config_lib.Config,
               dtype: tf.DType = tf.float32,
               two_threads: bool = False):
    """Builds networks, optimizers and the compiled step.

    Args:
      spec: sizes, bounds and thresholds of the environment.
      algorithm: which agent.
      config: its settings, rates resolved.
      dtype: of networks and transitions; float64 is for checking gradients.
      two_threads: whether a step is compiled in parts that run side by side
        (`side_by_side.py`); then a call makes one step.

    Raises:
      ValueError: for an algorithm whose switches contradict each other.
    """
    agents.check(algorithm)
    compilation.set_up()
    self._config = config
    self._two_threads = two_threads
    self._num_constraints = spec.num_constraints
    head = critics.make(config)
    self.networks = networks_lib.Networks(
        spec, config.policy_layer_sizes, config.critic_layer_sizes,
        head.size, dtype)
    shaping = (mesh.Shaping(spec, config, dtype)
               if algorithm.learns_shaping else None)
    self._setup = make_setup(spec, algorithm, config, head, self.networks)
    self._iterate = iteration.Iteration(
        algorithm, config, self._setup, shaping)
    self._state = _make_state(spec, config, self.networks, shaping)
    self._tally = iteration.Tally(
        {name: tf.Variable(zero, trainable=False) for name, zero in
         step_metrics.zeros(algorithm, config, self._num_constraints).items()},
        *(tf.Variable(0, dtype=tf.int64, trainable=False) for _ in range(3)))
    b, k = config.batch_size, spec.num_constraints
    o, a = spec.observation_size, spec.action_size
    self._steps = tf.function(
        self._make_steps,
        input_signature=[
            types.Transition(*(
                tf.TensorSpec([self.steps_per_call, *shape], dtype)
                for shape in ([b, o], [b, a], [b], [b, k], [b], [b, o]))),
            tf.TensorSpec(
                [self.steps_per_call, config.penalty_samples, k], dtype),
            tf.TensorSpec([self.steps_per_call, b], dtype),
            tf.TensorSpec([], tf.int32)],
        autograph=False)  # Nothing to convert; looking for it takes seconds.

  @property
  def steps_per_call(self) -> int:
    """S, the most steps that one call of `steps` makes."""
    return 1 if self._two_threads else self._config.steps_per_call

  # --- Compiled ---------------------------------------------------------------

  def _make_steps(self, transitions: types.Transition,
                  episode_penalties: tf.Tensor, importance_weights: tf.Tensor,
                  count: tf.Tensor) -> tf.Tensor:
    """Makes `count` steps on the first of S samples; returns priorities."""
    samples = types.Sample(transitions, episode_penalties, importance_weights,
                           keys=())
    compiled = functools.partial(
        tf.function, autograph=False, jit_compile=True)
    if not self._config.xla:
      make = self._loop
    elif self._two_threads:
      make = functools.partial(
          side_by_side.one_step, self._iterate, compiled)
    else:
      make = compiled(self._loop)
    state, tally, priorities = make(
        state_lib.read(self._state), state_lib.read(self._tally), samples,
        count)
    state_lib.assign((self._state, self._tally), (state, tally))
    return priorities

  def _loop(
      self, state: algorithm1.TrainingState, tally: iteration.Tally,
      samples: types.Sample, count: tf.Tensor
  ) -> Tuple[algorithm1.TrainingState, iteration.Tally, tf.Tensor]:
    """One step after the other, in one computation that is compiled once."""

    def body(i: tf.Tensor, state: algorithm1.TrainingState,
             tally: iteration.Tally, priorities: tf.Tensor) -> Tuple[Any, ...]:
      sample = tf.nest.map_structure(lambda x: x[i], samples)
      state, tally, row = self._iterate(state, tally, sample)
      if row.shape[0]:
        priorities = tf.tensor_scatter_nd_update(priorities, [[i]], [row])
      return i + 1, state, tally, priorities

    if self.steps_per_call == 1:
      state, tally, row = self._iterate(
          state, tally, tf.nest.map_structure(lambda x: x[0], samples))
      return state, tally, row[None]
    size = self._config.batch_size if self._config.replay != 'uniform' else 0
    priorities = tf.fill([self.steps_per_call, size], tf.constant(
        np.nan, samples.importance_weights.dtype))
    _, state, tally, priorities = tf.while_loop(
        lambda i, *_: i < count, body,
        [tf.constant(0), state, tally, priorities],
        maximum_iterations=self.steps_per_call)
    return state, tally, priorities

  # --- The public side --------------------------------------------------------

  def steps(self, transitions: types.Transition, episode_penalties: Any,
            importance_weights: Any = None) -> Optional[tf.Tensor]:
    """Makes up to S learner steps, one after the other, in one call.

    Args:
      transitions: sampled from replay, `[n, B, ...]` with n <= S, arrays or
        tensors.
      episode_penalties: `[n, M, K]`, mean penalties per step of M episodes.
      importance_weights: `[n, B]`, factors of the training part in the
        critic's loss; None is 1 each.

    Returns:
      New priorities of the transitions, `[n, B]`, NaN where an update was
      skipped; None where replay is uniform.

    Raises:
      ValueError: for other shapes or types than those the learner was built
        for.
    """
    count = len(episode_penalties)
    if not 0 < count <= self.steps_per_call:
      raise ValueError(f'got {count} batches, expected 1 to '
                       f'{self.steps_per_call}.')
    if importance_weights is None:
      importance_weights = np.ones_like(transitions.r_t)
    inputs = (transitions, episode_penalties, importance_weights)
    missing = self.steps_per_call - count
    if missing:
      inputs = tf.nest.map_structure(
          lambda x: np.concatenate([x, np.repeat(x[-1:], missing, axis=0)]),
          inputs)
    priorities = self._steps(*inputs, tf.constant(count))
    return None if self._config.replay == 'uniform' else priorities[:count]

  def step(self, batch: types.Transition, episode_penalties: Any,
           importance_weights: Any = None) -> Optional[tf.Tensor]:
    """Makes one learner step, see `steps`.

    Args:
      batch: `[B, ...]`.
      episode_penalties: `[M, K]`.
      importance_weights: `[B]`, or None.

    Returns:
      New priorities `[B]`; None where replay is uniform.

    Raises:
      ValueError: as `steps` does.
    """
    priorities = self.steps(*tf.nest.map_structure(
        lambda x: None if x is None else np.asarray(x)[None],
        (batch, episode_penalties, importance_weights)))
    return None if priorities is None else priorities[0]

  def read_metrics(self) -> Dict[str, np.ndarray]:
    """Returns means over the steps since the last call, and starts anew.

    See `step_metrics.means`; `[]` or `[K]` each, by name.
    """
    told = step_metrics.means(
        {name: total.numpy() for name, total in self._tally.sums.items()},
        int(self._tally.summed.numpy()), self.num_steps - self.num_skipped,
        self._num_constraints)
    for name, total in self._tally.sums.items():
      if name != 'theorem_error':
        total.assign(tf.zeros_like(total))
    self._tally.summed.assign(0)
    return told

  @property
  def multiplier(self) -> tf.Variable:
    """lambda, float64 `[K]`."""
    return self._state.multiplier

  @property
  def meta_parameter(self) -> tf.Variable:
    """alpha_lambda, float64 `[K]`."""
    return self._state.meta_parameter

  @property
  def num_steps(self) -> int:
    """Learner steps made, skipped ones included."""
    return int(self._state.steps.numpy())

  @property
  def num_skipped(self) -> int:
    """Learner steps whose update was dropped for a NaN or infinity."""
    return int(self._tally.skipped.numpy())

  @property
  def num_skipped_in_a_row(self) -> int:
    """The newest learner steps, if they were all skipped; else 0."""
    return int(self._tally.skipped_in_a_row.numpy())

  @property
  def effective_rate(self) -> np.ndarray:
    """alpha_1 exp(alpha_lambda), `[K]`; 0 where lambda is fixed."""
    return lagrange.effective_rate(
        self._setup.lagrange_lr, self.meta_parameter).numpy()

  @property
  def num_traces(self) -> int:
    """How often the step was traced; 1 after the first call, and ever after."""
    return self._steps.experimental_get_tracing_count()

  def get_state(self) -> Dict[str, np.ndarray]:
    """Returns everything that an exact continuation needs, by name."""
    return state_lib.get(state_lib.names(self._state, self._tally))

  def set_state(self, state: Mapping[str, np.ndarray]) -> None:
    """Takes over a state from `get_state`, of this version or an older one.

    Args:
      state: arrays by name.

    Raises:
      ValueError: naming the first array that is missing, left over or of
        another shape; nothing is taken over then.
    """
    state_lib.put(state_lib.names(self._state, self._tally), state)


def make_setup(spec: types.EnvironmentSpec, algorithm: agents.Algorithm,
               config: config_lib.Config, head: critics.Head,
               networks: networks_lib.Networks) -> algorithm1.Setup:
  """Makes an agent and its settings what Algorithm 1 takes.

  Args:
    spec: sizes, bounds and thresholds of the environment.
    algorithm: which agent.
    config: its settings, rates resolved.
    head: of its critic.
    networks: its networks.
  """

  def policy(weights: optimizers.Tensors) -> Any:
    return functools.partial(networks.apply_policy, weights)

  def critic(weights: optimizers.Tensors) -> Any:
    return functools.partial(networks.apply_critic, weights)

  meta_optimizer = optimizers.sgd(0.0)  # Alpha_lambda stays where it is.
  if algorithm.learns_meta_parameter:
    rate = config.meta_learning_rate
    meta_optimizer = optimizers.within(
        optimizers.adam(rate, config.meta_epsilon)
        if config.meta_optimizer == 'adam' else optimizers.sgd(rate),
        config.meta_parameter_limit)
  return algorithm1.Setup(
      policy=policy, critic=critic, head=head,
      policy_optimizer=optimizers.clipped_adam(
          config.policy_lr, config.clip_norm),
      critic_optimizer=(  # Theorem 1's step: nothing is clipped.
          optimizers.sgd(config.critic_lr) if config.inner_optimizer == 'sgd'
          else optimizers.clipped_adam(config.critic_lr, config.clip_norm)),
      meta_optimizer=meta_optimizer,
      threshold=tf.constant(spec.thresholds, tf.float64),
      lagrange_lr=(config.multiplier_learning_rate
                   if algorithm.learns_multiplier else 0.0),
      straight_through=config.multiplier_projection == 'straight_through',
      num_training=config.batch_size - (
          config.num_validation if algorithm.splits_batch else 0),
      outer_loss=config.outer_loss, dqda_clip_norm=config.dqda_clip_norm)


def _make_state(spec: types.EnvironmentSpec, config: config_lib.Config,
                networks: networks_lib.Networks,
                shaping: Optional[mesh.Shaping]) -> algorithm1.TrainingState:
  """Makes the training state's variables, at the start of a run."""
  policy, critic, target_policy, target_critic = (
      list(network.trainable_variables) for network in (
          networks.policy, networks.critic, networks.target_policy,
          networks.target_critic))
  shaping_weights = list(shaping.variables) if shaping else []
  k = spec.num_constraints
  multiplier, meta_parameter = (
      tf.Variable(tf.fill([k], tf.constant(value, tf.float64)),
                  trainable=False, name=name)
      for name, value in (('multiplier', config.lagrange_multiplier),
                          ('meta_parameter', 0.0)))
  return algorithm1.TrainingState(
      policy=policy, critic=critic, target_policy=target_policy,
      target_critic=target_critic,
      policy_slots=state_lib.make_slots(policy),
      critic_slots=state_lib.make_slots(critic),
      multiplier=multiplier, meta_parameter=meta_parameter,
      meta_slots=state_lib.make_slots([meta_parameter]),
      shaping=shaping_weights,
      shaping_slots=state_lib.make_slots(shaping_weights),
      steps=tf.Variable(0, dtype=tf.int64, trainable=False))
