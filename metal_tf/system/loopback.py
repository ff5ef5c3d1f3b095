"""Restricts a listening socket of this process to the loopback device."""

import os
import re
import socket
from typing import Set

from absl import logging

_LISTEN = '0A'


def restrict_to_loopback(port: int) -> bool:
  """Makes a port of this process unreachable from other machines.

  Reverb's and Courier's servers listen on all addresses, without
  authentication, and have no option for the address. Binding the socket to the
  loopback device afterwards has the same effect.

  Args:
    port: a TCP port on which this process listens.

  Returns:
    Whether it worked. If not, one line is logged: the system does not let us.
  """
  hindrance = _restrict(port)
  if hindrance:
    logging.warning(
        'The server on port %d may be reached from other machines: could not '
        'restrict it to the loopback device (%s).', port, hindrance)
  return not hindrance


def check() -> bool:
  """Tries that on a port of its own; the answer holds for all processes."""
  with socket.create_server(('127.0.0.1', 0)) as probe:
    return not _restrict(probe.getsockname()[1])


def _restrict(port: int) -> str:
  """Does that, or says what hinders it."""
  try:
    descriptors = _listening_descriptors(port)
    for descriptor in descriptors:
      # The duplicate shares the socket; closing it leaves the server's alone.
      with socket.socket(fileno=os.dup(descriptor)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b'lo')
    return '' if descriptors else 'its socket was not found'
  except (OSError, AttributeError) as e:  # No /proc or no SO_BINDTODEVICE.
    return str(e)


def _listening_descriptors(port: int) -> Set[int]:
  """File descriptors of this process that listen on a TCP port."""
  inodes = set()
  for table in ('/proc/self/net/tcp', '/proc/self/net/tcp6'):
    if not os.path.exists(table):
      continue  # A kernel without IPv6.
    with open(table) as f:
      next(f)
      for line in f:
        fields = line.split()
        if (fields[3] == _LISTEN
            and int(fields[1].rsplit(':', 1)[1], 16) == port):
          inodes.add(fields[9])
  descriptors = set()
  for name in os.listdir('/proc/self/fd'):
    try:
      target = os.readlink(f'/proc/self/fd/{name}')
    except OSError:
      continue  # Closed meanwhile.
    match = re.fullmatch(r'socket:\[(\d+)\]', target)
    if match and match.group(1) in inodes:
      descriptors.add(int(name))
  return descriptors
