"""Servers of this machine are reached in spite of a proxy."""

import os
import subprocess
import sys
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized

from metal_tf.system import proxies

# Nobody listens at port 9 of the loopback device, so a proxy there answers
# nothing. The package itself has to be enough.
_CODE = '''
import metal_tf
import reverb
server = reverb.Server([reverb.Table(
    'table', reverb.selectors.Fifo(), reverb.selectors.Fifo(), 1,
    reverb.rate_limiters.MinSize(1))])
client = reverb.Client(f'localhost:{server.port}')
print(sorted(client.server_info(timeout=60)))
'''


class ProxiesTest(parameterized.TestCase):

  @parameterized.parameters(
      ({}, 'localhost,127.0.0.1,::1'),
      ({'no_proxy': '.lab, 127.0.0.1'}, '.lab,127.0.0.1,localhost,::1'),
      ({'no_proxy': '.lab', 'no_grpc_proxy': 'one'},
       'one,localhost,127.0.0.1,::1'),
      ({'no_proxy': '.lab', 'no_grpc_proxy': ''}, 'localhost,127.0.0.1,::1'))
  def test_own_exceptions_stay(self, environment, expected):
    with mock.patch.dict(os.environ, environment):
      for name in {'no_proxy', 'no_grpc_proxy'} - set(environment):
        os.environ.pop(name, None)
      for _ in range(2):  # A child process does it once more.
        proxies.except_loopback()
        self.assertEqual(os.environ['no_grpc_proxy'], expected)
      self.assertEqual(os.environ.get('no_proxy'), environment.get('no_proxy'))

  def test_a_server_is_reached_in_spite_of_a_proxy(self):
    environment = {name: value for name, value in os.environ.items()
                   if not name.endswith('_proxy')}
    for name in ('http_proxy', 'https_proxy', 'grpc_proxy'):
      environment[name] = 'http://127.0.0.1:9'
    ended = subprocess.run(
        [sys.executable, '-c', _CODE], capture_output=True, text=True,
        check=False, env={**environment, 'TF_CPP_MIN_LOG_LEVEL': '2',
                          'PYTHONPATH': os.pathsep.join(sys.path)})
    self.assertEqual((ended.returncode, ended.stdout), (0, "['table']\n"),
                     ended.stderr)


if __name__ == '__main__':
  absltest.main()
