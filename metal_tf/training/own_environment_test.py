"""Runs on a user's own environment, from a user's own program."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import dm_env
from dm_env import specs
import numpy as np

from metal_tf import validation
from metal_tf.agent import agents
from metal_tf.environments import constraint
from metal_tf.environments import errors
from metal_tf.environments import testing as environments_testing
from metal_tf.environments import wrapper
from metal_tf.policy import load
from metal_tf.runs import log_tables
from metal_tf.runs import run_folder
from metal_tf.runs import workdir as workdir_lib
from metal_tf.training import export
from metal_tf.training import run
from metal_tf.training import seeding
from metal_tf.training import testing

_RIGHT = constraint.Constraint.of_time_step(
    'right', lambda step: step.observation[0] > 0, 0.2)


class Jumper(dm_env.Environment):
  """A point that jumps about; without `steps` its episodes never end."""

  def __init__(self, seed=0, steps=5, bound=1.0):
    self._rng = np.random.default_rng(seed)
    self._steps, self._bound, self._t = steps, bound, 0
    self.closed = False

  def reseed(self, seed):
    self._rng = np.random.default_rng(seed)

  def reset(self):
    if self.closed:
      raise RuntimeError('used after close()')
    self._t = 0
    return dm_env.restart(self._rng.uniform(-1, 1, 2))

  def step(self, action):
    self._t += 1
    observation = self._rng.uniform(-1, 1, 2)
    if self._t == self._steps:
      return dm_env.truncation(1.0, observation, 1.0)
    return dm_env.transition(1.0, observation)

  def observation_spec(self):
    return specs.Array((2,), np.float64, 'where')

  def action_spec(self):
    return specs.BoundedArray((1,), np.float32, -self._bound, self._bound)

  def close(self):
    self.closed = True


def _make(seed, constraints=(_RIGHT,), name=None, **kwargs):
  return wrapper.ConstrainedEnvironment(
      Jumper(seed, **kwargs), constraints, name=name)


class OwnEnvironmentTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self._folder = self.create_tempdir().full_path

  def _train(self, make=_make, **changes):
    """A run that never learns; returns the lines it showed."""
    settings = dict(num_episodes=1, min_replay_size=1000, evaluation_period=0)
    config = testing.small_config(self._folder, **{**settings, **changes})
    lines = []
    with mock.patch.object(
        run.progress_lib.Progress, 'note', lambda _, text: lines.append(text)):
      run.train(agents.METAL, config, make)
    return '\n'.join(lines)

  @parameterized.named_parameters(
      ('bounds', dict(bound=5.0), r'action_minimum=\[-1.0\], .*\[-5.0\]'),
      ('name', dict(name='reactor'),
       "environment='Jumper', this one environment='reactor'"),
      ('constraint', dict(constraints=[constraint.Constraint.of_time_step(
          'left', lambda _: False, 0.2)]), 'constrained=.*right.*left'))
  def test_another_task_does_not_resume_a_run(self, changes, message):
    self._train()
    with self.assertRaisesRegex(workdir_lib.WorkdirError, message):
      self._train(lambda seed: _make(seed, **changes), num_episodes=2)
    self._train(num_episodes=2)

  def test_a_run_from_before_tasks_had_names_resumes(self):
    self._train()
    path = os.path.join(self._folder, 'config.json')
    with open(path, encoding='utf-8') as stream:
      described = json.load(stream)
    del described['environment']['name'], described['interface']
    with open(path, 'w', encoding='utf-8') as stream:
      json.dump(described, stream)
    self._train(num_episodes=2)
    self.assertEqual(run_folder.read(self._folder).num_episodes, 2)
    self.assertStartsWith(run_folder.read(self._folder).own_task, 'Jumper (')

  def test_episodes_that_never_end_are_cut(self):
    text = self._train(
        lambda seed: _make(seed, steps=None), feasibility_episodes=1,
        evaluation_period=1, num_episodes=2, max_episode_steps=30)
    self.assertIn('does not say how long its episodes are: one that has not '
                  'ended after 30 steps is cut', text)
    self.assertIn('Episodes of the zero policy did not end by themselves', text)
    self.assertEqual(text.count('had not ended after 30 steps and was cut'), 1)
    rows = log_tables.read(self._folder)
    np.testing.assert_array_equal(rows['actor_steps'], [30, 60])
    np.testing.assert_array_equal(rows['episode_return'], [30, 30])

  def test_so_are_composers(self):
    text = self._train(
        lambda seed: (environments_testing.endless_pendulum(), [
            constraint.Constraint.of_physics('up', lambda _: False, 0.1)]),
        max_episode_steps=7)
    self.assertIn('had not ended after 7 steps and was cut', text)
    self.assertEqual(list(log_tables.read(self._folder)['actor_steps']), [7])

  def test_a_limit_of_their_own_is_not_doubted(self):
    for steps, expected in ((None, 10_000), (20_000, 20_000)):
      spec = testing.make_environment(0).spec._replace(
          episode_steps=steps or 0)
      config = testing.small_config(self._folder)
      self.assertEqual(run.hints.max_episode_steps(config, spec), expected)
      self.assertEqual(run.hints.max_episode_steps(
          config.replace(max_episode_steps=9), spec), 9)

  @parameterized.parameters(0, 1)
  def test_a_threshold_in_units_of_an_episode_is_told(self, episodes):
    text = self._train(lambda seed: _make(seed, [constraint.Constraint(
        'right', 25, 'time_step', _RIGHT.function)]),
                       feasibility_episodes=episodes)
    self.assertIn('The threshold 25 of right is a mean penalty per step', text)
    self.assertIn('Did you mean 25 per episode of 1000 steps: 0.025?', text)
    self.assertEqual('the largest one measured is 1' in text, bool(episodes))

  def test_a_threshold_that_binds_is_not(self):
    text = self._train(lambda seed: _make(seed, [
        constraint.Constraint.of_time_step('energy', lambda _: 40.0, 25)]),
                       feasibility_episodes=1)
    self.assertNotIn('Did you mean', text)

  def test_wide_noise_is_told(self):
    self.assertIn('--exploration_sigma=1 is in units of half the range of an '
                  'action, so 32% of', self._train(exploration_sigma=1.0))

  def test_one_simulator_serves_all_parts_of_a_run(self):
    only = Jumper()
    text = self._train(
        lambda seed: (only, [_RIGHT]), feasibility_episodes=1,
        evaluation_period=1, num_episodes=3)
    self.assertIn('Before training', text)
    self.assertTrue(only.closed)
    np.testing.assert_array_equal(
        log_tables.read(self._folder, log_tables.EVALUATIONS)['episode'],
        [1, 2, 3])

  def test_one_that_is_closed_is_refused(self):
    only = _make(0)
    self._train(lambda seed: only)
    with self.assertRaisesRegex(ValueError, 'Jumper: .* returned before and '
                                'that is closed'):
      self._train(lambda seed: only, num_episodes=2)

  def test_what_cannot_be_seeded_is_made_anew(self):
    made = []

    def make(seed):
      environment = _make(seed)
      environment.environment.reseed = mock.Mock(
          side_effect=NotImplementedError)
      made.append(seed)
      return environment

    self._train(make, num_episodes=3, feasibility_episodes=0)
    self.assertEqual(made[-3:], [
        seeding.seed_of('environment', 0, episode, 0)
        for episode in (1, 2, 3)])

  def test_what_fails_to_be_seeded_is_one_sentence(self):
    def make(seed):
      environment = _make(seed)
      environment.environment.reseed = mock.Mock(side_effect=OSError('no port'))
      return environment
    with self.assertRaisesRegex(errors.BadEnvironmentOutput,
                                'Jumper: bad seeding .* raised OSError: no po'):
      self._train(make)

  def test_something_that_is_no_environment(self):
    with self.assertRaisesRegex(ValueError, 'expected a ConstrainedEnvironment,'
                                ' or .* got Jumper without constraints'):
      self._train(Jumper)


class ProgramTest(absltest.TestCase):
  """What programs do that call `train` themselves."""

  def setUp(self):
    super().setUp()
    self._folder = self.create_tempdir().full_path

  def _train(self, folder=None, **changes):
    run.train(agents.METAL, testing.small_config(
        folder or self._folder,
        **{**dict(num_episodes=1, min_replay_size=1000, evaluation_period=0),
           **changes}), _make)

  def test_paths(self):
    with mock.patch.dict(os.environ, {'HOME': self._folder}):
      self._train(pathlib.Path('~/one'), seed=np.arange(3)[1])
      self.assertTrue(os.path.exists(f'{self._folder}/one/summary.json'))
      output = export.export(pathlib.Path('~/one'), pathlib.Path('~/policy'))
      self.assertEqual(output, f'{self._folder}/policy')
      policy = load.load_policy(pathlib.Path('~/policy'))
    self.assertEqual(policy.description['environment']['name'], 'Jumper')

  def test_several_workers_are_refused(self):
    with self.assertRaisesRegex(validation.ConfigError, '--num_actors: got 4'):
      self._train(num_actors=4)

  def test_another_thread(self):
    before = signal.getsignal(signal.SIGTERM)
    failures = []

    def body():
      try:
        self._train()
      except BaseException as error:  # noqa: BLE001 (looked at below)
        failures.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    self.assertEmpty(failures)
    self.assertIs(signal.getsignal(signal.SIGTERM), before)

  def test_a_signal_behind_the_end_changes_nothing(self):
    def terminate(*_):
      os.kill(os.getpid(), signal.SIGTERM)

    def make(seed):
      environment = _make(seed)
      environment.environment.close = terminate
      return environment

    config = testing.small_config(
        self._folder, num_episodes=1, min_replay_size=1000, evaluation_period=0)
    self.assertEqual(run.train(agents.METAL, config, make).episodes, 1)
    # Nor does it where a signal was the end.
    with mock.patch.object(run.Run, '_evaluate', terminate):
      with self.assertRaises(SystemExit) as ended:
        run.train(agents.METAL, config.replace(num_episodes=2), make)
    self.assertEqual(ended.exception.code, 128 + signal.SIGTERM)

  def test_output_of_any_kind(self):
    class Tee:
      text = ''

      def write(self, text):
        self.text += text

    tee = Tee()
    with contextlib.redirect_stdout(tee):
      self._train()
    self.assertIn('Everything of this run is in', tee.text)
    with contextlib.redirect_stdout(None):
      self._train(num_episodes=2)
    self.assertEqual(run_folder.read(self._folder).num_episodes, 2)

  def test_a_reader_that_goes_away(self):
    """As with `| head -1`: nobody reads what comes behind the first line."""
    reading, writing = os.pipe()
    os.close(reading)
    program = ('from metal_tf.training import own_environment_test as test;'
               'test.train_in_a_process()')
    ended = subprocess.run(
        [sys.executable, '-c', program], check=False, stdout=writing,
        stderr=subprocess.PIPE, text=True,
        env={**os.environ, 'FOLDER': self._folder,
             'PYTHONPATH': os.pathsep.join(sys.path)})
    os.close(writing)
    self.assertEqual(ended.returncode, 0, ended.stderr)
    self.assertNotIn('BrokenPipe', ended.stderr)
    self.assertEqual(run_folder.read(self._folder).status, run_folder.FINISHED)

  def test_threads_of_the_learner(self):
    """Served in a process that has not computed yet, refused in this one."""
    self._train()
    with self.assertRaisesRegex(
        validation.ConfigError, '--learner_threads: got 3, .* TensorFlow has '
        'begun to compute'):
      self._train(learner_threads=3)
    program = ('from metal_tf.training import own_environment_test as test;'
               'test.train_in_a_process(learner_threads=3)')
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith('TF_NUM_')}
    subprocess.run(
        [sys.executable, '-c', program], check=True,
        env={**environment, 'FOLDER': f'{self._folder}/threads',
             'PYTHONPATH': os.pathsep.join(sys.path)})
    [session] = run_folder.read(f'{self._folder}/threads').sessions
    self.assertEqual(session['threads'], {
        'TF_NUM_INTRAOP_THREADS': '1', 'TF_NUM_INTEROP_THREADS': '2'})


def train_in_a_process(**changes):
  """Called by programs of these tests."""
  run.train(agents.METAL, testing.small_config(
      os.environ['FOLDER'], num_episodes=2, min_replay_size=1000,
      evaluation_period=0, **changes), _make)
  if 'learner_threads' in changes:
    import tensorflow as tf
    threading_ = tf.config.threading
    assert (threading_.get_intra_op_parallelism_threads(),
            threading_.get_inter_op_parallelism_threads()) == (1, 2)


if __name__ == '__main__':
  absltest.main()
