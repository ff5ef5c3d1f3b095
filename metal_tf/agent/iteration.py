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
      State and tally after it, and new priorities of the transitions: NaN if
      the step was dropped, `[B]`, or `[0]` where replay is uniform.
    """
    setup = self._setup
    state = copy_targets_when_due(state, self._config.target_update_period)
    if self._shaping is None:
      output, metrics = algorithm1.update(state, sample, setup), {}
    else:
      output, metrics = self._shaping.update(state, sample, setup)
    parts = meta_gradient.split_batch(sample.transitions, setup.num_training)
    metrics.update(output.losses)
    if self._algorithm.learns_meta_parameter:
      metrics.update(self._meta_metrics(state, output, parts[1]))
    metrics.update(theorem_check.error(
        self._algorithm, self._config, setup, state, output, sample))
    finite = _all_finite([
        output.state.multiplier, *output.state.shaping, *metrics.values()])
    priorities = self._priorities(state, output.state, parts)
    return (
        commit(state, output.state, finite), add(tally, metrics, finite),
        tf.where(finite, priorities, tf.constant(np.nan, priorities.dtype)))

  def _meta_metrics(self, state: algorithm1.TrainingState,
                    output: algorithm1.StepOutput,
                    validation: types.Transition) -> Dict[str, tf.Tensor]:
    """What moves alpha_lambda: its terms, and the TD errors behind them."""
    setup, new = self._setup, output.state
    delta = setup.head.td_error(
        setup.critic(new.critic), validation,
        self._target(state, validation, new.multiplier))
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
      parts: Tuple[types.Transition, Optional[types.Transition]]) -> tf.Tensor:
    """New priorities, `[B]`: each part's by the critic its loss was taken at.

    There XLA computes target and prediction once for both.
    """
    dtype = parts[0].r_t.dtype
    if self._config.replay == 'uniform':
      return tf.zeros([0], dtype)
    return tf.concat([
        self._setup.head.priorities(
            self._setup.critic(critic), part,
            self._target(state, part, new.multiplier))
        for critic, part in zip((state.critic, new.critic), parts)
        if part is not None], axis=0)

  def _target(self, state: algorithm1.TrainingState, part: types.Transition,
              multiplier: tf.Tensor) -> NamedTuple:
    return self._setup.head.target(
        part, multiplier, self._setup.target_output(state, part.o_t))


def copy_targets_when_due(state: algorithm1.TrainingState,
                          period: int) -> algorithm1.TrainingState:
  """Hard copies every `period` steps, before the update, as Acme's D4PG."""
  target_policy, target_critic = tf.cond(
      state.steps % period == 0,
      lambda: (list(state.policy), list(state.critic)),
      lambda: (list(state.target_policy), list(state.target_critic)))
  return state._replace(target_policy=target_policy,
                        target_critic=target_critic)


def commit(state: algorithm1.TrainingState, new: algorithm1.TrainingState,
           finite: tf.Tensor) -> algorithm1.TrainingState:
  """Takes over all of a step, or nothing but its count.

  Args:
    state: the training state before the step.
    new: the one after it.
    finite: whether no number went wrong, bool `[]`.
  """
  chosen = tf.nest.map_structure(
      lambda before, after: tf.where(finite, after, before), state, new)
  return chosen._replace(steps=state.steps + 1)


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
