"""What every replay has to do, as a test mixin."""

import tempfile
from typing import Any

import numpy as np

from metal_tf import types
from metal_tf.replay import replay

_O, _A = 3, 2


def make_spec(num_constraints: int = 1,
              episode_steps: int = 20) -> types.EnvironmentSpec:
  """A small environment's spec."""
  return types.EnvironmentSpec(
      observation_size=_O,
      action_minimum=-np.ones(_A, np.float32),
      action_maximum=np.ones(_A, np.float32),
      constraint_names=tuple(f'c{k}' for k in range(num_constraints)),
      thresholds=np.full(num_constraints, 0.1, np.float32),
      episode_steps=episode_steps)


def make_transition(index: float,
                    num_constraints: int = 1) -> types.Transition:
  """A transition all of whose numbers tell which one it is."""
  return types.Transition(
      o_tm1=np.float32(index) + np.arange(_O, dtype=np.float32) / 8.,
      a_tm1=np.float32(index) + np.arange(_A, dtype=np.float32) / 16.,
      r_t=np.float32(index + 0.25),
      c_t=np.float32(index) + np.arange(num_constraints, dtype=np.float32) / 4.,
      discount_t=np.float32(index + 0.75),
      o_t=np.float32(-index) + np.arange(_O, dtype=np.float32) / 8.)


def written(memory: replay.Replay, directory: str) -> replay.Saved:
  """Saves a replay, its files if it has some in `directory`."""
  to_save = memory.to_save()
  if isinstance(to_save, types.ReplaySnapshot):
    return to_save
  to_save(directory)
  return directory


