"""One learner step: Algorithm 1, and what is wrapped around it.

The target networks' copies, MeSh, all-or-nothing, what is measured, Theorem 1
and priorities: each is a function of training states, called by name here, and
Algorithm 1 knows none of them.
"""

from typing import Dict, NamedTuple, Optional, Tuple

import numpy as np
import tensorflow as tf

from metal_tf import config as config_lib
from metal_tf import types
from metal_tf.agent import agents
from metal_tf.agent import algorithm1
from metal_tf.agent import mesh
from metal_tf.agent import theorem_check
from metal_tf.maths import meta_gradient
from metal_tf.maths import optimizers


class Tally(NamedTuple):
  """What is counted and added up over steps; tensors or variables.

  Attributes:
    sums: of each metric since they were last read, float64 `[]` or `[K]`, by
      name; of `theorem_error` the largest of the run.
    summed: steps in the sums, int64 `[]`.
    skipped: steps dropped for a NaN or infinity, int64 `[]`.
    skipped_in_a_row: the newest steps, if they were all dropped; else 0.
  """
  sums: Dict[str, tf.Tensor]
  summed: tf.Tensor
  skipped: tf.Tensor
  skipped_in_a_row: tf.Tensor


class Proposal(NamedTuple):
  """What a step would lead to, if all of its numbers are finite.

  Attributes:
    state: the training state after it.
    metrics: what it measured, `[]` or `[K]`, by name.
    priorities: new ones of its transitions, `[B]`; `[0]` where replay is
      uniform.
  """
  state: algorithm1.TrainingState
  metrics: Dict[str, tf.Tensor]
  priorities: tf.Tensor


class Iteration:
  """Makes one learner step; assigns nothing."""

  def __init__(self, algorithm: agents.Algorithm, config: config_lib.Config,
               setup: algorithm1.Setup, shaping: Optional[mesh.Shaping]):
    """Takes what does not change.

    Args:
      algorithm: which agent.
      config: its settings.
      setup: of Algorithm 1.
      shaping: MeSh's scale and offset; None for other agents.
    """
    self._algorithm = algorithm
    self._config = config
    self._setup = setup
    self._shaping = shaping

  def __call__(
      self, state: algorithm1.TrainingState, tally: Tally, sample: types.Sample
  ) -> Tuple[algorithm1.TrainingState, Tally, tf.Tensor]:
    """Makes a step.

    Args:
      state: the training state.
      tally: what was counted before.
      sample: B transitions and M episode penalties.

    Returns:
      What `settle` does.
    """
    state = self.copy_targets(state)
    return settle(state, tally, self.propose(
        state, sample, self.target_output(state, sample.transitions.o_t)))

  def copy_targets(
      self, state: algorithm1.TrainingState) -> algorithm1.TrainingState:
    """Hard copies when they are due, before the update, as Acme's D4PG."""
    target_policy, target_critic = tf.cond(
        state.steps % self._config.target_update_period == 0,
        lambda: (list(state.policy), list(state.critic)),
        lambda: (list(state.target_policy), list(state.target_critic)))
    return state._replace(target_policy=target_policy,
                          target_critic=target_critic)

  def target_output(self, state: algorithm1.TrainingState,
                    o_t: tf.Tensor) -> tf.Tensor:
    """The target critic's output of the target policy's actions, `[B, N]`."""
    critic = self._setup.critic(state.target_critic)
    return critic(o_t, self._setup.policy(state.target_policy)(o_t))

  def propose(self, state: algorithm1.TrainingState, sample: types.Sample,
              output_t: tf.Tensor) -> Proposal:
    """Makes a step's numbers, whether they are finite or not.

    Args:
      state: the training state, targets copied.
      sample: B transitions and M episode penalties.
      output_t: what `target_output` says of the transitions.
    """
    setup = self._setup
    metrics: Dict[str, tf.Tensor] = {}
    if self._shaping is None:
      output = algorithm1.update(state, sample, output_t, setup)
    else:
      output, metrics = self._shaping.update(state, sample, output_t, setup)
    metrics.update(output.losses)
    if self._algorithm.learns_meta_parameter:
      metrics.update(self._meta_metrics(output, sample, output_t))
    metrics.update(theorem_check.error(
        self._algorithm, self._config, setup, state, output, sample, output_t))
    return Proposal(output.state, metrics, self._priorities(
        state, output.state, sample, output_t))

  def _meta_metrics(self, output: algorithm1.StepOutput, sample: types.Sample,
                    output_t: tf.Tensor) -> Dict[str, tf.Tensor]:
    """What moves alpha_lambda: its terms, and the TD errors behind them."""
    setup, new, n = self._setup, output.state, self._setup.num_training
    _, validation = meta_gradient.split_batch(sample.transitions, n)
    assert validation is not None and output.gradient is not None
    delta = setup.head.td_error(
        setup.critic(new.critic), validation,
        setup.head.target(validation, new.multiplier, output_t[n:]))
    limit = self._config.meta_parameter_limit
    return dict(
        meta_gradient_direct=output.gradient.direct,
        meta_gradient_weights=output.gradient.through_weights,
        meta_gradient_direct_share=output.gradient.direct_share,
        alpha_lambda_at_limit=tf.cast(
            tf.abs(new.meta_parameter) >= limit, tf.float64),
        td_error_times_penalty=tf.reduce_mean(
            delta[:, None] * validation.c_t, axis=0),
        validation_penalty=tf.reduce_mean(validation.c_t, axis=0))

  def _priorities(
      self, state: algorithm1.TrainingState, new: algorithm1.TrainingState,
      sample: types.Sample, output_t: tf.Tensor) -> tf.Tensor:
    """New priorities, `[B]`: each part's by the critic its loss was taken at.

    There XLA computes target and prediction once for both.
    """
    if self._config.replay == 'uniform':
      return tf.zeros([0], output_t.dtype)
    head, n = self._setup.head, self._setup.num_training
    training, validation = meta_gradient.split_batch(sample.transitions, n)
    parts = [(state.critic, training, output_t[:n])]
    if validation is not None:
      parts.append((new.critic, validation, output_t[n:]))
    return tf.concat([
        head.priorities(self._setup.critic(critic), part,
                        head.target(part, new.multiplier, output))
        for critic, part, output in parts], axis=0)


