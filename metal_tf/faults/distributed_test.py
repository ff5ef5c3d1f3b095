"""Runs of several workers: who dies, who goes on, how it ends."""

import os
import re
import signal
import time
from unittest import mock

from absl.testing import absltest
import numpy as np

from metal_tf.faults import harness
from metal_tf.policy import description
from metal_tf.training import testing

_PROCESSES = 'local_mp'
_THREADS = 'local_mt'
_MANY = 1_000_000  # Episodes of a run that is stopped by something else.


class DistributedTest(harness.FaultTestCase):

  def _start(self, *arguments, launch_type=_PROCESSES, num_actors=1, **config):
    settings = dict(harness.ANY_AGENT, launch_type=launch_type,
                    num_actors=num_actors)
    return self.start_small(*arguments, **{**settings, **config})

  def _workers(self, process):
    """Waits until all workers are there; returns their processes by name."""
    for line in process.stdout:
      if line.startswith('Processes: '):
        return {name: int(pid)
                for name, pid in re.findall(r'([a-z]+(?: \d+)?) (\d+)', line)}
    self.fail(f'the run ended before it began: {process.stderr.read()}')

  def _kill(self, pid):
    os.kill(pid, signal.SIGKILL)

  def _run_out(self, num_episodes, **config):
    """Goes on with the run to its end."""
    return self._end_whole(
        self._start(num_episodes=num_episodes, **config), num_episodes)

  def _end_whole(self, process, num_episodes):
    """Waits for a run's normal end; the rows are whole then."""
    ended = self.end(process)
    self.assert_ended(ended, 0)
    np.testing.assert_array_equal(
        self.rows()['episode'], np.arange(1, num_episodes + 1))
    self.assert_no_process_left(process)
    return ended

  def test_f01_the_learner_is_killed(self):
    """SIGKILL the learner's process -> all stop; the next start goes on"""
    process = self._start(num_episodes=_MANY, algorithm='metal')
    workers = self._workers(process)
    self.wait_until(lambda: self.num_checkpoints() > 1)
    self._kill(workers['learner'])
    ended = self.end(process, 30)
    self.assert_ended(ended, 1)
    self.assertRegex(ended.err, '^metal: learner died')
    self.assert_no_process_left(process)
    newest = self.newest()
    kept = self.read('episodes.csv')[:newest.run['logs']['episodes.csv']]
    steps = int(newest.learner['counts/0'])
    ended = self._run_out(newest.run['episode'] + 20, algorithm='metal')
    self.assertIn(f'Resumed at episode {newest.run["episode"]} ', ended.out)
    self.assertTrue(self.read('episodes.csv').startswith(kept))
    self.assertGreater(self.newest().learner['counts/0'], steps)
    # Rows continue the learner's count, not a new one.
    self.assertGreaterEqual(
        self.rows()['learner_steps'][newest.run['episode']], steps)

  def test_f01_the_launcher_is_killed(self):
    """SIGKILL the launching process -> no worker is left within 15 s"""
    process = self._start(num_episodes=_MANY)
    self._workers(process)
    self._kill(process.pid)
    process.wait()
    self.wait_until(lambda: not harness.session(process.pid), 15)

  def test_f06_signals(self):
    """SIGTERM, Ctrl-C with workers -> checkpoint, 143 or 130, no child, 15 s"""
    for number, status in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
      runs = []
      for launch_type in (_PROCESSES, _THREADS):
        workdir = os.path.join(self.scratch, f'{launch_type}{status}')
        runs.append((workdir, self._start(
            num_episodes=_MANY, launch_type=launch_type, workdir=workdir,
            num_actors=2, checkpoint_seconds=1000.0)))
      for self.workdir, process in runs:
        self._workers(process)
        self.wait_until(lambda: self.num_rows() > 2)
        started = time.monotonic()
        # A terminal signals all processes of the session.
        os.killpg(process.pid, number)
        ended = self.end(process)
        self.assertLess(time.monotonic() - started, 15.0)
        self.assert_ended(ended, status)
        self.assertIn(f'Stopped by {signal.Signals(number).name}', ended.out)
        self.assertNotIn('killed now', ended.out)
        self.assert_no_process_left(process)
        newest = self.newest()
        self.assertEqual(newest.run['episode'], self.num_rows())
        self.assertIsNotNone(newest.replay)

  def test_f07_the_normal_end(self):
    """normal end with workers -> status 0, no child, nothing outside, n rows"""
    launched = {
        launch_type: self._start(
            workdir=os.path.join(self.scratch, launch_type), num_episodes=23,
            launch_type=launch_type, num_actors=4, algorithm='metal')
        for launch_type in (_PROCESSES, _THREADS)}
    for launch_type, process in launched.items():
      self.workdir = os.path.join(self.scratch, launch_type)
      self._end_whole(process, 23)
      self.assertEqual(self.summary()['episodes'], 23)
      np.testing.assert_array_equal(self.rows(evaluations=True)['episode'],
                                    [10, 20])
      self.assertNotIn('replay-', ''.join(os.listdir(self.workdir)))
      self.assertEqual(description.read(os.path.join(
          self.workdir, 'export'))['training']['summary'], self.summary())
    self.assertEmpty(os.listdir(self.home))

  def test_f06_a_signal_though_nobody_reads(self):
    """SIGTERM, output's reader gone -> as ever: checkpoint, 143, no child"""
    runs = []
    for launch_type in (_PROCESSES, _THREADS):
      workdir = os.path.join(self.scratch, launch_type)
      runs.append((workdir, self._start(
          num_episodes=_MANY, launch_type=launch_type, workdir=workdir,
          forked=False)))  # It is about what the interpreter does at its end.
    for self.workdir, process in runs:
      self._workers(process)
      process.stdout.close()
      process.stderr.close()
      self.wait_until(lambda: self.num_rows() > 2)
      process.send_signal(signal.SIGTERM)
      self.assertEqual(process.wait(harness.SECONDS), 143)
      self.assert_no_process_left(process)
      self.assertEqual(self.newest().run['episode'], self.num_rows())

  def test_f07_the_end_waits_for_a_slow_disk(self):
    """the logs' disk is slow at the end -> it is waited for, 0, all there"""
    ended = self._run_out(4, fault=['slow_counter', 6.0],
                          launch_type=_THREADS, checkpoint_seconds=1000.0)
    self.assertNotIn('Warning', ended.out)
    self.assertEqual(self.newest().run['episode'], 4)
    self.assertEqual(self.newest().replay_episode, 4)
    self.assertEqual(self.summary()['episodes'], 4)
    self.assertTrue(os.path.isdir(os.path.join(self.workdir, 'export')))

  def test_f14_no_last_checkpoint(self):
    """the last checkpoint cannot be written -> status 1, says what is left"""
    # No checkpoint but the last: one at episode 6 would be all that is needed.
    ended = self.end(self._start(
        ['no_last_checkpoint'], launch_type=_THREADS, num_episodes=6,
        checkpoint_seconds=1000.0))
    self.assert_ended(ended, 1)
    self.assertEqual(self.num_checkpoints(), 0)
    self.assertIn('the run did not leave the last checkpoint (the newest has '
                  '0 of 6 episodes; those behind it are lost)', ended.err)
    self.assertNotIn('Traceback', ended.err)

  def test_f08_an_actor_is_killed(self):
    """SIGKILL one of 4 actors -> training goes on; logged and counted"""
    process = self._start(['slow', 0.005], num_actors=4, num_episodes=60)
    workers = self._workers(process)
    self.wait_until(lambda: self.num_rows() > 4)
    self._kill(workers['actor 2'])
    ended = self.end(process)
    self.assert_ended(ended, 0)
    self.assertRegex(ended.out, 'Warning: actor 2 died and was started again')
    self.assertEqual(self.summary()['actor_restarts'], 1)
    self.assertLen(self.rows()['episode'], 60)

  def test_f09_the_replay_is_killed(self):
    """SIGKILL the replay -> stops within 30 s, named, not 0; next resumes"""
    process = self._start(num_episodes=_MANY)
    workers = self._workers(process)
    self.wait_until(lambda: self.num_checkpoints() > 0)
    started = time.monotonic()
    self._kill(workers['replay'])
    ended = self.end(process)
    self.assertLess(time.monotonic() - started, 30.0)
    self.assert_ended(ended, 1)
    self.assertRegex(ended.err, '^d4pg: replay died')
    self.assert_no_process_left(process)
    # Killed again, before this session has saved its replay.
    process = self._start(num_episodes=_MANY, checkpoint_seconds=1000.0)
    workers = self._workers(process)
    self._kill(workers['replay'])
    self.assert_ended(self.end(process), 1)
    self.assertIsNotNone(self.newest().replay)
    ended = self._run_out(self.newest().run['episode'] + 10)
    self.assertIn('Resumed at episode', ended.out)
    self.assertNotIn('fills again', ended.out)

  def test_f10_the_learner_raises(self):
    """the learner raises -> its traceback is the last on the screen, not 0"""
    processes = [
        self._start(
            broken=True, num_episodes=_MANY, launch_type=launch_type,
            workdir=os.path.join(self.scratch, launch_type))
        for launch_type in (_PROCESSES, _THREADS)]
    for process in processes:
      ended = self.end(process)
      self.assert_ended(ended, 1)
      self.assertEqual(ended.err.strip().splitlines()[-1],
                       'RuntimeError: the learner was made to fail')
      self.assertIn('Everything else was stopped', ended.err)
      self.assert_no_process_left(process)

  def test_f11_bad_output_in_an_actor(self):
    """NaN in an actor's observation -> named error, all stop, not 0"""
    process = self._start(['bad_output', 50, 'observation', [np.nan, 1, 0]],
                          num_episodes=_MANY)
    ended = self.end(process)
    self.assert_ended(ended, 1)
    self.assertIn('d4pg: actor', ended.err)
    self.assertRegex(ended.err.strip().splitlines()[-1],
                     'BadEnvironmentOutput: .*observation')

  def test_f12_a_simulator_that_gives_up(self):
    """PhysicsError in actors -> episode cut, counted; training goes on"""
    ended = self.end(
        self._start(['physics_error', 50], num_episodes=10, num_actors=2))
    self.assert_ended(ended, 0)
    self.assertIn('Episode cut', ended.out)
    # One in each actor that got so far.
    self.assertBetween(self.summary()['cut_episodes'], 1, 2)

  def test_f19_a_slow_actor(self):
    """actor 100 times slower than the learner -> no deadlock, ratio kept"""
    process = self._start(['slow', 0.1, testing.EPISODE_STEPS], 'paced',
                          num_actors=1, num_episodes=4, evaluation_period=0)
    self.assert_ended(self.end(process), 0)
    # 4 samples per insertion beyond the first 40, in batches of 16, within the
    # limiter's window of 148 samples. On a busy machine 8 batches may be on
    # their way to the learner, and 40 insertions to the replay.
    self.assertBetween(
        self.rows()['learner_steps'][-1], 30 - 10 - 8 - 10, 30 + 10)

  def test_f19_actors_that_are_stuck(self):
    """no actor moves any more -> a line says who waits, then a clean stop"""
    process = self._start(['stuck', 60], num_episodes=_MANY,
                          stall_seconds=15.0)
    ended = self.end(process)
    self.assert_ended(ended, 1)
    self.assertRegex(ended.out, 'nothing has moved for [0-9]+ s: .*actor 0')
    self.assertRegex(ended.err, 'nothing has moved')
    self.assert_no_process_left(process)
    self.assertGreater(self.newest().run['episode'], 0)

  def test_f21_two_runs_at_once(self):
    """two runs with workers at once, dead http_proxy set -> both work"""
    self.enter_context(mock.patch.dict(
        os.environ, http_proxy='http://127.0.0.1:9'))
    for name in ('no_proxy', 'no_grpc_proxy'):
      os.environ.pop(name, None)
    processes = [
        self._start(workdir=os.path.join(self.scratch, str(seed)),
                    num_episodes=5, seed=seed, num_actors=1, forked=False)
        for seed in (0, 1)]
    for process in processes:
      self.assert_ended(self.end(process), 0)

  def test_other_forms_go_on_with_a_run(self):
    chains = {os.path.join(self.scratch, '-'.join(forms)): forms for forms in (
        (_PROCESSES, ''), ('', _THREADS), (_THREADS, _PROCESSES))}
    for number in (1, 2):
      processes = {
          workdir: self.start_small(
              launch_type=forms[number - 1], workdir=workdir,
              num_episodes=4 * number)
          for workdir, forms in chains.items()}
      for workdir, process in processes.items():
        ended = self.end(process)
        self.assert_ended(ended, 0)
        if number == 2:
          self.assertIn('Resumed at episode 4 ', ended.out)
          np.testing.assert_array_equal(
              self.rows(workdir)['episode'], np.arange(1, 9))


if __name__ == '__main__':
  absltest.main()
