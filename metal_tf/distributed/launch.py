"""Launches a training run as a Launchpad program on this machine."""

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import traceback
from typing import Any, Dict, List, Optional

from absl import flags
import launchpad as lp
from launchpad.launch.run_locally import launch_local_output_to_files
from launchpad.nodes.python import local_multi_processing
import psutil

from metal_tf.distributed import program as program_lib
from metal_tf.distributed import screen as screen_lib
from metal_tf.system import process
from metal_tf.training import progress as progress_lib

PROCESSES = 'local_mp'
THREADS = 'local_mt'

# A person who pressed Ctrl-C waits no longer than 15 seconds in all.
_GRACE_SECONDS = 13.5

_LABEL_VARIABLE = 'METAL_TF_WORKER'


class WorkerFailed(Exception):
  """A worker failed; the message names it.

  Attributes:
    details: its traceback, or ''.
  """

  def __init__(self, message: str, details: str):
    super().__init__(message)
    self.details = details


def run_program(run: program_lib.Run, launch_type: str,
                progress: progress_lib.Progress) -> Optional[int]:
  """Runs a program to its end.

  Args:
    run: what the program is made from.
    launch_type: 'local_mp' or 'local_mt'.
    progress: shows the numbers.

  Returns:
    The signal that stopped it, or None at its normal end.

  Raises:
    WorkerFailed: if a worker did; all others have been stopped then.
  """
  program, handles = program_lib.make_program(run)
  manager = _start(program, launch_type, run)
  launched = _Launched(manager, launch_type, run.directory)
  clients = {name: handle.dereference() for name, handle in handles.items()}
  screen = screen_lib.Screen(
      **clients, progress=progress, kill=launched.kill,
      grace_seconds=_GRACE_SECONDS, fail=launched.fail,
      stall_seconds=run.config.stall_seconds)
  try:
    return launched.wait(screen)
  finally:
    screen.close()


class _Launched:
  """A program that runs: its workers, and the signals that stop them."""

  def __init__(self, manager: Any, launch_type: str, directory: str):
    self._manager = manager
    self._processes = launch_type == PROCESSES
    self._directory = directory
    self._children = _children_by_label() if self._processes else {}
    self._signal: Optional[int] = None
    self._ended = False
    self._killed = False
    self._failure: Optional[WorkerFailed] = None

  def wait(self, screen: screen_lib.Screen) -> Optional[int]:
    """Waits for all workers; see `run_program`."""

    def on_signal(number: int, frame: Any) -> None:
      del frame
      if self._signal is not None:
        self.kill()  # Asked twice.
      self._signal = number
      screen.stop(signal.Signals(number).name)

    # Launchpad's own handlers would signal all workers at once.
    for number in (signal.SIGINT, signal.SIGTERM):
      signal.signal(number, on_signal)
    try:
      # It ends last; whoever is there long after it will not end by itself.
      self._manager.wait(['coordinator/0' if self._processes
                          else 'coordinator'])
      self._ended = True
      screen.stop('')
      self._manager.wait(raise_error=False)
      with contextlib.suppress(*([RuntimeError] if self._killed else [])):
        self._manager.wait()  # Raises if one failed behind the coordinator.
    except BaseException as error:  # noqa: BLE001 (raised again below)
      if self._signal is None:
        self._failure = self._failure or self._describe(error)
        screen.stop(str(self._failure))
      self._manager.wait(raise_error=False)
    if self._failure is not None:
      raise self._failure
    return self._signal

  def fail(self, reason: str) -> None:
    """Ends all workers at once, because nothing else can be done."""
    self._failure = self._failure or WorkerFailed(reason, '')
    self.kill()

  def kill(self) -> None:
    """Ends all workers at once, and with threads this process."""
    if not self._processes:
      if self._failure is not None:
        with contextlib.suppress(OSError):  # Whoever reads may be gone.
          print(f'{self._failure}\n{self._failure.details}', file=sys.stderr,
                flush=True)
      os._exit(128 + self._signal if self._signal else not self._ended)
    self._killed = True
    for child in psutil.Process().children(recursive=True):
      with contextlib.suppress(psutil.NoSuchProcess):
        child.kill()

  def _describe(self, error: BaseException) -> WorkerFailed:
    """Names the worker that failed first."""
    if not self._processes:
      return WorkerFailed(
          f'a worker failed: {error}', ''.join(traceback.format_exception(
              type(error), error, error.__traceback__)))
    dead = [label for label, children in self._children.items()
            if not all(child.is_running() for child in children)]
    tracebacks = {label: self._last_traceback(label) for label in dead}
    # Some may have come to their own end meanwhile.
    raised = [label for label in dead if tracebacks[label]]
    name = ', '.join(raised or dead) or 'a worker'
    return WorkerFailed(
        f'{name} died ({error}).', '\n'.join(tracebacks.values()).strip())

  def _last_traceback(self, label: str) -> str:
    """The newest traceback in a worker's output, or ''."""
    folder = os.path.join(self._directory, 'logs', label)
    newest = ''
    paths = [os.path.join(folder, name) for name in os.listdir(folder)]
    for path in sorted(paths, key=os.path.getmtime):
      with open(path, encoding='utf-8', errors='replace') as stream:
        _, found, text = stream.read().rpartition('Traceback (most recent')
      newest = found + text if found else newest
    return newest


