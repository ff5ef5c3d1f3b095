"""What every prioritized replay has to do, as a test mixin."""

import collections
import tempfile
from typing import Any, Dict, Iterator, Optional, Tuple

import numpy as np
from scipy import stats

from metal_tf.replay import priorities as priorities_lib
from metal_tf.replay import replay
from metal_tf.replay import replay_contract

_CAPACITY = 8
# Of a test that is right to fail.
_CHANCE = 1e-6


class PrioritizedReplayContract:
  """Mixed into a test case that implements `make_replay` and `settle`."""

  def make_replay(self, **changes: Any) -> replay.Replay:
    """A replay with the settings below, changed; closed by the test's end."""
    raise NotImplementedError

  def settle(self, memory: replay.Replay) -> None:
    """Waits until updates are in effect and no earlier draw is to come."""
    raise NotImplementedError

  def prioritized_settings(
      self, priority_exponent: float = 0.6, importance_exponent: float = 0.4,
      **changes: Any) -> Dict[str, Any]:
    """A small replay from which many samples are due."""
    settings: Dict[str, Any] = dict(
        batch_size=40, num_penalty_samples=2, capacity=_CAPACITY,
        min_size=_CAPACITY, samples_per_insert=4000.,
        penalty_capacity=3, prioritization=priorities_lib.Prioritization(
            priority_exponent, importance_exponent))
    settings.update(changes)
    return settings

  def _filled(self, **changes: Any) -> replay.Replay:
    """One that holds transitions 2 to 9, and has removed 0 and 1."""
    memory = self.make_replay(**self.prioritized_settings(**changes))
    memory.insert_episode_penalty(np.ones(1))
    self._insert(memory, 0, 10)
    return memory

  def _insert(self, memory: replay.Replay, begin: int, end: int) -> None:
    for i in range(begin, end):
      memory.insert(replay_contract.make_transition(i))

  def _draw(self, memory: replay.Replay,
            num_batches: int) -> Iterator[Tuple[int, float, int]]:
    """Yields (transition's number, weight, key) of each draw."""
    for _ in range(num_batches):
      sample = memory.sample()
      self.assertEqual(sample.importance_weights.shape, (40,))
      self.assertEqual(sample.importance_weights.dtype, np.float32)
      self.assertEqual(sample.importance_weights.max(), 1)
      numbers = np.asarray(sample.transitions.r_t) - 0.25
      yield from zip(numbers.astype(int).tolist(),
                     sample.importance_weights.tolist(), sample.keys)

  def _keys(self, memory: replay.Replay) -> Dict[int, int]:
    """Keys of all transitions by their numbers; these are equally urgent."""
    keys = {i: key for i, _, key in self._draw(memory, 10)}
    self.assertLen(set(keys.values()), _CAPACITY)
    return keys

  def _update(self, memory: replay.Replay, keys: Dict[int, int],
              priorities: Dict[int, float]) -> None:
    memory.update_priorities(
        np.array([keys[i] for i in priorities]),
        np.array(list(priorities.values()), np.float32))
    self.settle(memory)

  def _relative_weights(self, memory: replay.Replay,
                        least: Optional[int] = None) -> Dict[int, float]:
    """Weight of each transition over that of the least urgent one, `least`."""
    weights = collections.defaultdict(set)
    for _ in range(10):
      batch = {i: weight for i, weight, _ in self._draw(memory, 1)}
      if least is None or least in batch:
        for i, weight in batch.items():
          weights[i].add(weight)
    self.assertLen(weights, _CAPACITY)
    for found in weights.values():
      self.assertLen(found, 1)
    return {i: found.pop() for i, found in weights.items()}

  def test_transitions_are_drawn_and_weighed_by_their_priorities(self):
    memory = self._filled()
    keys = self._keys(memory)
    self.assertCountEqual(keys, range(2, 10))
    masses = np.arange(1, 9) / 2.0  # priority ** 0.6.
    self._update(memory, keys, dict(zip(range(2, 10), masses**(1 / 0.6))))
    draws = list(self._draw(memory, 100))
    counts = np.bincount([i for i, _, _ in draws], minlength=10)[2:]
    most = stats.chi2.isf(_CHANCE, _CAPACITY - 1)
    expected = 4000 * masses / masses.sum()
    self.assertLess(np.sum((counts - expected)**2 / expected), most)
    self.assertGreater(np.sum((counts - 500)**2 / 500), most)  # Uniform.
    for begin in range(0, 4000, 40):
      batch = draws[begin:begin + 40]
      least = min(i for i, _, _ in batch)
      for i, weight, key in batch:
        # (N P)^-0.4 over that of the least probable one in the batch.
        self.assertAlmostEqual(
            weight, (masses[i - 2] / masses[least - 2])**-0.4, places=5)
        self.assertEqual(key, keys[i])

  def test_transitions_enter_with_the_largest_priority_so_far(self):
    memory = self._filled(priority_exponent=1.0, importance_exponent=1.0)
    self.assertEqual({weight for _, weight, _ in self._draw(memory, 3)}, {1.0})
    keys = self._keys(memory)
    self._update(memory, keys, {
        **dict.fromkeys(range(2, 9), 2.0), 9: 8.0})
    self._update(memory, keys, {9: 4.0})
    self._insert(memory, 10, 11)  # In place of 2.
    self.settle(memory)
    self.assertEqual(self._relative_weights(memory, 3), {
        **dict.fromkeys(range(3, 9), 1.0), 9: 0.5, 10: 0.25})

  def test_removed_transitions_are_passed_over(self):
    memory = self._filled()
    keys = self._keys(memory)
    self._insert(memory, 10, 17)
    self._update(memory, keys, dict.fromkeys(range(2, 9), 1e-6))
    self.settle(memory)
    self.assertEqual(self._relative_weights(memory),
                     dict.fromkeys(range(9, 17), 1.0))

  def test_of_equal_keys_the_last_counts(self):
    memory = self._filled(priority_exponent=1.0, importance_exponent=1.0)
    key = self._keys(memory)[5]
    memory.update_priorities(np.full(3, key), np.array([9.0, 3.0, 0.5]))
    self.settle(memory)
    self.assertEqual(self._relative_weights(memory, 5), {
        **dict.fromkeys(range(2, 10), 0.5), 5: 1.0})

  def test_what_is_not_finite_leaves_a_priority_as_it_is(self):
    memory = self._filled()
    keys = self._keys(memory)
    self._update(memory, keys, {2: np.nan, 3: np.inf, 4: -np.inf, 5: 1.0})
    self._update(memory, keys, dict.fromkeys(range(2, 10), np.nan))
    self._insert(memory, 10, 11)
    self.settle(memory)
    self.assertEqual(set(self._relative_weights(memory).values()), {1.0})

  def test_a_priority_of_zero_or_less_raises(self):
    for value in (0.0, -1.0):
      memory = self._filled()
      keys = self._keys(memory)
      with self.assertRaisesRegex(ValueError, 'allowed are numbers > 0'):
        self._update(memory, keys, {5: value})

  def test_save_and_restore(self):
    changes = dict(priority_exponent=1.0, importance_exponent=1.0)
    memory = self._filled(**changes)
    self._update(memory, self._keys(memory), {
        **dict.fromkeys(range(2, 8), 0.5), 8: 1.0, 9: 4.0})
    with tempfile.TemporaryDirectory() as directory:
      restored = self._filled(**changes)
      restored.restore(replay_contract.written(memory, directory))
    for memory_ in (memory, restored):
      self._insert(memory_, 10, 11)
      self.settle(memory_)
      self.assertEqual(self._relative_weights(memory_, 3), {
          **dict.fromkeys(range(3, 8), 1.0), 8: 0.5, 9: 0.125, 10: 0.125})

  def test_nothing_of_before_is_left_behind_a_restore(self):
    changes = self.prioritized_settings(min_size=4)
    small, full = self.make_replay(**changes), self._filled(min_size=4)
    small.insert_episode_penalty(np.ones(1))
    self._insert(small, 20, 24)
    self._update(full, self._keys(full), dict.fromkeys(range(2, 10), 9.0))
    with tempfile.TemporaryDirectory() as directory:
      full.restore(replay_contract.written(small, directory))
    drawn = {i for i, _, _ in self._draw(full, 10)}
    self.assertEqual(drawn, set(range(20, 24)))

  def test_restore_refuses_another_kind_or_exponent(self):
    memory = self._filled()
    uniform = self._filled(prioritization=None)
    with tempfile.TemporaryDirectory() as directory:
      saved = replay_contract.written(memory, directory)
      with self.assertRaisesRegex(
          ValueError, 'replay: got prioritized .* expected uniform'):
        uniform.restore(saved)
      for changes, message in (
          (dict(priority_exponent=0.5), 'priority_exponent: got 0.6 .* 0.5'),
          (dict(importance_exponent=1.0), 'importance_exponent: got 0.4')):
        with self.assertRaisesRegex(ValueError, message):
          self._filled(**changes).restore(saved)
    with tempfile.TemporaryDirectory() as directory:
      saved = replay_contract.written(uniform, directory)
      with self.assertRaisesRegex(
          ValueError, 'replay: got uniform .* expected prioritized'):
        memory.restore(saved)

  def test_a_uniform_replay_has_no_priorities(self):
    memory = self._filled(prioritization=None)
    sample = memory.sample()
    np.testing.assert_array_equal(
        sample.importance_weights, np.ones(40, np.float32))
    self.assertEmpty(sample.keys)
    with self.assertRaisesRegex(RuntimeError, 'draws uniformly'):
      memory.update_priorities(sample.keys, np.ones(40))
