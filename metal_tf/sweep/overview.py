"""All runs of a sweep at a glance, from files only.

Cheap enough to be asked every few seconds while thousands of runs are there: a
log is read again only when it has changed, and not at all once its run has
ended.
"""

import os
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from metal_tf.environments import own
from metal_tf.runs import rates as rates_lib
from metal_tf.runs import run_folder
from metal_tf.runs import workdir as workdir_lib
from metal_tf.sweep import record as record_lib

_FILES = ('config.json', 'episodes.csv')


class State(NamedTuple):
  """One run, now.

  Attributes:
    name: of its folder.
    algorithm: the agent's name.
    domain: that it trains on, or a short name of an own environment.
    status: one of `record`'s.
    episodes: done.
    num_episodes: asked for.
    rates: its speed; None if it is not known yet.
    run: what is on disk; None before the start, once it has finished, and where
      it cannot be read.
    summary: of a finished run, else None.
    last_line: of the log, if the sweep has one, or why the folder cannot be
      read; '' before the end.
  """
  name: str
  algorithm: str
  domain: str
  status: str
  episodes: int
  num_episodes: int
  rates: Optional[rates_lib.Rates]
  run: Optional[run_folder.RunFolder]
  summary: Optional[Dict[str, Any]]
  last_line: str = ''


class Overview:
  """Reads a sweep's folder again and again."""

  def __init__(self, path: str):
    """Reads nothing yet.

    Args:
      path: absolute path of a sweep's folder, or of one that holds runs.
    """
    self._path = path
    self._finished: Dict[str, State] = {}
    self._read: Dict[str, Tuple[Any, run_folder.RunFolder]] = {}

  def states(self, names: Optional[Sequence[str]] = None) -> List[State]:
    """Returns the runs, in the order of the record, else of their names.

    Args:
      names: of the only runs of interest.

    Raises:
      WorkdirError: if the record is not one.
    """
    entries = record_lib.read(self._path)
    if entries is None:
      entries = [self._unrecorded(path) for path in run_folder.find(self._path)]
    elif not run_folder.is_locked(os.path.join(self._path, 'lock')):
      for entry in entries:  # There is no sweep that could run it.
        if entry.status == record_lib.RUNNING:
          entry.status = record_lib.INTERRUPTED
    wanted = None if names is None else set(names)
    return [self._state(entry) for entry in entries
            if wanted is None or entry.name in wanted]

  def _unrecorded(self, path: str) -> record_lib.Entry:
    """Describes a run that no sweep of this folder has started."""
    name = os.path.relpath(path, self._path)
    if name in self._finished:
      state = self._finished[name]
      return record_lib.Entry(name, state.algorithm, {
          'domain': state.domain, 'num_episodes': state.num_episodes}, [],
                              record_lib.FINISHED)
    try:
      run = self._run(path)
    except run_folder.RunFolderError as error:
      return record_lib.Entry(name, '', {'domain': '', 'num_episodes': 0}, [],
                              record_lib.FAILED, last_line=str(error))
    return record_lib.Entry(name, run.algorithm, run.config, [],
                            record_lib.INTERRUPTED)

  def _state(self, entry: record_lib.Entry) -> State:
    path = os.path.join(self._path, entry.name)
    num_episodes = entry.settings['num_episodes']
    status, run, last_line = entry.status, None, entry.last_line
    try:
      # Without a length its settings cannot be read, whatever it left besides.
      summary = finished_summary(path, num_episodes) if num_episodes else None
      if summary is None and run_folder.is_run(path):
        run = self._run(path)
    except (workdir_lib.WorkdirError, run_folder.RunFolderError) as error:
      summary, last_line = None, str(error)
      if status == record_lib.FINISHED:  # So it was, and is damaged now.
        status = record_lib.FAILED
    if summary is not None:
      if entry.name not in self._finished:
        self._read.pop(path, None)
        self._finished[entry.name] = State(
            entry.name, entry.algorithm, _domain(entry),
            record_lib.FINISHED, summary['episodes'], num_episodes,
            _mean_rates(summary), None, summary)
      return self._finished[entry.name]
    self._finished.pop(entry.name, None)
    if run and run_folder.is_locked(os.path.join(path, 'lock')):
      status = record_lib.RUNNING
    if status == record_lib.FINISHED:  # Its folder was removed or made longer.
      status = record_lib.WAITING
    return State(
        entry.name, entry.algorithm, _domain(entry), status,
        run.num_episodes if run else 0, num_episodes,
        rates_lib.of(run) if run else None, run, None, last_line)

  def _run(self, path: str) -> run_folder.RunFolder:
    """Reads a run, unless nothing has changed."""
    signature = [_stamp(os.path.join(path, name)) for name in _FILES]
    before = self._read.get(path)
    if before is None or before[0] != signature:
      before = signature, run_folder.read(path)
      self._read[path] = before
    return before[1]


def finished_summary(path: str, num_episodes: int) -> Optional[Dict[str, Any]]:
  """Returns the summary of a run that has come to its end, else None.

  Args:
    path: the run's folder.
    num_episodes: its length.

  Raises:
    WorkdirError: if there is a `summary.json` of another kind.
  """
  summary = workdir_lib.read_summary(path)
  if summary is None or summary['episodes'] < num_episodes:
    return None
  return summary


def count(states: Sequence[State]) -> Dict[str, int]:
  """Returns how many runs have each status, those without any left out."""
  counts: Dict[str, int] = {}
  for state in states:
    counts[state.status] = counts.get(state.status, 0) + 1
  return counts


def seconds_left(states: Sequence[State], jobs: int) -> Optional[float]:
  """Estimates when all runs that have not failed will be done.

  A run that has no speed of its own is taken to have the mean of its domain,
  else that of all.

  Args:
    states: of the runs.
    jobs: runs at once.

  Returns:
    Seconds, or None as long as no run has a speed.
  """
  speeds = {domain: sum(x.seconds_per_episode for x in each) / len(each)
            for domain, each in rates_by_domain(states).items()}
  if not speeds:
    return None
  default = sum(speeds.values()) / len(speeds)
  left = []
  for state in states:
    if state.status not in (record_lib.FINISHED, record_lib.FAILED):
      each = (state.rates.seconds_per_episode if state.rates else
              speeds.get(state.domain, default))
      left.append(each * (state.num_episodes - state.episodes))
  return max(sum(left) / max(1, jobs), max(left, default=0.0))


def rates_by_domain(
    states: Sequence[State]) -> Dict[str, List[rates_lib.Rates]]:
  """Returns the speeds of the measured runs of each domain that has some."""
  found: Dict[str, List[rates_lib.Rates]] = {}
  for state in states:
    if state.rates is not None:
      found.setdefault(state.domain, []).append(state.rates)
  return found


def _mean_rates(summary: Dict[str, Any]) -> Optional[rates_lib.Rates]:
  seconds = summary['seconds']
  if seconds <= 0:
    return None
  return rates_lib.Rates(
      seconds / summary['episodes'], summary['actor_steps'] / seconds,
      summary['learner_steps'] / seconds)


def _domain(entry: record_lib.Entry) -> str:
  own_name = entry.settings.get('environment')
  return own.label(own_name) if own_name else entry.settings['domain']


def _stamp(path: str) -> Optional[Tuple[int, int]]:
  try:
    found = os.stat(path)
  except FileNotFoundError:
    return None
  return found.st_mtime_ns, found.st_size
