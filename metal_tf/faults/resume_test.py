"""Killed runs, and what the same command makes of what they left.

By hand with more kills: --test_env=METAL_TF_KILL_EPISODES=40
--test_env=METAL_TF_KILLS=5, for `./bazelw test //metal_tf/faults:resume_test`.
"""

import os
import random
import shutil
import signal
import time

from absl.testing import absltest
import numpy as np

from metal_tf.faults import harness
from metal_tf.runs import log_tables
from metal_tf.training import testing

_STEPS = testing.EPISODE_STEPS
_KILL_EPISODES = int(os.environ.get('METAL_TF_KILL_EPISODES', '16'))
_KILLS = int(os.environ.get('METAL_TF_KILLS', '3'))


class ResumeTest(harness.FaultTestCase):

  def _killed(self, step, **config):
    ended = self.small(['kill_at_step', step], **config)
    self.assert_ended(ended, -signal.SIGKILL)

  def test_f01_a_killed_run_goes_on_from_its_checkpoint(self):
    """SIGKILL mid-run -> resumes with equal state, the logs without a gap"""
    settings = dict(
        evaluation_period=2, replay_store='reverb', **harness.ANY_AGENT)
    self._killed(7 * _STEPS + 9, num_episodes=12, **settings)
    saved = self.newest()
    self.assertEqual(saved.run['episode'], 6)
    before = self.read('episodes.csv')[:saved.run['logs']['episodes.csv']]
    # Resuming with nothing left to do saves nothing: the state is as it was.
    ended = self.small(num_episodes=6, **settings)
    self.assert_ended(ended, 0)
    self.assertIn('Resumed at episode 6 (checkpoint ', ended.out)
    self.assertEqual(self.newest().path, saved.path)
    ended = self.small(num_episodes=12, **settings)
    self.assert_ended(ended, 0)
    self.assertTrue(self.read('episodes.csv').startswith(before))
    rows = self.rows()
    np.testing.assert_array_equal(rows['episode'], np.arange(1, 13))
    self.assertTrue((np.diff(rows['learner_steps']) > 0).all())
    evaluated = log_tables.read(self.workdir, log_tables.EVALUATIONS)
    np.testing.assert_array_equal(evaluated['episode'], np.arange(2, 13, 2))
    for folder, tag, steps in (
        ('tensorboard', 'return/episode_return', range(1, 13)),
        ('tensorboard/evaluation', 'evaluation/return/episode_return',
         range(2, 13, 2))):
      shown = testing.read_tensorboard(os.path.join(self.workdir, folder))
      self.assertEqual([step for step, _ in shown[tag]], list(steps))

  def test_f01_killed_at_random_moments(self):
    """SIGKILL at random moments -> logs, weights, export of a straight run"""
    straight = os.path.join(self.scratch, 'straight')
    self.assert_ended(
        self.small(workdir=straight, num_episodes=_KILL_EPISODES), 0)
    for kill in range(_KILLS):
      # An episode takes 0.4 s at least, so the run does not end by itself.
      process = self.start_small(['slow', 0.01], num_episodes=_KILL_EPISODES)
      begun = kill * _KILL_EPISODES // _KILLS
      self.wait_until(lambda begun=begun: self.num_rows() > begun)
      time.sleep(random.uniform(0, 1))
      process.kill()
      self.assert_ended(self.end(process), -signal.SIGKILL)
      print(f'Killed behind episode {self.num_rows()}.')
    self.assert_ended(self.small(num_episodes=_KILL_EPISODES), 0)
    self.assert_same_run(straight, self.workdir)

  def test_f01_the_builtin_cartpole_goes_on_exactly(self):
    """SIGKILL on cartpole -> 4 episodes = 2, a kill and 2 more"""
    straight = os.path.join(self.scratch, 'straight')
    settings = dict(world='cartpole', num_episodes=4, replay_capacity=5000,
                    samples_per_insert=0.5, evaluation_period=1)
    self.assert_ended(self.small(workdir=straight, **settings), 0)
    self._killed(2 * 1000 + 300, **settings)
    self.assertIn('Resumed at episode 2 ', self.small(**settings).out)
    self.assert_same_run(straight, self.workdir)

  def test_f01_killed_before_the_first_checkpoint(self):
    """SIGKILL before the first checkpoint -> says so and starts again"""
    self._killed(_STEPS + 5, num_episodes=3, **harness.ANY_AGENT)
    ended = self.small(num_episodes=3, **harness.ANY_AGENT)
    self.assert_ended(ended, 0)
    self.assertIn('ended before its first checkpoint; starting again',
                  ended.out)
    np.testing.assert_array_equal(self.rows()['episode'], [1, 2, 3])

  def test_f02_killed_while_a_checkpoint_is_written(self):
    """SIGKILL at 10 instants of a save -> that before or the new one loads"""
    episode = 0
    for attempt in range(10):
      ended = self.small(['kill_in_save', 2, attempt], num_episodes=1000,
                         **harness.ANY_AGENT)
      self.assert_ended(ended, -signal.SIGKILL)
      loaded = self.newest()
      # The first save of each session is complete; the second may be.
      self.assertIn(loaded.run['episode'] - episode, (2, 4, 6))
      episode = loaded.run['episode']
      self.assertEqual(loaded.learner['counts/0'],
                       self.rows()['learner_steps'][episode - 1])

  def test_f03_a_damaged_checkpoint(self):
    """newest checkpoint damaged -> named, the one before loads; none: error"""
    straight = os.path.join(self.scratch, 'straight')
    self.assert_ended(self.small(workdir=straight, num_episodes=8), 0)
    self.assert_ended(self.small(num_episodes=6), 0)
    path = os.path.join(self.newest().path, 'learner.npz')
    harness.damage(path)
    ended = self.small(num_episodes=6)
    self.assert_ended(ended, 0)
    self.assertIn(f'Warning: damaged checkpoint: {path}', ended.out)
    self.assertIn('Resumed at episode 4 ', ended.out)
    np.testing.assert_array_equal(self.rows()['episode'], np.arange(1, 7))
    # The newest segment is in the newest checkpoint only.
    path = self._segments()[-1]
    harness.damage(path)
    ended = self.small(num_episodes=8)
    self.assert_ended(ended, 0)
    self.assertIn(f'Warning: damaged replay of a checkpoint: {path}', ended.out)
    self.assertIn('Resumed at episode 4 ', ended.out)
    self.assert_same_run(straight, self.workdir)
    folder = os.path.join(self.workdir, 'checkpoints')
    for name in os.listdir(folder):
      if name.startswith('episode-'):
        harness.damage(os.path.join(folder, name, 'run.json'))
    before = self.read('episodes.csv')
    ended = self.small(num_episodes=10)
    self.assert_ended(ended, 2)
    self.assertIn('no checkpoint in', ended.err)
    self.assertNotIn('Traceback', ended.err)
    self.assertEqual(self.read('episodes.csv'), before)

  def _segments(self):
    folder = os.path.join(self.workdir, 'checkpoints', 'replay')
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder))]

  def test_f04_a_lost_replay(self):
    """replay missing or damaged -> said, learner resumes, replay refills"""
    self.assert_ended(self.small(num_episodes=8, **harness.ANY_AGENT), 0)
    os.remove(self._segments()[0])  # All checkpoints need it.
    ended = self.small(num_episodes=16, **harness.ANY_AGENT)
    self.assert_ended(ended, 0)
    self.assertIn('Resumed at episode 8 ', ended.out)
    self.assertRegex(ended.out, 'The replay fills again first .*is missing')
    harness.damage(self._segments()[0])
    ended = self.small(num_episodes=18, **harness.ANY_AGENT)
    self.assert_ended(ended, 0)
    self.assertRegex(ended.out, 'fills again first .*was changed')
    steps = self.rows()['learner_steps']
    self.assertLen(steps, 18)
    self.assertGreater(steps[-1], steps[7])

  def test_f04_a_lost_replay_of_reverb(self):
    """Reverb's replay missing or damaged -> said, resumes, refills"""
    store = dict(replay_store='reverb', **harness.ANY_AGENT)
    self.assert_ended(self.small(num_episodes=4, **store), 0)
    shutil.rmtree(self.newest().replay)
    ended = self.small(num_episodes=6, **store)
    self.assert_ended(ended, 0)
    self.assertRegex(ended.out, 'The replay fills again first .*is missing')
    harness.damage(os.path.join(self.newest().replay, 'replay.json'))
    ended = self.small(num_episodes=8, **store)
    self.assert_ended(ended, 0)
    self.assertRegex(ended.out, 'fills again first .*replay.json was changed')
    steps = self.rows()['learner_steps']
    self.assertLen(steps, 8)
    self.assertGreater(steps[-1], steps[3])

  def test_f05_another_configuration(self):
    """checkpoint of another configuration -> refused: field, saved, given"""
    self.assert_ended(self.small(num_episodes=2), 0)
    ended = self.small(num_episodes=2, lagrange_lr=0.5)
    self.assert_ended(ended, 2)
    self.assertIn('lagrange_lr=0.01, this one lagrange_lr=0.5', ended.err)
    self.assertNotIn('Traceback', ended.err)


if __name__ == '__main__':
  absltest.main()
