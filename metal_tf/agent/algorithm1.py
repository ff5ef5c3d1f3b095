"""Algorithm 1 of the paper: one iteration, as one pure function.

D4PG, RS-D4PG and RC-D4PG (Algorithm 3) are the same function: with an
`alpha_1` of 0 the multiplier stays, and where the whole batch trains there is
no outer loss. What is wrapped around an iteration is in `iteration.py`, what
around several in `learner.py`.

Shapes: `B` batch, `K` constraints, `M` sampled episode penalties, `N` outputs
of the critic, `O` and `A` observation and action size. `new_x` is what the
paper writes with a prime.
"""

from typing import Any, Callable, Dict, NamedTuple, Optional

import tensorflow as tf

from metal_tf import types
from metal_tf.agent import critics
from metal_tf.maths import lagrange
from metal_tf.maths import losses
from metal_tf.maths import meta_gradient
from metal_tf.maths import optimizers


class TrainingState(NamedTuple):
  """Everything that an iteration reads and changes, tensors or variables.

  Attributes:
    policy: theta_a, the policy's weights.
    critic: theta_c, the critic's weights.
    target_policy: weights of the policy's target copy.
    target_critic: weights of the critic's target copy.
    policy_slots: of the policy's optimizer.
    critic_slots: of the critic's optimizer.
    multiplier: lambda, float64 `[K]`; at small rates float32 would lose its
      increments.
    meta_parameter: alpha_lambda, float64 `[K]`.
    meta_slots: of alpha_lambda's optimizer.
    shaping: weights of MeSh's network; empty for other agents.
    shaping_slots: of its optimizer.
    steps: iterations made, int64 `[]`.
  """
  policy: Any
  critic: Any
  target_policy: Any
  target_critic: Any
  policy_slots: optimizers.AdamSlots
  critic_slots: optimizers.AdamSlots
  multiplier: Any
  meta_parameter: Any
  meta_slots: optimizers.AdamSlots
  shaping: Any
  shaping_slots: optimizers.AdamSlots
  steps: Any


class StepOutput(NamedTuple):
  """What an iteration leads to; nothing is assigned yet.

  Attributes:
    state: the training state after it.
    losses: losses and norms, `[]` each, by the names that logs have.
    gradient: the meta-gradient's two terms; None without an outer loss.
  """
  state: TrainingState
  losses: Dict[str, tf.Tensor]
  gradient: Optional[meta_gradient.MetaGradient] = None


class Setup(NamedTuple):
  """What stays the same over a run.

  Attributes:
    policy: makes a policy of its weights: `[B, O]` to actions `[B, A]`.
    critic: makes a critic of its weights: `[B, O]`, `[B, A]` to `[B, N]`.
    head: what the critic's outputs mean.
    policy_optimizer: makes the policy's step.
    critic_optimizer: makes the critic's step; differentiable.
    meta_optimizer: makes alpha_lambda's step, and keeps it in its limits.
    threshold: beta, float64 `[K]`.
    lagrange_lr: alpha_1; 0 where lambda is fixed.
    straight_through: see `lagrange.update_multiplier`.
    num_training: size of a batch's training part; the rest is for validation.
    outer_loss: 'critic', 'actor' or 'actor_critic', their sum.
    dqda_clip_norm: bound on the norm of dQ/da, per transition.
  """
  policy: Callable[[optimizers.Tensors], losses.Policy]
  critic: Callable[[optimizers.Tensors], losses.Critic]
  head: critics.Head
  policy_optimizer: optimizers.Optimizer
  critic_optimizer: optimizers.Optimizer
  meta_optimizer: optimizers.Optimizer
  threshold: tf.Tensor
  lagrange_lr: float
  straight_through: bool
  num_training: int
  outer_loss: str
  dqda_clip_norm: float

  def value(self, weights: optimizers.Tensors) -> losses.Critic:
    """Q of the critic with some weights: `[B, O]`, `[B, A]` to `[B]`."""
    return lambda o, a: self.head.value(self.critic(weights)(o, a))


