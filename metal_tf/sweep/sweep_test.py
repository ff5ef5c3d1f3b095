"""Tests of a sweep with programs that only behave like launchers."""

import io
import json
import os
import signal
import threading
import time
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
from rich import console as console_lib

from metal_tf import config as config_lib
from metal_tf.agent import agents
from metal_tf.runs import workdir as workdir_lib
from metal_tf.sweep import display
from metal_tf.sweep import grid
from metal_tf.sweep import jobs
from metal_tf.sweep import record
from metal_tf.sweep import sweep
from metal_tf.sweep import testing

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))


class SweepTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self._path = self.create_tempdir().full_path
    self._out = io.StringIO()
    self.enter_context(mock.patch.object(sweep, '_PERIOD_SECONDS', 0.02))

  def _sweep(self, behaviours, at_once=2, episodes=5, **options):
    """Runs programs of these behaviours, by name; returns the exit status."""
    runs = [
        grid.Run(name, 'metal', agents.METAL, {
            'domain': 'cartpole', 'num_episodes': episodes},
                 config_lib.Config(num_episodes=episodes,
                                   workdir=os.path.join(self._path, name)))
        for name in behaviours]
    workdir = workdir_lib.Workdir(self._path)
    try:
      return sweep.Sweep(
          runs, lambda run: testing.fake_command(
              run.config.workdir, behaviours[run.name], episodes),
          workdir, display.Screen(30.0, console_lib.Console(file=self._out)),
          display.progress_line, at_once, jobs.environment(at_once, _ROOT),
          **options).run()
    finally:
      workdir.close()

  def _entries(self):
    return {entry.name: entry for entry in record.read(self._path)}

  def _when_ready(self, names, action):
    """Calls `action` once programs wait for a signal."""

    def watch():
      while not all(os.path.exists(os.path.join(self._path, name, 'ready'))
                    for name in names):
        time.sleep(0.02)
      action()

    threading.Thread(target=watch, daemon=True).start()

  def test_all_finish(self):
    self.assertEqual(self._sweep(dict(a='finish', b='finish', c='finish')), 0)
    for entry in self._entries().values():
      self.assertEqual(entry.status, record.FINISHED)
      self.assertEqual(entry.exit_status, 0)
      self.assertEqual(entry.attempts, 1)
      self.assertGreater(entry.seconds, 0)
      self.assertStartsWith(entry.last_line, 'done')
      self.assertEqual(entry.command[-2:], ['finish', '5'])
    self.assertIn('3 of 3 runs have finished', self._out.getvalue())
    self.assertEqual(sorted(os.listdir(os.path.join(self._path, 'logs'))),
                     ['a.log', 'b.log', 'c.log'])

  @parameterized.parameters(
      OSError('no space left'), SystemExit(1),
      workdir_lib.WorkdirError('sweep.json is being edited'))
  def test_what_cannot_be_shown_ends_no_job(self, error):
    with mock.patch.object(display.Screen, 'note', side_effect=error):
      with mock.patch.object(display.Screen, 'update', side_effect=error):
        self.assertEqual(self._sweep(dict(a='finish', b='finish')), 0)
    self.assertEqual({entry.status for entry in self._entries().values()},
                     {record.FINISHED})

  def test_finished_runs_are_not_run_again(self):
    self._sweep(dict(a='finish'))
    self.assertEqual(self._sweep(dict(a='fail', b='finish')), 0)
    self.assertEqual(self._entries()['a'].attempts, 1)

  def test_a_longer_run_goes_on(self):
    self._sweep(dict(a='finish'))
    self.assertEqual(self._sweep(dict(a='finish'), episodes=6), 0)
    self.assertEqual(self._entries()['a'].attempts, 2)

  def test_a_failing_run_stops_no_other_and_is_tried_once_more(self):
    self.assertEqual(
        self._sweep(dict(a='fail', b='fail_once', c='finish'), at_once=1), 1)
    entries = self._entries()
    self.assertEqual(
        {name: (e.status, e.attempts, e.failures, e.exit_status)
         for name, e in entries.items()},
        dict(a=(record.FAILED, 2, 2, 3), b=(record.FINISHED, 2, 1, 0),
             c=(record.FINISHED, 1, 0, 0)))
    self.assertEqual(entries['a'].last_line, 'it broke')
    events = [line.split()[:2] for line in self._out.getvalue().splitlines()]
    self.assertLess(events.index(['finished', 'c']),
                    events.index(['finished', 'b']))
    self.assertIn('failed: a: it broke', self._out.getvalue())

  @parameterized.parameters(('refuse', 2), ('lie', 0))
  def test_what_is_no_end_is_a_failure(self, behaviour, status):
    self.assertEqual(self._sweep(dict(a=behaviour)), 1)
    entry = self._entries()['a']
    self.assertEqual((entry.status, entry.exit_status), (record.FAILED, status))
    # What a run refuses it refuses again, until somebody has mended it.
    self.assertEqual(entry.attempts, 1 if status == 2 else 2)
    self.assertEqual(self._sweep(dict(a='finish')), 0 if status == 2 else 1)

  def test_a_summary_that_cannot_be_read_stops_no_other_run(self):
    self.assertEqual(
        self._sweep(dict(a='garble', b='finish'), at_once=1), 1)
    entries = self._entries()
    self.assertEqual(entries['b'].status, record.FINISHED)
    self.assertEqual(entries['a'].status, record.FAILED)
    self.assertIn('summary.json is not valid JSON', entries['a'].last_line)

  def test_a_job_that_cannot_be_started_is_a_failure(self):
    os.makedirs(os.path.join(self._path, 'logs', 'a.log'))
    self.assertEqual(self._sweep(dict(a='finish', b='finish')), 1)
    entries = self._entries()
    self.assertEqual(entries['a'].status, record.FAILED)
    self.assertIn('cannot be started', entries['a'].last_line)
    self.assertEqual(entries['b'].status, record.FINISHED)

  def test_what_has_failed_twice_is_left_alone_unless_asked_for(self):
    self._sweep(dict(a='fail'))
    self.assertEqual(self._sweep(dict(a='finish')), 1)
    self.assertEqual(self._entries()['a'].attempts, 2)
    self.assertEqual(self._sweep(dict(a='finish'), retry_failed=True), 0)
    self.assertEqual(self._entries()['a'].attempts, 3)

  @parameterized.parameters((signal.SIGTERM, 143), (signal.SIGINT, 130))
  def test_a_signal_ends_all_jobs_in_order_and_the_same_command_goes_on(
      self, number, status):
    self._when_ready('ab', lambda: os.kill(os.getpid(), number))
    self.assertEqual(
        self._sweep(dict(a='stop', b='stop', c='finish')), status)
    entries = self._entries()
    for name in 'ab':
      self.assertEqual(entries[name].status, record.INTERRUPTED)
      self.assertEqual(entries[name].exit_status, 143)
      self.assertTrue(os.path.exists(
          os.path.join(self._path, name, 'checkpoint')))
    self.assertEqual(entries['c'].status, record.WAITING)
    self.assertEqual(
        self._sweep(dict(a='finish', b='finish', c='finish')), 0)
    self.assertEqual([e.attempts for e in self._entries().values()], [2, 2, 1])

  def test_a_second_signal_waits_for_nobody(self):

    def press_twice():
      os.kill(os.getpid(), signal.SIGINT)
      time.sleep(0.5)
      os.kill(os.getpid(), signal.SIGINT)

    self._when_ready('a', press_twice)
    self.assertEqual(self._sweep(dict(a='deaf')), 130)
    self.assertEqual(self._entries()['a'].exit_status, -signal.SIGKILL)
    self.assertEqual(self._entries()['a'].status, record.INTERRUPTED)

  def test_a_run_that_somebody_stops_is_not_started_again_by_this_sweep(self):

    def stop_it():
      path = os.path.join(self._path, 'logs', 'a.log')
      self.assertNotEmpty(jobs.last_line(path))
      for process in os.listdir('/proc'):
        if process.isdigit() and self._is_fake(process):
          os.kill(int(process), signal.SIGTERM)

    self._when_ready('a', stop_it)
    self.assertEqual(self._sweep(dict(a='stop', b='finish')), 1)
    self.assertEqual(self._entries()['a'].status, record.INTERRUPTED)
    self.assertEqual(self._entries()['b'].status, record.FINISHED)

  def _is_fake(self, process):
    try:
      with open(f'/proc/{process}/cmdline', encoding='utf-8') as stream:
        return os.path.join(self._path, 'a') in stream.read().split('\0')
    except OSError:
      return False

  def test_a_killed_sweeps_running_runs_are_gone_on_with(self):
    self._sweep(dict(a='finish', b='finish'))
    entries = list(self._entries().values())
    entries[0].status = record.RUNNING
    os.remove(os.path.join(self._path, 'a', 'summary.json'))
    workdir = workdir_lib.Workdir(self._path)
    record.Record(workdir).add(entries)
    self.assertEqual(record.Record(workdir).entry('a').status,
                     record.INTERRUPTED)
    workdir.close()
    self.assertEqual(self._sweep(dict(a='finish', b='finish')), 0)
    self.assertEqual(self._entries()['a'].attempts, 2)

  def test_runs_of_another_command_stay_in_the_record(self):
    self._sweep(dict(a='fail'))
    self.assertEqual(self._sweep(dict(b='finish')), 0)
    self.assertEqual(self._entries()['a'].status, record.FAILED)

  def test_one_sweep_a_folder(self):
    workdir = workdir_lib.Workdir(self._path)
    with self.assertRaisesRegex(workdir_lib.WorkdirError, 'in use'):
      self._sweep(dict(a='finish'))
    workdir.close()

  def test_a_record_of_another_kind_is_refused(self):
    good = dict(name='a', algorithm='metal', command=[], settings=dict(
        domain='cartpole', num_episodes=4))
    wrong = [
        dict(good, name=3), dict(good, settings={}), dict(good, settings=[]),
        dict(good, settings=dict(domain='cartpole', num_episodes='4')),
        dict(good, status='done'), dict(good, attempts='2'),
        dict(good, last_line=None), dict(good, exit_status='1'), 'a']
    for text in ('{"runs": 3}', '[]', 'no', *(
        json.dumps({'runs': [entry]}) for entry in wrong)):
      with open(os.path.join(self._path, record.FILE), 'w',
                encoding='utf-8') as stream:
        stream.write(text)
      with self.assertRaisesRegex(workdir_lib.WorkdirError, 'sweep.json is no'):
        self._sweep(dict(a='finish'))


if __name__ == '__main__':
  absltest.main()
