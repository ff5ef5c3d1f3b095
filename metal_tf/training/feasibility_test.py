"""Tests of what is measured before training."""

import json
import os
import signal
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from metal_tf.agent import agents
from metal_tf.environments import constraint
from metal_tf.environments import errors
from metal_tf.environments import wrapper
from metal_tf.runs import log_tables
from metal_tf.runs import workdir as workdir_lib
from metal_tf.training import feasibility
from metal_tf.training import run
from metal_tf.training import testing


def _moving(seed):
  """Violated wherever the point has moved: never by the zero policy."""
  slope = testing.Slope(seed)
  before = [None]

  def moved(time_step):
    position = float(time_step.observation[0])
    violated = before[0] is not None and position != before[0]
    before[0] = position
    return violated

  return wrapper.ConstrainedEnvironment(slope, [
      constraint.Constraint.of_time_step('moved', moved, threshold=0.5),
      constraint.Constraint.of_time_step(
          'always', lambda step: True, threshold=0.25)])


class ShowTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self._path = self.create_tempdir().full_path
    self._workdir = workdir_lib.Workdir(self._path)
    self.addCleanup(self._workdir.close)
    self._notes = []

  def _show(self, make=_moving, stop=lambda: False, **changes):
    config = testing.small_config(
        self._path, **{'feasibility_episodes': 3, **changes})
    feasibility.show(self._workdir, make, config, self._notes.append, stop)
    return self._workdir.read_json(feasibility.FILE)

  def test_each_policy_and_constraint(self):
    content = self._show()
    self.assertEqual(content['episodes'], 3)
    zero, random = content['policies']
    self.assertEqual((zero['policy'], random['policy']), ('zero', 'random'))
    self.assertEqual(zero['steps'], 3 * testing.EPISODE_STEPS)
    moved, always = zero['constraints']
    # Between two episodes the point jumps, so J_C is not quite 0.
    self.assertLess(moved['penalty'], 2 / testing.EPISODE_STEPS)
    self.assertTrue(moved['satisfied'])
    self.assertEqual(always, {'name': 'always', 'penalty': 1.0,
                              'threshold': 0.25, 'satisfied': False})
    self.assertGreater(random['constraints'][0]['penalty'], 0.9)
    self.assertFalse(random['constraints'][0]['satisfied'])

  def test_the_table(self):
    self._show()
    lines = self._notes[1].splitlines()
    self.assertLen(lines, 6)
    self.assertRegex(lines[1],
                     r'^  zero +\d+\.\d\d  moved +0\.0\d+ +0\.5  satis')
    self.assertRegex(lines[2], r'^ +always +1\.0000 +0\.25  not satisfied$')
    self.assertRegex(lines[3], r'^  random +\d+\.\d\d  moved .* not satisfied$')
    self.assertEqual(lines[5], '  Neither satisfies always; whether a trained '
                     'policy can is open.')

  def test_nothing_at_all_where_it_is_not_wanted(self):
    self.assertIsNone(self._show(feasibility_episodes=0))
    self.assertEmpty(self._notes)

  def test_follows_from_the_seed(self):
    make = testing.make_environment
    first = self._show(make)
    self.assertEqual(self._show(make), first)
    self.assertNotEqual(self._show(make, seed=1), first)

  def test_stops_at_once_and_leaves_nothing(self):
    steps = []

    def stop():
      steps.append(1)
      return len(steps) == 50

    self.assertIsNone(self._show(stop=stop))
    self.assertLen(steps, 50)
    self.assertLen(self._notes, 1)

  def test_a_long_measurement_says_how_long(self):
    with mock.patch.object(feasibility, '_QUIET_SECONDS', 0.0):
      self._show()
    self.assertRegex(self._notes[1], r'^  1 of 6 episodes, ETA \d+s$')
    self.assertRegex(self._notes[5], r'^  5 of 6 episodes, ETA')

  def test_a_full_disk_is_a_warning(self):
    with mock.patch.object(workdir_lib, 'write_atomically',
                           side_effect=OSError(28, 'No space')):
      self._show()
    self.assertStartsWith(self._notes[-1], 'Warning: feasibility.json')

  @parameterized.parameters((9, False), (10, True))
  def test_a_simulator_that_gives_up_is_asked_again(self, times, fails):
    left = [times]

    def make(seed):
      environment = testing.make_environment(seed)
      step = environment.step

      def failing(action):
        if left[0]:
          left[0] -= 1
          raise errors.EpisodeCut('slope', 1, 'made to')
        return step(action)

      environment.step = failing
      return environment

    if fails:
      with self.assertRaises(errors.EpisodeCut):
        self._show(make)
    else:
      self.assertIsNotNone(self._show(make))
    self.assertLen([n for n in self._notes if 'Episode cut' in n], times)

  def test_the_zero_policy_stays_within_the_bounds(self):
    spec = testing.make_environment(0).spec._replace(
        action_minimum=np.array([0.5], np.float32))
    policy = feasibility._Zero(spec, 0)
    np.testing.assert_array_equal(policy.select_action(np.zeros(3)), [0.5])


