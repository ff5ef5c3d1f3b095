"""Tests of the logs `episodes.csv` and `evaluations.csv`."""

import contextlib
import os
import resource

from absl.testing import absltest
import numpy as np

from metal_tf.runs import log_tables
from metal_tf.training import episode_log
from metal_tf.training import testing

_NAMES = ('a', 'b')


def _open(directory, position=None, table=log_tables.EPISODES):
  return episode_log.EpisodeLog(directory, table, _NAMES, position)


def _record(episode, table=log_tables.EPISODES, **values):
  record = {name: 0.5 for name in table.columns(_NAMES)}
  return {**record, 'episode': episode, **values}


class EpisodeLogTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self._directory = self.create_tempdir().full_path

  def test_numbers_come_back_as_they_were(self):
    log = _open(self._directory)
    third = float(np.float32(1 / 3))
    log.write(_record(1, critic_loss=float('nan'), actor_steps=20_000_000,
                      **{'lambda/b': third}))
    log.close()
    rows = log_tables.read(self._directory)
    self.assertEqual(list(rows), log_tables.EPISODES.columns(_NAMES))
    self.assertEqual(np.float32(rows['lambda/b'][0]), np.float32(third))
    self.assertEqual(rows['actor_steps'][0], 20_000_000)
    self.assertTrue(np.isnan(rows['critic_loss'][0]))

  def test_evaluations_have_their_own_columns_and_tags(self):
    table = log_tables.EVALUATIONS
    self.assertEqual(
        table.columns(['a']),
        ['episode', 'learner_steps', 'seconds', 'episode_return',
         'penalized_return', 'penalty/a', 'threshold/a', 'overshoot/a'])
    log = _open(self._directory, table=table)
    log.write(_record(10, table, episode_return=3))
    log.close()
    self.assertEqual(
        log_tables.read(self._directory, table)['episode_return'], [3])
    tags = testing.read_tensorboard(
        os.path.join(self._directory, 'tensorboard', 'evaluation'))
    self.assertEqual(tags['evaluation/return/episode_return'], [(10, 3)])

  def test_every_row_is_on_disk_at_once(self):
    log = _open(self._directory)
    log.write(_record(1))
    self.assertLen(log_tables.read(self._directory)['episode'], 1)
    log.close()

  def test_resuming_keeps_what_the_checkpoint_knew_of(self):
    for table in (log_tables.EPISODES, log_tables.EVALUATIONS):
      log = _open(self._directory, table=table)
      log.write(_record(1, table))
      position = log.position()
      with open(os.path.join(self._directory, table.file), 'rb') as stream:
        before = stream.read()
      log.write(_record(2, table, episode_return=-1))
      log.close()
      for returned in (6, 7):  # The first of them resumes in vain.
        log = _open(self._directory, position, table)
        log.write(_record(2, table, episode_return=returned))
        log.close()
      with open(os.path.join(self._directory, table.file), 'rb') as stream:
        self.assertTrue(stream.read().startswith(before))
      rows = log_tables.read(self._directory, table)
      np.testing.assert_array_equal(rows['episode'], [1, 2])
      np.testing.assert_array_equal(rows['episode_return'], [0.5, 7])
      shown = testing.read_tensorboard(
          os.path.join(self._directory, table.folder))
      self.assertCountEqual(shown[f'{table.prefix}return/episode_return'],
                            [(1, 0.5), (2, 7)])

  def test_a_log_leaves_the_other_one_alone(self):
    log = _open(self._directory, table=log_tables.EVALUATIONS)
    log.write(_record(1, log_tables.EVALUATIONS))
    log.close()
    _open(self._directory).close()
    self.assertNotEmpty(testing.read_tensorboard(
        os.path.join(self._directory, 'tensorboard', 'evaluation')))

  def test_starting_anew_removes_what_was_there(self):
    log = _open(self._directory)
    log.write(_record(1))
    log.close()
    _open(self._directory).close()
    self.assertEmpty(log_tables.read(self._directory)['episode'])
    self.assertEmpty(testing.read_tensorboard(
        os.path.join(self._directory, 'tensorboard')))

  def test_a_file_that_lost_rows_is_refused(self):
    _open(self._directory).close()
    with self.assertRaisesRegex(ValueError, 'at least 100000 bytes'):
      _open(self._directory, {'episodes.csv': 100000})

  def test_a_log_of_an_older_version_keeps_its_header(self):
    newer = log_tables.EPISODES
    older = newer._replace(learning=newer.learning[:-1],
                           per_constraint=newer.per_constraint[:-1])
    log = _open(self._directory, table=older)
    log.write(_record(1, older))
    position = log.position()
    log.close()
    log = _open(self._directory, position)
    log.write(_record(2, **{newer.learning[-1].name: 3, 'lambda/b': 7}))
    log.close()
    rows = log_tables.read(self._directory)
    self.assertEqual(list(rows), older.columns(_NAMES))
    np.testing.assert_array_equal(rows['lambda/b'], [0.5, 7])
    np.testing.assert_array_equal(rows['skipped_updates'], [0.5, 0.5])
    shown = testing.read_tensorboard(
        os.path.join(self._directory, 'tensorboard'))
    last = newer.learning[-1]
    self.assertEqual(shown[f'{last.group}/{last.name}'], [(2, 3)])

  def test_a_log_of_a_later_version_is_refused(self):
    later = log_tables.EPISODES._replace(learning=(
        *log_tables.EPISODES.learning,
        log_tables.Quantity('surprise', '', 'not known yet')))
    log = _open(self._directory, table=later)
    position = log.position()
    log.close()
    with self.assertRaisesRegex(
        ValueError, r"episodes.csv has columns .* not know: \['surprise'\]"):
      _open(self._directory, position)

  def test_a_half_written_row_is_not_read(self):
    log = _open(self._directory)
    log.write(_record(1))
    log.close()
    with open(os.path.join(self._directory, 'episodes.csv'), 'a',
              encoding='utf-8') as stream:
      stream.write('2,17')
    self.assertLen(log_tables.read(self._directory)['episode'], 1)

  def test_rows_wait_while_the_disk_is_full(self):
    log = _open(self._directory)
    log.write(_record(1))
    # Every file may grow by a few bytes more: half a row, half a record.
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    full = max(log.position().values()) + 50
    resource.setrlimit(resource.RLIMIT_FSIZE, (full, limits[1]))
    try:
      for episode in range(2, 60):
        with contextlib.suppress(OSError):
          log.write(_record(episode))
      with self.assertRaises(OSError):
        log.position()
    finally:
      resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    self.assertLess(len(log_tables.read(self._directory)['episode']), 59)
    log.write(_record(60))
    np.testing.assert_array_equal(
        log_tables.read(self._directory)['episode'], np.arange(1, 61))
    log.close()
    shown = testing.read_tensorboard(
        os.path.join(self._directory, 'tensorboard'))
    self.assertCountEqual(
        [step for step, _ in shown['return/episode_return']], range(1, 61))

  def test_refuses_other_columns(self):
    log = _open(self._directory)
    with self.assertRaisesRegex(ValueError, r"\['surprise'\]"):
      log.write(_record(1, surprise=1))
    log.close()


if __name__ == '__main__':
  absltest.main()
