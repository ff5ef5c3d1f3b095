"""Tests of the times of checkpoints, on a clock that is set by hand."""

from absl.testing import absltest
from absl.testing import parameterized

from metal_tf import config as config_lib
from metal_tf.training import saving


class _Run:
  """Episodes of some length, with saving that takes its time."""

  def __init__(self, episode_seconds, save_seconds=0.0, replay_seconds=0.0,
               replay_in_parts=False):
    self.now = 0.0
    self.policy = saving.SavingPolicy(
        config_lib.Config(), replay_in_parts, lambda: self.now)
    self._episode_seconds = episode_seconds
    self._save_seconds, self._replay_seconds = save_seconds, replay_seconds
    self.saves = []
    self.replays = []
    self.notes = []
    self.fails = lambda with_replay: False
    self.lost = []  # (episodes, seconds) unsaved, just before each end.

  def _write(self, with_replay):
    self.now += self._save_seconds
    if self.fails(with_replay):
      raise OSError('full')
    if with_replay:
      self.now += self._replay_seconds
      self.replays.append(self.now)

  def save(self, episode):
    return self.policy.save(episode, self._write, True, self.notes.append)

  def episodes(self, number, first=1):
    saved_at, saved_episode = self.now, first - 1
    for episode in range(first, first + number):
      self.now += self._episode_seconds
      self.lost.append((episode - saved_episode, self.now - saved_at))
      if self.policy.due(episode):
        self.policy.save(episode, self._write, self.policy.replay_due(),
                         self.notes.append)
        self.saves.append(episode)
        saved_at, saved_episode = self.now, episode
    return self


class SavingPolicyTest(parameterized.TestCase):

  @parameterized.parameters(0.1, 1.0, 7.0, 25.0, 31.0, 59.0, 61.0, 500.0)
  def test_at_most_two_episodes_or_a_minute_are_lost(self, episode_seconds):
    run = _Run(episode_seconds).episodes(1000)
    for episodes, seconds in run.lost:
      self.assertTrue(episodes <= 2 or seconds <= 60.0 + 1e-6,
                      (episodes, seconds))
    self.assertGreaterEqual(max(n for n, _ in run.lost), 2)  # Not too often.

  def test_a_resumed_run_counts_from_where_it_stands(self):
    self.assertEqual(_Run(100.0).episodes(4, first=101).saves, [102, 104])

  @parameterized.parameters(0.5, 5.0, 30.0)
  def test_saving_stays_below_three_percent(self, replay_seconds):
    run = _Run(10.0, save_seconds=0.2, replay_seconds=replay_seconds)
    run.episodes(4000)
    self.assertLess(run.policy.share, 0.03)
    self.assertGreater(len(run.replays), 2)
    self.assertGreater(len(run.saves), 600)

  def test_a_cheap_replay_is_always_saved(self):
    run = _Run(10.0, save_seconds=0.1, replay_seconds=0.1).episodes(100)
    self.assertLen(run.replays, len(run.saves))

  def test_a_replay_in_parts_is_saved_every_time(self):
    run = _Run(10.0, save_seconds=0.1, replay_seconds=100.0,
               replay_in_parts=True).episodes(100)
    self.assertLen(run.replays, len(run.saves))

  def test_a_failed_save_is_not_tried_again_at_once(self):
    run = _Run(10.0)
    run.episodes(4)
    run.now += 30.0
    self.assertTrue(run.policy.due(5))
    run.fails = lambda with_replay: True
    self.assertFalse(run.save(5))
    self.assertFalse(run.policy.due(6))

  def test_without_the_replay_where_that_fails(self):
    run = _Run(10.0, save_seconds=1.0, replay_seconds=5.0)
    run.fails = lambda with_replay: with_replay
    self.assertTrue(run.save(5))
    self.assertEqual(run.notes, [
        'Warning: no checkpoint at episode 5 (full); training goes on, the one '
        'before is intact.'])
    self.assertEqual(run.policy.replay_seconds, 0.0)
    run.fails = lambda with_replay: True
    self.assertFalse(run.save(6))
    self.assertLen(run.notes, 3)

  def test_not_without_a_replay_in_parts(self):
    run = _Run(10.0, replay_in_parts=True)
    run.fails = lambda with_replay: with_replay
    self.assertFalse(run.save(5))
    self.assertLen(run.notes, 1)

  def test_the_share_is_of_all_the_time(self):
    run = _Run(30.0, save_seconds=3.0, replay_seconds=0.0).episodes(2)
    self.assertAlmostEqual(run.policy.share, 3.0 / 63.0)


if __name__ == '__main__':
  absltest.main()
