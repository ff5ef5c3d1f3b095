"""Tests for `in_process`."""

import json
import os
import tempfile
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np
import psutil

from metal_tf import types
from metal_tf.replay import in_process
from metal_tf.replay import layout
from metal_tf.replay import priorities
from metal_tf.replay import prioritized_contract
from metal_tf.replay import replay_contract


class InProcessReplayTest(replay_contract.ReplayContract,
                          parameterized.TestCase):

  def make_replay(self, spec=replay_contract.make_spec(), seed=0, **changes):
    return in_process.InProcessReplay(spec, self.settings(**changes), seed)

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
    restored = self.make_replay(capacity=30, seed=4)
    restored.restore(memory.to_save())
    for memory_ in (memory, restored):
      self.fill(memory_, 45, 60)
    self.assert_same_batches(self.drain(memory), self.drain(restored))

  def test_several_batches_are_those_of_single_draws(self):
    singly, at_once = self.make_replay(), self.make_replay()
    for number in (1, 3, 2):
      for memory in (singly, at_once):
        self.fill(memory, 20 * number, 20 * number + 20)
      drawn = [singly.sample() for _ in range(number)]
      together = at_once.sample(number)
      self.assert_same_batches(drawn, [
          together._replace(
              transitions=types.Transition(
                  *(field[k] for field in together.transitions)),
              episode_penalties=together.episode_penalties[k],
              importance_weights=together.importance_weights[k],
              keys=together.keys[k])
          for k in range(number)])

  # Segments shorter, as long and longer than the ring.
  @parameterized.parameters(1, 3, 8, 20, 64)
  def test_segments_hold_what_a_list_holds_under_random_operations(
      self, segment):
    rng = np.random.RandomState(segment)
    with mock.patch.object(in_process, 'SEGMENT_BYTES', segment * 4 * 11):
      make = lambda: self.make_replay(
          capacity=20, min_size=3, samples_per_insert=1000.)
      memory, saved = make(), None
      inserted, files = [], {}  # Files by their end, as a checkpoint has them.
      for _ in range(120):
        for _ in range(rng.randint(rng.choice([2, 9, 70]))):
          inserted.append(rng.randint(1000))
          memory.insert(replay_contract.make_transition(inserted[-1]))
        memory.insert_episode_penalty(rng.uniform(size=1))
        if memory.can_sample() and rng.randint(2):
          memory.sample()
        saved = memory.to_save()
        segments = []
        for part in saved.segments:
          known = files.get(part.end)
          if known is None or known.first > part.first:
            rows = part.read()
            self.assertLen(rows, part.end - part.first)
            self.assertEqual(part.end % segment, 0)
            known = part._replace(read=lambda rows=rows: rows)
          segments.append(known)
        files = {part.end: part for part in segments}
        self.assertLess(len(saved.arrays['tail']), segment)
        restored = make()
        restored.restore(saved._replace(segments=tuple(segments)))
        np.testing.assert_array_equal(
            _numbers(restored.to_save()), inserted[-20:])
        if restored.can_sample():
          self.assert_same_batches([memory.sample()], [restored.sample()])
        if rng.randint(4) == 0:
          memory = restored  # The run is killed and goes on.
    self.assertGreater(len(inserted), 200)

  def test_a_saved_replay_that_lacks_transitions_raises(self):
    with mock.patch.object(in_process, 'SEGMENT_BYTES', 8 * 4 * 11):
      memory = self.make_replay()
      self.fill(memory, 0, 30)
      saved = memory.to_save()
      self.assertLen(saved.segments, 3)
      for lost in range(3):
        segments = saved.segments[:lost] + saved.segments[lost + 1:]
        with self.assertRaisesRegex(ValueError, f'transitions {8 * lost} to'):
          self.make_replay().restore(saved._replace(segments=segments))
      for name in ('tail', 'penalties'):
        arrays = {**saved.arrays}
        del arrays[name]
        with self.assertRaisesRegex(ValueError, name):
          self.make_replay().restore(saved._replace(arrays=arrays))

  def test_memory_is_taken_as_it_is_needed(self):
    spec = replay_contract.make_spec()._replace(observation_size=60)
    transition = replay_contract.make_transition(1)._replace(
        o_tm1=np.ones(60), o_t=np.ones(60))
    resident = lambda: psutil.Process().memory_info().rss
    before = resident()
    memory = self.make_replay(spec, capacity=10**6)
    self.assertLess(resident() - before, 2 << 20)
    for _ in range(50_000):
      memory.insert(transition)
    content = 4 * 50_000 * (2 * 60 + 2 + 3)
    self.assertBetween(resident() - before, 0.9 * content, 1.15 * content)

  def test_a_replay_of_reverb_is_refused(self):
    with tempfile.TemporaryDirectory() as directory:
      with open(os.path.join(directory, 'replay.json'), 'w',
                encoding='utf-8') as stream:
        stream.write('{}')
      with self.assertRaisesRegex(ValueError, 'it was kept in Reverb'):
        self.make_replay().restore(directory)

  def test_a_replay_of_an_older_version(self):
    memory = self.make_replay(capacity=30, seed=3)
    self.fill(memory, 0, 45)
    self.drain(memory)
    with tempfile.TemporaryDirectory() as directory:
      _save_as_before_segments(memory, directory)
      restored = self.make_replay(capacity=30)
      restored.restore(directory)
      self.fill(memory, 45, 60)
      self.fill(restored, 45, 60)
      self.assert_same_batches(self.drain(memory), self.drain(restored))
      path = os.path.join(directory, 'replay.npz')
      with open(path, 'r+b') as stream:
        stream.truncate(os.path.getsize(path) // 2)
      with self.assertRaisesRegex(ValueError, 'saved arrays are damaged'):
        self.make_replay(capacity=30).restore(directory)


class PrioritizedInProcessReplayTest(
    InProcessReplayTest, prioritized_contract.PrioritizedReplayContract):
  """What a uniform replay has to do, and what a prioritized one has to."""

  def settings(self, **changes):
    return super().settings(**{
        'prioritization': priorities.Prioritization(0.6, 0.4), **changes})

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
    saved = memory.to_save()
    settings = {**saved.state['settings']}
    del settings['replay']
    saved = saved._replace(state={**saved.state, 'settings': settings})
    restored = self.make_replay(prioritization=None)
    restored.restore(saved)
    self.assertEqual(restored.num_transitions, 20)
    with self.assertRaisesRegex(ValueError, 'replay: got uniform'):
      self.make_replay().restore(saved)

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


def _numbers(saved):
  """Which transitions a snapshot holds, by `make_transition`."""
  rows = np.concatenate(
      [part.read() for part in saved.segments] + [saved.arrays['tail']])
  return layout.unpack(rows, replay_contract.make_spec()).r_t - 0.25


def _save_as_before_segments(memory, directory):
  """The ring as it lay in memory, in one file."""
  saved = memory.to_save()
  rows = np.concatenate(
      [part.read() for part in saved.segments] + [saved.arrays.pop('tail')])
  rows = np.roll(rows, saved.state['inserts'] % len(rows), axis=0)
  np.savez(os.path.join(directory, 'replay.npz'), transitions=rows,
           **saved.arrays)
  with open(os.path.join(directory, 'replay.json'), 'w',
            encoding='utf-8') as stream:
    json.dump(saved.state, stream)


if __name__ == '__main__':
  absltest.main()
