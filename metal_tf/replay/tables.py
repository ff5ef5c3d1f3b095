"""The two tables of a Reverb server."""

from typing import List, Optional

import reverb
import tensorflow as tf

from metal_tf import types
from metal_tf.replay import layout
from metal_tf.replay import priorities as priorities_lib
from metal_tf.replay import rate_limits

TRANSITIONS = 'transitions'
EPISODE_PENALTIES = 'episode_penalties'


def make_tables(spec: types.EnvironmentSpec, *, capacity: int,
                penalty_capacity: int,
                window: rate_limits.RateLimiterWindow,
                prioritization: Optional[priorities_lib.Prioritization] = None
               ) -> List[reverb.Table]:
  """Makes the tables of a replay server.

  A transition is stored as one vector, its fields one after another: six
  columns would take two and a half times the memory and the sampling time,
  since Reverb's cost is per column.

  Args:
    spec: the environment's; gives the signatures.
    capacity: transitions held; the oldest are removed.
    penalty_capacity: episode penalties held; the oldest are removed.
    window: how far sampling and inserting of transitions may run apart.
    prioritization: how priorities are used; None draws uniformly.

  Returns:
    The table of transitions (float32 `[2 * O + A + K + 2]`) and that of episode
    penalties (float32 `[K]`, uniform).
  """
  sampler = reverb.selectors.Uniform()
  if prioritization is not None:
    sampler = reverb.selectors.Prioritized(prioritization.priority_exponent)
  size = sum(layout.transition_sizes(spec))
  return [
      reverb.Table(
          name=TRANSITIONS,
          sampler=sampler,
          remover=reverb.selectors.Fifo(),
          max_size=capacity,
          rate_limiter=reverb.rate_limiters.SampleToInsertRatio(
              samples_per_insert=window.samples_per_insert,
              min_size_to_sample=window.min_size,
              error_buffer=(window.min_diff, window.max_diff)),
          signature=tf.TensorSpec([size], tf.float32)),
      reverb.Table(
          name=EPISODE_PENALTIES,
          sampler=reverb.selectors.Uniform(),
          remover=reverb.selectors.Fifo(),
          max_size=penalty_capacity,
          rate_limiter=reverb.rate_limiters.MinSize(1),
          signature=tf.TensorSpec([spec.num_constraints], tf.float32)),
  ]
