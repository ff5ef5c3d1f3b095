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

from metal_tf.runs import checkpoint
from metal_tf.runs import manifest

# Saves without end; a state is right when all its parts have one number.
_SAVER = """
import os, sys
import numpy as np
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

  saver.save(episode, {f'w{i}': np.full(20000, episode) for i in range(5)},
             {'episode': episode}, save_replay if episode % 2 else None)
  print(episode, flush=True)
"""


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

  def test_killed_at_any_instant_a_whole_state_loads(self):
    random.seed(1)
    at_least = 0
    for _ in range(10):
      with subprocess.Popen(
          [sys.executable, '-c', _SAVER, self._directory],
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
      self.assertIn(loaded.replay_episode, (episode, episode - 1))
      for name in 'ab':
        with open(os.path.join(loaded.replay, name),
                  encoding='utf-8') as stream:
          self.assertEqual(set(stream.read().split()),
                           {str(loaded.replay_episode)})
    self.assertEmpty(self._warnings)


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
