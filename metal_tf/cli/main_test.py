"""Runs the launchers as a user does: processes, flags, exit statuses."""

import json
import os
import signal
import subprocess
import sys
import time
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized

from metal_tf import config as config_lib
from metal_tf.agent.agents import METAL
from metal_tf.cli import main
from metal_tf.environments import own_testing
from metal_tf.runs import run_folder

_SMALL = ('--policy_layer_sizes=8,8', '--critic_layer_sizes=8,8', '--noxla',
          '--batch_size=32', '--samples_per_insert=1', '--suite=builtin')


def _start(launcher, *arguments, **environment):
  return subprocess.Popen(
      [sys.executable, '-m', 'metal_tf.cli', launcher, *arguments],
      env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path),
           **environment},
      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _run(launcher, *arguments, **environment):
  process = _start(launcher, *arguments, **environment)
  out, err = process.communicate()
  return process.returncode, out, err


class WrongFlagsTest(parameterized.TestCase):

  @parameterized.parameters(
      (['--domain=cartpol'], '--domain: got .cartpol.*Did you mean cartpole'),
      (['--safety_coef=0.3'], "'safety_coef'.*Did you mean: safety_coeff"),
      (['--seed=x'], '--seed=x'),
      (['--safety_coeff=2'], r'--safety_coeff: got 2.0, allowed: in \[0, 1\]'),
      (['--constraints=slider_position'], 'Did you mean slider_pos'),
      (['--policy_layer_sizes=a'], '--policy_layer_sizes: got a'),
      (['quadruped'], "unexpected argument 'quadruped'"),
      (['--batch_size=2000000'], 'at most --replay_capacity=1000000'),
      (['--suite=builtin', '--rwrl_spec={"combined_challenge": "easy"}'],
       'nothing with the builtin suite'),
      (['--environment=no.py:make'], 'there is no file /.*/no.py'),
      ([f'--environment={__file__}:no'], "has no function 'no'"),
  )
  def test_one_sentence_and_status_2(self, arguments, message):
    directory = self.create_tempdir().full_path
    status, _, err = _run(
        'metal', *arguments, BUILD_WORKING_DIRECTORY=directory)
    self.assertEqual(status, 2)
    self.assertNotIn('Traceback', err)
    self.assertRegex(err, message)
    self.assertEmpty(os.listdir(directory))

  def test_rs_d4pg_needs_its_multiplier(self):
    status, _, err = _run('rs_d4pg')
    self.assertEqual(status, 2)
    self.assertIn('The paper uses 0.1, 1, 10 and 100', err)


class DefaultWorkdirTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self._here = self.create_tempdir().full_path
    self.enter_context(mock.patch.dict(
        os.environ, BUILD_WORKING_DIRECTORY=self._here))

  def _name(self, **settings):
    path = main.with_workdir(config_lib.Config(**settings), METAL).workdir
    self.assertEqual(os.path.dirname(path), os.path.join(self._here, 'runs'))
    return os.path.basename(path)

  def _saved(self, name, **settings):
    """A folder as a run of some settings leaves it."""
    os.makedirs(os.path.join(self._here, 'runs', name))
    with open(os.path.join(self._here, 'runs', name, 'config.json'), 'w',
              encoding='utf-8') as stream:
      json.dump({'algorithm': 'metal', 'suite': 'builtin', 'constraints': [],
                 'environment': {}, 'config': settings}, stream)

  @parameterized.parameters(
      (dict(), ''), (dict(replay='prioritized'), '-replay=prioritized'),
      (dict(outer_loss='actor', critic='scalar'),
       '-critic=scalar-outer_loss=actor'),
      (dict(preset='small'), '-preset=small'))
  def test_what_is_not_the_default_is_in_the_name(self, settings, expected):
    self.assertEqual(
        self._name(safety_coeff=0.1, threshold=0.2, **settings),
        f'metal-cartpole-0.1{expected}-beta0.2-seed0')

  def test_an_own_environment_names_it(self):
    self.assertEqual(
        self._name(environment='/plants/push.py:make', replay='prioritized',
                   environment_kwargs='{"mass": 2.5}'),
        'metal-push.make-mass=2.5-replay=prioritized-seed0')

  def test_a_run_of_the_older_name_goes_on_there(self):
    older = 'metal-cartpole-0.3-seed0'
    # A setting that its version did not have yet is not there.
    self._saved(older, replay='prioritized', seed=0, num_episodes=3)
    self.assertEqual(self._name(replay='prioritized'), older)
    self.assertEqual(self._name(replay='prioritized', discount=0.9),
                     'metal-cartpole-0.3-replay=prioritized-seed0')
    self._saved('metal-cartpole-0.3-replay=prioritized-seed0')
    self.assertEqual(self._name(replay='prioritized'),
                     'metal-cartpole-0.3-replay=prioritized-seed0')

  @parameterized.parameters('{', '[]', '{}', '{"config": 3}')
  def test_what_is_no_run_is_none_to_go_on_with(self, text):
    path = os.path.join(self._here, 'runs', 'metal-cartpole-0.3-seed0')
    os.makedirs(path)
    with open(os.path.join(path, 'config.json'), 'w',
              encoding='utf-8') as stream:
      stream.write(text)
    self.assertEqual(self._name(critic='scalar'),
                     'metal-cartpole-0.3-critic=scalar-seed0')

  def test_a_folder_that_was_given_stays(self):
    config = main.with_workdir(
        config_lib.Config(workdir='x', replay='prioritized'), METAL)
    self.assertEqual(config.workdir, os.path.join(self._here, 'x'))


