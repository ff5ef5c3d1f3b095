"""Tests of `episodes.csv`."""

import os

from absl.testing import absltest
import numpy as np

from metal_tf.experiment import episode_log


class EpisodeLogTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self._directory = self.create_tempdir().full_path

  def _record(self, episode, **values):
    record = {name: 0.5 for name in episode_log.columns(('a', 'b'))}
    return {**record, 'episode': episode, **values}

  def test_numbers_come_back_as_they_were(self):
    log = episode_log.EpisodeLog(self._directory, ('a', 'b'))
    third = float(np.float32(1 / 3))
    log.write(self._record(1, critic_loss=float('nan'), actor_steps=20_000_000,
                           **{'lambda/b': third}))
    log.close()
    rows = episode_log.read(self._directory)
    self.assertEqual(list(rows), episode_log.columns(('a', 'b')))
    self.assertEqual(np.float32(rows['lambda/b'][0]), np.float32(third))
    self.assertEqual(rows['actor_steps'][0], 20_000_000)
    self.assertTrue(np.isnan(rows['critic_loss'][0]))

  def test_every_row_is_on_disk_at_once(self):
    log = episode_log.EpisodeLog(self._directory, ('a', 'b'))
    log.write(self._record(1))
    self.assertLen(episode_log.read(self._directory)['episode'], 1)
    log.close()

  def test_resuming_keeps_what_the_checkpoint_knew_of(self):
    log = episode_log.EpisodeLog(self._directory, ('a', 'b'))
    log.write(self._record(1))
    size = log.sync()
    log.write(self._record(2, episode_return=-1))
    log.close()
    log = episode_log.EpisodeLog(self._directory, ('a', 'b'), size)
    log.write(self._record(2, episode_return=7))
    log.close()
    rows = episode_log.read(self._directory)
    np.testing.assert_array_equal(rows['episode'], [1, 2])
    np.testing.assert_array_equal(rows['episode_return'], [0.5, 7])

  def test_a_file_that_lost_rows_is_refused(self):
    episode_log.EpisodeLog(self._directory, ('a', 'b')).close()
    with self.assertRaisesRegex(ValueError, 'at least 100000 bytes'):
      episode_log.EpisodeLog(self._directory, ('a', 'b'), 100000)

  def test_a_half_written_row_is_not_read(self):
    log = episode_log.EpisodeLog(self._directory, ('a', 'b'))
    log.write(self._record(1))
    log.close()
    with open(os.path.join(self._directory, 'episodes.csv'), 'a',
              encoding='utf-8') as stream:
      stream.write('2,17')
    self.assertLen(episode_log.read(self._directory)['episode'], 1)

  def test_refuses_other_columns(self):
    log = episode_log.EpisodeLog(self._directory, ('a', 'b'))
    with self.assertRaisesRegex(ValueError, r"\['surprise'\]"):
      log.write(self._record(1, surprise=1))
    log.close()


if __name__ == '__main__':
  absltest.main()
