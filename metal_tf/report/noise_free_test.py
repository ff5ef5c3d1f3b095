"""Tests of the scores without exploration."""

from absl.testing import absltest
import numpy as np

from metal_tf.report import noise_free
from metal_tf.report import testing


def _run(num_episodes, made_at, returns, penalties):
  run = testing.made_run(
      'MetaL', 0, 100.0, 0.5, columns={'penalty': np.full(num_episodes, 0.5)})
  evaluations = {'episode': made_at, 'episode_return': returns,
                 'penalty/balance_velocity': penalties}
  return run._replace(run=run.run._replace(evaluations={
      name: np.array(values, np.float64)
      for name, values in evaluations.items()}))


class NoiseFreeTest(absltest.TestCase):

  def test_only_evaluations_in_the_window_count(self):
    run = _run(250, [140, 150, 160, 250], [0, 0, 700, 900], [1, 1, 0.1, 0.33])
    [found] = noise_free.scored(testing.grid_of(run)).used
    self.assertEqual(found.score.episodes, 2)  # Of 151 to 250.
    self.assertEqual(found.score.episode_return, 800)
    np.testing.assert_allclose(found.score.penalty, [0.215])
    np.testing.assert_allclose(found.score.overshoot, [0.1])
    self.assertAlmostEqual(found.score.penalized_return, 700)
    self.assertEqual(run.score.episode_return, 100)  # As it was.

  def test_the_window_begins_behind_the_hundredth_episode_before_the_end(self):
    # Of 250 episodes, 151 to 250; all its evaluations weigh the same.
    run = _run(250, [150, 151, 200, 250], [-1e6, 1, 2, 6], [9, 0.1, 0.3, 0.2])
    [found] = noise_free.scored(testing.grid_of(run)).used
    self.assertEqual((found.score.episodes, found.score.episode_return), (3, 3))
    np.testing.assert_allclose(found.score.penalty, [0.2])

  def test_runs_without_are_left_out_and_say_so(self):
    early = _run(250, [10], [700], [0.1])
    none = testing.made_run('MetaL', 1, 100.0, 0.5)
    other = _run(250, [250], [700], [0.1])
    del other.run.evaluations['penalty/balance_velocity']
    unfinished = testing.made_run('MetaL', 2, 100.0, 0.5)._replace(
        left_out='3 of 4 episodes')
    found = noise_free.scored(testing.grid_of(
        early, none, other, unfinished))
    self.assertEmpty(found.used)
    self.assertEqual([run.left_out for run in found.runs], [
        'no evaluation during its last 100 training episodes'] * 2
        + ['its evaluations have no penalty/balance_velocity',
           '3 of 4 episodes'])


if __name__ == '__main__':
  absltest.main()
