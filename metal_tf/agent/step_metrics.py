"""Sums of what the learner steps measure, on the device and in its state."""

from typing import Dict, Mapping, Sequence, Set

import numpy as np
import tensorflow as tf

from metal_tf.agent import agents
from metal_tf.agent import theorem_check
from metal_tf import config as config_lib

# Checkpoints of the first version have these, by number and in this order.
_FIRST = ('critic_loss', 'critic_gradient_norm', 'clipped_mass', 'policy_loss',
          'policy_gradient_norm', 'outer_loss', 'meta_gradient_direct',
          'meta_gradient_weights')
# Later ones go by name, and a checkpoint may be without them.
_LATER = ('outer_critic_loss', 'outer_actor_loss', 'meta_gradient_direct_share',
          'alpha_lambda_at_limit', 'shaping_scale', 'shaping_offset',
          'theorem_error')
_PER_CONSTRAINT = ('meta_gradient_direct', 'meta_gradient_weights',
                   'meta_gradient_direct_share', 'alpha_lambda_at_limit')


class Metrics:
  """Adds up each step's numbers; means are read once per episode."""

  def __init__(self, algorithm: agents.Algorithm,
               config: config_lib.Config, num_constraints: int,
               dtype: tf.DType):
    """Makes the sums, all zero.

    Args:
      algorithm: which agent; with the config it says what there is to measure.
      config: its settings.
      num_constraints: K.
      dtype: of the numbers.
    """
    self._applies = _applicable(algorithm, config)
    self._sums = {
        name: tf.Variable(
            tf.zeros([num_constraints] if name in _PER_CONSTRAINT else [],
                     dtype), trainable=False)
        for name in (*_FIRST, *_LATER)}
    # How many steps are in the sums.
    self.steps = tf.Variable(0, dtype=tf.int64, trainable=False)

  def record(self, metrics: Mapping[str, tf.Tensor]) -> None:
    """Adds a step's numbers.

    Args:
      metrics: exactly what the algorithm measures: `[]`, or `[K]` for terms of
        the meta-gradient.

    Raises:
      ValueError: if something is missing, or measured that does not apply.
    """
    if set(metrics) != self._applies:
      raise ValueError(
          f'metrics: {sorted(set(metrics) ^ self._applies)} differ.')
    for name, value in metrics.items():
      total = self._sums[name]
      if name == 'theorem_error':  # The largest one of the run.
        total.assign(tf.maximum(total.read_value(), value))
      else:
        total.assign_add(value)
    self.steps.assign_add(1)

  def read(self) -> Dict[str, np.ndarray]:
    """Returns means since the last call, and starts anew.

    NaN where no step was made or where the algorithm has no such number. The
    theorem's error is no mean but the largest of the run so far, and goes on;
    NaN while there is none.
    """
    count = int(self.steps.numpy())
    means = {}
    for name, total in self._sums.items():
      value = total.numpy()
      nothing = np.full_like(value, np.nan)
      if name == 'theorem_error':
        means[name] = value if value > 0 else nothing
        continue
      applies = count and name in self._applies
      means[name] = value / count if applies else nothing
      total.assign(tf.zeros_like(total))
    self.steps.assign(0)
    return means

  @property
  def first(self) -> Sequence[tf.Variable]:
    """The sums that every checkpoint has, in their order."""
    return [self._sums[name] for name in _FIRST]

  @property
  def later(self) -> Mapping[str, tf.Variable]:
    """The sums that an older checkpoint may be without, by name."""
    return {f'sums/{name}': self._sums[name] for name in _LATER}


def _applicable(algorithm: agents.Algorithm,
                config: config_lib.Config) -> Set[str]:
  """Names of what the algorithm measures."""
  names = {'critic_loss', 'critic_gradient_norm', 'clipped_mass', 'policy_loss',
           'policy_gradient_norm'}
  if algorithm.splits_batch:
    names.add('outer_loss')
    names.update(f'outer_{part}_loss' for part in config.outer_loss.split('_'))
  if algorithm.learns_meta_parameter:
    names.update(_PER_CONSTRAINT)
  if algorithm.learns_shaping:
    names.update(('shaping_scale', 'shaping_offset'))
  if theorem_check.applies(algorithm, config):
    names.add('theorem_error')
  return names
