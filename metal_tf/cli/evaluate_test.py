"""Runs `evaluate` and `export` as a user does."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from unittest import mock

from absl.testing import absltest
from absl.testing import flagsaver
from absl.testing import parameterized
import imageio.v2 as imageio
import numpy as np

# Before absl's main, see metal_tf/cli/main.py.
import tensorflow as tf  # noqa: F401

import metal_tf
from metal_tf import config as config_lib
from metal_tf import plant
from metal_tf.agent import agents
from metal_tf.cli import evaluate
from metal_tf.environments import own_testing
from metal_tf.runs import workdir as workdir_lib
from metal_tf.training import run


def _run(launcher, *arguments, **environment):
  """Runs a launcher; MUJOCO_GL is as a user has it, who does not set it."""
  inherited = {name: value for name, value in os.environ.items()
               if name != 'MUJOCO_GL'}
  ended = subprocess.run(
      [sys.executable, '-m', 'metal_tf.cli', launcher, *arguments],
      env={**inherited, 'PYTHONPATH': os.pathsep.join(sys.path),
           **environment}, capture_output=True, text=True, check=False)
  return ended.returncode, ended.stdout, ended.stderr


def _files(folder):
  return sorted(os.path.join(where, name)
                for where, _, names in os.walk(folder) for name in names)


class EvaluateTest(parameterized.TestCase):

  @classmethod
  def setUpClass(cls):
    """An untrained policy: one episode that only fills the replay."""
    super().setUpClass()
    folder = tempfile.mkdtemp()
    cls.addClassCleanup(shutil.rmtree, folder)
    cls.workdir = os.path.join(folder, 'run')
    config = config_lib.Config(
        workdir=cls.workdir, num_episodes=1, policy_layer_sizes=(8, 8),
        critic_layer_sizes=(8, 8), min_replay_size=2000,
        evaluation_period=0, suite='builtin')
    run.train(agents.METAL, config, plant.resolve(config).make)

  def _json(self, path):
    with open(path, encoding='utf-8') as stream:
      return json.load(stream)

  def test_a_run_that_is_still_training(self):
    before = _files(self.workdir)
    lock = workdir_lib.Workdir(self.workdir)  # As the run holds it.
    self.addCleanup(lock.close)
    output = os.path.join(self.create_tempdir().full_path, 'result.json')
    status, out, err = _run(
        'evaluate', f'--workdir={self.workdir}', '--episodes=3',
        f'--output={output}', '--safety_coeff=0.05',
        '--constraints=slider_pos,balance_velocity:0.5', '--threshold=0.1')
    self.assertEqual(status, 0, err)
    self.assertEqual(_files(self.workdir), before)
    result = self._json(output)
    self.assertEqual(result['training_episodes'], 1)
    self.assertEqual(result['safety_coeff'], 0.05)
    self.assertEqual([(c['name'], c['threshold'])
                      for c in result['constraints']],
                     [('slider_pos', 0.1), ('balance_velocity', 0.5)])
    returns = result['each_episode']['return']
    self.assertLen(returns, 3)
    self.assertAlmostEqual(result['return']['value'], np.mean(returns))
    self.assertIn(f'{np.mean(returns):.4f}', out)
    self.assertIn('<= 0.5 [given]: satisfied', out)

  def test_export_by_hand(self):
    folder = self.create_tempdir().full_path
    status, out, err = _run(
        'export', f'--workdir={self.workdir}', '--output=mine',
        BUILD_WORKING_DIRECTORY=folder)
    self.assertEqual(status, 0, err)
    exported = os.path.join(folder, 'mine')
    self.assertIn(exported, out)
    observation = np.linspace(-1, 1, 5)
    np.testing.assert_array_equal(
        metal_tf.load_policy(exported)(observation),
        metal_tf.load_policy(f'{self.workdir}/export')(observation))

  def test_a_film_or_what_to_install_for_it(self):
    folder = self.create_tempdir().full_path
    status, out, err = _run(
        'evaluate', f'--workdir={self.workdir}', '--episodes=1',
        f'--output={folder}/r.json', f'--video={folder}/film.mp4')
    if status == 2:  # No renderer here.
      self.assertIn('libegl1', err)
      self.assertIn('libosmesa6', err)
      self.assertEmpty(os.listdir(folder))
      return
    self.assertEqual(status, 0, err)
    self.assertIn('film.mp4', out)
    with imageio.get_reader(f'{folder}/film.mp4') as reader:
      frames = [np.asarray(frame) for frame in reader]
    self.assertLen(frames, 500)  # 1000 steps of 10 ms, 50 frames a second.
    self.assertGreater(np.ptp(frames[0][:480]), 100)
    self.assertTrue((frames[0] != frames[-1]).any())

  def test_an_own_environment_needs_the_runs_folder_only(self):
    folder = self.create_tempdir().full_path
    path = own_testing.write_plant(folder)
    workdir = f'{folder}/run'
    status, out, err = _run(
        'train', '--environment=push.py:make', '--num_episodes=2',
        '--policy_layer_sizes=8', '--critic_layer_sizes=8', '--noxla',
        '--environment_kwargs={"mass": 2}', f'--workdir={workdir}',
        BUILD_WORKING_DIRECTORY=folder)
    self.assertEqual(status, 0, err)
    self.assertIn(f'MetaL on Push, 2 episodes, seed 0\nMade by: {path}:make, '
                  'with {"mass": 2}\nObservation: 2 numbers, action: 1', out)
    self.assertIn('* energy  <= 0.3 [own]', out)
    with open(path, 'a', encoding='utf-8') as stream:
      stream.write('# more\n')
    for source in (f'--workdir={workdir}', f'--policy={workdir}/export'):
      status, out, err = _run(
          'evaluate', source, '--episodes=2', f'--video={folder}/film.mp4',
          f'--output={folder}/result.json')
      self.assertEqual(status, 0, err)
      self.assertIn('has changed since the run', out)
      self.assertIn('2/2 episodes', out)
      result = self._json(f'{folder}/result.json')
      self.assertEqual(result['each_episode']['return'], [40.0, 40.0])
      self.assertEqual(result['environment'], f'{path}:make')
      with imageio.get_reader(f'{folder}/film.mp4') as reader:
        self.assertLen([frame for frame in reader], 20)  # 10 a second.
    self.assertIn('there is no screen', self._mistake(
        f'--workdir={workdir}', '--video=a.mp4',
        '--environment_kwargs={"render_mode": ""}'))

  @flagsaver.flagsaver
  def _mistake(self, *arguments):
    """Runs `evaluate` in this process; returns what it says."""
    folder = self.create_tempdir().full_path
    with contextlib.redirect_stderr(io.StringIO()) as err:
      with mock.patch.dict(os.environ, BUILD_WORKING_DIRECTORY=folder):
        with mock.patch.object(sys, 'argv', ['evaluate.py', *arguments]):
          with self.assertRaises(SystemExit) as context:
            evaluate.main()
    self.assertEqual(context.exception.code, 2)
    self.assertRegex(err.getvalue(), '^evaluate: .*\n$')
    self.assertEmpty(os.listdir(folder))
    return err.getvalue()

  @parameterized.parameters(
      (['--workdir=nowhere'], 'no folder of a run'),
      (['--policy=nowhere'], 'no exported policy'),
      ([], 'or else --policy'),
      (['--workdir={}', '--constraints=slider'], 'Did you mean slider_pos'),
      (['--workdir={}', '--episodes=0'], '--episodes: got 0, allowed: >= 1'),
      (['--workdir={}', '--video=film.avi'], r'a file called \*.mp4'),
      (['--workdir={}', '--video=a.mp4', '--video_episodes=101'],
       r'--video_episodes: got 101, allowed: in \[1, --episodes=100\]'),
      (['--workdir={}', '--output=no/such/folder.json'], '--output: got'),
      (['--workdir={}', 'cartpole'], "unexpected argument 'cartpole'"),
  )
  def test_mistakes_are_one_sentence_and_status_2(self, arguments, message):
    self.assertRegex(self._mistake(*(
        argument.format(self.workdir) for argument in arguments)), message)

  def test_no_renderer(self):
    with mock.patch.dict(os.environ, MUJOCO_GL='no_such_thing'):
      text = self._mistake(f'--workdir={self.workdir}', '--video=a.mp4')
    self.assertIn('no_such_thing: ', text)
    self.assertIn('libosmesa6', text)

  def test_what_only_the_real_suite_simulates(self):
    other = self.create_tempdir().full_path
    with open(os.path.join(self.workdir, 'config.json'),
              encoding='utf-8') as stream:
      description = json.load(stream)
    description['config']['rwrl_spec'] = '{"combined_challenge": "easy"}'
    with open(os.path.join(other, 'config.json'), 'w',
              encoding='utf-8') as stream:
      json.dump(description, stream)
    self.assertIn('nothing with the builtin suite', self._mistake(
        f'--workdir={other}', '--suite=builtin'))

  def test_no_checkpoint(self):
    other = self.create_tempdir().full_path
    shutil.copy(os.path.join(self.workdir, 'config.json'), other)
    self.assertIn('has no checkpoint yet', self._mistake(f'--workdir={other}'))

  def test_noise_of_a_suite_that_is_not_here(self):
    other = self.create_tempdir().full_path
    content = self._json(os.path.join(self.workdir, 'config.json'))
    content['config']['rwrl_spec'] = '{"combined_challenge": "easy"}'
    with open(os.path.join(other, 'config.json'), 'w',
              encoding='utf-8') as stream:
      json.dump(content, stream)
    # Before anything is loaded; the spec is the run's, not evaluate's.
    self.assertIn('rwrl_spec: got \'{"combined_challenge": "easy"}\', allowed: '
                  'nothing with the builtin suite',
                  self._mistake(f'--workdir={other}'))


if __name__ == '__main__':
  absltest.main()
