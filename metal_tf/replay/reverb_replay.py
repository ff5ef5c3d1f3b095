"""Replay on a Reverb server inside this process."""

import json
import os
import shutil
import tempfile
from typing import Any, Callable, Dict, Iterator, Mapping, Optional, Tuple

import numpy as np
import reverb
from reverb import reverb_types
import tensorflow as tf

from metal_tf import types
from metal_tf.replay import counted
from metal_tf.replay import priorities as priorities_lib
from metal_tf.replay import priority_updates
from metal_tf.replay import replay
from metal_tf.replay import reverb_dataset
from metal_tf.replay import reverb_writer
from metal_tf.replay import tables
from metal_tf.system import loopback

_STATE_FILE = 'replay.json'


class ReverbReplay(counted.CountedReplay):
  """The two tables, a writer and a sampler in one process.

  Insertion and sampling either return or raise, whatever the sizes. Selection
  inside Reverb takes no seed; `InProcessReplay` is the reproducible one.
  """
  _iterator: Optional[Iterator[types.Sample]]

  def __init__(self, spec: types.EnvironmentSpec, settings: replay.Settings, *,
               timeout_seconds: float = 60.,
               scratch_directory: Optional[str] = None) -> None:
    """Starts the server on a free port, reachable from this machine only.

    Args:
      spec: the environment's.
      settings: of the replay.
      timeout_seconds: how long the server may withhold a sample or hold back
        an insertion before that is an error.
      scratch_directory: where a checkpoint is written before it is moved to
        where it is saved; on the same file system that is one rename. None:
        the system's directory for temporary files.

    Raises:
      ValueError: naming the field, what it was and what is allowed.
    """
    super().__init__(spec, settings,
                     prefetched_batches=reverb_dataset.IN_FLIGHT_BATCHES)
    self._timeout_seconds = timeout_seconds
    self._scratch = tempfile.mkdtemp(prefix='replay-', dir=scratch_directory)
    self._server: Optional[reverb.Server] = None
    self._start()

  def insert(self, transition: types.Transition) -> None:
    if self._updates is not None:
      self._writer.priority = self._updates.largest
    self._writer.insert(transition)
    self._inserts += 1
    self._flushed = False

  def insert_episode_penalty(self, episode_penalty: np.ndarray) -> None:
    self._writer.insert_episode_penalty(episode_penalty)
    self._episodes += 1

  def sample(self, num_batches: Optional[int] = None) -> types.Sample:
    if num_batches is not None:
      self._check_can_sample(num_batches)
      samples = [self.sample() for _ in range(num_batches)]
      return tf.nest.map_structure(
          lambda *parts: np.stack([np.asarray(part) for part in parts]),
          *samples)
    self._check_can_sample()
    if not self._flushed:
      self._writer.flush()
      self._flushed = True
    batch = self._next()
    if batch is None:
      # While nobody asked, the prefetch waited at the rate limiter until its
      # time was up. What it held is lost, and counts as sampled.
      self._iterator = None
      _, self._samples = _counts(
          self._client.server_info()[tables.TRANSITIONS])
      batch = self._next()
    if batch is None:
      raise RuntimeError(
          f'replay: no sample came for {self._timeout_seconds:g} s '
          f'({self._inserts} inserted, {self._samples} sampled; '
          f'{self.window.description})')
    self._samples += self._settings.batch_size
    return batch

  def update_priorities(self, keys: Any, priorities: Any) -> None:
    self._check_prioritized()
    assert self._updates is not None
    self._updates.put(keys, priorities)

  def to_save(self) -> Callable[[str], None]:
    return self._save

  def restore(self, saved: replay.Saved) -> None:
    if not isinstance(saved, str):
      raise ValueError('it was kept in the process of the run')
    state = check_saved_tables(saved, self._saved_settings())
    self._stop()
    try:
      self._start(saved_tables(saved),
                  state.get('largest_priority', priorities_lib.FIRST))
    except RuntimeError as e:
      raise ValueError(f'the saved tables are damaged: {e}') from e
    info = self._client.server_info()
    self._inserts, self._samples = _counts(info[tables.TRANSITIONS])
    self._episodes, _ = _counts(info[tables.EPISODE_PENALTIES])
    for name, value in (('inserts', self._inserts),
                        ('episodes', self._episodes)):
      if value != state.get(name, value):
        raise ValueError(f'{name}: got {value} out of the saved tables, '
                         f'expected {state[name]}; the files are incomplete')

  def close(self) -> None:
    self._stop()
    shutil.rmtree(self._scratch, ignore_errors=True)

  def _save(self, directory: str) -> None:
    """Writes everything into a directory that is the replay's own."""
    self._writer.flush()
    self._flushed = True
    state = dict(settings=self._saved_settings(), inserts=self._inserts,
                 episodes=self._episodes)
    if self._updates is not None:
      self._updates.flush()
      state['largest_priority'] = self._updates.largest
    try:
      save_tables(self._client, directory, state)
    except OSError:
      # The server leaves what it could write, on a disk that is full.
      for name in os.listdir(self._scratch):
        shutil.rmtree(os.path.join(self._scratch, name), ignore_errors=True)
      raise

  def _start(self, loaded: Optional[str] = None,
             largest_priority: float = priorities_lib.FIRST) -> None:
    """Starts a server, with the tables that another one saved if given."""
    self._server = reverb.Server(
        tables.make_tables(
            self._spec, capacity=self._settings.capacity,
            penalty_capacity=self._settings.penalty_capacity,
            window=self.window, prioritization=self._settings.prioritization),
        checkpointer=reverb.checkpointers.DefaultCheckpointer(
            self._scratch, fallback_checkpoint_path=loaded))
    loopback.restrict_to_loopback(self._server.port)
    self._address = f'localhost:{self._server.port}'
    self._client = reverb.Client(self._address)
    self._writer = reverb_writer.ReverbWriter(
        self._client, self._spec, timeout_seconds=self._timeout_seconds)
    self._updates: Optional[priority_updates.PriorityUpdates] = None
    if self._settings.prioritization is not None:
      self._updates = priority_updates.PriorityUpdates(
          self._client, largest_priority)
    self._flushed = True
    self._iterator = None

  def _stop(self) -> None:
    """Ends the streams before the server they lead to."""
    if self._server is None:
      return  # A restore failed at the start of its server.
    self._iterator = None
    if self._updates is not None:
      self._updates.close()
    self._writer.close()
    self._client = None
    self._server.stop()
    # Reverb's server returns its port when it is deleted; at the interpreter's
    # exit it would be too late for that.
    self._server = None

  def _next(self) -> Optional[types.Sample]:
    """The next batch, or None if the server withheld it for too long."""
    if self._iterator is None:
      self._iterator = reverb_dataset.samples(
          self._address, self._spec, batch_size=self._settings.batch_size,
          num_penalty_samples=self._settings.num_penalty_samples,
          timeout_seconds=self._timeout_seconds,
          prioritization=self._settings.prioritization)
    return next(self._iterator, None)


