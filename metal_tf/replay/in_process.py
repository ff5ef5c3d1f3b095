"""Replay in numpy arrays of this process, seeded and exactly resumable."""

import io
import json
import os
from typing import Any, Optional, Tuple
import zipfile

import numpy as np

from metal_tf import types
from metal_tf.replay import counted
from metal_tf.replay import layout
from metal_tf.replay import priorities as priorities_lib
from metal_tf.replay import replay
from metal_tf.replay import sum_tree

_ARRAYS_FILE = 'replay.npz'
_STATE_FILE = 'replay.json'


class InProcessReplay(counted.CountedReplay):
  """Ring buffers with a seeded generator, for runs that must be repeatable."""

  def __init__(self, *, spec: types.EnvironmentSpec, batch_size: int,
               num_penalty_samples: int, capacity: int, min_size: int,
               samples_per_insert: float, penalty_capacity: int, seed: int,
               error_buffer: Optional[float] = None,
               prioritization: Optional[priorities_lib.Prioritization] = None
              ) -> None:
    """Makes an empty replay.

    Args:
      spec: the environment's.
      batch_size: B, transitions per sample.
      num_penalty_samples: M, episode penalties per sample.
      capacity: transitions held, first in first out.
      min_size: transitions before the first sample.
      samples_per_insert: how often a transition is sampled on average.
      penalty_capacity: episode penalties held, first in first out.
      seed: of the generator that draws the samples.
      error_buffer: see `rate_limits.rate_limiter_window`.
      prioritization: how priorities are used; None draws uniformly.

    Raises:
      ValueError: naming the argument, what it was and what is allowed.
    """
    super().__init__(
        spec=spec, batch_size=batch_size,
        num_penalty_samples=num_penalty_samples, capacity=capacity,
        min_size=min_size, samples_per_insert=samples_per_insert,
        penalty_capacity=penalty_capacity, prefetched_batches=0,
        error_buffer=error_buffer, prioritization=prioritization)
    self._rng = np.random.Generator(np.random.PCG64(seed))
    self._transitions = np.zeros(
        (capacity, sum(layout.transition_sizes(spec))), np.float32)
    self._penalties = np.zeros(
        (penalty_capacity, spec.num_constraints), np.float32)
    self._uniform_weights = np.ones(batch_size, np.float32)
    if prioritization is not None:
      self._masses = sum_tree.SumTree(capacity)  # priority ** alpha, by row.
      self._largest_priority = priorities_lib.FIRST

  def insert(self, transition: types.Transition) -> None:
    row = self._inserts % self._capacity
    self._transitions[row] = layout.pack(transition, self._spec)
    if self._prioritization is not None:
      self._set_priorities([row], np.array([self._largest_priority]))
    self._inserts += 1

  def insert_episode_penalty(self, j_c: np.ndarray) -> None:
    self._penalties[self._episodes % len(self._penalties)] = (
        layout.pack_episode_penalty(j_c, self._spec))
    self._episodes += 1

  def sample(self) -> types.Sample:
    self._check_can_sample()
    self._samples += self._batch_size
    rows, weights, keys = self._draw()
    episodes = self._rng.integers(
        self.num_episode_penalties, size=self._num_penalty_samples)
    batch = layout.unpack(self._transitions[rows], self._spec)
    return types.Sample(batch, self._penalties[episodes], weights, keys)

  def update_priorities(self, keys: Any, priorities: Any) -> None:
    # At once: where this store is used, nothing runs beside the learner that
    # could do it, and the compiled step has ended when it returns on a CPU.
    self._check_prioritized()
    keys, priorities = priorities_lib.usable(keys, priorities)
    self._largest_priority = float(
        max(self._largest_priority, priorities.max(initial=0.0)))
    held = keys >= self._inserts - self._capacity
    self._set_priorities(keys[held] % self._capacity, priorities[held])

  def save(self, directory: str) -> None:
    # In memory first: on a full disk an unfinished zip file prints a traceback.
    arrays = io.BytesIO()
    np.savez(
        arrays, transitions=self._transitions[:self.num_transitions],
        penalties=self._penalties[:self.num_episode_penalties],
        **({} if self._prioritization is None else
           dict(masses=self._masses.leaves[:self.num_transitions])))
    with open(os.path.join(directory, _ARRAYS_FILE), 'wb') as f:
      f.write(arrays.getbuffer())
    state = dict(
        settings=self._settings(), inserts=self._inserts,
        episodes=self._episodes, samples=self._samples,
        generator=self._rng.bit_generator.state)
    if self._prioritization is not None:
      state['largest_priority'] = self._largest_priority
    with open(os.path.join(directory, _STATE_FILE), 'w') as f:
      json.dump(state, f)

  def restore(self, directory: str) -> None:
    with open(os.path.join(directory, _STATE_FILE)) as f:
      state = json.load(f)
    replay.check_settings(state['settings'], self._settings())
    self._inserts = state['inserts']
    self._episodes = state['episodes']
    self._samples = state['samples']
    self._rng.bit_generator.state = state['generator']
    try:
      with np.load(os.path.join(directory, _ARRAYS_FILE),
                   allow_pickle=False) as arrays:
        self._transitions[:self.num_transitions] = arrays['transitions']
        self._penalties[:self.num_episode_penalties] = arrays['penalties']
        if self._prioritization is not None:
          self._masses = sum_tree.SumTree(self._capacity)
          self._masses.set(np.arange(self.num_transitions), arrays['masses'])
          self._largest_priority = state['largest_priority']
    except (KeyError, EOFError, zipfile.BadZipFile) as e:
      raise ValueError(f'the saved arrays are damaged: {e}') from e

  def close(self) -> None:
    """Nothing to end here."""

  def _draw(self) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draws rows `[B]`; with them importance weights and keys, as a sample's.

    A key counts the insertions before it, so those of removed transitions can
    be told from those of the ones in their rows.
    """
    if self._prioritization is None:
      rows = self._rng.integers(self.num_transitions, size=self._batch_size)
      return rows, self._uniform_weights, np.empty(0, np.int64)
    total = self._masses.total
    rows = self._masses.find(total * self._rng.random(self._batch_size))
    weights = priorities_lib.importance_weights(
        self._masses.leaves[rows] / total, self.num_transitions,
        self._prioritization.importance_exponent)
    newest = self._inserts - 1
    return rows, weights, newest - (newest - rows) % self._capacity

  def _set_priorities(self, rows: Any, priorities: np.ndarray) -> None:
    self._masses.set(rows, priorities**self._prioritization.priority_exponent)
