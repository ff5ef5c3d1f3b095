"""Runs on prioritized replay: in one process, killed, among threads."""

import json
import math
import os
import signal

from absl.testing import absltest
import numpy as np
import reverb

from metal_tf.faults import harness
from metal_tf.replay import priorities
from metal_tf.replay import rate_limits
from metal_tf.replay import reverb_replay
from metal_tf.replay import tables
from metal_tf.training import testing

_PRIORITIZED = dict(replay='prioritized')


class PrioritizedTest(harness.FaultTestCase):

  def test_f01_prioritized_runs_go_on_exactly(self):
    """SIGKILL, prioritized -> 40 episodes = 20, a kill and 20 more"""
    straight = os.path.join(self.scratch, 'straight')
    self.assert_ended(
        self.small(workdir=straight, num_episodes=40, **_PRIORITIZED), 0)
    self.assert_ended(
        self.small(['kill_at_step', 20 * testing.EPISODE_STEPS + 17],
                   num_episodes=40, **_PRIORITIZED), -signal.SIGKILL)
    self.assertEqual(self.newest().run['episode'], 20)
    ended = self.small(num_episodes=40, **_PRIORITIZED)
    self.assertIn('Resumed at episode 20 ', ended.out)
    self.assert_same_run(straight, self.workdir)
    # Nearly every transition has been learned from, and has its own.
    self.assertGreater(np.unique(self.replay_arrays()['masses']).size, 500)

  def test_f05_a_run_keeps_its_kind_of_replay(self):
    """prioritized run as a uniform one -> refused: field, saved, given"""
    one_process = dict(num_episodes=4, replay_store='reverb')
    self.assert_ended(self.small(**one_process, **_PRIORITIZED), 0)
    self.assertEqual(self.summary()['skipped_updates'], 0)
    with open(os.path.join(self.newest().replay, 'replay.json'),
              encoding='utf-8') as stream:
      state = json.load(stream)
    self.assertEqual(state['settings']['replay'], 'prioritized')
    self.assertGreaterEqual(state['largest_priority'], 1.0)
    ended = self.small(**one_process)
    self.assert_ended(ended, 2)
    self.assertIn("replay='prioritized', this one replay='uniform'", ended.err)

  def test_f01_threads_on_prioritized_replay(self):
    """end of a prioritized run of threads -> priorities saved, it goes on"""
    # Actors wait for the learner, however slow it is: after 8 episodes of 40 it
    # has made 32 steps at least. 4 samples per insertion are 1280, less 320 for
    # insertions on their way (40 of each actor), 320 for the limiter's window
    # and 128 for batches on their way.
    settings = dict(world='paced', launch_type='local_mt', num_actors=2,
                    **_PRIORITIZED)
    self.assert_ended(self.small(num_episodes=8, **settings), 0)
    found = self._saved_priorities()
    self.assertGreater(np.unique(found).size, 10)
    self.assertTrue((found > 0).all() and np.isfinite(found).all(), found)
    # By the same count, more than there can have been after 8 or 9.
    ended = self.small(num_episodes=16, **settings)
    self.assert_ended(ended, 0)
    self.assertNotIn('The replay fills again', ended.out)
    rows = self.rows()
    np.testing.assert_array_equal(rows['episode'], np.arange(1, 17))
    self.assertGreater(rows['learner_steps'][-1], rows['learner_steps'][7])

  def _saved_priorities(self) -> np.ndarray:
    """Priorities of some transitions in the newest checkpoint."""
    spec = testing.make_environment(0).spec
    window = rate_limits.rate_limiter_window(  # It takes the saved one's.
        samples_per_insert=4.0, min_size=1, capacity=1000, batch_size=16,
        prefetched_batches=0, first_inserts=100)
    server = reverb.Server(
        tables.make_tables(
            spec, capacity=1000, penalty_capacity=100, window=window,
            prioritization=priorities.Prioritization(0.6, 0.4)),
        checkpointer=reverb.checkpointers.DefaultCheckpointer(
            os.path.join(self.scratch, 'reverb'),
            fallback_checkpoint_path=reverb_replay.saved_tables(
                self.newest().replay)))
    self.addCleanup(server.stop)
    client = reverb.Client(f'localhost:{server.port}')
    info = client.server_info()[tables.TRANSITIONS]
    limiter, number = info.rate_limiter_info, 150
    balance = (limiter.samples_per_insert * limiter.insert_stats.completed -
               limiter.sample_stats.completed)
    # As many as the limiter needs to let the samples out, and no more: it does
    # not let any number in either.
    missing = number - (balance - limiter.min_diff)
    for _ in range(math.ceil(max(0, missing) / limiter.samples_per_insert)):
      client.insert(np.zeros(info.signature.shape, np.float32),
                    {tables.TRANSITIONS: 1.0})
    return np.array([
        item[0].info.priority
        for item in client.sample(tables.TRANSITIONS, num_samples=number)])


if __name__ == '__main__':
  absltest.main()
