"""Batches of transitions and episode penalties out of a Reverb server."""

from typing import Iterator, Optional

import numpy as np
import reverb
import tensorflow as tf

from metal_tf import types
from metal_tf.replay import layout
from metal_tf.replay import priorities as priorities_lib
from metal_tf.replay import tables

# Batches ready beside the one that the learner works on.
_PREFETCHED_BATCHES = 2

# Batches that may have left the table before the learner asks for them: those
# prefetched, one in each stage of the pipeline, and the sampler's own queue. At
# most 7 were counted, for batches of 1 to 256.
IN_FLIGHT_BATCHES = _PREFETCHED_BATCHES + 6


def samples(server_address: str, spec: types.EnvironmentSpec, *,
            batch_size: int, num_penalty_samples: int, timeout_seconds: float,
            prioritization: Optional[priorities_lib.Prioritization]
           ) -> Iterator[types.Sample]:
  """Yields what the learner steps take, as long as samples come.

  Args:
    server_address: host and port.
    spec: the environment's.
    batch_size: B.
    num_penalty_samples: M, episode penalties with each batch.
    timeout_seconds: see `make_dataset`.
    prioritization: as of the server's tables.
  """
  weights, keys = np.ones(batch_size, np.float32), np.empty(0, np.uint64)
  for info, transitions, penalties in make_dataset(
      server_address, spec, batch_size=batch_size,
      num_penalty_samples=num_penalty_samples,
      timeout_seconds=timeout_seconds):
    if prioritization is not None:
      keys = info.key.numpy()
      weights = priorities_lib.importance_weights(
          info.probability.numpy(), info.table_size.numpy(),
          prioritization.importance_exponent)
    yield types.Sample(transitions, penalties, weights, keys)


def make_dataset(server_address: str, spec: types.EnvironmentSpec, *,
                 batch_size: int, num_penalty_samples: int,
                 timeout_seconds: float) -> tf.data.Dataset:
  """Makes the learner's stream of samples; needs only a server's address.

  The iterator ends when the rate limiter withholds a sample for longer than
  the timeout: with an endless wait a blocked learner could not be stopped, as
  the wait is in C++ and hears no signal. A waiting prefetch also runs into it
  when the learner is not asking, so the caller may have to make it anew.

  Args:
    server_address: host and port.
    spec: the environment's.
    batch_size: B, fixed so that a compiled learner step is traced once.
    num_penalty_samples: M, episode penalties with each batch.
    timeout_seconds: see above.

  Returns:
    A dataset of `(reverb.SampleInfo [B], Transition [B, ...], episode penalties
    [M, K])`; all but the first float32.
  """
  transitions = _batches(
      server_address, tables.TRANSITIONS, sum(layout.transition_sizes(spec)),
      batch_size, timeout_seconds)
  penalties = _batches(
      server_address, tables.EPISODE_PENALTIES, spec.num_constraints,
      num_penalty_samples, timeout_seconds)
  dataset = tf.data.Dataset.zip((transitions, penalties))
  dataset = dataset.map(_as_it_is(
      lambda sample, episode_penalty: (
          sample.info, layout.unpack(sample.data, spec), episode_penalty.data)))
  return dataset.prefetch(_PREFETCHED_BATCHES)


# AutoGraph would write a file into the system's folder for temporary ones.
_as_it_is = tf.autograph.experimental.do_not_convert


def _batches(server_address: str, table: str, size: int, batch_size: int,
             timeout_seconds: float) -> tf.data.Dataset:
  """Samples `[batch_size]` out of one table, data float32 `[..., size]`."""
  dataset = reverb.TimestepDataset(
      server_address=server_address,
      table=table,
      dtypes=tf.float32,
      shapes=tf.TensorShape([size]),
      max_in_flight_samples_per_worker=batch_size,
      # One worker fills batches faster than a learner empties them, and leaves
      # the other cores to it.
      num_workers_per_iterator=1,
      rate_limiter_timeout_ms=int(1000 * timeout_seconds))
  return dataset.batch(batch_size, drop_remainder=True)
