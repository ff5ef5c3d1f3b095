"""One run of a sweep as a process of its own.

Started as a program, it is the thin layer that becomes the launcher:

    python -m metal_tf.sweep.jobs <parent's process id> <command>...
"""

import os
import shlex
import signal
import subprocess
import sys
import time
from typing import Dict, List, Optional, Sequence

from metal_tf.system import process

_TAIL_BYTES = 4096


class Job:
  """A command that runs, its output in a log."""

  def __init__(self, command: Sequence[str], log: str,
               environment: Dict[str, str]):
    """Starts it, in a session of its own so that Ctrl-C does not reach it.

    It is killed by the kernel when the thread that started it is gone, however
    that went.

    Args:
      command: program and arguments.
      log: file that its output is appended to.
      environment: of the process.

    Raises:
      OSError: if it cannot be started or the log cannot be written.
    """
    self._log = log
    self._started = time.monotonic()
    self._deadline: Optional[float] = None
    with open(log, 'ab') as stream:
      stream.write(f'$ {shlex.join(command)}\n'.encode())
      stream.flush()
      # pylint: disable-next=consider-using-with
      self._process = subprocess.Popen(
          [sys.executable, '-m', 'metal_tf.sweep.jobs', str(os.getpid()),
           *command],
          env=environment, stdin=subprocess.DEVNULL, stdout=stream,
          stderr=subprocess.STDOUT, start_new_session=True)

  @property
  def seconds(self) -> float:
    """Since the start."""
    return time.monotonic() - self._started

  def poll(self) -> Optional[int]:
    """Returns the exit status, -n for signal n, or None while it runs."""
    status: Optional[int] = self._process.poll()
    if (status is None and self._deadline is not None
        and time.monotonic() > self._deadline):
      self.kill()
    return status

  def stop(self, seconds: float) -> None:
    """Asks it to end with a checkpoint; after so many seconds it is killed."""
    self._deadline = time.monotonic() + seconds
    self._process.send_signal(signal.SIGTERM)

  def kill(self) -> None:
    """Ends it at once, and with it the workers that it started."""
    if self._process.poll() is None:
      os.killpg(self._process.pid, signal.SIGKILL)
      self._process.wait()

  def last_line(self) -> str:
    """The last line of the log that is not empty."""
    return last_line(self._log)


def last_line(log: str) -> str:
  """Returns the last line of a file that is not empty, or ''."""
  try:
    with open(log, 'rb') as stream:
      stream.seek(0, os.SEEK_END)
      stream.seek(max(0, stream.tell() - _TAIL_BYTES))
      text = stream.read().decode(errors='replace')
  except OSError:
    return ''
  lines = [line.strip() for line in text.splitlines() if line.strip()]
  return lines[-1] if lines else ''


def python_path(root: str) -> str:
  """Where Python finds this package, and what it finds here already.

  Args:
    root: folder that the packages are in.
  """
  given = os.environ.get('PYTHONPATH', '')  # It may lead to the suite.
  return os.pathsep.join([root, *(
      os.path.abspath(entry) for entry in given.split(os.pathsep) if entry)])


def environment(jobs: int, root: str) -> Dict[str, str]:
  """The environment of one of several jobs on this machine.

  Cores are shared out: without that, each job's TensorFlow starts as many
  threads as there are cores, and they wait for each other. What is set already
  stays.

  Args:
    jobs: how many run at once; a single one has the machine to itself.
    root: folder that the packages are in.
  """
  result = {**os.environ, 'PYTHONUNBUFFERED': '1',
            'PYTHONPATH': python_path(root)}
  if jobs > 1:
    threads = str(max(1, len(os.sched_getaffinity(0)) // jobs))
    for name in ('OMP_NUM_THREADS', 'TF_NUM_INTRAOP_THREADS',
                 'TF_NUM_INTEROP_THREADS'):
      result.setdefault(name, threads)
  return result


def _become(arguments: List[str]) -> None:
  """Ties this process to its parent and becomes the command."""
  parent, *command = arguments
  process.die_with_parent(int(parent))
  os.execvp(command[0], command)


if __name__ == '__main__':
  _become(sys.argv[1:])
