"""Runs the sweep as a user does: two tiny runs, killed and resumed."""

import glob
import os
import signal
import subprocess
import sys
import time

from absl.testing import absltest
from absl.testing import parameterized

from metal_tf.runs import log_tables
from metal_tf.runs import run_folder
from metal_tf.sweep import record

# So many that none finishes while the other one still starts.
_EPISODES = 32
_SMALL = ('--policy_layer_sizes=8,8', '--critic_layer_sizes=8,8', '--noxla',
          '--batch_size=32', '--samples_per_insert=1', '--suite=builtin')
_GRID = ('--algorithms=metal:meta_optimizer=adam,rs_d4pg:0.5',
         '--domains=cartpole', '--safety_coeffs=0.3', '--thresholds=0.115',
         '--seeds=3')
_NAMES = ('metal-meta_optimizer=adam-cartpole-0.3-beta0.115-seed3',
          'rs_d4pg-0.5-cartpole-0.3-beta0.115-seed3')


def _start(*arguments, directory='.'):
  return subprocess.Popen(
      [sys.executable, '-m', 'metal_tf.cli', 'sweep', *arguments],
      env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path),
           'BUILD_WORKING_DIRECTORY': directory},
      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _run(*arguments, directory='.'):
  process = _start(*arguments, directory=directory)
  out, err = process.communicate()
  return process.returncode, out, err


class WrongFlagsTest(parameterized.TestCase):

  @parameterized.parameters(
      ([], "--workdir: got '', allowed: a folder for the sweep"),
      (['--jobs=0'], '--jobs: got 0, allowed: >= 1'),
      (['--domain=walker'], "'domain'. Did you mean: domains"),
      (['--algorithms=metal,metla'], 'Did you mean metal?'),
      (['--suite=builtin', '--rwrl_spec={"combined_challenge": "easy"}'],
       'nothing with the builtin suite'),
      (['--critic_lr=-1'], '--critic_lr: got -1.0, allowed: >= 0'),
      (['--lp_launch_type=vertex_ai'], 'the lines of --dry_run'),
      (['--replay_store=own', '--num_actors=2'], "--replay_store: got 'own'"),
      (['--deterministic'], '--deterministic is gone: every run of one'),
  )
  def test_one_sentence_and_status_2(self, arguments, message):
    directory = self.create_tempdir().full_path
    if arguments:
      arguments = ['--workdir=here', *arguments]
    status, out, err = _run(*arguments, directory=directory)
    self.assertEqual(status, 2)
    self.assertIn(message, err)
    self.assertNotIn('Traceback', err)
    self.assertEmpty(out)
    self.assertEmpty(os.listdir(directory))


class ClusterTest(absltest.TestCase):

  def test_lines_for_a_cluster_come_without_any_run_here(self):
    directory = self.create_tempdir().full_path
    status, out, err = _run(
        '--workdir=here', '--dry_run', '--lp_launch_type=vertex_ai',
        '--num_actors=32', directory=directory)
    self.assertEqual(status, 0, err)
    self.assertIn('cannot be measured on this one', err)
    lines = out.splitlines()
    self.assertLen(lines, 2688)
    for line in lines:
      self.assertIn(' --num_actors=32 ', line)
      self.assertEndsWith(line, ' --lp_launch_type=vertex_ai')
    self.assertEmpty(os.listdir(directory))


class SweepTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self._root = self.create_tempdir().full_path

  def _has_checkpoint(self, name):
    return bool(glob.glob(
        os.path.join(self._root, name, 'checkpoints', 'episode-*[0-9]')))

  def test_a_sweep_killed_in_the_middle_goes_on_with_the_same_command(self):
    command = ('--workdir=.', '--jobs=2', f'--num_episodes={_EPISODES}', *_GRID,
               *_SMALL, '--checkpoint_seconds=0')
    process = _start(*command, directory=self._root)
    deadline = time.monotonic() + 120
    while not all(map(self._has_checkpoint, _NAMES)):
      self.assertLess(time.monotonic(), deadline)
      self.assertIsNone(process.poll())
      time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    # No job trains on: each lock is free, and stays so.
    while any(run_folder.read(os.path.join(self._root, name)).status ==
              run_folder.RUNNING for name in _NAMES):
      self.assertLess(time.monotonic(), deadline)
      time.sleep(0.02)
    for name in _NAMES:
      log = log_tables.read(os.path.join(self._root, name))
      self.assertLess(len(log['episode']), _EPISODES)

    status, out, err = _run(*command, directory=self._root)
    self.assertEqual((status, err), (0, ''), out)
    self.assertIn('2 of 2 runs have finished', out)
    entries = record.read(self._root)
    self.assertEqual([entry.name for entry in entries], list(_NAMES))
    for entry in entries:
      self.assertEqual(entry.status, record.FINISHED)
      self.assertEqual(entry.attempts, 2)
      run = run_folder.read(os.path.join(self._root, entry.name))
      self.assertEqual(run.status, run_folder.FINISHED)
      self.assertLen(run.sessions, 2)
      self.assertGreater(run.sessions[1]['resumed_at_episode'], 0)
      with open(os.path.join(self._root, 'logs', f'{entry.name}.log'),
                encoding='utf-8') as stream:
        self.assertIn('Resumed at episode', stream.read())
    self.assertEqual(entries[0].settings['meta_optimizer'], 'adam')
    self.assertEqual(run.config['lagrange_multiplier'], 0.5)

    # Nothing is left to be run or measured: the lines alone, at once.
    status, out, err = _run('--dry_run', *command, directory=self._root)
    self.assertEqual(status, 0, err)
    self.assertIn('estimated cost: 0s', err)
    for line, name in zip(out.splitlines(), _NAMES):
      self.assertStartsWith(line, 'PYTHONPATH=')
      self.assertIn(f' --workdir={self._root}/{name} ', line)
    self.assertLen(out.splitlines(), 2)
    # A line of them is a command of its own, which here finds its run done.
    line = subprocess.run(out.splitlines()[1], shell=True, check=True,
                          capture_output=True, text=True)
    self.assertIn(f'Resumed at episode {_EPISODES}', line.stdout)


if __name__ == '__main__':
  absltest.main()