def save_tables(client: reverb.Client, directory: str,
                state: Mapping[str, Any]) -> None:
  """Has a server write its tables; it must be on this file system.

  Args:
    client: of the server.
    directory: where they go.
    state: JSON values; 'settings' is what `check_saved_tables` compares.

  Raises:
    OSError: if the server cannot write, or is gone.
  """
  try:
    checkpoint = client.checkpoint()
  except RuntimeError as e:  # The server's words for a full disk, say.
    raise OSError(f'Reverb could not write its tables: {e}') from e
  # The server names its checkpoint by the time; only its contents are ours.
  shutil.move(checkpoint, saved_tables(directory))
  with open(os.path.join(directory, _STATE_FILE), 'w') as f:
    json.dump(state, f)


def saved_tables(directory: str) -> str:
  """Where `save_tables` puts the server's own files."""
  return os.path.join(directory, 'reverb')


def holds(directory: str) -> bool:
  """Whether a folder has what `save_tables` wrote."""
  return os.path.isdir(saved_tables(directory))


def check_saved_tables(directory: str,
                       settings: Mapping[str, Any]) -> Dict[str, Any]:
  """Reads the state beside saved tables, for a server with these settings.

  Raises:
    OSError: if the file cannot be read.
    ValueError: if the tables belong to other settings.
  """
  with open(os.path.join(directory, _STATE_FILE)) as f:
    state = json.load(f)
  if not holds(directory):
    raise ValueError('it was kept in the process of the run')
  replay.check_settings(state['settings'], settings)
  return state


def _counts(info: reverb_types.TableInfo) -> Tuple[int, int]:
  """How many items a table took in and gave out, prefetched ones included."""
  limiter = info.rate_limiter_info
  return limiter.insert_stats.completed, limiter.sample_stats.completed
