"""Environments that break, and constraints that cannot or always hold."""

import os

from absl.testing import absltest
import numpy as np

from metal_tf.faults import harness
from metal_tf.training import testing

_STEP = 4 * testing.EPISODE_STEPS + 7  # In episode 5, behind two checkpoints.


class WorldTest(harness.FaultTestCase):

  def test_f11_bad_output_of_the_environment(self):
    """NaN, inf or wrong shape -> named error, never stored in replay"""
    for index, (field, value, named) in enumerate((
        ('observation', [float('nan'), 1.0, 0.0], 'observation'),
        ('observation', [1.0, 0.0], 'observation'),
        ('reward', float('nan'), 'reward'),
        ('penalty', float('inf'), "penalty 'broken'"))):
      with self.subTest(field=field, value=value):
        self.workdir = os.path.join(self.scratch, str(index))
        ended = self.small(['bad_output', _STEP, field, value], num_episodes=9,
                           **harness.ANY_AGENT)
        self.assert_ended(ended, 1)
        self.assertRegex(ended.err, 'BadEnvironmentOutput: Slope: bad '
                         f'{named} at step 7 of the episode')
        self.assertNotIn('Traceback', ended.err)
        newest = self.newest()
        self.assertEqual(newest.run['episode'], 4)
        for array in self.replay_arrays().values():
          self.assertTrue(np.isfinite(array).all())

  def test_f12_the_simulator_gives_up(self):
    """PhysicsError -> the episode is cut, counted, bounded"""
    ended = self.small(
        ['physics_error', _STEP], num_episodes=6, **harness.ANY_AGENT)
    self.assert_ended(ended, 0)
    self.assertIn('Episode cut and run again: Slope: the simulator gave up at '
                  'step 7', ended.out)
    self.assertEqual(self.summary()['cut_episodes'], 1)
    self.assertEqual(self.summary()['episodes'], 6)
    self.assertEqual(self.rows()['actor_steps'][-1],
                     6 * testing.EPISODE_STEPS + 6)
    self.workdir = os.path.join(self.scratch, 'always')
    ended = self.small(
        ['physics_error', _STEP, True], num_episodes=6, **harness.ANY_AGENT)
    self.assert_ended(ended, 1)
    self.assertIn('EpisodeCut: Slope: the simulator gave up', ended.err)
    self.assertEqual(ended.out.count('Episode cut'), 10)

  def test_f17_an_infeasible_threshold(self):
    """threshold 0, always violated -> finite lambda, "infeasible so far" """
    ended = self.small(None, 'violated', num_episodes=15, lagrange_lr=10.0,
                       evaluation_period=5)
    self.assert_ended(ended, 0)
    self.assertIn('infeasible so far', ended.out)
    rows = self.rows()
    self.assertTrue(np.isfinite(rows['lambda/always']).all())
    self.assertGreater(rows['lambda/always'][-1], 1.0)
    self.assertTrue(np.isfinite(rows['penalized_return']).all())
    [constraint] = self.summary()['constraints']
    self.assertEqual(constraint['overshoot'], 1.0)
    self.assertEqual(constraint['satisfied_episodes'], 0)

  def test_f18_a_threshold_that_always_holds(self):
    """trivially satisfied threshold -> lambda stays at or returns to 0"""
    for start in (0.0, 0.5):
      with self.subTest(start=start):
        self.workdir = os.path.join(self.scratch, str(start))
        ended = self.small(None, 'free', num_episodes=10, lagrange_lr=0.02,
                           lagrange_multiplier=start)
        self.assert_ended(ended, 0)
        self.assertNotIn('infeasible', ended.out)
        values = self.rows()['lambda/never']
        self.assertEqual(values[0], start)
        self.assertEqual(values[-1], 0.0)
        self.assertTrue((np.diff(values) <= 0).all())


if __name__ == '__main__':
  absltest.main()