class LauncherTest(parameterized.TestCase):

  @parameterized.parameters(
      ('metal', ()), ('mesh', ()), ('rs_d4pg', ('--lagrange_multiplier=0.5',)))
  def test_trains_and_tells(self, launcher, more):
    directory = self.create_tempdir().full_path
    status, out, err = _run(
        launcher, '--num_episodes=2', '--workdir=here', *_SMALL, *more,
        BUILD_WORKING_DIRECTORY=directory)
    self.assertEqual(status, 0, err)
    self.assertNotIn('Traceback', err)
    self.assertIn('* balance_velocity  <= 0.115 [paper]', out)
    self.assertIn('slider_accel      not used', out)
    self.assertIn('It trains for 2 episodes, and after every 10 of them one '
                  'without exploration noise.\nHow long that takes is', out)
    self.assertIn('another terminal:\n  ./bazelw run //launchers:watch -- '
                  f'--workdir={directory}/here\n', out)
    self.assertIn('Over the last 2 training episodes', out)
    self.assertEqual(out.splitlines()[-1].strip(),
                     './bazelw run //launchers:evaluate -- '
                     f'--workdir={directory}/here --episodes=10 '
                     f'--video={directory}/here/policy.mp4')
    self.assertEqual(os.listdir(directory), ['here'])
    with open(os.path.join(directory, 'here', 'summary.json'),
              encoding='utf-8') as stream:
      summary = json.load(stream)
    self.assertEqual(summary['algorithm'], launcher)
    self.assertGreater(summary['learner_steps'], 0)

  @parameterized.parameters('local_mp', 'local_mt')
  def test_an_own_environment_with_workers(self, launch_type):
    directory = self.create_tempdir().full_path
    path = own_testing.write_plant(directory)
    small = [flag for flag in _SMALL if not flag.startswith('--suite')]
    status, out, err = _run(
        'rc_d4pg', '--environment=push.py:make', '--num_episodes=4', *small,
        '--environment_kwargs={"mass": 2}', '--num_actors=2',
        f'--lp_launch_type={launch_type}', '--workdir=run',
        '--min_replay_size=32', BUILD_WORKING_DIRECTORY=directory)
    self.assertEqual(status, 0, err)
    self.assertIn('RC-D4PG on Push, 4 episodes', out)
    run = run_folder.read(f'{directory}/run')
    self.assertEqual(run.num_episodes, 4)
    self.assertEqual(set(run.episodes['episode_return']), {40.0})
    self.assertEqual(run.config['environment'], f'{path}:make')
    self.assertCountEqual(os.listdir(directory), ['push.py', 'run'])

  def test_another_configuration_is_refused_without_traceback(self):
    directory = self.create_tempdir().full_path
    arguments = ('--num_episodes=1', f'--workdir={directory}', *_SMALL)
    self.assertEqual(_run('d4pg', *arguments)[0], 0)
    status, _, err = _run('d4pg', *arguments, '--discount=0.9')
    self.assertEqual(status, 2)
    self.assertNotIn('Traceback', err)
    self.assertIn('discount=0.99, this one discount=0.9', err)

  def test_control_c_ends_with_a_checkpoint_and_status_130(self):
    directory = self.create_tempdir().full_path
    # On a busy machine the episode need not end in the time that it has.
    process = _start('d4pg', '--num_episodes=100000', '--checkpoint_seconds=0',
                     f'--workdir={directory}', *_SMALL)
    deadline = time.monotonic() + 120
    log = os.path.join(directory, 'episodes.csv')
    # pylint: disable-next=consider-using-with
    while not (os.path.exists(log) and len(open(log, encoding='utf-8')
                                           .readlines()) > 2):
      self.assertLess(time.monotonic(), deadline)
      time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    self.assertEqual(process.returncode, 130, err)
    self.assertNotIn('Traceback', err)
    self.assertNotEmpty(os.listdir(os.path.join(directory, 'checkpoints')))


if __name__ == '__main__':
  absltest.main()
