"""Keeps traffic within this machine off the proxies of the environment."""

import os

# Where gRPC looks for hosts that need no proxy: the first that is set counts.
# The other one belongs to many programs, so it is left alone.
_OWN, _SHARED = 'no_grpc_proxy', 'no_proxy'
_LOOPBACK = ('localhost', '127.0.0.1', '::1')


def except_loopback() -> None:
  """Lets gRPC, and so Reverb and Launchpad, reach this machine directly.

  With `http_proxy` in the environment, gRPC asks that proxy for the loopback
  device as well. What the user excepts, in either variable, stays excepted.
  It has to come before a channel is opened, and holds for child processes.
  """
  hosts = os.environ.get(_OWN, os.environ.get(_SHARED, '')).split(',')
  hosts = [host.strip() for host in hosts if host.strip()]
  os.environ[_OWN] = ','.join(dict.fromkeys([*hosts, *_LOOPBACK]))
