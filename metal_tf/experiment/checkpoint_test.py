"""Tests of checkpoints: complete or not there at all."""

import os

from absl.testing import absltest
import numpy as np

from metal_tf.experiment import checkpoint


class _Replay:
  """Saves one file, or fails as a full disk would."""

  def __init__(self, fails=False):
    self._fails = fails

  def save(self, directory):
    if self._fails:
      raise OSError(28, 'No space left on device')
    with open(os.path.join(directory, 'table'), 'w', encoding='utf-8') as out:
      out.write('rows')


class CheckpointTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self._directory = os.path.join(self.create_tempdir().full_path, 'saved')

  def _save(self, episode, fails=False):
    return checkpoint.save(
        self._directory, episode, {'weights': np.full(3, episode, np.float32)},
        {'episode': episode}, _Replay(fails))

  def test_gives_back_what_was_saved(self):
    self._save(7)
    loaded = checkpoint.load_newest(self._directory)
    np.testing.assert_array_equal(loaded.learner['weights'], [7, 7, 7])
    self.assertEqual(loaded.learner['weights'].dtype, np.float32)
    self.assertEqual(loaded.run, {'episode': 7})
    self.assertEqual(os.listdir(loaded.replay_directory), ['table'])

  def test_nothing_saved_is_none(self):
    self.assertIsNone(checkpoint.load_newest(self._directory))

  def test_keeps_three_and_the_replay_of_the_newest(self):
    for episode in (1, 9, 10, 100):  # Order is by number, not by letters.
      self._save(episode)
    names = sorted(os.listdir(self._directory))
    self.assertEqual(
        names, ['episode-00000009', 'episode-00000010', 'episode-00000100'])
    self.assertEqual(
        [os.path.isdir(os.path.join(self._directory, name, 'replay'))
         for name in names], [False, False, True])
    self.assertEqual(
        checkpoint.load_newest(self._directory).run, {'episode': 100})

  def test_a_failed_save_leaves_the_one_before(self):
    self._save(1)
    with self.assertRaises(OSError):
      self._save(2, fails=True)
    loaded = checkpoint.load_newest(self._directory)
    self.assertEqual(loaded.run, {'episode': 1})
    self.assertIsNotNone(loaded.replay_directory)
    self._save(3)
    self.assertEqual(
        checkpoint.load_newest(self._directory).run, {'episode': 3})

  def test_saving_an_episode_again_replaces_it(self):
    self._save(1)
    path = self._save(1)
    self.assertEqual(checkpoint.load_newest(self._directory).path, path)

  def test_a_damaged_file_is_named(self):
    path = os.path.join(self._save(1), 'learner.npz')
    with open(path, 'r+b') as stream:
      stream.truncate(40)
    with self.assertRaisesRegex(checkpoint.CheckpointError,
                                'episode-00000001 cannot be read'):
      checkpoint.load_newest(self._directory)


if __name__ == '__main__':
  absltest.main()
