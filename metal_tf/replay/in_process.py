"""Replay in numpy arrays of this process, seeded and exactly resumable."""

import json
import os
from typing import Dict, Optional, Tuple

import numpy as np

from metal_tf import types
from metal_tf.replay import layout
from metal_tf.replay import rate_limits
from metal_tf.replay import replay

_ARRAYS_FILE = 'replay.npz'
_STATE_FILE = 'replay.json'


class InProcessReplay(replay.Replay):
  """Ring buffers with a seeded generator, for runs that must be repeatable."""

  def __init__(self, *, spec: types.EnvironmentSpec, batch_size: int,
               num_penalty_samples: int, capacity: int, min_size: int,
               samples_per_insert: float, penalty_capacity: int, seed: int,
               error_buffer: Optional[float] = None) -> None:
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

    Raises:
      ValueError: naming the argument, what it was and what is allowed.
    """
    rate_limits.check_penalty_sizes(num_penalty_samples, penalty_capacity)
    # Insertion must not wait: the thread that inserts is the one that samples.
    self.window = rate_limits.rate_limiter_window(
        samples_per_insert=samples_per_insert, min_size=min_size,
        capacity=capacity, batch_size=batch_size, prefetched_batches=0,
        first_inserts=0, error_buffer=error_buffer)
    self._spec = spec
    self._batch_size = batch_size
    self._num_penalty_samples = num_penalty_samples
    self._rng = np.random.Generator(np.random.PCG64(seed))
    self._transitions = np.zeros(
        (capacity, sum(layout.transition_sizes(spec))), np.float32)
    self._penalties = np.zeros(
        (penalty_capacity, spec.num_constraints), np.float32)
    self._inserts = 0
    self._episodes = 0
    self._samples = 0

  def insert(self, transition: types.Transition) -> None:
    self._transitions[self._inserts % len(self._transitions)] = layout.pack(
        transition, self._spec)
    self._inserts += 1

  def insert_episode_penalty(self, j_c: np.ndarray) -> None:
    self._penalties[self._episodes % len(self._penalties)] = (
        layout.pack_episode_penalty(j_c, self._spec))
    self._episodes += 1

  def can_sample(self) -> bool:
    return self.num_transitions >= self.window.min_size and self._episodes > 0

  def batches_due(self) -> int:
    if not self.can_sample():
      return 0
    return self.window.batches_due(
        self._inserts, self._samples, self._batch_size)

  def sample(self) -> Tuple[types.Transition, np.ndarray]:
    if not self.can_sample():
      raise RuntimeError(
          f'replay: sampled with {self.num_transitions} transitions and '
          f'{self.num_episode_penalties} episode penalties, expected at least '
          f'{self.window.min_size} and 1')
    if not self.window.admits_batch(self._inserts, self._samples,
                                    self._batch_size):
      raise RuntimeError(
          f'replay: sampled too far ahead, {self._samples} samples of '
          f'{self._inserts} insertions ({self.window.description})')
    self._samples += self._batch_size
    rows = self._rng.integers(self.num_transitions, size=self._batch_size)
    episodes = self._rng.integers(
        self.num_episode_penalties, size=self._num_penalty_samples)
    batch = layout.unpack(self._transitions[rows], self._spec)
    return batch, self._penalties[episodes]

  @property
  def num_transitions(self) -> int:
    return min(self._inserts, len(self._transitions))

  @property
  def num_episode_penalties(self) -> int:
    return min(self._episodes, len(self._penalties))

  def save(self, directory: str) -> None:
    np.savez(
        os.path.join(directory, _ARRAYS_FILE),
        transitions=self._transitions[:self.num_transitions],
        penalties=self._penalties[:self.num_episode_penalties])
    state = dict(
        settings=self._settings(), inserts=self._inserts,
        episodes=self._episodes, samples=self._samples,
        generator=self._rng.bit_generator.state)
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
    with np.load(os.path.join(directory, _ARRAYS_FILE),
                 allow_pickle=False) as arrays:
      self._transitions[:self.num_transitions] = arrays['transitions']
      self._penalties[:self.num_episode_penalties] = arrays['penalties']

  def close(self) -> None:
    """Nothing to end here."""

  def _settings(self) -> Dict[str, float]:
    """What a saved replay has to share with the one that restores it."""
    return replay.settings(self._spec, self.window, len(self._transitions),
                           len(self._penalties))