def update(state: TrainingState, sample: types.Sample, output_t: tf.Tensor,
           setup: Setup) -> StepOutput:
  """One iteration of Algorithm 1; line numbers are the paper's.

  Args:
    state: the training state.
    sample: B transitions with their importance weights, and M episode
      penalties.
    output_t: the target critic's output at `(o_t, target_policy(o_t))`,
      `[B, N]`; constant, as the target networks are.
    setup: the networks, rates and choices of the run.

  Returns:
    The new training state, and what is to be told of the step.
  """
  head, n = setup.head, setup.num_training
  with tf.GradientTape(
      persistent=True, watch_accessed_variables=False) as inner_tape:
    inner_tape.watch(state.meta_parameter)
    # Line 5: the episode penalty J_C.
    episode_penalty = tf.reduce_mean(
        tf.cast(sample.episode_penalties, tf.float64), axis=0)
    # Line 6: the multiplier, lambda'.
    new_multiplier = lagrange.update_multiplier(
        state.multiplier, state.meta_parameter, episode_penalty,
        setup.threshold, setup.lagrange_lr, setup.straight_through)
    # Line 7: training and validation part.
    training, validation = meta_gradient.split_batch(sample.transitions, n)
    # Lines 8-12: the critic's loss, towards a target with lambda' in it.
    with tf.GradientTape(watch_accessed_variables=False) as tape:
      tape.watch(state.critic)
      target = head.target(training, new_multiplier, output_t[:n])
      critic_loss = losses.weighted_mean(
          head.loss(setup.critic(state.critic), training, target),
          sample.importance_weights[:n])
    # Line 14, the critic: theta_c' as a function of lambda'.
    new_critic, critic_slots, critic_norm = setup.critic_optimizer(
        state.critic, tape.gradient(critic_loss, state.critic),
        state.critic_slots)
  # Lines 13-14, the policy, by the critic from before its update.
  policy_loss, policy_gradient = losses.policy_gradient(
      setup.policy(state.policy), setup.value(state.critic), state.policy,
      training.o_t, setup.dqda_clip_norm)
  new_policy, policy_slots, policy_norm = setup.policy_optimizer(
      state.policy, policy_gradient, state.policy_slots)
  new_state = state._replace(
      policy=new_policy, policy_slots=policy_slots, critic=new_critic,
      critic_slots=critic_slots, multiplier=new_multiplier)
  told = dict(
      critic_loss=critic_loss, critic_gradient_norm=critic_norm,
      policy_loss=policy_loss, policy_gradient_norm=policy_norm,
      clipped_mass=target.clipped_mass)
  if validation is None:  # Algorithm 3 and fixed multipliers end here.
    return StepOutput(new_state, told)
  # Lines 15-16: the outer loss at theta_c', theta_a' and lambda'.
  with tf.GradientTape(watch_accessed_variables=False) as outer_tape:
    outer_tape.watch((new_multiplier, new_critic))
    if 'critic' in setup.outer_loss:
      target = head.target(validation, new_multiplier, output_t[n:])
      told['outer_critic_loss'] = tf.reduce_mean(
          head.outer_loss(setup.critic(new_critic), validation, target))
    if 'actor' in setup.outer_loss:
      told['outer_actor_loss'] = losses.actor_loss(
          setup.policy(new_policy), setup.value(new_critic), validation.o_t)
    outer_loss = tf.add_n([told[f'outer_{part}_loss']
                           for part in setup.outer_loss.split('_')])
  # Line 17: alpha_lambda, along both paths (Theorem 1).
  gradient = meta_gradient.pull_back(
      inner_tape, state.meta_parameter, new_multiplier, new_critic,
      *outer_tape.gradient(outer_loss, [new_multiplier, new_critic],
                           unconnected_gradients='zero'))
  [new_meta_parameter], meta_slots, _ = setup.meta_optimizer(
      [state.meta_parameter], [gradient.total], state.meta_slots)
  # Line 18: everything that is new.
  return StepOutput(
      new_state._replace(
          meta_parameter=new_meta_parameter, meta_slots=meta_slots),
      dict(told, outer_loss=outer_loss), gradient)
