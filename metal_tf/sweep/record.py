"""`sweep.json`: what became of every run of a sweep, on disk at any time.

    {"runs": [{"name": ..., "algorithm": ..., "settings": {...},
               "command": [...], "status": ..., "exit_status": ...,
               "seconds": ..., "attempts": ..., "failures": ...,
               "last_line": ...}, ...]}

The entries are the fields of `Entry`. The file keeps the runs of earlier
commands in the same folder.
"""

import dataclasses
import os
from typing import Any, Dict, List, Optional

from metal_tf.runs import workdir as workdir_lib

FILE = 'sweep.json'

WAITING = 'waiting'
RUNNING = 'running'
FINISHED = 'finished'
FAILED = 'failed'
INTERRUPTED = 'interrupted'

_STATUSES = (WAITING, RUNNING, FINISHED, FAILED, INTERRUPTED)
# Of what a person may have written into the file.
_KINDS = {
    'name': str, 'algorithm': str, 'settings': dict, 'command': list,
    'exit_status': (int, type(None)), 'seconds': (int, float), 'attempts': int,
    'failures': int, 'last_line': str}


@dataclasses.dataclass
class Entry:
  """One run.

  Attributes:
    name: of its folder.
    algorithm: the agent's name.
    settings: what the sweep varies, and the length.
    command: program and arguments that train it.
    status: `WAITING`, `RUNNING`, `FINISHED`, `FAILED` or `INTERRUPTED` (stopped
      by a signal; the same command goes on with it).
    exit_status: of the last attempt; -n if signal n killed it; None before its
      end.
    seconds: that processes worked on it, over all attempts whose end a sweep
      has seen.
    attempts: how often it was started.
    failures: how many of these failed.
    last_line: of its log, at the last attempt's end.
  """
  name: str
  algorithm: str
  settings: Dict[str, Any]
  command: List[str]
  status: str = WAITING
  exit_status: Optional[int] = None
  seconds: float = 0.0
  attempts: int = 0
  failures: int = 0
  last_line: str = ''


class Record:
  """The entries of a folder, written with every change."""

  def __init__(self, workdir: workdir_lib.Workdir):
    """Reads what an earlier command left.

    Args:
      workdir: the sweep's folder, locked.

    Raises:
      WorkdirError: if there is a `sweep.json` of another kind.
    """
    self._workdir = workdir
    self._entries = {entry.name: entry for entry in read(workdir.path) or ()}
    for entry in self._entries.values():
      if entry.status == RUNNING:  # The sweep was killed, and its jobs with it.
        entry.status = INTERRUPTED

  def entry(self, name: str) -> Optional[Entry]:
    """Returns what is known of a run, or None."""
    return self._entries.get(name)

  def add(self, entries: List[Entry]) -> None:
    """Adds entries, or replaces those of the same names; writes the file.

    Raises:
      OSError: if the disk does not take it; the next change writes it all.
    """
    self._entries.update({entry.name: entry for entry in entries})
    self._workdir.write_json(FILE, {'runs': [
        dataclasses.asdict(entry) for entry in self._entries.values()]})


def read(path: str) -> Optional[List[Entry]]:
  """Reads a sweep's record; writes nothing.

  Args:
    path: the sweep's folder.

  Returns:
    The runs in the order in which they were first asked for; None if the folder
    has no record.

  Raises:
    WorkdirError: if the record is not one.
  """
  file = os.path.join(path, FILE)
  content = workdir_lib.read_json(file)
  if content is None:
    return None
  known = {field.name for field in dataclasses.fields(Entry)}
  try:
    return [_checked(Entry(**{key: value for key, value in item.items()
                              if key in known})) for item in content['runs']]
  except (AttributeError, KeyError, TypeError, ValueError) as error:
    raise workdir_lib.WorkdirError(
        f'--workdir: {file} is no record of a sweep '
        f'({type(error).__name__}: {error}).') from error


def _checked(entry: Entry) -> Entry:
  """Raises ValueError for what no sweep has written."""
  workdir_lib.check_entries(vars(entry), _KINDS, repr(entry.name))
  task = 'environment' if 'environment' in entry.settings else 'domain'
  workdir_lib.check_entries(entry.settings, {task: str, 'num_episodes': int},
                            f'settings of {entry.name!r}')
  if entry.status not in _STATUSES:
    raise ValueError(f'status of {entry.name!r} is {entry.status!r}')
  return entry
