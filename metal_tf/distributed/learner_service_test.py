"""Tests of the learner's checkpoints, with the test in all other roles."""

import os
import time
from unittest import mock

from absl.testing import absltest
import numpy as np

from metal_tf import types
from metal_tf.agent import agents
from metal_tf.distributed import learner_service
from metal_tf.replay import priority_updates
from metal_tf.runs import checkpoint
from metal_tf.training import testing


class _Replay:
  """A client that takes its time, and remembers what was done in order."""

  def __init__(self, folder):
    self._folder = folder
    self.done = []

  def mutate_priorities(self, table, updates):
    del table
    time.sleep(0.2)
    self.done.append(sorted(updates))

  def checkpoint(self):
    self.done.append('saved')
    os.makedirs(self._folder)
    return self._folder


class _Leash:
  """Asks a position of the counter, which is the test's."""
  stopping = True

  def __init__(self, **position):
    self.asked = []
    self._position = dict(episode=3, **position)

  def ask(self, client, method, *arguments, patience):
    del client, patience
    self.asked.append((method, *arguments))
    return self._position


class LearnerServiceTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self._path = self.create_tempdir().full_path
    self._replay = _Replay(os.path.join(self._path, 'from-reverb'))
    self._coordinator = mock.Mock()
    self._service = learner_service.LearnerService(
        self._coordinator, mock.Mock(), self._replay,
        spec=testing.make_environment(0).spec, algorithm=agents.METAL,
        config=testing.small_config(
            self._path, replay='prioritized', meta_lr=1e-3),
        directory=self._path, saved=None, replay_settings={},
        loopback_only=True)

  def _newest(self):
    return checkpoint.Checkpointer(
        os.path.join(self._path, 'checkpoints'), self.fail).load_newest()

  def test_a_checkpoint_has_the_priorities_that_were_on_their_way(self):
    updates = priority_updates.PriorityUpdates(self._replay)
    self.addCleanup(updates.close)
    self._service._updates = updates
    for key in (1, 2, 3):
      updates.put(np.array([key], np.uint64), np.array([0.5]))
    self.assertTrue(self._service._save(_Leash(), with_replay=True))
    self.assertEqual(self._replay.done, [[1], [2], [3], 'saved'])
    self.assertEqual(self._newest().replay_episode, 3)

  def test_new_priorities_go_to_the_transitions_that_were_sampled(self):
    updates = mock.Mock()
    self._service._updates = updates
    leash = mock.Mock(stopping=False)
    samples = [
        types.Sample(f'batch {i}', 'J_C', f'weights {i}', np.array([i, 9]))
        for i in range(3)]

    def step(*arguments):
      leash.stopping = arguments[0] == 'batch 2'
      return f'priorities after {arguments}'

    with mock.patch.object(
        self._service, '_next_sample', side_effect=samples), \
        mock.patch.object(self._service._learner, 'step', step):
      self._service._learn(leash)
    self.assertEqual(
        [(call.args[0].tolist(), call.args[1])
         for call in updates.put.call_args_list],
        [([i, 9], f'priorities after {(f"batch {i}", "J_C", f"weights {i}")}')
         for i in range(3)])

  def test_the_counter_hears_which_checkpoint_is_the_last(self):
    leash = _Leash()
    for leash.stopping in (False, True):
      self.assertTrue(self._service._save(leash, with_replay=False))
    self.assertEqual(leash.asked, [('position', False), ('position', True)])

  def test_logs_that_cannot_be_written_cost_a_warning(self):
    leash = _Leash(error='no space')
    self.assertFalse(self._service._save(leash, with_replay=False))
    self._coordinator.note.assert_called_once()
    self.assertIn('no checkpoint at episode 3 (no space)',
                  self._coordinator.note.call_args.args[0])
    self.assertIsNone(self._newest())


if __name__ == '__main__':
  absltest.main()