def _start(program: lp.Program, launch_type: str,
           run: program_lib.Run) -> Any:
  """Starts all workers; what Launchpad writes stays in the run's folder."""
  # Launchpad's own hard end would take this process with it (status 137).
  flags.FLAGS['lp_termination_notice_secs'].value = -1
  if launch_type == THREADS:
    return lp.launch(program, launch_type)
  logs = os.path.join(run.directory, 'logs')
  shutil.rmtree(logs, ignore_errors=True)  # Of the session before.
  # Launchpad reads LAUNCHPAD_LOGGING_DIR when it is imported, too early.
  launch_local_output_to_files._LOGGING_DIR = logs  # noqa: SLF001 (see above)
  resources = {label: _process(label) for label in program.groups}
  tempfile.tempdir = run.scratch_directory
  try:
    with contextlib.redirect_stdout(None):  # It lists its files, at length.
      return lp.launch(program, launch_type, local_resources=resources,
                       terminal='output_to_files')
  finally:
    tempfile.tempdir = None


def _process(label: str) -> local_multi_processing.PythonProcess:
  """The environment of a worker's process."""
  environment = {
      process.PARENT_VARIABLE: str(os.getpid()),
      _LABEL_VARIABLE: label,
      'PYTHONPATH': os.pathsep.join(sys.path),
      # The learner's log is read by people; the others' only after a failure.
      'PYTHONUNBUFFERED': '1',
      # Pools of memory of malloc. glibc makes up to eight per core, and what a
      # thread frees in its own serves no other: with the many threads of
      # Courier the counter grew by some KB an episode without a leak.
      'MALLOC_ARENA_MAX': os.environ.get('MALLOC_ARENA_MAX', '2'),
  }
  if label != 'learner':
    # One accelerator is for the learner; the others' work is small.
    environment.update({
        'CUDA_VISIBLE_DEVICES': '-1', 'OMP_NUM_THREADS': '1',
        'TF_NUM_INTRAOP_THREADS': '1', 'TF_NUM_INTEROP_THREADS': '1'})
  return local_multi_processing.PythonProcess(env=environment)


def _children_by_label() -> Dict[str, List[psutil.Process]]:
  """The processes that were just started, by what they are."""
  children: Dict[str, List[psutil.Process]] = {}
  for child in psutil.Process().children():
    with contextlib.suppress(psutil.Error):
      label = child.environ().get(_LABEL_VARIABLE)
      if label:
        children.setdefault(label, []).append(child)
  return children
