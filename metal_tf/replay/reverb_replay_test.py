"""Tests for `reverb_replay` and the parts it is made of."""

import os
import tempfile
import threading
import time
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np
import portpicker
import reverb

from metal_tf.replay import prioritized_contract
from metal_tf.replay import rate_limits
from metal_tf.replay import replay
from metal_tf.replay import replay_contract
from metal_tf.replay import reverb_dataset
from metal_tf.replay import reverb_replay
from metal_tf.replay import reverb_writer
from metal_tf.replay import tables


class ReverbReplayTest(replay_contract.ReplayContract, parameterized.TestCase):

  def make_replay(self, spec=replay_contract.make_spec(), timeout_seconds=60.0,
                  scratch_directory=None, **changes):
    memory = reverb_replay.ReverbReplay(
        spec, self.settings(**changes), timeout_seconds=timeout_seconds,
        scratch_directory=scratch_directory)
    self.addCleanup(memory.close)
    return memory

  def test_sampling_goes_on_after_a_pause(self):
    memory = self.make_replay(timeout_seconds=0.5)
    num_batches = 0
    for _ in range(4):
      self.fill(memory, 0, 20)
      num_batches += len(self.drain(memory))
      # Meanwhile the waiting prefetch runs into the timeout.
      time.sleep(1.)
    # Every pause may lose what had been prefetched.
    lost = 3 * reverb_dataset.IN_FLIGHT_BATCHES
    self.assertBetween(num_batches, 70 - lost, 70)

  def test_an_incomplete_saved_replay_raises(self):
    memory = self.make_replay()
    self.fill(memory, 0, 20)
    with tempfile.TemporaryDirectory() as directory:
      memory.to_save()(directory)
      # Without it, Reverb takes the checkpoint for an unfinished one.
      os.remove(os.path.join(directory, 'reverb', 'DONE'))
      with self.assertRaisesRegex(ValueError, 'inserts: got 0 .* expected 20'):
        self.make_replay().restore(directory)

  def test_a_damaged_saved_replay_raises(self):
    memory = self.make_replay()
    self.fill(memory, 0, 20)
    with tempfile.TemporaryDirectory() as directory:
      memory.to_save()(directory)
      for name in ('chunks.tfrecord', 'tables.tfrecord'):
        path = os.path.join(directory, 'reverb', name)
        size = os.path.getsize(path)
        with open(path, 'r+b') as f:
          f.truncate(size // 2)
        with self.assertRaisesRegex(ValueError, 'saved tables are damaged'):
          self.make_replay().restore(directory)

  def test_leaves_no_files(self):
    with tempfile.TemporaryDirectory() as scratch:
      with tempfile.TemporaryDirectory() as directory:
        memory = self.make_replay(scratch_directory=scratch)
        self.fill(memory, 0, 20)
        memory.to_save()(directory)
        other = self.make_replay(scratch_directory=scratch)
        other.restore(directory)
        self.assertLen(os.listdir(scratch), 2)
        for name in os.listdir(scratch):
          self.assertEmpty(os.listdir(os.path.join(scratch, name)))
      memory.close()
      other.close()
      self.assertEmpty(os.listdir(scratch))


class PrioritizedReverbReplayTest(
    prioritized_contract.PrioritizedReplayContract, absltest.TestCase):

  def make_replay(self, **settings):
    memory = reverb_replay.ReverbReplay(
        replay_contract.make_spec(), replay.Settings(**settings))
    self.addCleanup(memory.close)
    return memory

  def settle(self, memory):
    with tempfile.TemporaryDirectory() as directory:
      memory.to_save()(directory)  # Waits for what is being sent.
    for _ in range(reverb_dataset.IN_FLIGHT_BATCHES):
      memory.sample()

  def test_restoring_leaves_no_thread_of_what_was_there(self):
    memory = self._filled()
    thread = memory._updates._thread
    self.assertTrue(thread.is_alive())
    with tempfile.TemporaryDirectory() as directory:
      memory.to_save()(directory)
      memory.restore(directory)
    self.assertFalse(thread.is_alive())


class RemotePartsTest(parameterized.TestCase):
  """The parts as a program of several processes uses them."""

  def _serve(self, spec, samples_per_insert):
    """Starts a server; returns its window and its address."""
    window = rate_limits.rate_limiter_window(
        samples_per_insert=samples_per_insert, min_size=10, capacity=100,
        batch_size=4, prefetched_batches=reverb_dataset.IN_FLIGHT_BATCHES,
        first_inserts=2 * 20)
    server = reverb.Server(tables.make_tables(
        spec, capacity=100, penalty_capacity=10, window=window))
    self.addCleanup(server.stop)
    return window, f'localhost:{server.port}'

  def test_an_insertion_that_is_held_back_raises(self):
    spec = replay_contract.make_spec()
    _, address = self._serve(spec, samples_per_insert=8.)
    writer = reverb_writer.ReverbWriter(
        reverb.Client(address), spec, timeout_seconds=0.5)
    self.addCleanup(writer.close)
    # No episode ends, so nothing is sampled.
    with self.assertRaisesRegex(RuntimeError, 'held insertions back for 0.5 s'):
      for i in range(1000):
        writer.insert(replay_contract.make_transition(i))

  def test_writers_and_a_dataset_meet_at_an_address(self):
    spec = replay_contract.make_spec(num_constraints=2)
    window, address = self._serve(spec, samples_per_insert=8.)
    for actor in range(2):
      writer = reverb_writer.ReverbWriter(
          reverb.Client(address), spec, timeout_seconds=10.)
      for i in range(20):
        writer.insert(replay_contract.make_transition(100 * actor + i, 2))
      writer.flush()
      writer.insert_episode_penalty(np.full(2, actor))
      writer.close()
    dataset = reverb_dataset.make_dataset(
        address, spec, batch_size=4, num_penalty_samples=6,
        timeout_seconds=1.)
    # The server withholds what lies beyond the window, and the stream ends.
    batches = list(dataset)
    self.assertBetween(4 * len(batches), 40 * 8 - window.min_diff - 32,
                       40 * 8 - window.min_diff)
    rewards = {float(r) for _, batch, _ in batches for r in batch.r_t}
    self.assertContainsSubset(
        rewards, {100 * a + i + 0.25 for a in range(2) for i in range(20)})
    self.assertNotEmpty([r for r in rewards if r < 100])
    self.assertNotEmpty([r for r in rewards if r > 100])
    penalties = np.concatenate(
        [episode_penalty for _, _, episode_penalty in batches])
    self.assertEqual({tuple(x) for x in penalties.tolist()},
                     {(0., 0.), (1., 1.)})
    self.assertEqual(dataset.element_spec[1].o_tm1.shape, (4, 3))
    self.assertEqual(dataset.element_spec[2].shape, (6, 2))

  def test_writers_are_closed_at_once_whatever_they_hold(self):
    spec = replay_contract.make_spec()
    _, address = self._serve(spec, samples_per_insert=8.)
    client = reverb.Client(address)

    def insert_and_close():
      for _ in range(300):
        writer = reverb_writer.ReverbWriter(client, spec, timeout_seconds=10.)
        writer.insert(replay_contract.make_transition(0))
        writer.close()

    thread = threading.Thread(target=insert_and_close, daemon=True)
    thread.start()
    thread.join(60.)
    self.assertFalse(thread.is_alive())

  @parameterized.parameters(
      reverb.DeadlineExceededError('held back'), RuntimeError('it is gone'))
  def test_no_chunk_is_left_to_be_filled_when_a_stream_is_closed(self, error):
    # Reverb may wait for it for ever, once in some hundred times.
    stream = mock.Mock()
    stream.flush.side_effect = error
    client = mock.Mock()
    client.trajectory_writer.return_value = stream
    writer = reverb_writer.ReverbWriter(
        client, replay_contract.make_spec(), timeout_seconds=10.)
    stream.reset_mock()
    writer.close()
    self.assertEqual(
        stream.mock_calls, 2 * [mock.call.flush(0, timeout_ms=1),
                                mock.call.close()])

  def test_the_server_has_the_time_that_was_given(self):
    client, spec = mock.MagicMock(), replay_contract.make_spec()
    stream = client.trajectory_writer.return_value
    writer = reverb_writer.ReverbWriter(client, spec, timeout_seconds=2.5)
    stream.flush.side_effect = reverb.DeadlineExceededError('held back')
    with self.assertRaises(reverb_writer.HeldBack):
      writer.flush()
    stream.flush.assert_called_once_with(0, timeout_ms=2500)
    with mock.patch.object(reverb, 'TimestepDataset',
                           wraps=reverb.TimestepDataset) as made:
      reverb_dataset.make_dataset(
          'localhost:1', spec, batch_size=4, num_penalty_samples=6,
          timeout_seconds=2.5)
    self.assertEqual([call.kwargs['rate_limiter_timeout_ms']
                      for call in made.call_args_list], [2500, 2500])

  def test_an_insertion_does_not_wait_for_the_chunk_that_it_fills(self):
    client, chunk = mock.MagicMock(), reverb_writer._CHUNK_LENGTH
    writer = reverb_writer.ReverbWriter(
        client, replay_contract.make_spec(), timeout_seconds=10.)
    with mock.patch.object(reverb_writer, '_LONGEST_SECONDS', np.inf):
      for i in range(chunk):
        writer.insert(replay_contract.make_transition(i))
    [call] = client.trajectory_writer.return_value.flush.call_args_list
    self.assertGreaterEqual(call.args[0], chunk)

  def test_a_writer_waits_for_a_server_that_is_slow_to_start(self):
    client = reverb.Client(f'localhost:{portpicker.pick_unused_port()}')
    patience = [True, True, False]
    with mock.patch.object(reverb_writer, '_ANSWER_SECONDS', 0.1):
      with self.assertRaisesRegex(reverb_writer.HeldBack, 'did not answer'):
        reverb_writer.ReverbWriter(
            client, replay_contract.make_spec(), timeout_seconds=1.,
            keep_waiting=lambda: patience.pop(0))
    self.assertEmpty(patience)


if __name__ == '__main__':
  absltest.main()
