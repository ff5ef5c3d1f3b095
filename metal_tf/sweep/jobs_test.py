"""Tests of one job: its log, its stop, and who dies with whom."""

import os
import signal
import subprocess
import sys
import time
from unittest import mock

from absl.testing import absltest

from metal_tf.sweep import jobs

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))

_PARENT = '''
import sys, time
from metal_tf.sweep import jobs
job = jobs.Job([sys.executable, '-c', """
import os, time
print(os.getpid(), flush=True)
time.sleep(1000)
"""], sys.argv[1], jobs.environment(1, sys.argv[2]))
while True:
  job.poll()
  time.sleep(0.05)
'''


def _wait(condition):
  deadline = time.monotonic() + 30
  while not condition():
    assert time.monotonic() < deadline, 'it never came to that'
    time.sleep(0.02)


def _runs(pid):
  try:
    with open(f'/proc/{pid}/stat', encoding='utf-8') as stream:
      return stream.read().rpartition(')')[2].split()[0] != 'Z'
  except OSError:
    return False


class JobTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self._log = os.path.join(self.create_tempdir().full_path, 'a.log')

  def _start(self, code):
    job = jobs.Job([sys.executable, '-c', code], self._log,
                   jobs.environment(1, _ROOT))
    self.addCleanup(job.kill)
    return job

  def _end(self, job):
    _wait(lambda: job.poll() is not None)
    return job.poll()

  def test_both_outputs_are_in_the_log_behind_those_before(self):
    for text in ('one', 'two'):
      job = self._start(f'import sys; print("{text}"); sys.exit("and\\n\\n")')
      self.assertEqual(self._end(job), 1)
      self.assertEqual(job.last_line(), 'and')
    with open(self._log, encoding='utf-8') as stream:
      text = stream.read()
    self.assertEqual(text.count('\n$ ') + 1, 2)
    self.assertLess(text.index('one\n'), text.index('two\n'))

  def test_the_status_is_the_commands_own(self):
    self.assertEqual(self._end(self._start('raise SystemExit(7)')), 7)
    job = self._start('import os; os.kill(os.getpid(), 9)')
    self.assertEqual(self._end(job), -9)

  def test_what_does_not_stop_is_killed(self):
    job = self._start(
        'import signal, time; signal.signal(15, signal.SIG_IGN); '
        'print("deaf", flush=True); time.sleep(1000)')
    _wait(lambda: job.last_line() == 'deaf')
    job.stop(0.3)
    self.assertIsNone(job.poll())
    self.assertEqual(self._end(job), -signal.SIGKILL)

  def test_a_killed_sweep_leaves_no_job(self):
    with subprocess.Popen(
        [sys.executable, '-c', _PARENT, self._log, _ROOT],
        env={**os.environ, 'PYTHONPATH': _ROOT}) as parent:
      _wait(lambda: jobs.last_line(self._log).isdigit())
      child = int(jobs.last_line(self._log))
      self.assertTrue(_runs(child))
      parent.kill()
    _wait(lambda: not _runs(child))


class EnvironmentTest(absltest.TestCase):

  def test_several_jobs_share_the_cores(self):
    cores = len(os.sched_getaffinity(0))
    with mock.patch.dict(os.environ):
      for name in ('OMP_NUM_THREADS', 'TF_NUM_INTRAOP_THREADS'):
        os.environ.pop(name, None)
      self.assertNotIn('OMP_NUM_THREADS', jobs.environment(1, '/root'))
      shared = jobs.environment(2, '/root')
      self.assertEqual(shared['OMP_NUM_THREADS'], str(max(1, cores // 2)))
      self.assertEqual(shared['TF_NUM_INTRAOP_THREADS'],
                       str(max(1, cores // 2)))
      self.assertEqual(jobs.environment(1000, '/root')['OMP_NUM_THREADS'], '1')
      os.environ['OMP_NUM_THREADS'] = '3'
      self.assertEqual(jobs.environment(2, '/root')['OMP_NUM_THREADS'], '3')

  def test_the_packages_are_found(self):
    with mock.patch.dict(os.environ, PYTHONPATH='/b'):
      self.assertEqual(jobs.environment(1, '/a')['PYTHONPATH'], '/a:/b')


if __name__ == '__main__':
  absltest.main()
