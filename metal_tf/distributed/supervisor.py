"""Runs a command again when a signal has killed it.

Launchpad ends a whole program when one of its processes dies. An actor holds
nothing that another could not have, so its process gets this one around it:
killed by a signal (the system out of memory, a crash in the simulator, a
person), it is started again; ended by an exception, which would come again, it
takes the run with it.

Started as a program, before anything heavy is loaded.
"""

import collections
import os
import signal
import subprocess
import sys
import time
from typing import Any, Deque, Optional, Sequence

from metal_tf.system import process

_MOST_DEATHS = 5
_PERIOD_SECONDS = 60.0
_PAUSE_SECONDS = 0.5


def supervise(command: Sequence[str]) -> int:
  """Runs a command until it ends by itself, or dies too often.

  SIGTERM is passed on, and the command is not started again after it.

  Args:
    command: program and arguments; finds this process where others find the
      launcher, in `process.PARENT_VARIABLE`.

  Returns:
    The exit status: the command's, or 128 + the signal that killed it last.
  """
  child: Optional[subprocess.Popen] = None
  terminated = False

  def pass_on(number: int, frame: Any) -> None:
    del frame
    nonlocal terminated
    terminated = True
    if child is not None and child.poll() is None:
      child.send_signal(number)

  signal.signal(signal.SIGTERM, pass_on)
  signal.signal(signal.SIGINT, signal.SIG_IGN)
  environment = {**os.environ, process.PARENT_VARIABLE: str(os.getpid())}
  deaths: Deque[float] = collections.deque(maxlen=_MOST_DEATHS)
  while True:
    child = subprocess.Popen(command, env=environment)
    if terminated:  # While it was being started.
      child.send_signal(signal.SIGTERM)
    status = child.wait()
    if status >= 0 or terminated:
      return status if status >= 0 else 128 - status
    print(f'Process {child.pid} was killed by signal {-status}.',
          file=sys.stderr, flush=True)
    deaths.append(time.monotonic())
    if (len(deaths) == _MOST_DEATHS
        and deaths[-1] - deaths[0] < _PERIOD_SECONDS):
      print(f'{_MOST_DEATHS} times in {_PERIOD_SECONDS:.0f} s; giving up.',
            file=sys.stderr, flush=True)
      return 128 - status
    time.sleep(_PAUSE_SECONDS)
    if terminated:
      return 128 + signal.SIGTERM


if __name__ == '__main__':
  process.adopt()
  sys.exit(supervise(sys.argv[1:]))
