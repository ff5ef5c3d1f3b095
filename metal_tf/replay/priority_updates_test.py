"""Tests for `priority_updates`."""

import threading
import time

from absl.testing import absltest
import numpy as np

from metal_tf.replay import priority_updates


class _Client:
  """Stands for a server, which answers when it is allowed to."""

  def __init__(self):
    self.updates = []
    self.error = None
    self.open = threading.Event()

  def mutate_priorities(self, table, updates):
    assert table == 'transitions'
    self.open.wait()
    if self.error is not None:
      raise self.error
    self.updates.append(updates)


class PriorityUpdatesTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self._client = _Client()
    self._updates = priority_updates.PriorityUpdates(self._client, 2.0)
    self.addCleanup(self._updates.close)
    self.addCleanup(self._client.open.set)

  def _put(self, key, priority):
    self._updates.put(np.array([key], np.uint64), np.array([priority]))

  def test_nobody_waits_and_the_order_is_kept(self):
    for i in range(4):
      self._put(i, 1.0 + i)  # The server has not answered once.
    self.assertEqual(self._updates.largest, 2.0)
    self._client.open.set()
    self._updates.flush()
    self.assertEqual(self._client.updates, [{i: 1.0 + i} for i in range(4)])
    self.assertEqual(self._updates.largest, 4.0)

  def test_a_learner_that_is_faster_than_the_server_waits(self):
    done = []

    def put_many():
      for i in range(20):
        self._put(i, 1.0)
        done.append(i)

    thread = threading.Thread(target=put_many)
    thread.start()
    while len(done) < 5:  # One is being sent, four wait.
      time.sleep(0.001)
    time.sleep(0.05)
    self.assertLen(done, 5)
    self._client.open.set()
    thread.join()
    self._updates.flush()
    self.assertLen(self._client.updates, 20)

  def test_keys_keep_all_their_digits(self):
    self._client.open.set()
    self._put(2**64 - 1, 1.0)
    self._updates.flush()
    self.assertEqual(self._client.updates, [{2**64 - 1: 1.0}])

  def test_a_failure_is_raised_where_the_learner_is(self):
    self._client.error = RuntimeError('gone')
    self._client.open.set()
    self._put(1, 1.0)
    with self.assertRaisesRegex(RuntimeError, 'gone'):
      self._updates.flush()
    with self.assertRaisesRegex(RuntimeError, 'gone'):
      self._put(2, 1.0)

  def test_a_skipped_step_sends_nothing(self):
    self._client.open.set()
    self._put(1, np.nan)
    self._updates.flush()
    self.assertEmpty(self._client.updates)
    self.assertEqual(self._updates.largest, 2.0)

  def test_what_waits_at_the_end_is_sent(self):
    for i in range(3):
      self._put(i, 1.0)
    self._client.open.set()
    self._updates.close()
    self.assertLen(self._client.updates, 3)


if __name__ == '__main__':
  absltest.main()
