"""Tests of how the replay server takes its port."""

import socket
from unittest import mock

from absl.testing import absltest
import reverb

from metal_tf.distributed import replay_node


class StartServerTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self._other = socket.create_server(('', 0))  # It listens there already.
    self.addCleanup(self._other.close)
    self._port = self._other.getsockname()[1]

  def _start(self):
    directory = self.create_tempdir().full_path
    return replay_node.start_server(
        self._port, lambda: [reverb.Table.queue('table', max_size=1)],
        lambda: reverb.checkpointers.DefaultCheckpointer(directory))

  def test_waits_for_a_port_that_is_taken_for_a_moment(self):
    with mock.patch.object(replay_node.time, 'sleep',
                           side_effect=lambda seconds: self._other.close()):
      with self.assertLogs(level='WARNING') as logged:
        server = self._start()
    self.assertLen(logged.output, 1)
    self.assertIn(f'port {self._port}', logged.output[0])
    self.assertIn('table', reverb.Client(
        f'localhost:{self._port}').server_info(timeout=30))
    server.stop()

  def test_fails_if_the_port_stays_taken(self):
    with mock.patch.object(replay_node.time, 'sleep') as slept:
      with self.assertRaises(ValueError):
        self._start()
    self.assertGreater(slept.call_count, 0)


if __name__ == '__main__':
  absltest.main()