class RunTest(absltest.TestCase):

  def _train(self, name, make=testing.make_environment, **changes):
    path = os.path.join(self.create_tempdir().full_path, name)
    self._path = path
    config = testing.small_config(
        path, **{'feasibility_episodes': 2, 'num_episodes': 3, **changes})
    run.train(agents.METAL, config, make)
    return path

  def test_training_is_the_same_with_and_without(self):
    one = self._train('one')
    two = self._train('two', feasibility_episodes=0)
    rows = [log_tables.read(path) for path in (one, two)]
    for name in set(rows[0]) - {'seconds'}:
      np.testing.assert_array_equal(rows[0][name], rows[1][name], name)
    self.assertFalse(os.path.exists(os.path.join(two, feasibility.FILE)))

  def test_only_a_new_run_is_measured(self):
    path = self._train('run')
    file = os.path.join(path, feasibility.FILE)
    with open(file, encoding='utf-8') as stream:
      self.assertLen(json.load(stream)['policies'], 2)
    os.remove(file)
    run.train(agents.METAL, testing.small_config(
        path, num_episodes=4, feasibility_episodes=5),
              testing.make_environment)
    self.assertFalse(os.path.exists(file))

  def test_bad_output_is_its_named_error(self):
    with self.assertRaisesRegex(errors.BadEnvironmentOutput,
                                'bad reward at step 3'):
      self._train('run', _third(lambda slope: setattr(
          slope, 'step', _at_step_3(slope.step, lambda time_step:
                                    time_step._replace(reward=np.nan)))))

  def test_control_c_ends_the_run_before_it_began(self):

    def interrupt(time_step):
      os.kill(os.getpid(), signal.SIGINT)
      return time_step

    with self.assertRaises(SystemExit) as caught:
      self._train('run', _third(lambda slope: setattr(
          slope, 'step', _at_step_3(slope.step, interrupt))))
    self.assertEqual(caught.exception.code, 130)
    self.assertFalse(os.path.exists(os.path.join(self._path, feasibility.FILE)))
    self.assertEmpty(log_tables.read(self._path)['episode'])
    # The same command again measures, since nothing was learned yet.
    run.train(agents.METAL, testing.small_config(
        self._path, num_episodes=1, feasibility_episodes=2),
              testing.make_environment)
    self.assertTrue(os.path.exists(os.path.join(self._path, feasibility.FILE)))


def _third(change):
  """Changes the third environment, behind training's and evaluation's."""
  made = []

  def make(seed):
    environment = testing.make_environment(seed)
    made.append(environment)
    if len(made) == 3:
      change(environment.environment)
    return environment

  return make


def _at_step_3(step, action):
  count = [0]

  def changed(*arguments):
    count[0] += 1
    time_step = step(*arguments)
    return action(time_step) if count[0] == 3 else time_step

  return changed


if __name__ == '__main__':
  absltest.main()
