"""Runs a grid: so many jobs at once, each outcome recorded, then the next."""

import collections
import contextlib
import dataclasses
import os
import signal
import time
from typing import (
  Any,
  Callable,
  Deque,
  Dict,
  Iterator,
  List,
  Optional,
  Sequence,
)

from metal_tf.runs import rates
from metal_tf.runs import workdir as workdir_lib
from metal_tf.sweep import display
from metal_tf.sweep import grid
from metal_tf.sweep import jobs as jobs_lib
from metal_tf.sweep import overview
from metal_tf.sweep import record as record_lib

_LOGS = 'logs'
_PERIOD_SECONDS = 0.2
# A run ends within 15 seconds of a signal; what does not is killed.
_GRACE_SECONDS = 15.0
# A run that has failed is tried once more: a process that was killed for want
# of memory, or a full disk, need not come again.
_MOST_FAILURES = 2
# Of a run that refuses its settings or its folder: it would again.
_REFUSED = 2
# How a run ends that somebody has asked to stop: by its own handler, or before
# that is in place.
_SIGNALLED = (-signal.SIGTERM, -signal.SIGINT, 128 + signal.SIGTERM,
              128 + signal.SIGINT)

# Makes what a screen shows from the runs and how many are at once.
View = Callable[[Sequence[overview.State], int], Any]


