"""Tests of the state of a sweep, read from outside."""

import os
import shutil
from unittest import mock

from absl.testing import absltest

from metal_tf.runs import log_tables
from metal_tf.runs import rates as rates_lib
from metal_tf.runs import workdir as workdir_lib
from metal_tf.sweep import display
from metal_tf.sweep import overview
from metal_tf.sweep import record
from metal_tf.sweep import testing


def _entry(name, status=record.WAITING, **more):
  return record.Entry(name, 'metal', {'domain': 'cartpole', 'num_episodes': 4},
                      ['true'], status, **more)


class OverviewTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self._root = self.create_tempdir().full_path
    self._overview = overview.Overview(self._root)

  def _write_record(self, *entries):
    workdir = workdir_lib.Workdir(self._root)
    record.Record(workdir).add(list(entries))
    return workdir

  def _run(self, name, *arguments, **config):
    testing.write_run(os.path.join(self._root, name), *arguments, **config)

  def _write(self, name, content):
    with open(os.path.join(self._root, name), 'w',
              encoding='utf-8') as stream:
      stream.write(content)

  def _statuses(self):
    return {state.name: state.status for state in self._overview.states()}

  def test_every_status(self):
    self._run('done', 4, [1, 2, 3, 4], finished=True)
    self._run('now', 4, [1, 2])
    self._run('stopped', 4, [1])
    lock = workdir_lib.Workdir(os.path.join(self._root, 'now'))
    self.addCleanup(lock.close)
    sweep = self._write_record(
        _entry('later'), _entry('starting', record.RUNNING),
        _entry('stopped', record.INTERRUPTED), _entry('now', record.RUNNING),
        # The record is behind: a job has just ended.
        _entry('done', record.RUNNING),
        _entry('broken', record.FAILED, last_line='it broke'))
    expected = dict(
        later=record.WAITING, starting=record.RUNNING,
        stopped=record.INTERRUPTED, now=record.RUNNING, done=record.FINISHED,
        broken=record.FAILED)
    self.assertEqual(self._statuses(), expected)
    sweep.close()  # Without a sweep nobody is starting.
    expected['starting'] = record.INTERRUPTED
    self.assertEqual(self._statuses(), expected)

  def test_numbers(self):
    self._run('now', 4, [1, 2])
    self._run('done', 4, [1, 2, 3, 4], finished=True)
    now, done = self._overview.states()[::-1]
    self.assertEqual((now.episodes, now.num_episodes, now.domain),
                     (2, 4, 'cartpole'))
    self.assertEqual(now.rates.actor_steps, 50)
    self.assertEqual(now.rates.learner_steps, 5)
    self.assertEqual(done.summary['return'], 2.5)
    self.assertEqual(done.rates.seconds_per_episode, 2)

  def test_runs_without_a_record_are_found(self):
    self._run('x/a', 4, [1])
    self._run('x/b', 4, [1, 2, 3, 4], finished=True)
    for _ in range(2):
      self.assertEqual(self._statuses(), {
          'x/a': record.INTERRUPTED, 'x/b': record.FINISHED})

  def test_a_finished_runs_log_is_not_read_and_others_only_when_changed(self):
    self._run('a', 4, [1])
    self._run('b', 4, [1, 2, 3, 4], finished=True)
    self._write_record(_entry('a'), _entry('b')).close()
    with mock.patch.object(log_tables, 'read', wraps=log_tables.read) as read:
      self._overview.states()
      self._overview.states()
      self.assertEqual({call.args[0] for call in read.call_args_list},
                       {os.path.join(self._root, 'a')})
      calls = read.call_count
      self._run('a', 4, [1, 2])
      self.assertEqual(self._overview.states()[0].episodes, 2)
      self.assertGreater(read.call_count, calls)

  def test_a_folder_that_is_gone_waits_again(self):
    self._run('a', 4, [1, 2, 3, 4], finished=True)
    self._write_record(_entry('a', record.FINISHED)).close()
    self.assertEqual(self._statuses(), {'a': record.FINISHED})
    shutil.rmtree(os.path.join(self._root, 'a'))
    self.assertEqual(self._statuses(), {'a': record.WAITING})

  def test_a_broken_folder_does_not_hide_the_others(self):
    for name in 'ab':
      self._run(name, 4, [1])
    self._write('a/config.json', '{')
    found = {state.name: state for state in self._overview.states()}
    self.assertIn('cannot be read', found['a'].last_line)
    self.assertEqual(found['b'].episodes, 1)

  def test_a_damaged_file_of_a_finished_run_is_named(self):
    for name in 'abc':
      self._run(name, 4, [1, 2, 3, 4], finished=True)
    self._write('a/summary.json', '{"episodes": "4"}')
    self._write('b/config.json', '{}')
    a, b, c = self._overview.states()
    self.assertEqual([a.status, b.status, c.status],
                     [record.FAILED, record.FAILED, record.FINISHED])
    self.assertIn("summary.json is '4'", a.last_line)
    self.assertIn("config.json has no 'algorithm'", b.last_line)

  def test_a_file_that_is_damaged_after_the_end_is_named(self):
    self._run('a', 4, [1, 2, 3, 4], finished=True)
    self.assertEqual(self._statuses(), {'a': record.FINISHED})
    self._write('a/summary.json', '[]')
    self.assertEqual(self._statuses(), {'a': record.FAILED})
    # With a record, too, which says that the run has finished.
    self._write_record(_entry('a', record.FINISHED)).close()
    [a] = self._overview.states()
    self.assertEqual(a.status, record.FAILED)
    self.assertIn('summary.json is no JSON object', a.last_line)


class EstimateTest(absltest.TestCase):

  def _state(self, status, episodes, seconds, domain='cartpole'):
    rates = None
    if seconds:
      rates = rates_lib.Rates(seconds, 1, 1)
    return overview.State('', 'metal', domain, status, episodes, 10, rates,
                          None, None)

  def test_waiting_runs_are_as_fast_as_their_domain_else_as_all(self):
    states = [
        self._state(record.FINISHED, 10, 2), self._state(record.RUNNING, 4, 4),
        self._state(record.WAITING, 0, None),
        self._state(record.WAITING, 0, None, 'walker'),
        self._state(record.FAILED, 0, None)]
    # 6 x 4 s to go, then twice 10 x 3 s.
    self.assertEqual(overview.seconds_left(states, 1), 84)
    self.assertEqual(overview.seconds_left(states, 2), 42)

  def test_no_run_is_shared_out(self):
    self.assertEqual(
        overview.seconds_left([self._state(record.RUNNING, 4, 4)], 8), 24)

  def test_nothing_is_known_at_first(self):
    self.assertIsNone(
        overview.seconds_left([self._state(record.WAITING, 0, None)], 1))

  def test_the_line_says_how_far_it_is(self):
    states = [self._state(record.FINISHED, 10, 2),
              self._state(record.RUNNING, 4, 4),
              self._state(record.WAITING, 0, None)]
    self.assertEqual(
        display.progress_line(states, 1),
        '1 of 3 runs finished, 1 running, 1 waiting, episode 14/30 in all, '
        'ETA 54s')
    self.assertNotIn('ETA', display.progress_line([states[0], states[2]], 1))


if __name__ == '__main__':
  absltest.main()
