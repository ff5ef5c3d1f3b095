"""How runs end: signals, the normal end, full disks, folders in use."""

import os
import shutil
import signal
import subprocess
import time

from absl.testing import absltest
import numpy as np

from metal_tf.faults import harness
from metal_tf.training import testing

# Mounts a small disk, runs the command there and copies what it left.
_ON_SMALL_DISK = """
mount -t tmpfs -o size={kilobytes}k none {disk} || exit 99
"$@"
status=$?
cp -r {disk}/. {copy}
exit $status
"""


class EndingTest(harness.FaultTestCase):

  def test_f06_signals(self):
    """SIGTERM, Ctrl-C -> last checkpoint, whole logs, 143 or 130, no child"""
    runs = []
    for number, status in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
      for store in ('own', 'reverb'):
        workdir = os.path.join(self.scratch, f'{status}{store}')
        runs.append((number, status, workdir, self.start_small(
            ['slow', 0.01], num_episodes=100000, replay_store=store,
            workdir=workdir, checkpoint_seconds=1000.0, **harness.ANY_AGENT)))
    for number, status, self.workdir, process in runs:
      self.wait_until(lambda: self.num_rows() > 1)
      started = time.monotonic()
      process.send_signal(number)
      ended = self.end(process)
      self.assertLess(time.monotonic() - started, 15.0)
      self.assert_ended(ended, status)
      self.assertNotIn('Traceback', ended.err)
      self.assertIn(f'Stopped by {signal.Signals(number).name}', ended.out)
      self.assert_no_process_left(process)
      self.assertEqual(self.newest().run['episode'], self.num_rows())
      self.assertIsNotNone(self.newest().replay)

  def test_f06_a_signal_leaves_a_run_exact(self):
    """SIGTERM -> the next start goes on exactly"""
    straight = os.path.join(self.scratch, 'straight')
    beside = self.start_small(workdir=straight, num_episodes=8)
    process = self.start_small(['slow', 0.01], num_episodes=8)
    self.wait_until(lambda: self.num_rows() > 2)
    process.send_signal(signal.SIGTERM)
    self.assert_ended(self.end(process), 143)
    self.assert_ended(self.small(num_episodes=8), 0)
    self.assert_ended(self.end(beside), 0)
    self.assert_same_run(straight, self.workdir)

  def test_f06_a_signal_in_a_long_episode(self):
    """SIGTERM, twice, mid-episode -> ends at once, goes on exactly"""
    straight = os.path.join(self.scratch, 'straight')
    beside = self.start_small(workdir=straight, num_episodes=4)
    process = self.start_small(
        ['slow', 0.5, 2 * testing.EPISODE_STEPS], num_episodes=4)
    self.wait_until(lambda: self.num_checkpoints() > 0)
    time.sleep(5)  # Of the 20 s that the next episode takes at least.
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    ended = self.end(process)
    self.assertLess(time.monotonic() - started, 15.0)
    self.assert_ended(ended, 143)
    self.assertIn('after episode 2; the same command again goes on from there.',
                  ended.out)
    self.assertEqual(self.newest().run['episode'], 2)
    self.assert_ended(self.small(num_episodes=4), 0)
    self.assert_ended(self.end(beside), 0)
    self.assert_same_run(straight, self.workdir)

  def test_f06_signals_until_the_process_is_gone(self):
    """SIGTERM, again and again -> the status of the first"""
    # No fork of this test, which has a handler of its own for SIGTERM.
    process = self.start(self.small_command(
        ['slow', 0.01], num_episodes=100000))
    self.wait_until(lambda: self.num_checkpoints() > 0)
    while process.poll() is None:
      process.send_signal(signal.SIGTERM)
      time.sleep(0.001)
    self.assert_ended(self.end(process), 143)

  def test_f07_the_normal_end(self):
    """normal end -> status 0, no child, nothing outside --workdir"""
    processes = [
        self.start_small(
            workdir=os.path.join(self.scratch, store), num_episodes=3,
            replay_store=store, **harness.ANY_AGENT)
        for store in ('own', 'reverb')]
    for process in processes:
      self.assert_ended(self.end(process), 0)
      self.assert_no_process_left(process)
    self.assertEmpty(os.listdir(self.home))
    self.assertCountEqual(os.listdir(self.scratch), ['home', 'own', 'reverb'])

  def test_f14_a_full_disk(self):
    """disk full at save and log -> warnings, goes on, checkpoint intact"""
    command, copy = self._with_little_room(num_episodes=120,
                                           evaluation_period=0)
    ended = self.end(self.start(command))
    self.assertIn('Warning: no checkpoint at episode', ended.out)
    self.assertIn('Over the last 100 training episodes', ended.out)
    self.assertNotIn('Traceback', ended.err)
    self.assert_ended(ended, 1)
    self.assertIn('make room and give the same command again', ended.err)
    saved = self.newest(copy).run['episode']
    self.assertBetween(saved, 2, 119)
    before = self.read('episodes.csv', copy)[
        :self.newest(copy).run['logs']['episodes.csv']]
    ended = self.small(workdir=copy, num_episodes=120, evaluation_period=0)
    self.assert_ended(ended, 0)
    self.assertIn(f'Resumed at episode {saved} ', ended.out)
    self.assertTrue(self.read('episodes.csv', copy).startswith(before))
    np.testing.assert_array_equal(
        self.rows(copy)['episode'], np.arange(1, 121))

  def _with_little_room(self, **config):
    """A run that the disk does not take, and the folder that it will leave.

    On a small disk of its own where the system permits that; else no file can
    grow beyond a size.
    """
    disk, copy = (os.path.join(self.scratch, name) for name in ('disk', 'copy'))
    os.makedirs(disk)
    os.makedirs(copy)
    permitted = subprocess.run(
        ['unshare', '-Urm', 'mount', '-t', 'tmpfs', 'none', disk], check=False,
        capture_output=True).returncode == 0 if shutil.which(
            'unshare') else False
    if not permitted:
      return self.small_command(
          ['no_large_files', 30_000], workdir=copy, **config), copy
    script = _ON_SMALL_DISK.format(kilobytes=450, disk=disk, copy=copy)
    return ['unshare', '-Urm', 'sh', '-c', script, 'sh',
            *self.small_command(workdir=disk, **config)], copy

  def test_f15_a_folder_that_cannot_be_used(self):
    """workdir not writable, or in use -> refused in one sentence, status 2"""
    blocking = os.path.join(self.scratch, 'file')
    with open(blocking, 'w', encoding='utf-8'):
      pass
    ended = self.small(workdir=os.path.join(blocking, 'run'))
    self.assert_ended(ended, 2)
    self.assertRegex(ended.err, '^metal: --workdir: cannot write to .*\n$')
    process = self.start_small(
        ['slow', 0.01], num_episodes=100000, **harness.ANY_AGENT)
    self.wait_until(lambda: self.num_rows() > 0)
    ended = self.small(**harness.ANY_AGENT)
    self.assert_ended(ended, 2)
    self.assertRegex(
        ended.err, f'is in use by a live run .process {process.pid}.')
    process.kill()
    process.communicate()
    # The lock of a killed run is no obstacle.
    self.assert_ended(self.small(
        num_episodes=self.num_rows() + 1, **harness.ANY_AGENT), 0)

  def test_f21_two_runs_at_once(self):
    """two runs at once on one host -> both work"""
    processes = [
        self.start_small(workdir=os.path.join(self.scratch, str(seed)),
                         num_episodes=5, seed=seed, replay_store='reverb',
                         **harness.ANY_AGENT)
        for seed in (0, 1)]
    for process in processes:
      self.assert_ended(self.end(process), 0)


if __name__ == '__main__':
  absltest.main()
