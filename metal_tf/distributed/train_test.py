"""Tests of training on Launchpad, with three constraints."""

import json
import os
import signal
from typing import List
from unittest import mock

from absl import flags
from absl.testing import absltest
import numpy as np

from metal_tf.agent import agents
from metal_tf.distributed import launch
from metal_tf.distributed import train as train_lib
from metal_tf.environments import constraint
from metal_tf.environments import wrapper
from metal_tf.runs import checkpoint
from metal_tf.runs import log_tables
from metal_tf.runs import workdir
from metal_tf.training import feasibility
from metal_tf.training import testing

_NAMES = ('never', 'always', 'left')


class _Seeded(testing.Slope):
  """Keeps a record of its seeds, and whether each episode had one."""
  seeds: List[int] = []
  episodes: List[bool] = []

  def __init__(self, seed):
    super().__init__(seed)
    self._reseeded = False

  def reseed(self, seed):
    super().reseed(seed)
    self.seeds.append(seed)
    self._reseeded = True

  def reset(self):
    self.episodes.append(self._reseeded)
    self._reseeded = False
    return super().reset()


def _make_environment(seed):
  never, always, left = _NAMES
  return wrapper.ConstrainedEnvironment(_Seeded(seed), [
      constraint.Constraint.of_time_step(never, lambda step: False, 0.1),
      constraint.Constraint.of_time_step(always, lambda step: True, 0.5),
      constraint.Constraint.of_time_step(
          left, lambda step: step.observation[0] > 0.0, 0.25)])


class TrainTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    if not flags.FLAGS.is_parsed():
      flags.FLAGS.mark_as_parsed()
    for number in (signal.SIGINT, signal.SIGTERM):
      self.addCleanup(signal.signal, number, signal.getsignal(number))

  def test_three_constraints_stay_apart(self):
    _Seeded.seeds.clear()
    _Seeded.episodes.clear()
    path = os.path.join(self.create_tempdir().full_path, 'run')
    train_lib.train(
        agents.METAL, testing.small_config(
            path, num_actors=2, num_episodes=8, evaluation_period=4,
            feasibility_episodes=1),
        _make_environment, 'local_mt')
    rows = log_tables.read(path)
    self.assertEqual(list(rows),
                     log_tables.EPISODES.columns(_NAMES))
    np.testing.assert_array_equal(rows['penalty/always'], np.ones(8))
    np.testing.assert_array_equal(rows['lambda/never'], np.zeros(8))
    self.assertTrue((np.diff(rows['lambda/always']) >= 0).all())
    self.assertGreater(rows['lambda/always'][-1], 0.01)
    with open(os.path.join(path, 'summary.json'), encoding='utf-8') as stream:
      constraints = json.load(stream)['constraints']
    self.assertEqual([c['name'] for c in constraints], list(_NAMES))
    self.assertEqual([c['satisfied'] for c in constraints][:2], [True, False])
    with open(os.path.join(path, feasibility.FILE),
              encoding='utf-8') as stream:
      measured = json.load(stream)
    for policy in measured['policies']:
      self.assertEqual([c['penalty'] for c in policy['constraints']][:2],
                       [0.0, 1.0])
    # Before training, when training and when evaluating.
    self.assertGreaterEqual(len(_Seeded.episodes), 2 + 8 + 2)
    self.assertTrue(all(_Seeded.episodes), _Seeded.episodes)
    # Two policies before training begin alike.
    self.assertLen(set(_Seeded.seeds), len(_Seeded.seeds) - 1)

  def test_what_cannot_be_seeded_is_made_anew_for_each_episode(self):
    made = []

    class Unseedable(testing.Slope):
      reseed = None

    def make(seed):
      made.append(seed)
      return wrapper.ConstrainedEnvironment(Unseedable(seed), [
          constraint.Constraint.of_time_step('never', lambda step: False, 0.1)])

    train_lib.train(
        agents.D4PG, testing.small_config(
            os.path.join(self.create_tempdir().full_path, 'run'), num_actors=2,
            num_episodes=6, evaluation_period=0, feasibility_episodes=0),
        make, 'local_mt')
    self.assertGreaterEqual(len(set(made)), 6)

  def test_a_run_that_is_prolonged_keeps_its_rates(self):
    path = os.path.join(self.create_tempdir().full_path, 'run')

    def rates(num_episodes):
      config = testing.small_config(
          path, num_episodes=num_episodes,
          lagrange_lr=None)
      with mock.patch.object(
          launch, 'run_program', return_value=None) as run_program:
        with self.assertRaises(launch.WorkerFailed):  # Nothing was trained.
          train_lib.train(agents.METAL, config, _make_environment, 'local_mt')
      run = run_program.call_args[0][0]
      self.assertEqual(run.config, config.replace(
          lagrange_lr=run.config.lagrange_lr, meta_lr=run.config.meta_lr))
      return run.config.lagrange_lr, run.config.meta_lr

    first = rates(8)
    # 4 / learner steps, with 4 / 16 of them per step of 8 episodes, each of
    # which is assumed to have 1000 steps.
    np.testing.assert_allclose(first, (0.002, 28.125))
    checkpoint.Checkpointer(
        os.path.join(path, workdir.CHECKPOINTS), print).save(
            4, {'w': np.zeros(1)}, {'episode': 4}, None)
    self.assertEqual(rates(80), first)

  def test_a_signal_before_training_ends_the_run(self):
    path = os.path.join(self.create_tempdir().full_path, 'run')

    def make(seed):
      environment = _make_environment(seed)
      step = environment.step

      def interrupted(action):
        os.kill(os.getpid(), signal.SIGTERM)
        return step(action)

      environment.step = interrupted
      return environment

    with self.assertRaises(SystemExit) as caught:
      train_lib.train(
          agents.METAL, testing.small_config(
              path, num_actors=2, feasibility_episodes=1),
          make, 'local_mt')
    self.assertEqual(caught.exception.code, 143)
    self.assertEqual(sorted(os.listdir(path)), ['config.json', 'lock'])


if __name__ == '__main__':
  absltest.main()
