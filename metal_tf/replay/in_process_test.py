"""Tests for `in_process`."""

import json
import os
import tempfile

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from metal_tf.replay import in_process
from metal_tf.replay import priorities
from metal_tf.replay import prioritized_contract
from metal_tf.replay import replay_contract


class InProcessReplayTest(replay_contract.ReplayContract,
                          parameterized.TestCase):

  def make_replay(self, seed=0, **changes):
    return in_process.InProcessReplay(seed=seed, **self.settings(**changes))

  def assert_same_batches(self, first, second):
    self.assertNotEmpty(first)
    self.assertLen(second, len(first))
    for x, y in zip(first, second):
      for a, b in zip((*x.transitions, *x[1:]), (*y.transitions, *y[1:])):
        np.testing.assert_array_equal(a, b)

  def test_one_seed_gives_one_sequence_of_samples(self):
    batches = []
    for seed in (3, 3, 4):
      memory = self.make_replay(seed=seed)
      self.fill(memory, 0, 20)
      batches.append(self.drain(memory))
    self.assert_same_batches(batches[0], batches[1])
    self.assertFalse(
        np.array_equal(*(x[0].transitions.r_t for x in batches[::2])))

  def test_a_restored_replay_continues_exactly(self):
    memory = self.make_replay(capacity=30, seed=3)
    self.fill(memory, 0, 20)
    self.fill(memory, 20, 45)
    self.drain(memory)
    with tempfile.TemporaryDirectory() as directory:
      memory.save(directory)
      restored = self.make_replay(capacity=30, seed=4)
      restored.restore(directory)
    for memory_ in (memory, restored):
      self.fill(memory_, 45, 60)
    self.assert_same_batches(self.drain(memory), self.drain(restored))

  def test_a_damaged_saved_replay_raises(self):
    memory = self.make_replay()
    self.fill(memory, 0, 20)
    with tempfile.TemporaryDirectory() as directory:
      memory.save(directory)
      path = os.path.join(directory, 'replay.npz')
      with open(path, 'r+b') as stream:
        stream.truncate(os.path.getsize(path) // 2)
      with self.assertRaisesRegex(ValueError, 'saved arrays are damaged'):
        self.make_replay().restore(directory)


class PrioritizedInProcessReplayTest(
    InProcessReplayTest, prioritized_contract.PrioritizedReplayContract):
  """What a uniform replay has to do, and what a prioritized one has to."""

  def settings(self, **changes):
    return {'prioritization': priorities.Prioritization(0.6, 0.4),
            **super().settings(**changes)}

  def settle(self, memory):
    del memory  # Everything takes effect at once.

  def fill(self, memory, begin, end, num_constraints=1):
    super().fill(memory, begin, end, num_constraints)
    # Unequal priorities for what is there, as a learner would give.
    if begin and memory.can_sample():
      sample = memory.sample()
      memory.update_priorities(sample.keys, 0.5 + sample.keys % 7)

  def test_a_saved_replay_of_an_older_version_is_uniform(self):
    memory = self.make_replay(prioritization=None)
    self.fill(memory, 0, 20)
    with tempfile.TemporaryDirectory() as directory:
      memory.save(directory)
      path = os.path.join(directory, 'replay.json')
      with open(path, encoding='utf-8') as stream:
        state = json.load(stream)
      del state['settings']['replay']
      with open(path, 'w', encoding='utf-8') as stream:
        json.dump(state, stream)
      restored = self.make_replay(prioritization=None)
      restored.restore(directory)
      self.assertEqual(restored.num_transitions, 20)
      with self.assertRaisesRegex(ValueError, 'replay: got uniform'):
        self.make_replay().restore(directory)

  def test_equals_a_plain_list_under_random_operations(self):
    # Whole numbers, of which sums are exact in any order.
    memory = self.make_replay(seed=5, **self.prioritized_settings(
        priority_exponent=1.0, importance_exponent=0.5, capacity=13,
        min_size=2, batch_size=6))
    oracle = np.random.Generator(np.random.PCG64(5))
    memory.insert_episode_penalty(np.ones(1))
    rng = np.random.RandomState(0)
    held, largest, inserts = [], 1.0, 0
    for _ in range(500):
      for _ in range(rng.randint(4)):
        memory.insert(replay_contract.make_transition(inserts))
        held = [*held, [inserts, largest]][-13:]
        inserts += 1
      if not memory.batches_due():
        continue
      sample = memory.sample()
      # In the order of the store's rows.
      rows = sorted(held, key=lambda item: item[0] % 13)
      masses = np.array([mass for _, mass in rows])
      drawn = np.searchsorted(
          np.cumsum(masses), oracle.random(6) * masses.sum(), side='right')
      oracle.integers(1, size=2)  # The episode penalties.
      np.testing.assert_array_equal(
          sample.keys, [rows[row][0] for row in drawn])
      np.testing.assert_array_equal(
          sample.transitions.r_t - np.float32(0.25), sample.keys)
      expected = (len(rows) * masses[drawn] / masses.sum())**-0.5
      np.testing.assert_allclose(
          sample.importance_weights, expected / expected.max(), rtol=1e-6)
      # Some of what is there, some that was removed long ago.
      keys = rng.randint(max(0, inserts - 20), inserts, size=5)
      new = rng.randint(1, 9, size=5).astype(float)
      memory.update_priorities(keys, new)
      largest = max(largest, new.max())
      for key, priority in zip(keys, new):
        for item in held:
          if item[0] == key:
            item[1] = priority
    self.assertGreater(inserts, 500)


if __name__ == '__main__':
  absltest.main()
