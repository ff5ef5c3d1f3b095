"""Writes transitions and episode penalties to a Reverb server."""

import contextlib
import time
from typing import Callable

import numpy as np
import reverb

from metal_tf import types
from metal_tf.replay import layout
from metal_tf.replay import priorities as priorities_lib
from metal_tf.replay import tables

# Transitions compressed together. Fewer, larger chunks halve the cost of an
# insertion and save a quarter of the memory; a sample has to read a whole one.
_CHUNK_LENGTH = 8

# Insertions that may wait for the server's confirmation. Without a limit an
# actor would run ahead of the rate limiter.
_MAX_IN_FLIGHT = 4 * _CHUNK_LENGTH

# A slow environment takes long to fill a chunk, and a sampler that waits for it
# gives up after some time, with what it had.
_LONGEST_SECONDS = 0.5

# How long a server may take to answer at first, before the caller is asked.
_ANSWER_SECONDS = 3.0


class HeldBack(RuntimeError):
  """The rate limiter did not take an insertion in time."""


class ReverbWriter:
  """What an actor holds to fill the tables; needs only a client.

  Insertions become visible to samplers in groups, within half a second if more
  of them come, and at the latest with `flush`.

  Attributes:
    priority: of the transitions to come; without meaning where replay is
      uniform.
  """

  def __init__(self, client: reverb.Client, spec: types.EnvironmentSpec, *,
               timeout_seconds: float,
               keep_waiting: Callable[[], bool] = lambda: False) -> None:
    """Opens the streams.

    Args:
      client: of the server that holds `tables.make_tables`.
      spec: the environment's, to check shapes.
      timeout_seconds: how long the server may hold back an insertion.
      keep_waiting: asked after that time; True waits as long again. The wait
        itself hears no signal.

    Raises:
      HeldBack: if the server did not answer in time.
    """
    self.priority = priorities_lib.FIRST
    self._spec = spec
    self._timeout_seconds = timeout_seconds
    self._keep_waiting = keep_waiting
    self._transitions = self._open(client, _CHUNK_LENGTH)
    self._transitions.configure(
        (), num_keep_alive_refs=_CHUNK_LENGTH, max_chunk_length=_CHUNK_LENGTH)
    self._penalties = self._open(client, 1)
    self._since_check = 0
    self._flushed_at = time.monotonic()

  def insert(self, transition: types.Transition) -> None:
    """Adds one transition.

    Args:
      transition: float32 or convertible, shapes as in the spec.

    Raises:
      ValueError: if a shape is wrong.
      HeldBack: if the rate limiter held insertions back for too long.
    """
    self._transitions.append(layout.pack(transition, self._spec))
    self._transitions.create_item(tables.TRANSITIONS, self.priority,
                                  self._transitions.history[-1])
    self._since_check += 1
    if time.monotonic() - self._flushed_at > _LONGEST_SECONDS:
      self.flush()
    elif self._since_check >= _CHUNK_LENGTH:
      self._since_check = 0
      self._flush(self._transitions, _MAX_IN_FLIGHT)

  def insert_episode_penalty(self, episode_penalty: np.ndarray) -> None:
    """Adds J_C `[K]` of one episode, after all of its transitions.

    Raises:
      ValueError: if the shape is wrong.
      HeldBack: if the server did not confirm in time.
    """
    self._penalties.append(
        layout.pack_episode_penalty(episode_penalty, self._spec))
    self._penalties.create_item(tables.EPISODE_PENALTIES, 1.,
                                self._penalties.history[-1])
    self._flush(self._penalties, 0)

  def flush(self) -> None:
    """Waits until every insertion is visible to samplers.

    Raises:
      HeldBack: if the rate limiter held insertions back for too long.
    """
    self._since_check = 0
    self._flush(self._transitions, 0)
    self._flushed_at = time.monotonic()

  def close(self) -> None:
    """Ends the streams at once; what was not flushed may be lost."""
    for writer in (self._transitions, self._penalties):
      # Reverb's `close` may wait for ever for its own thread, when that waits
      # for a chunk to be filled and goes to sleep just after `close` woke it
      # (0.7's RunStreamWorker and Close in reverb/cc/trajectory_writer.cc; 18
      # times in 3070 on a busy machine, and 0 in 27,240 with the flush). A
      # flush leaves no chunk to wait for. Its shortest wait is 1 ms; 0 is no
      # limit.
      with contextlib.suppress(reverb.ReverbError, RuntimeError):
        writer.flush(0, timeout_ms=1)
      writer.close()

  def _open(self, client: reverb.Client,
            num_references: int) -> reverb.TrajectoryWriter:
    """Opens a stream; a server on a busy machine may be slow to start."""
    while True:
      try:
        return client.trajectory_writer(
            num_keep_alive_refs=num_references,
            get_signature_timeout_ms=int(1000 * _ANSWER_SECONDS))
      except RuntimeError as e:
        if 'Deadline' not in str(e):
          raise
        if not self._keep_waiting():
          raise HeldBack('replay: the server did not answer for '
                         f'{_ANSWER_SECONDS:g} s') from e

  def _flush(self, writer: reverb.TrajectoryWriter, allowed: int) -> None:
    """Waits until at most `allowed` insertions are not confirmed."""
    while True:
      try:
        writer.flush(allowed, timeout_ms=int(1000 * self._timeout_seconds))
        return
      except reverb.DeadlineExceededError as e:
        if self._keep_waiting():
          continue
        raise HeldBack(
            'replay: the server held insertions back for '
            f'{self._timeout_seconds:g} s. Sampling lags behind the ratio '
            'samples_per_insert, or an episode is longer than the '
            'environment\'s spec says') from e
