"""Tests for `loopback`."""

import socket
from typing import List
from unittest import mock

from absl import logging
from absl.testing import absltest
import reverb

from metal_tf.system import loopback


def _other_addresses() -> List[str]:
  """Addresses of this machine that are not loopback ones."""
  addresses = set()
  # Connecting a datagram socket sends nothing, and tells our own address on
  # the way there; the targets are reserved for documentation.
  for family, target in ((socket.AF_INET, '198.51.100.1'),
                         (socket.AF_INET6, '2001:db8::1')):
    try:
      with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((target, 9))
        addresses.add(probe.getsockname()[0])
    except OSError:
      continue
  return sorted(x for x in addresses if not x.startswith(('127.', '::1')))


def _reachable(address: str, port: int) -> bool:
  try:
    socket.create_connection((address, port), timeout=1.).close()
    return True
  except OSError:
    return False


class LoopbackTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self._server = reverb.Server([reverb.Table(
        'table', reverb.selectors.Uniform(), reverb.selectors.Fifo(), 10,
        reverb.rate_limiters.MinSize(1))])
    self.addCleanup(self._server.stop)

  def test_only_this_machine_reaches_the_server(self):
    port = self._server.port
    reachable_before = [x for x in _other_addresses() if _reachable(x, port)]
    if not loopback.restrict_to_loopback(port):
      self.skipTest('the system does not let us restrict a socket')
    client = reverb.Client(f'localhost:{port}')
    client.insert([1.], {'table': 1.})
    self.assertEqual(client.server_info()['table'].current_size, 1)
    if not reachable_before:
      self.skipTest('this machine has no address beside the loopback ones, so '
                    'that others cannot reach it was not tried')
    for address in reachable_before:
      self.assertFalse(_reachable(address, port), address)

  def test_what_is_tried_first_tells_what_a_server_gets(self):
    self.assertEqual(loopback.check(),
                     loopback.restrict_to_loopback(self._server.port))

  def test_a_refusal_is_one_warning(self):
    refusal = PermissionError('not allowed')
    with mock.patch.object(socket.socket, 'setsockopt', side_effect=refusal):
      with self.assertLogs(logging.get_absl_logger(), 'WARNING') as logs:
        self.assertFalse(loopback.restrict_to_loopback(self._server.port))
        self.assertFalse(loopback.check())
    self.assertLen(logs.output, 1)
    self.assertIn('may be reached from other machines', logs.output[0])
    self.assertIn('not allowed', logs.output[0])
    self.assertTrue(_reachable('localhost', self._server.port))

  def test_a_port_of_nobody_is_one_warning(self):
    with socket.socket() as unused:
      unused.bind(('127.0.0.1', 0))  # Taken, and not listening.
      with self.assertLogs(logging.get_absl_logger(), 'WARNING') as logs:
        self.assertFalse(
            loopback.restrict_to_loopback(unused.getsockname()[1]))
    self.assertIn('was not found', logs.output[0])


if __name__ == '__main__':
  absltest.main()