class ReplayContract:
  """Mixed into a `parameterized.TestCase` that implements `make_replay`."""

  def make_replay(self, spec: types.EnvironmentSpec = make_spec(),
                  **changes: Any) -> replay.Replay:
    """A replay with the settings below, changed; closed by the test's end."""
    raise NotImplementedError

  def settings(self, **changes: Any) -> replay.Settings:
    """Settings under which a sample is due early."""
    return replay.Settings(**{**dict(
        batch_size=4, num_penalty_samples=6, capacity=100, min_size=10,
        samples_per_insert=4., penalty_capacity=100), **changes})

  def fill(self, memory: replay.Replay, begin: int, end: int,
           num_constraints: int = 1) -> None:
    """Inserts transitions begin, ..., end - 1 and then one episode penalty."""
    for i in range(begin, end):
      memory.insert(make_transition(i, num_constraints))
    memory.insert_episode_penalty(np.arange(num_constraints) / 4. + end)

  def drain(self, memory: replay.Replay) -> Any:
    """Takes all batches that are due, and returns the list."""
    batches = []
    while memory.batches_due():
      batches.append(memory.sample())
    return batches

  def test_several_batches_at_once(self):
    memory = self.make_replay()
    self.fill(memory, 0, 20)
    due = memory.batches_due()
    sample = memory.sample(3)
    self.assertEqual(memory.batches_due(), due - 3)
    self.assertEqual(tuple(sample.transitions.o_tm1.shape), (3, 4, _O))
    self.assertEqual(tuple(sample.transitions.r_t.shape), (3, 4))
    self.assertEqual(tuple(sample.episode_penalties.shape), (3, 6, 1))
    self.assertEqual(tuple(sample.importance_weights.shape), (3, 4))
    self.assertLen(sample.keys, 3)
    for k in range(3):
      for row in range(4):
        np.testing.assert_array_equal(
            sample.transitions.o_t[k, row],
            make_transition(float(sample.transitions.r_t[k, row]) - 0.25).o_t)
    with self.assertRaisesRegex(ValueError, 'num_batches: got 0'):
      memory.sample(0)
    with self.assertRaisesRegex(RuntimeError, 'sampled too far ahead'):
      memory.sample(1000)

  def test_samples_are_whole_transitions(self):
    for num_constraints in (1, 3):
      memory = self.make_replay(spec=make_spec(num_constraints))
      self.fill(memory, 0, 20, num_constraints)
      batch, episode_penalty, _, _ = memory.sample()
      shapes = types.Transition((4, _O), (4, _A), (4,), (4, num_constraints),
                                (4,), (4, _O))
      for name, value, shape in zip(types.Transition._fields, batch, shapes):
        self.assertEqual(tuple(value.shape), shape, name)
        self.assertEqual(np.asarray(value).dtype, np.float32, name)
      self.assertEqual(tuple(episode_penalty.shape), (6, num_constraints))
      self.assertEqual(np.asarray(episode_penalty).dtype, np.float32)
      np.testing.assert_array_equal(
          episode_penalty,
          np.tile(np.arange(num_constraints) / 4. + 20., (6, 1)))
      for row in range(4):
        index = float(batch.r_t[row]) - 0.25
        self.assertIn(index, range(20))
        for name, value, expected in zip(
            types.Transition._fields, batch,
            make_transition(index, num_constraints)):
          np.testing.assert_array_equal(value[row], expected, name)

  def test_inserted_arrays_may_be_reused(self):
    memory = self.make_replay()
    transition = make_transition(5)
    for _ in range(20):
      memory.insert(transition)
    episode_penalty = np.ones(1)
    memory.insert_episode_penalty(episode_penalty)
    transition.o_tm1[:] = np.nan
    episode_penalty[:] = np.nan
    batch, sampled, _, _ = memory.sample()
    np.testing.assert_array_equal(
        batch.o_tm1, np.tile(make_transition(5).o_tm1, (4, 1)))
    np.testing.assert_array_equal(sampled, np.ones((6, 1)))

  def test_the_oldest_transitions_are_removed(self):
    memory = self.make_replay(capacity=10, samples_per_insert=32.,
                              spec=make_spec(episode_steps=50))
    for i in range(50):
      memory.insert(make_transition(i))
    self.assertEqual(memory.num_transitions, 10)
    memory.insert_episode_penalty(np.ones(1))
    seen = {float(r) - 0.25
            for sample in self.drain(memory)
            for r in np.asarray(sample.transitions.r_t)}
    # 1280 uniform draws out of 10.
    self.assertEqual(seen, set(range(40, 50)))

  def test_the_oldest_episode_penalties_are_removed(self):
    memory = self.make_replay(penalty_capacity=3, samples_per_insert=32.)
    for i in range(5):
      memory.insert_episode_penalty(np.full(1, i))
    self.assertEqual(memory.num_episode_penalties, 3)
    for i in range(20):
      memory.insert(make_transition(i))
    seen = {float(x) for sample in self.drain(memory)
            for x in np.ravel(sample.episode_penalties)}
    self.assertEqual(seen, {2., 3., 4.})

  def test_episode_penalties_are_drawn_with_replacement(self):
    memory = self.make_replay(num_penalty_samples=32)
    self.fill(memory, 0, 20)
    self.assertEqual(tuple(memory.sample().episode_penalties.shape), (32, 1))

  def test_can_sample_needs_min_size_and_an_episode_penalty(self):
    memory = self.make_replay()
    for i in range(9):
      memory.insert(make_transition(i))
    memory.insert_episode_penalty(np.ones(1))
    self.assertFalse(memory.can_sample())
    with self.assertRaisesRegex(RuntimeError, 'with 9 transitions and 1'):
      memory.sample()
    memory.insert(make_transition(9))
    self.assertTrue(memory.can_sample())

    memory = self.make_replay()
    for i in range(20):
      memory.insert(make_transition(i))
    self.assertFalse(memory.can_sample())
    self.assertEqual(memory.batches_due(), 0)
    with self.assertRaisesRegex(RuntimeError, 'and 0 episode penalties'):
      memory.sample()
    memory.insert_episode_penalty(np.ones(1))
    self.assertTrue(memory.can_sample())
    self.assertEqual((memory.num_transitions, memory.num_episode_penalties),
                     (20, 1))

  def test_the_ratio_is_kept(self):
    memory = self.make_replay(samples_per_insert=2.)
    num_batches = 0
    for episode in range(10):
      for i in range(20):
        memory.insert(make_transition(i))
        if i == 19:
          memory.insert_episode_penalty(np.full(1, episode))
        num_batches += len(self.drain(memory))
    # 200 insertions, 10 of them before the ratio counts.
    self.assertEqual(num_batches, (200 - 10) * 2 // 4)

  def test_sampling_too_far_ahead_raises(self):
    memory = self.make_replay()
    self.fill(memory, 0, 10)
    self.assertEqual(memory.batches_due(), 0)
    with self.assertRaisesRegex(RuntimeError, 'sampled too far ahead'):
      for _ in range(1000):
        memory.sample()

  def test_one_thread_never_waits_for_itself(self):
    for ratio, batch, min_size, capacity, steps in (
        (1., 1, 1, 1, 1),  # Tiny.
        (0.01, 1, 1, 5, 300),  # Long episodes, hardly a sample.
        (100., 4, 1, 1000, 20),  # Many samples of few insertions.
        (4., 64, 2, 3, 30),  # Batches larger than the memory.
        (1., 4, 10, 1000, 500)):  # The first episode much above min_size.
      # Once with the episode's length known, once without.
      for known_steps in (steps, 0):
        with self.subTest(ratio=ratio, batch=batch, known_steps=known_steps):
          memory = self.make_replay(
              spec=make_spec(episode_steps=known_steps), batch_size=batch,
              capacity=capacity, min_size=min_size, samples_per_insert=ratio)
          num_batches = 0
          for _ in range(3):
            for i in range(steps):
              memory.insert(make_transition(i))
              if i == steps - 1:
                memory.insert_episode_penalty(np.ones(1))
              num_batches += len(self.drain(memory))
          self.assertEqual(
              num_batches, int((3 * steps - min_size) * ratio // batch))

  def test_save_and_restore(self):
    memory = self.make_replay(capacity=30, penalty_capacity=2,
                              samples_per_insert=8.)
    self.fill(memory, 0, 20)
    self.fill(memory, 20, 40)
    self.fill(memory, 40, 45)
    self.drain(memory)
    with tempfile.TemporaryDirectory() as directory:
      saved = written(memory, directory)
      restored = self.make_replay(capacity=30, penalty_capacity=2,
                                  samples_per_insert=8.)
      self.fill(restored, 900, 920)  # Has to disappear.
      restored.restore(saved)
    self.assertEqual(restored.num_transitions, 30)
    self.assertEqual(restored.num_episode_penalties, 2)
    self.assertTrue(restored.can_sample())
    for going_on in (memory, restored):
      for i in range(45, 65):
        going_on.insert(make_transition(i))
      samples = self.drain(going_on)
      self.assertNotEmpty(samples)
      seen = {float(r) - 0.25 for sample in samples
              for r in np.asarray(sample.transitions.r_t)}
      self.assertContainsSubset(seen, range(15, 65))
      self.assertNotEmpty(seen.intersection(range(35, 45)))
      seen = {float(x) for sample in samples
              for x in np.ravel(sample.episode_penalties)}
      self.assertEqual(seen, {40., 45.})

  def test_restore_refuses_other_settings(self):
    memory = self.make_replay()
    self.fill(memory, 0, 20)
    with tempfile.TemporaryDirectory() as directory:
      saved = written(memory, directory)
      for changes, message in (
          (dict(spec=make_spec(3)), 'num_constraints: got 1 .* expected 3'),
          (dict(capacity=200), 'capacity: got 100 .* expected 200'),
          (dict(samples_per_insert=5.), 'samples_per_insert: got 4.0')):
        with self.assertRaisesRegex(ValueError, message):
          self.make_replay(**changes).restore(saved)

  def test_wrong_shapes_raise(self):
    memory = self.make_replay()
    good = make_transition(0)
    for name, value, message in (
        ('o_tm1', np.zeros(4), r'o_tm1: got shape \(4,\), expected \(3,\)'),
        ('a_tm1', np.zeros(()), r'a_tm1: got shape \(\), expected \(2,\)'),
        ('r_t', np.zeros(1), r'r_t: got shape \(1,\), expected \(\)'),
        ('c_t', np.zeros(2), r'c_t: got shape \(2,\), expected \(1,\)'),
        ('discount_t', np.zeros(1), r'discount_t: got shape \(1,\)'),
        ('o_t', np.zeros((1, 3)), r'o_t: got shape \(1, 3\), expected')):
      with self.assertRaisesRegex(ValueError, message):
        memory.insert(good._replace(**{name: value}))
    with self.assertRaisesRegex(
        ValueError, r'episode_penalty: got shape \(\), expected'):
      memory.insert_episode_penalty(np.float32(0.))
    self.assertEqual((memory.num_transitions, memory.num_episode_penalties),
                     (0, 0))

  def test_wrong_arguments_raise(self):
    for changes, message in (
        (dict(batch_size=0), 'batch_size: got 0'),
        (dict(num_penalty_samples=0), 'num_penalty_samples: got 0'),
        (dict(penalty_capacity=0), 'penalty_capacity: got 0'),
        (dict(min_size=101), 'min_size: got 101, allowed is 1 to')):
      with self.assertRaisesRegex(ValueError, message):
        self.make_replay(**changes)
