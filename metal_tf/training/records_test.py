"""Tests of a run's counters and logs, over resumes and on a full disk."""

import os

from absl.testing import absltest
import numpy as np

from metal_tf.acting import episode as episode_lib
from metal_tf.runs import checkpoint
from metal_tf.runs import log_tables
from metal_tf.training import records
from metal_tf.training import testing

_SPEC = testing.make_environment(0).spec


def _result(episode_return, episode_penalty=(0.5, 0.0)):
  return episode_lib.EpisodeResult(
      episode_return, np.array(episode_penalty), steps=40, seconds=1.0,
      cut=False)


def _report(steps=0, skipped=0, clipped_mass=0.0):
  scalars = ('critic_loss', 'critic_gradient_norm', 'policy_loss',
             'policy_gradient_norm', 'outer_loss',
             'outer_critic_loss', 'outer_actor_loss', 'shaping_scale',
             'shaping_offset', 'theorem_error')
  return records.LearnerReport(
      steps, skipped, np.array([0.1, 0.0]), np.zeros(2), np.full(2, 0.01), {
          **{name: np.array(1.0) for name in scalars},
          'clipped_mass': np.array(clipped_mass),
          'meta_gradient_direct': np.zeros(2),
          'meta_gradient_weights': np.ones(2),
          'meta_gradient_direct_share': np.zeros(2),
          'alpha_lambda_at_limit': np.zeros(2),
          'td_error_violating': np.zeros(2)})


class RecordsTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self._directory = self.create_tempdir().full_path
    self._warnings = []

  def _open(self, position=None):
    saved = position and checkpoint.Checkpoint(
        'saved', {}, position, None, None)
    return records.Records(
        self._directory, _SPEC, saved, self._warnings.append)

  def test_counts_logs_and_sums_up(self):
    opened = self._open()
    opened.add_cut(7)
    opened.add_episode(_result(10.0), 2.0, _report(5))
    opened.add_episode(_result(20.0, (0.1, 0.0)), 3.0, _report(9, 1))
    opened.add_evaluation(2, _result(30.0), 9)
    self.assertEqual(
        (opened.episode, opened.actor_steps, opened.seconds,
         opened.cut_episodes, opened.last_evaluated()), (2, 87, 5.0, 1, 2))
    score, summary = opened.summary('metal', _report(9, 1), {'extra': 1})
    opened.close()
    self.assertEqual(score.episode_return, 15.0)
    self.assertEqual(
        {name: summary[name] for name in (
            'episodes', 'cut_episodes', 'skipped_updates', 'learner_steps',
            'extra')},
        dict(episodes=2, cut_episodes=1, skipped_updates=1, learner_steps=9,
             extra=1))
    self.assertEqual(
        [c['satisfied_episodes'] for c in summary['constraints']], [1, 2])
    # The mean of 0.5 and 0.1 is above 0.25.
    self.assertEqual(
        [c['satisfied'] for c in summary['constraints']], [False, True])
    rows = log_tables.read(self._directory)
    np.testing.assert_array_equal(rows['overshoot/left_half'], [0.25, 0.0])
    np.testing.assert_array_equal(rows['penalized_return'], [-240.0, 20.0])
    rows = log_tables.read(self._directory, log_tables.EVALUATIONS)
    np.testing.assert_array_equal(rows['penalized_return'], [-220.0])
    self.assertEmpty(self._warnings)

  def test_a_run_that_learned_nothing_is_told(self):
    opened = self._open()
    opened.add_episode(_result(10.0), 2.0, _report(0))
    opened.summary('metal', _report(0), {})
    opened.close()
    [warning] = self._warnings
    self.assertStartsWith(warning, 'Warning: nothing was learned')

  def test_returns_beyond_the_atoms_are_told_once(self):
    opened = self._open()
    for clipped in (float('nan'), 0.05, 0.127, 0.2):
      opened.add_episode(_result(10.0), 2.0, _report(clipped_mass=clipped))
    opened.close()
    [warning] = self._warnings
    self.assertStartsWith(
        warning, 'Warning: in episode 3, 13% of the critic\'s target lay below '
        '--vmin or above --vmax, with lambda at 0.1, 0. ')

  def test_goes_on_from_a_position(self):
    opened = self._open()
    opened.add_episode(_result(10.0), 2.0, _report(5))
    opened.add_evaluation(1, _result(3.0), 5)
    opened.add_cut()
    position = opened.position()
    opened.add_episode(_result(-1.0), 2.0, _report(6))
    opened.add_evaluation(2, _result(-3.0), 6)
    opened.close()
    opened = self._open(position)
    self.assertEqual(
        (opened.episode, opened.actor_steps, opened.seconds,
         opened.cut_episodes, opened.last_evaluated()), (1, 40, 2.0, 1, 1))
    opened.add_episode(_result(20.0), 1.0, _report(6))
    self.assertEqual(
        opened.summary('metal', _report(), {})[0].episode_return, 15.0)
    opened.close()
    np.testing.assert_array_equal(
        log_tables.read(self._directory)['episode_return'], [10, 20])

  def test_lost_logs_are_an_error(self):
    opened = self._open()
    opened.add_episode(_result(10.0), 2.0, _report(5))
    position = opened.position()
    opened.close()
    os.remove(os.path.join(self._directory, 'episodes.csv'))
    with self.assertRaisesRegex(checkpoint.CheckpointError, 'episodes.csv'):
      self._open(position)


if __name__ == '__main__':
  absltest.main()
