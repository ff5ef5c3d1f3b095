"""Batches of transitions and episode penalties out of a Reverb server."""

import reverb
import tensorflow as tf

from metal_tf import types
from metal_tf.replay import layout
from metal_tf.replay import tables

# Batches ready beside the one that the learner works on.
_PREFETCHED_BATCHES = 2

# Batches that may have left the table before the learner asks for them: those
# prefetched, one in each stage of the pipeline, and the sampler's own queue. At
# most 7 were counted, for batches of 1 to 256.
IN_FLIGHT_BATCHES = _PREFETCHED_BATCHES + 6


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
    A dataset of `(Transition [B, ...], episode penalties [M, K])`, float32.
  """
  transitions = _batches(
      server_address, tables.TRANSITIONS, sum(layout.transition_sizes(spec)),
      batch_size, timeout_seconds)
  penalties = _batches(
      server_address, tables.EPISODE_PENALTIES, spec.num_constraints,
      num_penalty_samples, timeout_seconds)
  dataset = tf.data.Dataset.zip((transitions, penalties))
  dataset = dataset.map(_as_it_is(
      lambda packed, j_c: (layout.unpack(packed, spec), j_c)))
  return dataset.prefetch(_PREFETCHED_BATCHES)


# AutoGraph would write a file into the system's folder for temporary ones.
_as_it_is = tf.autograph.experimental.do_not_convert


def _batches(server_address: str, table: str, size: int, batch_size: int,
             timeout_seconds: float) -> tf.data.Dataset:
  """A dataset of float32 `[batch_size, size]` out of one table."""
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
  dataset = dataset.batch(batch_size, drop_remainder=True)
  return dataset.map(_as_it_is(lambda sample: sample.data))
