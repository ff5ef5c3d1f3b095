"""Tests for `in_process`."""

import os
import tempfile

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from metal_tf.replay import in_process
from metal_tf.replay import replay_contract


class InProcessReplayTest(replay_contract.ReplayContract,
                          parameterized.TestCase):

  def make_replay(self, seed=0, **changes):
    return in_process.InProcessReplay(seed=seed, **self.settings(**changes))

  def assert_same_batches(self, first, second):
    self.assertNotEmpty(first)
    self.assertLen(second, len(first))
    for (x, j_x), (y, j_y) in zip(first, second):
      for a, b in zip((*x, j_x), (*y, j_y)):
        np.testing.assert_array_equal(a, b)

  def test_one_seed_gives_one_sequence_of_samples(self):
    batches = []
    for seed in (3, 3, 4):
      memory = self.make_replay(seed=seed)
      self.fill(memory, 0, 20)
      batches.append(self.drain(memory))
    self.assert_same_batches(batches[0], batches[1])
    self.assertFalse(
        np.array_equal(batches[0][0][0].r_t, batches[2][0][0].r_t))

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


if __name__ == '__main__':
  absltest.main()
