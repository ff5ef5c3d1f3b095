"""Holds a learner's meta-gradient against Theorem 1 while it trains."""

from typing import Dict

import tensorflow as tf

from metal_tf import config as config_lib
from metal_tf import types
from metal_tf.agent import agents
from metal_tf.agent import algorithm1
from metal_tf.maths import lagrange
from metal_tf.maths import meta_gradient
from metal_tf.maths import theorem


def applies(algorithm: agents.Algorithm, config: config_lib.Config) -> bool:
  """Whether the learner does what the theorem speaks of, so that it must hold.

  That alpha_lambda is limited does not matter: the gradient is compared, not
  the step. The importance weights of prioritized replay do: the theorem's inner
  loss has none.
  """
  return (algorithm.learns_meta_parameter and config.critic == 'scalar' and
          config.inner_optimizer == 'sgd' and config.outer_loss == 'critic' and
          config.replay == 'uniform')


def error(algorithm: agents.Algorithm, config: config_lib.Config,
          setup: algorithm1.Setup, state: algorithm1.TrainingState,
          output: algorithm1.StepOutput, sample: types.Sample,
          output_t: tf.Tensor) -> Dict[str, tf.Tensor]:
  """Compares a step's meta-gradient with the closed form.

  It costs K + 1 gradients of the critic, so it is made on every step.

  Args:
    algorithm: which agent.
    config: its settings.
    setup: of Algorithm 1.
    state: the training state before the step.
    output: what the step led to.
    sample: what it was made on.
    output_t: the target critic's output for it, `[B, 1]`.

  Returns:
    The error `[]` by its name among the metrics; nothing where the theorem does
    not apply.
  """
  if not applies(algorithm, config):
    return {}
  training, validation = meta_gradient.split_batch(
      sample.transitions, setup.num_training)
  assert validation is not None and output.gradient is not None

  before, after = state.critic, output.state.critic
  penalty_gradients = theorem.penalty_gradients(
      setup.value(before), before, training)
  rate = lagrange.effective_rate(setup.lagrange_lr, state.meta_parameter) * (
      tf.reduce_mean(tf.cast(sample.episode_penalties, tf.float64), axis=0) -
      setup.threshold)
  return dict(theorem_error=theorem.largest_error(
      output.gradient, theorem.closed_form(
          setup.value(after), after, validation,
          setup.head.value(output_t[setup.num_training:]),
          output.state.multiplier, penalty_gradients, rate,
          setup.straight_through, config.critic_lr)))