def settle(state: algorithm1.TrainingState, tally: Tally, proposal: Proposal
          ) -> Tuple[algorithm1.TrainingState, Tally, tf.Tensor]:
  """Takes over all of a step, or nothing but its count.

  Args:
    state: the training state before the step.
    tally: what was counted before.
    proposal: what the step would lead to.

  Returns:
    State and tally after it, and new priorities of the transitions, all NaN if
    the step was dropped.
  """
  new = proposal.state
  finite = _all_finite(
      [new.multiplier, *new.shaping, *proposal.metrics.values()])
  chosen = tf.cond(finite, lambda: new, lambda: state)
  nan = tf.constant(np.nan, proposal.priorities.dtype)
  return (chosen._replace(steps=state.steps + 1),
          add(tally, proposal.metrics, finite),
          tf.where(finite, proposal.priorities, nan))


def add(tally: Tally, metrics: Dict[str, tf.Tensor],
        finite: tf.Tensor) -> Tally:
  """Adds a step's metrics, unless it was dropped, and counts it.

  Args:
    tally: what was counted before.
    metrics: numbers by name, exactly those of `tally.sums`.
    finite: whether the step counts, bool `[]`.

  Raises:
    ValueError: if a metric is missing, or measured that does not apply.
  """
  if set(metrics) != set(tally.sums):
    raise ValueError(
        f'metrics: {sorted(set(metrics) ^ set(tally.sums))} differ.')
  sums = {}
  for name, total in tally.sums.items():
    value = tf.cast(metrics[name], tf.float64)
    after = (tf.maximum(total, value) if name == 'theorem_error' else
             total + value)
    sums[name] = tf.where(finite, after, total)
  made = tf.cast(finite, tf.int64)
  return Tally(
      sums, tally.summed + made, tally.skipped + 1 - made,
      (1 - made) * (tally.skipped_in_a_row + 1))


def _all_finite(tensors: optimizers.Tensors) -> tf.Tensor:
  """Whether every number is finite, bool `[]`."""
  return tf.reduce_all(tf.math.is_finite(optimizers.flatten(
      [tf.cast(tensor, tf.float64) for tensor in tensors])))
