"""Runs `evaluate` and `export` as a user does."""

import json
import os
import subprocess
import sys

from absl.testing import absltest
from absl.testing import parameterized
import imageio.v2 as imageio
import numpy as np

from launchers import main
from metal_tf import algorithm
from metal_tf import config as config_lib
from metal_tf import validation
from metal_tf.experiment import run
from metal_tf.experiment import workdir as workdir_lib

_HERE = os.path.dirname(os.path.abspath(__file__))


def _run(launcher, *arguments, **environment):
  """Runs a launcher; MUJOCO_GL is as a user has it, who does not set it."""
  inherited = {name: value for name, value in os.environ.items()
               if name != 'MUJOCO_GL'}
  ended = subprocess.run(
      [sys.executable, os.path.join(_HERE, f'{launcher}.py'), *arguments],
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
    cls.workdir = os.path.join(absltest.get_default_test_tmpdir(), 'evaluated')
    config = config_lib.Config(
        workdir=cls.workdir, num_episodes=1, policy_layer_sizes=(8, 8),
        critic_layer_sizes=(8, 8), min_replay_size=2000, deterministic=True,
        evaluation_period=0, suite='builtin')
    task = validation.resolve_task(config)
    run.train(algorithm.METAL, config, lambda seed: main.make_environment(
        config, task, 'builtin', seed))

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

  def test_the_export_is_the_same_policy(self):
    folder = self.create_tempdir().full_path
    exported = os.path.join(folder, 'mine')
    status, out, err = _run(
        'export', f'--workdir={self.workdir}', '--output=mine',
        BUILD_WORKING_DIRECTORY=folder)
    self.assertEqual(status, 0, err)
    self.assertIn(exported, out)
    results = []
    for source in (f'--workdir={self.workdir}', f'--policy={exported}'):
      status, _, err = _run(
          'evaluate', source, '--episodes=2', '--output=result.json',
          BUILD_WORKING_DIRECTORY=folder)
      self.assertEqual(status, 0, err)
      results.append(self._json(os.path.join(folder, 'result.json')))
    np.testing.assert_allclose(
        results[0]['each_episode']['return'],
        results[1]['each_episode']['return'], rtol=1e-4)

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

  def test_no_renderer(self):
    folder = self.create_tempdir().full_path
    status, _, err = _run(
        'evaluate', f'--workdir={self.workdir}', f'--video={folder}/a.mp4',
        MUJOCO_GL='no_such_thing')
    self.assertEqual(status, 2)
    self.assertNotIn('Traceback', err)
    self.assertIn('no_such_thing', err)
    self.assertIn('libosmesa6', err)
    self.assertEmpty(os.listdir(folder))

  @parameterized.parameters(
      (['--workdir=nowhere'], 'no folder of a run'),
      (['--policy=nowhere'], 'no exported policy'),
      ([], 'or else --policy'),
      (['--workdir={}', '--constraints=slider'], 'Did you mean slider_pos'),
      (['--workdir={}', '--episodes=0'], '--episodes: got 0, allowed: >= 1'),
      (['--workdir={}', '--video=film.avi'], r'a file called \*.mp4'),
      (['--workdir={}', '--output=no/such/folder.json'], '--output: got'),
      (['--workdir={}', 'cartpole'], "unexpected argument 'cartpole'"),
  )
  def test_mistakes_are_one_sentence_and_status_2(self, arguments, message):
    status, _, err = _run(
        'evaluate', *(argument.format(self.workdir) for argument in arguments),
        BUILD_WORKING_DIRECTORY=self.create_tempdir().full_path)
    self.assertEqual(status, 2, err)
    self.assertNotIn('Traceback', err)
    self.assertRegex(err, message)

  def test_no_checkpoint(self):
    other = self.create_tempdir().full_path
    with open(os.path.join(self.workdir, 'config.json'), 'rb') as stream:
      content = stream.read()
    with open(os.path.join(other, 'config.json'), 'wb') as stream:
      stream.write(content)
    for launcher in ('evaluate', 'export'):
      status, _, err = _run(launcher, f'--workdir={other}')
      self.assertEqual(status, 2)
      self.assertNotIn('Traceback', err)
      self.assertIn('has no checkpoint yet', err)


if __name__ == '__main__':
  absltest.main()
