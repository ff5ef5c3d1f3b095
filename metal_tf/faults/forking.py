"""Forks in place of new interpreters, which would import TensorFlow again.

A small run takes less time than that import. A fork of a process that has
imported everything and used nothing yet is the same program in a process of its
own.
"""

import contextlib
import ctypes
import functools
import gc
import logging
import os
import runpy
import signal
import subprocess
import sys
import traceback
from typing import Any, Callable, Dict, List
from unittest import mock
import warnings

from absl import flags
from launchpad.launch import worker_manager
import psutil

from metal_tf.system import proxies


def num_threads() -> int:
  """Threads of this process, those of libraries included."""
  return len(os.listdir('/proc/self/task'))


# Those of the libraries, which stand a fork. TensorFlow and Reverb start more
# once they are used, and a fork would lack these.
_libraries_threads = num_threads()


def possible() -> bool:
  """Whether a fork of this process is as good as a new one."""
  return num_threads() <= _libraries_threads


def become(command: List[str], environment: Dict[str, str],
           program: Callable[[], None], whole_end: bool = True) -> None:
  """Does in a fork what starting a program anew would do; does not return.

  For `preexec_fn` of `subprocess.Popen`.

  Args:
    command: program and arguments.
    environment: the variables, and no others.
    program: what the command would run.
    whole_end: whether the end has all that an interpreter's has: destructors,
      exit handlers, those of the parent among them.
  """
  os.closerange(3, os.sysconf('SC_OPEN_MAX'))
  os.environ.clear()
  os.environ.update(environment)
  sys.argv = command[1:]
  sys.stdout, sys.stderr = (
      open(number, 'w', encoding='utf-8', buffering=buffering, closefd=False)
      for number, buffering in ((1, -1), (2, 1)))
  for name in ('stdout', 'stderr'):
    setattr(sys, f'__{name}__', getattr(sys, name))
  logging.root.handlers.clear()  # Those of the test.
  _forget_the_parent()
  proxies.except_loopback()  # As importing the package does.
  gc.enable()  # Popen turns it off before a fork.
  global _libraries_threads
  _libraries_threads = num_threads()  # A fork has but one.
  status = 1
  try:
    program()
    status = 0
  except SystemExit as end:
    status = int(end.code or 0)
  except BaseException:  # noqa: BLE001 (as the interpreter would)
    with contextlib.suppress(OSError):  # Whoever reads may be gone.
      traceback.print_exc()
  if not whole_end:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
  ctypes.pythonapi.Py_Exit(ctypes.c_int(status))


def _forget_the_parent() -> None:
  """Undoes what the parent's program has set in its process."""
  for number in signal.valid_signals():
    if callable(signal.getsignal(number)):  # What is ignored stays so.
      signal.signal(number, signal.SIG_DFL)
  for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Popen has undone this.
    signal.signal(number, signal.SIG_IGN)
  if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:
    signal.signal(signal.SIGINT, signal.default_int_handler)
  warnings.resetwarnings()
  for category in (DeprecationWarning, PendingDeprecationWarning,
                   ImportWarning, ResourceWarning):  # As Python does.
    warnings.simplefilter('ignore', category)
  for name in flags.FLAGS:
    flags.FLAGS[name].unparse()
  # A program's first manager hears its signals.
  worker_manager._HAS_MAIN_MANAGER = False  # noqa: SLF001 (no other way)
  worker_manager._SIGNAL_HANDLERS = None  # noqa: SLF001 (no other way)


def fork_programs() -> None:
  """From here on, Python programs that this process starts are forks of it.

  For the launcher of workers, which end at once when they are done
  (`system.process.leave`).
  """
  environ = psutil.Process.environ
  mock.patch.object(subprocess, 'Popen', _Popen).start()
  mock.patch.object(
      psutil.Process, 'environ', lambda process: (
          _environments.get(process.pid) or environ(process))).start()


# Of forks, by process: /proc has that of the program before them.
_environments: Dict[int, Dict[str, str]] = {}


class _Popen(subprocess.Popen):
  """Forks instead of starting a Python interpreter anew, where possible."""

  def __init__(self, command: List[str], **settings: Any):
    fork = command[0] == sys.executable and possible()
    if fork:
      settings['preexec_fn'] = functools.partial(
          become, command, settings['env'],
          functools.partial(_run, command[1:]), whole_end=False)
    super().__init__(command, **settings)
    if fork:
      _environments[self.pid] = settings['env']


def _run(command: List[str]) -> None:
  """Runs what a Python interpreter would by its arguments."""
  if command[0] == '-m':
    sys.argv = command[1:]
    runpy.run_module(command[1], run_name='__main__', alter_sys=True)
  else:
    runpy.run_path(command[0], run_name='__main__')
