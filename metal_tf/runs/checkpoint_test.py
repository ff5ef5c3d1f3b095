"""Tests of checkpoints: complete or not there at all, damage found."""

import os
import random
import signal
import subprocess
import sys
import time
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from metal_tf import types
from metal_tf.runs import checkpoint
from metal_tf.runs import manifest

# Saves without end; a state is right when all its parts have one number.
_SAVER = """
import os, sys
import numpy as np
from metal_tf import types
from metal_tf.runs import checkpoint

saver = checkpoint.Checkpointer(sys.argv[1], print)
loaded = saver.load_newest()
episode = loaded.run['episode'] if loaded else 0
while True:
  episode += 1

  def save_replay(directory):
    for name in 'ab':
      with open(os.path.join(directory, name), 'w') as out:
        out.write(f'{episode} ' * 20000)

  parts = types.ReplaySnapshot(
      {'episode': episode}, {'tail': np.full((3, 2), episode, np.float32)},
      tuple(types.ReplaySegment(
          end - 1, end, lambda end=end: np.full((1, 50000), end, np.float32))
          for end in range(max(1, episode - 9), episode)))
  replay = parts if sys.argv[2] == 'parts' else save_replay
  saver.save(episode, {f'w{i}': np.full(20000, episode) for i in range(5)},
             {'episode': episode},
             replay if episode % 2 or replay is parts else None)
  print(episode, flush=True)
"""


def _parts(inserts):
  """A replay that held so many transitions, in segments of 10."""
  rows = lambda first, end: np.arange(3 * first, 3 * end).reshape(
      -1, 3).astype(np.float32)
  tail = inserts // 10 * 10
  return types.ReplaySnapshot(
      {'inserts': inserts}, {'tail': rows(tail, inserts)},
      tuple(types.ReplaySegment(first, first + 10,
                                lambda first=first: rows(first, first + 10))
            for first in range(0, tail, 10)))


def _write_replay(directory):
  with open(os.path.join(directory, 'table'), 'w', encoding='utf-8') as out:
    out.write('rows')


def _full_disk(directory):
  del directory
  raise OSError(28, 'No space left on device')


class CheckpointTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self._directory = os.path.join(self.create_tempdir().full_path, 'saved')
    self._warnings = []
    self._saver = self._checkpointer()

  def _checkpointer(self):
    return checkpoint.Checkpointer(self._directory, self._warnings.append)

  def _save(self, episode, save_replay=_write_replay):
    return self._saver.save(
        episode, {'weights': np.full(3, episode, np.float32)},
        {'episode': episode}, save_replay)

  def _load(self):
    return self._checkpointer().load_newest()

  def test_gives_back_what_was_saved(self):
    self._save(7)
    loaded = self._load()
    np.testing.assert_array_equal(loaded.learner['weights'], [7, 7, 7])
    self.assertEqual(loaded.learner['weights'].dtype, np.float32)
    self.assertEqual(loaded.run, {'episode': 7})
    self.assertEqual(sorted(os.listdir(loaded.replay)),
                     ['manifest.json', 'table'])
    self.assertEqual(loaded.replay_episode, 7)
    self.assertEqual(loaded.replay_problem, '')

  def test_without_looking_for_the_replay(self):
    self._save(7)
    loaded = self._checkpointer().load_newest(with_replay=False)
    self.assertEqual(loaded.run, {'episode': 7})
    self.assertIsNone(loaded.replay)

  def test_nothing_saved_is_none(self):
    self.assertIsNone(self._load())

  def test_keeps_three_and_the_newest_replay(self):
    for episode in (1, 9, 10, 100):  # Order is by number, not by letters.
      self._save(episode)
    self.assertEqual(
        sorted(os.listdir(self._directory)),
        ['episode-00000009', 'episode-00000010', 'episode-00000100',
         'replay-00000100'])
    self.assertEqual(self._load().run, {'episode': 100})

  def test_without_a_replay_the_last_one_is_referred_to(self):
    self._save(1)
    for episode in (2, 3, 4, 5):
      path = self._save(episode, None)
    loaded = self._load()
    self.assertEqual(loaded.run, {'episode': 5})
    self.assertEqual(loaded.replay_episode, 1)
    self.assertEqual(manifest.verify(path)['replay_lag_episodes'], 4)
    # Also by a process that only loaded it.
    self._saver = self._checkpointer()
    self._saver.load_newest()
    self._save(6, None)
    self.assertEqual(self._load().replay_episode, 1)

  def test_a_replay_that_was_never_saved_is_said(self):
    self._save(1, None)
    loaded = self._load()
    self.assertIsNone(loaded.replay)
    self.assertIn('not saved', loaded.replay_problem)

  def test_a_failed_save_leaves_the_one_before(self):
    self._save(1)
    with self.assertRaises(OSError):
      self._save(2, _full_disk)
    with mock.patch.object(manifest, 'seal', side_effect=OSError(28, 'full')):
      with self.assertRaises(OSError):
        self._save(2, None)
    self.assertEqual(sorted(os.listdir(self._directory)),
                     ['episode-00000001', 'replay-00000001'])
    loaded = self._load()
    self.assertEqual(loaded.run, {'episode': 1})
    self.assertEqual(loaded.replay_episode, 1)
    self._save(3)
    self.assertEqual(self._load().run, {'episode': 3})
    self.assertNotIn('incomplete', os.listdir(self._directory))

  def test_the_replay_of_an_unfinished_checkpoint_is_not_preferred(self):
    self._save(1)
    seal = manifest.seal

    def seal_replay_only(directory, content):
      if 'replay' in content:
        _full_disk(directory)
      seal(directory, content)

    # As after a kill: nothing of a failed save is removed.
    with mock.patch.object(manifest, 'seal', seal_replay_only):
      with mock.patch.object(checkpoint.shutil, 'rmtree'):
        with self.assertRaises(OSError):
          self._save(2)
    self.assertIn('replay-00000002', os.listdir(self._directory))
    self.assertEqual(self._load().replay_episode, 1)

  def test_leftovers_are_passed_over_and_removed(self):
    self._save(1)
    os.makedirs(os.path.join(self._directory, 'incomplete', 'x'))
    self.assertEqual(self._load().run, {'episode': 1})
    self.assertEmpty(self._warnings)
    self._save(2)
    self.assertNotIn('incomplete', os.listdir(self._directory))

  @parameterized.product(
      name=('learner.npz', 'run.json', 'manifest.json'),
      how=('truncated', 'flipped', 'missing'))
  def test_a_damaged_file_is_named_and_the_one_before_loads(self, name, how):
    self._save(1)
    path = os.path.join(self._save(2), name)
    _damage(path, how)
    loaded = self._load()
    self.assertEqual(loaded.run, {'episode': 1})
    np.testing.assert_array_equal(loaded.learner['weights'], [1, 1, 1])
    self.assertLen(self._warnings, 1)
    self.assertIn(path, self._warnings[0])
    # The replay of the newest is intact and the only one that there is.
    self.assertEqual(loaded.replay_episode, 2)
    self.assertIn('replay-00000001', loaded.replay_problem)

  def test_every_byte_of_a_manifest_counts(self):
    self._save(1)
    path = os.path.join(self._save(2), 'manifest.json')
    with open(path, 'rb') as stream:
      content = stream.read()
    for index in range(0, len(content), 7):
      changed = bytearray(content)
      changed[index] ^= 0x10
      with open(path, 'wb') as stream:
        stream.write(changed)
      self.assertIn(self._load().run['episode'], (1, 2))

  @parameterized.product(
      name=('table', 'manifest.json'), how=('truncated', 'flipped', 'missing'))
  def test_a_damaged_replay_costs_only_the_replay(self, name, how):
    self._save(1)
    path = os.path.join(self._directory, 'replay-00000001', name)
    _damage(path, how)
    loaded = self._load()
    self.assertEqual(loaded.run, {'episode': 1})
    self.assertIsNone(loaded.replay)
    self.assertIn(path, loaded.replay_problem)
    # The next checkpoint does not refer to it.
    self._saver = self._checkpointer()
    self._saver.load_newest()
    self._save(2, None)
    self.assertEqual(self._load().replay_problem, 'it was not saved')

  def test_none_left_is_an_error(self):
    for episode in (1, 2):
      _damage(os.path.join(self._save(episode), 'learner.npz'), 'flipped')
    with self.assertRaisesRegex(checkpoint.CheckpointError,
                                'no checkpoint .* is intact .*learner.npz'):
      self._load()
    self.assertLen(self._warnings, 2)

  def test_a_damaged_one_is_replaced_or_removed_by_the_next(self):
    self._save(1)
    _damage(os.path.join(self._save(3), 'run.json'), 'truncated')
    self._saver = self._checkpointer()
    self._saver.load_newest()
    self._save(2)
    self.assertEqual(
        sorted(os.listdir(self._directory)),
        ['episode-00000001', 'episode-00000002', 'replay-00000002'])
    _damage(os.path.join(self._directory, 'episode-00000002', 'run.json'),
            'missing')
    self._saver = self._checkpointer()
    self._saver.load_newest()
    self._save(2)
    self.assertEqual(self._load().run, {'episode': 2})
    self.assertEqual(self._load().replay_problem, '')

  def test_a_newer_format_is_refused(self):
    self._save(1)
    with mock.patch.object(manifest, 'FORMAT', manifest.FORMAT + 1):
      self._save(2)
    with self.assertRaisesRegex(
        checkpoint.CheckpointError,
        'episode-00000002 has format 2, this version .* up to 1'):
      self._load()

  @parameterized.parameters('folder', 'parts')
  def test_killed_at_any_instant_a_whole_state_loads(self, kind):
    random.seed(1)
    at_least = 0
    for _ in range(10):
      with subprocess.Popen(
          [sys.executable, '-c', _SAVER, self._directory, kind],
          env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
          stdout=subprocess.PIPE, text=True) as saver:
        saver.stdout.readline()
        time.sleep(random.uniform(0, 0.1))
        saver.send_signal(signal.SIGKILL)
        rest = saver.stdout.read().split()
      loaded = self._load()
      episode = loaded.run['episode']
      at_least = max([at_least + 1, *map(int, rest)])
      self.assertGreaterEqual(episode, at_least)
      at_least = episode
      for array in loaded.learner.values():
        self.assertTrue(np.all(array == episode))
      if kind == 'parts':
        self._check_parts(loaded)
        continue
      self.assertIn(loaded.replay_episode, (episode, episode - 1))
      for name in 'ab':
        with open(os.path.join(loaded.replay, name),
                  encoding='utf-8') as stream:
          self.assertEqual(set(stream.read().split()),
                           {str(loaded.replay_episode)})
    self.assertEmpty(self._warnings)

  def _check_parts(self, loaded):
    episode = loaded.run['episode']
    self.assertEqual(loaded.replay.state, {'episode': episode})
    self.assertTrue((loaded.replay.arrays['tail'] == episode).all())
    self.assertEqual([part.end for part in loaded.replay.segments],
                     list(range(max(1, episode - 9), episode)))
    for part in loaded.replay.segments:
      self.assertTrue((part.read() == part.end).all())

  # --- A replay in parts -----------------------------------------------------

  def _segment_files(self):
    return sorted(os.listdir(os.path.join(self._directory, 'replay')))

  def test_parts_of_a_replay_come_back(self):
    self._save(1, _parts(34))
    saved = self._load().replay
    self.assertEqual(saved.state, {'inserts': 34})
    self.assertEqual([(part.first, part.end) for part in saved.segments],
                     [(0, 10), (10, 20), (20, 30)])
    rows = np.concatenate(
        [part.read() for part in saved.segments] + [saved.arrays['tail']])
    np.testing.assert_array_equal(rows, np.arange(3 * 34).reshape(34, 3))
    self.assertEqual(self._load().replay_episode, 1)

  def test_a_segment_is_written_once_and_removed_when_nobody_needs_it(self):
    self._save(1, _parts(25))
    self._saver = self._checkpointer()  # Also by a run that is resumed.
    self._saver.load_newest()
    written = []

    def watched(segment):
      return segment._replace(
          read=lambda: written.append(segment.first) or segment.read())

    for episode in (2, 3, 4):
      parts = _parts(10 * episode + 25)
      self._save(episode, parts._replace(segments=tuple(
          map(watched, parts.segments[episode:]))))
    self.assertEqual(written, [20, 30, 40, 50])
    # Of the kept checkpoints, 2 to 4, the oldest needs those from 20 on.
    self.assertEqual([int(name[:12]) for name in self._segment_files()],
                     [20, 30, 40, 50])

  @parameterized.product(
      name=('segment', 'replay.npz', 'replay.json'),
      how=('truncated', 'flipped', 'missing'))
  def test_a_damaged_part_is_named_and_the_one_before_loads(self, name, how):
    self._save(1, _parts(25))
    path = os.path.join(self._save(2, _parts(38)), name)
    if name == 'segment':
      path = os.path.join(
          self._directory, 'replay', self._segment_files()[-1])
    _damage(path, how)
    loaded = self._load()
    self.assertEqual(loaded.run, {'episode': 1})
    self.assertEqual(loaded.replay.state, {'inserts': 25})
    self.assertLen(self._warnings, 1)
    self.assertIn(path, self._warnings[0])
    # Who does not ask for the replay gets the newest.
    newest = self._checkpointer().load_newest(with_replay=False)
    self.assertEqual(newest.run, {'episode': 2})

  @parameterized.parameters('truncated', 'flipped', 'missing')
  def test_a_damaged_part_of_all_costs_only_the_replay(self, how):
    self._save(1, _parts(25))
    self._save(2, _parts(38))
    path = os.path.join(self._directory, 'replay', self._segment_files()[0])
    _damage(path, how)
    loaded = self._load()
    self.assertEqual(loaded.run, {'episode': 2})
    self.assertIsNone(loaded.replay)
    self.assertIn(path, loaded.replay_problem)
    # The replay fills again; its segments are others.
    self._saver = self._checkpointer()
    self._saver.load_newest()
    self._save(3, _parts(12))
    self.assertEqual(self._load().replay.state, {'inserts': 12})
    self.assertLen(self._load().replay.segments[0].read(), 10)

  def test_a_crash_between_segments_and_checkpoint(self):
    self._save(1, _parts(25))
    # As after a kill: nothing of a failed save is removed.
    with mock.patch.object(manifest, 'seal', side_effect=OSError(28, 'full')):
      with mock.patch.object(checkpoint.Checkpointer, '_remove_failed'):
        with self.assertRaises(OSError):
          self._save(2, _parts(47))
    self.assertLen(self._segment_files(), 4)
    self._saver = self._checkpointer()
    self.assertEqual(self._saver.load_newest().replay.state, {'inserts': 25})
    self._save(2, _parts(31))
    self.assertLen(self._segment_files(), 3)
    self.assertEqual(self._load().replay.state, {'inserts': 31})
    self.assertEmpty(self._warnings)

  def test_a_failed_save_leaves_no_segment(self):
    self._save(1, _parts(25))
    broken = types.ReplaySegment(20, 30, lambda: _full_disk(''))
    parts = _parts(25)
    with self.assertRaises(OSError):
      self._save(2, parts._replace(segments=(*parts.segments, broken)))
    with mock.patch.object(manifest, 'seal', side_effect=OSError(28, 'full')):
      with self.assertRaises(OSError):
        self._save(2, _parts(47))
    self.assertLen(self._segment_files(), 2)
    self._save(2, _parts(47))
    self.assertEqual(self._load().replay.state, {'inserts': 47})

  def test_the_folder_of_an_earlier_replay_goes_with_its_checkpoints(self):
    self._save(1)
    for episode in (2, 3):
      self._save(episode, _parts(4 * episode))
      self.assertIn('replay-00000001', os.listdir(self._directory))
    self._save(4, _parts(16))
    self.assertNotIn('replay-00000001', os.listdir(self._directory))
    for episode in (5, 6, 7):  # And the other way round.
      self._save(episode)
    self.assertEmpty(self._segment_files())
    self.assertIsInstance(self._load().replay, str)


def _damage(path, how):
  if how == 'missing':
    os.remove(path)
    return
  with open(path, 'r+b') as stream:
    content = stream.read()
    if how == 'truncated':
      stream.truncate(len(content) // 2)
    else:
      stream.seek(len(content) // 2)
      stream.write(bytes([content[len(content) // 2] ^ 1]))


if __name__ == '__main__':
  absltest.main()
