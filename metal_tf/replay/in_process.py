"""Replay in numpy arrays of this process, seeded and exactly resumable."""

import functools
import json
import os
from typing import Any, Dict, List, Optional, Tuple
import zipfile

import numpy as np

from metal_tf import types
from metal_tf.replay import counted
from metal_tf.replay import layout
from metal_tf.replay import masses
from metal_tf.replay import priorities as priorities_lib
from metal_tf.replay import replay

# Size of a segment, which is what a checkpoint writes again at most.
SEGMENT_BYTES = 4 << 20

# New transitions that wait for their priorities to be set, all in one go.
_MOST_FRESH = 1024


class InProcessReplay(counted.CountedReplay):
  """Ring buffers with a seeded generator; one seed gives one run.

  The ring of all transitions is one array, so that a sample is one gather. The
  system gives memory to it as it is written to, not before.

  To be saved, the transitions are cut into segments by the number of insertions
  before them. A full segment never changes, so that it needs to be saved only
  once; the rest, smaller than a segment, is in the snapshot's arrays.
  """
  _largest_priority: float

  def __init__(self, spec: types.EnvironmentSpec, settings: replay.Settings,
               seed: int) -> None:
    """Makes an empty replay.

    Args:
      spec: the environment's.
      settings: of the replay.
      seed: of the generator that draws the samples.

    Raises:
      ValueError: naming the field, what it was and what is allowed.
    """
    super().__init__(spec, settings, prefetched_batches=0)
    self._rng = np.random.Generator(np.random.PCG64(seed))
    size = sum(layout.transition_sizes(spec))
    self._transitions = np.zeros((settings.capacity, size), np.float32)
    self._segment = max(1, SEGMENT_BYTES // (4 * size))  # Transitions in one.
    self._penalties = np.zeros(
        (settings.penalty_capacity, spec.num_constraints), np.float32)
    if settings.prioritization is not None:
      self._make_masses()

  def insert(self, transition: types.Transition) -> None:
    row = self._inserts % self._settings.capacity
    layout.pack(transition, self._spec, self._transitions[row])
    self._inserts += 1
    if self._settings.prioritization is not None:
      self._fresh.append(row)
      if len(self._fresh) >= _MOST_FRESH:
        self._settle()

  def insert_episode_penalty(self, episode_penalty: np.ndarray) -> None:
    self._penalties[self._episodes % len(self._penalties)] = (
        layout.pack_episode_penalty(episode_penalty, self._spec))
    self._episodes += 1

  def sample(self, num_batches: Optional[int] = None) -> types.Sample:
    count = 1 if num_batches is None else num_batches
    self._check_can_sample(count)
    drawn = [self._draw() for _ in range(count)]
    self._samples += count * self._settings.batch_size
    if num_batches is None:
      rows, weights, keys, episodes = drawn[0]
    else:
      rows, weights, keys, episodes = (np.stack(part) for part in zip(*drawn))
    batch = layout.unpack(self._transitions.take(rows, axis=0), self._spec)
    return types.Sample(
        batch, self._penalties.take(episodes, axis=0), weights, keys)

  def update_priorities(self, keys: Any, priorities: Any) -> None:
    # At once: where this store is used, nothing runs beside the learner that
    # could do it, and the compiled step has ended when it returns on a CPU.
    self._check_prioritized()
    self._settle()
    keys, priorities = priorities_lib.usable(keys, priorities)
    self._largest_priority = max(
        self._largest_priority, float(priorities.max(initial=0.0)))
    held = keys >= self._inserts - self._settings.capacity
    self._set_priorities(
        keys[held] % self._settings.capacity, priorities[held])

  def close(self) -> None:
    """Nothing to end here."""

  # --- Drawing ---------------------------------------------------------------

  def _draw(self) -> Tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Draws one batch.

    A key counts the insertions before it, so those of removed transitions can
    be told from those of the ones in their rows.

    Returns:
      Rows `[B]`, importance weights and keys as a sample has them, and rows of
      episode penalties `[M]`.
    """
    size, num_transitions = self._settings.batch_size, self.num_transitions
    prioritization = self._settings.prioritization
    if prioritization is None:
      rows = self._rng.integers(num_transitions, size=size)
      weights, keys = np.ones(size, np.float32), np.empty(0, np.int64)
    else:
      self._settle()
      total = self._masses.total
      rows = self._masses.find(total * self._rng.random(size))
      weights = priorities_lib.importance_weights(
          self._masses.values[rows] / total, num_transitions,
          prioritization.importance_exponent)
      newest = self._inserts - 1
      keys = newest - (newest - rows) % self._settings.capacity
    episodes = self._rng.integers(
        self.num_episode_penalties, size=self._settings.num_penalty_samples)
    return rows, weights, keys, episodes

  # --- Priorities ------------------------------------------------------------

  def _make_masses(self) -> None:
    # priority ** alpha, by row.
    self._masses = masses.Masses(self._settings.capacity)
    self._largest_priority = priorities_lib.FIRST
    self._fresh: List[int] = []  # Rows that are to get the largest priority.

  def _settle(self) -> None:
    """Gives new transitions the largest priority at their insertion."""
    if self._fresh:
      self._set_priorities(
          np.array(self._fresh),
          np.full(len(self._fresh), self._largest_priority))
      self._fresh.clear()

  def _set_priorities(self, rows: np.ndarray, priorities: np.ndarray) -> None:
    assert self._settings.prioritization is not None
    self._masses.set(
        rows, priorities**self._settings.prioritization.priority_exponent)

  # --- Saving ----------------------------------------------------------------

  def to_save(self) -> types.ReplaySnapshot:
    held = self._inserts - self.num_transitions  # The oldest that is there.
    tail = max(held, self._inserts // self._segment * self._segment)
    arrays = dict(tail=self._rows(tail, self._inserts),
                  penalties=self._penalties[:self.num_episode_penalties].copy())
    state = dict(
        settings=self._saved_settings(), inserts=self._inserts,
        episodes=self._episodes, samples=self._samples,
        generator=self._rng.bit_generator.state)
    if self._settings.prioritization is not None:
      self._settle()
      arrays['masses'] = self._masses.values[:self.num_transitions].copy()
      state['largest_priority'] = self._largest_priority
    segments = []
    while held < tail:
      end = (held // self._segment + 1) * self._segment
      segments.append(types.ReplaySegment(
          held, end, functools.partial(self._rows, held, end)))
      held = end
    return types.ReplaySnapshot(state, arrays, tuple(segments))

  def restore(self, saved: replay.Saved) -> None:
    try:
      if isinstance(saved, str):
        state, arrays = _read_folder(saved)
        segments: Tuple[types.ReplaySegment, ...] = ()
      else:
        state, arrays, segments = saved
      replay.check_settings(state['settings'], self._saved_settings())
      self._inserts = state['inserts']
      self._episodes = state['episodes']
      self._samples = state['samples']
      self._rng.bit_generator.state = state['generator']
      self._penalties[:self.num_episode_penalties] = arrays['penalties']
      if 'transitions' in arrays:  # The whole ring, as older versions saved it.
        self._transitions[:self.num_transitions] = arrays['transitions']
      else:
        self._put_rows(segments, arrays['tail'])
      if self._settings.prioritization is not None:
        self._make_masses()
        self._masses.set(np.arange(self.num_transitions), arrays['masses'])
        self._largest_priority = state['largest_priority']
    except KeyError as error:
      raise ValueError(f'the saved replay has no {error}') from error

  def _rows(self, first: int, end: int) -> np.ndarray:
    """Copies the transitions with so many insertions before them."""
    capacity = self._settings.capacity
    begin, stop = first % capacity, (end - 1) % capacity + 1
    if begin < stop or first == end:
      return self._transitions[begin:begin + end - first].copy()
    return np.concatenate(
        [self._transitions[begin:], self._transitions[:stop]])

  def _put_rows(self, segments: Tuple[types.ReplaySegment, ...],
                tail: np.ndarray) -> None:
    """Fills the ring; raises ValueError if there is less than there must be."""
    capacity, held = self._settings.capacity, self._inserts
    held -= self.num_transitions
    parts = [*segments, types.ReplaySegment(
        self._inserts - len(tail), self._inserts, lambda: tail)]
    for part in parts:
      first = max(part.first, held)
      if first != held or part.end > self._inserts:
        raise ValueError(f'transitions {held} to {first} are not in the saved '
                         'replay; the files are incomplete')
      if part.end > first:
        rows = part.read()[first - part.first:]
        self._transitions[np.arange(first, part.end) % capacity] = rows
        held = part.end


def _read_folder(directory: str) -> Tuple[Dict[str, Any], Dict[str, Any]]:
  """Reads a replay as versions before the segments saved it.

  Raises:
    OSError: if a file cannot be read.
    ValueError: if one is damaged, or it is no folder of this kind.
  """
  path = os.path.join(directory, 'replay.npz')
  with open(os.path.join(directory, 'replay.json'), encoding='utf-8') as stream:
    state = json.load(stream)
  if not os.path.exists(path):
    raise ValueError('it was kept in Reverb')
  try:
    with np.load(path, allow_pickle=False) as arrays:
      return state, dict(arrays)
  except (EOFError, zipfile.BadZipFile) as error:
    raise ValueError(f'the saved arrays are damaged: {error}') from error
