"""Tests of the supervisor on real, small processes."""

import os
import signal
import subprocess
import sys
import time

from absl.testing import absltest

_LONG = 30.0

# Writes its number into a file, so that a test sees every start.
_START = """
import os, signal, sys, time
with open(sys.argv[1], 'a') as log:
  log.write(f'{os.getpid()}\\n')
with open(sys.argv[1]) as log:
  starts = len(log.readlines())
"""
_SLEEP = f'time.sleep({_LONG})\n'
_KILL_ONCE = 'if starts == 1: os.kill(os.getpid(), signal.SIGKILL)\n'
_KILL_ALWAYS = 'os.kill(os.getpid(), signal.SIGKILL)\n'
_ADOPT = ('from metal_tf.system import process\nprocess.adopt()\n')


class SupervisorTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self._log = os.path.join(self.create_tempdir().full_path, 'starts')

  def _start(self, code):
    process = subprocess.Popen(
        [sys.executable, '-m', 'metal_tf.distributed.supervisor',
         sys.executable, '-c', _START + code, self._log],
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
        stderr=subprocess.PIPE, text=True)
    self.addCleanup(process.communicate)
    self.addCleanup(process.kill)
    return process

  def _run(self, code):
    process = self._start(code)
    _, err = process.communicate(timeout=_LONG)
    return process.returncode, err

  def _starts(self):
    if not os.path.exists(self._log):
      return []
    with open(self._log, encoding='utf-8') as stream:
      return [int(line) for line in stream]

  def _wait(self, condition):
    deadline = time.monotonic() + _LONG
    while not condition():
      self.assertLess(time.monotonic(), deadline)
      time.sleep(0.02)

  def test_a_normal_end_is_passed_on(self):
    self.assertEqual(self._run(''), (0, ''))
    self.assertLen(self._starts(), 1)

  def test_killed_is_started_again(self):
    status, err = self._run(_KILL_ONCE)
    self.assertEqual(status, 0)
    first, second = self._starts()
    self.assertNotEqual(first, second)
    self.assertEqual(err, f'Process {first} was killed by signal 9.\n')

  def test_an_exception_would_come_again_so_it_is_passed_on(self):
    status, _ = self._run('sys.exit(3)')
    self.assertEqual(status, 3)
    self.assertLen(self._starts(), 1)

  def test_too_many_deaths_are_given_up(self):
    status, err = self._run(_KILL_ALWAYS)
    self.assertEqual(status, 128 + signal.SIGKILL)
    self.assertLen(self._starts(), 5)
    self.assertEndsWith(err, '5 times in 60 s; giving up.\n')

  def test_sigterm_reaches_the_child_whose_status_counts(self):
    process = self._start(
        'signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\n'
        'with open(sys.argv[1] + ".ready", "w"): pass\n' + _SLEEP)
    self._wait(lambda: os.path.exists(self._log + '.ready'))
    process.send_signal(signal.SIGTERM)
    self.assertEqual(process.wait(_LONG), 5)
    self.assertLen(self._starts(), 1)

  def test_after_sigterm_nobody_is_started_again(self):
    process = self._start(_SLEEP)
    self._wait(self._starts)
    process.send_signal(signal.SIGTERM)
    self.assertEqual(process.wait(_LONG), 128 + signal.SIGTERM)
    self.assertLen(self._starts(), 1)

  def test_control_c_is_left_to_the_launcher(self):
    process = self._start(
        'signal.signal(signal.SIGINT, signal.SIG_IGN)\n' + _SLEEP)
    self._wait(self._starts)
    process.send_signal(signal.SIGINT)
    with self.assertRaises(subprocess.TimeoutExpired):
      process.wait(0.2)
    process.send_signal(signal.SIGTERM)
    process.wait(_LONG)

  def test_the_child_dies_with_the_supervisor_however_that_went(self):
    process = self._start(
        _ADOPT + 'with open(sys.argv[1] + ".ready", "w"): pass\n' + _SLEEP)
    self._wait(lambda: os.path.exists(self._log + '.ready'))
    [child] = self._starts()
    self.assertTrue(_alive(child))
    process.kill()
    self._wait(lambda: not _alive(child))

  def test_who_finds_the_parent_gone_does_not_start(self):
    ended = subprocess.run(
        [sys.executable, '-c', _ADOPT + 'print("started")'], check=False,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path),
             'METAL_TF_LAUNCHER_PID': '1'},
        capture_output=True, text=True, timeout=_LONG)
    self.assertEqual((ended.returncode, ended.stdout), (1, ''))


def _alive(pid):
  """Whether a process runs; a zombie whom nobody waits for does not."""
  try:
    with open(f'/proc/{pid}/stat', encoding='utf-8') as stream:
      return stream.read().rpartition(')')[2].split()[0] != 'Z'
  except OSError:
    return False


if __name__ == '__main__':
  absltest.main()