class Sweep:
  """A grid on its way. Not to be used from a thread: see `jobs.Job`."""

  def __init__(self, runs: Sequence[grid.Run],
               command_of: Callable[[grid.Run], List[str]],
               workdir: workdir_lib.Workdir, screen: display.Screen,
               view: View, jobs: int, environment: Dict[str, str],
               retry_failed: bool = False):
    """Finds out what is left to do; starts nothing.

    Args:
      runs: the grid; their folders lie in `workdir`.
      command_of: the command that trains a run.
      workdir: the sweep's folder, locked.
      screen: shows what happens.
      view: makes the picture of how the runs stand.
      jobs: runs at once.
      environment: of their processes.
      retry_failed: whether failures so far are forgotten.

    Raises:
      WorkdirError: if the folder's record or a summary is not what it should
        be.
    """
    self._workdir = workdir
    self._screen = screen
    self._view = view
    self._jobs = jobs
    self._environment = environment
    self._record = record_lib.Record(workdir)
    self._overview = overview.Overview(workdir.path)
    self._folders = {run.name: run.config.workdir for run in runs}
    self._lengths = {run.name: run.config.num_episodes for run in runs}
    entries = [self._enter(run, command_of(run), retry_failed) for run in runs]
    self._save(entries)
    self._waiting: Deque[record_lib.Entry] = collections.deque(
        entry for entry in entries
        if entry.status in (record_lib.WAITING, record_lib.INTERRUPTED))
    self._entries = entries
    self._running: Dict[str, jobs_lib.Job] = {}
    self._before: Dict[str, float] = {}  # Seconds of earlier attempts.
    self._signal: Optional[int] = None
    self._signals = 0

  def run(self) -> int:
    """Runs the grid to its end.

    Returns:
      0 if all runs have finished, 1 if not, 128 + n after signal n.
    """
    os.makedirs(self._workdir.file(_LOGS), exist_ok=True)
    handlers = {number: signal.signal(number, self._on_signal)
                for number in (signal.SIGINT, signal.SIGTERM)}
    try:
      self._loop()
    finally:
      for job in self._running.values():  # Only if something went wrong.
        job.kill()
      for number, handler in handlers.items():
        signal.signal(number, handler)
    if self._signal is not None:
      self._note(
          f'Stopped by {signal.Signals(self._signal).name}; the same command '
          'again goes on from the checkpoints.')
    self._show_end()
    if self._signal is not None:
      return 128 + self._signal
    return int(any(entry.status != record_lib.FINISHED
                   for entry in self._entries))

  # --- The grid --------------------------------------------------------------

  def _enter(self, run: grid.Run, command: List[str],
             retry_failed: bool) -> record_lib.Entry:
    """Makes a run's entry from what is known of it."""
    now: Dict[str, Any] = dict(name=run.name, algorithm=run.algorithm.name,
               settings=run.settings, command=command)
    before = self._record.entry(run.name)
    entry = (dataclasses.replace(before, **now) if before is not None else
             record_lib.Entry(**now))
    if self._has_finished(run.name):  # Perhaps by hand or on a cluster.
      entry.status = record_lib.FINISHED
    elif entry.status == record_lib.FINISHED:
      # Its folder was removed, or it is to be longer.
      entry.status = record_lib.WAITING
    elif entry.status == record_lib.FAILED:
      entry.failures = 0 if retry_failed else entry.failures
      if entry.failures < _MOST_FAILURES:
        entry.status = record_lib.WAITING
    return entry

  def _has_finished(self, name: str) -> bool:
    return overview.finished_summary(
        self._folders[name], self._lengths[name]) is not None

  def _loop(self) -> None:
    told = 0
    while self._running or self._waiting and self._signal is None:
      if told < self._signals:
        self._stop_jobs(at_once=told > 0)
        told = self._signals
      while (self._waiting and self._signal is None and
             len(self._running) < self._jobs):
        self._start(self._waiting.popleft())
      for entry in self._entries:
        job = self._running.get(entry.name)
        status = job.poll() if job else None
        if status is not None:
          self._settle(entry, self._running.pop(entry.name), status)
      if not self._screen.rest:
        with _unseen():
          self._screen.update(self._picture)
      time.sleep(_PERIOD_SECONDS)

  def _stop_jobs(self, at_once: bool) -> None:
    for job in self._running.values():
      if at_once:  # Asked twice.
        job.kill()
      else:
        job.stop(_GRACE_SECONDS)

  def _start(self, entry: record_lib.Entry) -> None:
    entry.attempts += 1
    entry.status, entry.exit_status = record_lib.RUNNING, None
    entry.last_line = ''
    self._before[entry.name] = entry.seconds
    try:
      self._running[entry.name] = jobs_lib.Job(
          entry.command, self._log(entry.name), self._environment)
    except OSError as error:
      self._fail(entry, f'cannot be started: {error}')
    else:
      again = f', attempt {entry.attempts}' if entry.attempts > 1 else ''
      self._note(f'started  {entry.name}{again}')
    self._save([entry])

  def _settle(self, entry: record_lib.Entry, job: jobs_lib.Job,
              status: int) -> None:
    """Records how a job has ended."""
    entry.exit_status = status
    entry.seconds = self._before[entry.name] + job.seconds
    entry.last_line = job.last_line()
    took = rates.duration(job.seconds)
    finished = False
    try:
      finished = status == 0 and self._has_finished(entry.name)
    except workdir_lib.WorkdirError as error:  # It stops no other run.
      entry.last_line = str(error)
    if finished:
      entry.status = record_lib.FINISHED
      self._note(f'finished {entry.name} in {took}')
    elif status in _SIGNALLED or self._signal is not None:
      entry.status = record_lib.INTERRUPTED
      self._note(f'stopped  {entry.name} after {took}')
    else:
      self._fail(entry, entry.last_line)
    self._save([entry])

  def _fail(self, entry: record_lib.Entry, reason: str) -> None:
    entry.status = record_lib.FAILED
    entry.failures += 1
    entry.last_line = reason
    more = 'given up; --retry_failed tries it again'
    if entry.exit_status == _REFUSED and entry.failures < _MOST_FAILURES:
      more = 'mend that, and the same command tries it again'
    elif entry.failures < _MOST_FAILURES and self._signal is None:
      entry.status = record_lib.WAITING
      self._waiting.append(entry)  # After all others.
      more = 'it is tried once more at the end'
    how = '' if entry.exit_status is None else (
        f' with status {entry.exit_status}')
    self._note(
        f'FAILED   {entry.name}{how}: {reason} ({more}; log: '
        f'{self._log(entry.name)})')

  # --- What it tells ---------------------------------------------------------

  def _note(self, text: str) -> None:
    with _unseen():
      self._screen.note(text)

  def _picture(self) -> Any:
    return self._view(self._overview.states(
        [entry.name for entry in self._entries]), self._jobs)

  def _show_end(self) -> None:
    with _unseen():
      self._screen.close(self._picture)
    left = [entry for entry in self._entries
            if entry.status != record_lib.FINISHED]
    for entry in left:
      if entry.status == record_lib.FAILED:
        self._note(f'failed: {entry.name}: {entry.last_line} (log: '
                   f'{self._log(entry.name)})')
    self._note(
        f'{len(self._entries) - len(left)} of {len(self._entries)} runs have '
        f'finished. Everything is in {self._workdir.path}')

  def _log(self, name: str) -> str:
    return os.path.join(self._workdir.file(_LOGS), f'{name}.log')

  def _save(self, entries: List[record_lib.Entry]) -> None:
    try:
      self._record.add(entries)
    except OSError as error:
      self._note(f'Warning: {record_lib.FILE} could not be written ({error}); '
                 'the sweep goes on.')

  def _on_signal(self, number: int, frame: Any) -> None:
    del frame  # The loop does the rest: a job may just be starting.
    self._signal = self._signal or number
    self._signals += 1


@contextlib.contextmanager
def _unseen() -> Iterator[None]:
  """What cannot be read or shown ends no job.

  A full disk, a file that is being edited, or a reader who has gone away, for
  whom rich ends the program.
  """
  with contextlib.suppress(OSError, workdir_lib.WorkdirError, SystemExit):
    yield
