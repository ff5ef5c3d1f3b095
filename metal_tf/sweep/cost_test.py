"""Tests of the cost of a grid, against speeds that are known."""

import os
import sys

from absl.testing import absltest

from metal_tf import config as config_lib
from metal_tf.cli import flags
from metal_tf.sweep import cost
from metal_tf.sweep import grid
from metal_tf.sweep import jobs
from metal_tf.sweep import overview
from metal_tf.sweep import testing

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))

_TRAINS = '''
import sys
from metal_tf.sweep import testing
testing.write_run(sys.argv[1], 5, [1, 2, 3, 4, 5], finished=True)
'''


class CostTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self._root = self.create_tempdir().full_path

  def _grid(self, **base):
    return grid.make(
        grid.Axes(['metal', 'd4pg'], ['cartpole'], ['0.3'], ['0.1'], ['0']),
        config_lib.Config(**base), self._root, flags.read_settings)

  def test_what_is_done_costs_nothing(self):
    runs = self._grid(num_episodes=20)
    testing.write_run(runs[0].config.workdir, 20, range(15))
    states = overview.Overview(self._root).states()
    self.assertEqual(cost.episodes_left(runs, states), {'cartpole': [5, 20]})
    speeds = cost.of_runs(states)
    self.assertEqual(speeds['cartpole'][:2], (2, 50))
    lines = cost.describe(runs, states, 2, speeds)
    self.assertIn('cartpole: 2 runs with 25 episodes to go x 2.00 s (50 '
                  'environment steps/s, measured on 1 run in the folder) = 50s',
                  lines[0])
    self.assertIn('50s of runs, 25s with --jobs=2', lines[1])

  def test_measures_in_a_folder_that_is_gone_afterwards(self):
    folders = []

    def command_of(run):
      self.assertEqual(run.config.num_episodes, 5)
      folders.append(run.config.workdir)
      return [sys.executable, '-c', _TRAINS, folders[-1]]

    speed = cost.measure(self._grid(), command_of, jobs.environment(2, _ROOT))
    self.assertEqual(speed[:2], (2, 50))
    self.assertEqual(speed.basis, '2 runs of 5 episodes at once, just now')
    self.assertLen(set(folders), 2)
    for folder in folders:
      self.assertFalse(os.path.exists(os.path.dirname(folder)))
    self.assertEmpty(os.listdir(self._root))

  def test_short_episodes_are_more(self):
    # The builtin tasks have 1000 steps.
    for settings, episodes in (
        ({'min_replay_size': 1}, 5), ({'min_replay_size': 2500}, 15), ({}, 5),
        ({'max_episode_steps': 250}, 20)):
      asked = []

      def command_of(run, asked=asked):
        asked.append(run.config.num_episodes)
        return [sys.executable, '-c', _TRAINS, run.config.workdir]

      cost.measure(self._grid(**settings)[:1], command_of,
                   jobs.environment(1, _ROOT))
      self.assertEqual(asked, [episodes])

  def test_a_run_that_did_not_begin_to_learn_tells_no_speed(self):
    trains = _TRAINS + '''
import csv
rows = list(csv.DictReader(open(sys.argv[1] + '/episodes.csv')))
with open(sys.argv[1] + '/episodes.csv', 'w') as stream:
  writer = csv.DictWriter(stream, rows[0])
  writer.writeheader()
  writer.writerows({**row, 'learner_steps': 0} for row in rows)
'''
    with self.assertRaisesRegex(
        cost.MeasuringError, '5 episodes were too short to begin to learn'):
      cost.measure(
          self._grid()[:1],
          lambda run: [sys.executable, '-c', trains, run.config.workdir],
          jobs.environment(1, _ROOT))

  def test_a_measuring_run_that_fails_has_the_last_word(self):
    with self.assertRaisesRegex(cost.MeasuringError,
                                'metal-cartpole.*status 3: it broke'):
      cost.measure(
          self._grid()[:1],
          lambda run: testing.fake_command(run.config.workdir, 'fail', 5),
          jobs.environment(1, _ROOT))


if __name__ == '__main__':
  absltest.main()
