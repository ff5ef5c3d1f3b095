"""Reads the folder of a run, whatever state it is in; writes nothing.

For whoever looks at runs from outside, while they go or afterwards. Imports no
TensorFlow.
"""

import csv
import os
import types
from typing import (
  Any,
  Dict,
  Iterator,
  Mapping,
  NamedTuple,
  Optional,
  Sequence,
  Tuple,
)
import zlib

import numpy as np

from metal_tf.runs import identity
from metal_tf.runs import log_tables
from metal_tf.runs import time_scales
from metal_tf.runs import workdir

FINISHED = 'finished'
RUNNING = 'running'
UNFINISHED = 'unfinished'

# Entries of `config.json` that every version has written and that whoever reads
# a run needs, and their types.
_DESCRIPTION = {
    'algorithm': str, 'constraints': list, 'config': dict, 'suite': str}
_CONSTRAINT = {'name': str, 'threshold': (int, float)}
_CONFIG = {'domain': str, 'safety_coeff': (int, float), 'seed': int,
           'num_episodes': int}
# Columns of `episodes.csv` likewise; those of constraints by their first part.
_SCALARS = (*(quantity.name for quantity in log_tables.EPISODES.scalars),
            'clipped_mass')
_PER_CONSTRAINT = (
    'penalty', 'lambda', 'alpha_lambda', 'effective_rate',
    'meta_gradient_direct', 'meta_gradient_weights')


class RunFolderError(Exception):
  """A folder that holds no run; the message says why in one sentence."""


class RunFolder(NamedTuple):
  """What is on disk of one run.

  Attributes:
    path: absolute path of the folder.
    algorithm: name of the agent.
    config: the settings by name, as JSON has them; those that are younger than
      the run at what it did without them.
    constraint_names: K names.
    thresholds: beta, `[K]`, in mean penalty per step.
    sessions: one entry per start, with time, versions and commit.
    suite: who simulated.
    episodes: columns of `episodes.csv` (or `.csv.gz`), `[E]` each; empty before
      the first.
    evaluations: columns of `evaluations.csv`, likewise.
    summary: content of `summary.json`, or None before the end.
    status: `FINISHED`, `RUNNING` (a process holds the lock) or `UNFINISHED`.
    own_task: what tells a task of the user's own apart from all others, see
      `identity.own_task`; '' for the paper's tasks.
    rates: `lagrange_lr` and `meta_lr` as resolved at the first start; empty for
      runs from before they were.
    source: SHA-256 of the file with the user's own environment, or ''.
  """
  path: str
  algorithm: str
  config: Dict[str, Any]
  constraint_names: Tuple[str, ...]
  thresholds: np.ndarray
  sessions: Tuple[Dict[str, Any], ...]
  suite: str
  episodes: Dict[str, np.ndarray]
  evaluations: Dict[str, np.ndarray]
  summary: Optional[Dict[str, Any]]
  status: str
  own_task: str = ''
  rates: Mapping[str, float] = types.MappingProxyType({})
  source: str = ''

  @property
  def num_episodes(self) -> int:
    """Training episodes done."""
    return len(self.episodes.get('episode', ()))

  def per_constraint(self, column: str) -> np.ndarray:
    """Returns a per-constraint column of `episodes.csv`, `[E, K]`.

    NaN where the run's version did not log it.
    """
    return np.stack([
        self.episodes.get(f'{column}/{name}',
                          np.full(self.num_episodes, np.nan))
        for name in self.constraint_names], axis=1)


def is_run(path: str) -> bool:
  """Whether a run was started in the folder."""
  return os.path.isfile(os.path.join(path, 'config.json'))


def find(root: str) -> Iterator[str]:
  """Yields the folders of all runs at or below `root`, in order of their names.

  Folders of runs are not searched any further.
  """
  for path, folders, _ in os.walk(root):
    folders.sort()
    if is_run(path):
      folders.clear()
      yield path


def read(path: str) -> RunFolder:
  """Reads a run's folder.

  Args:
    path: the run's `--workdir`.

  Raises:
    RunFolderError: if there is no run, or its files cannot be read.
  """
  path = os.path.abspath(path)
  if not is_run(path):
    raise RunFolderError(f'{path} holds no run: there is no config.json.')
  try:
    description = _read_description(path)
    summary = workdir.load_summary(path)
    constraints = description['constraints']
    names = tuple(c['name'] for c in constraints)
    episodes = _read_log(path, log_tables.EPISODES)
    _check_columns(episodes, names)
    return RunFolder(
        path=path,
        algorithm=description['algorithm'],
        config=time_scales.saved_settings(description),
        constraint_names=names,
        thresholds=np.array([c['threshold'] for c in constraints]),
        sessions=tuple(description.get('sessions', ())),
        suite=description['suite'],
        episodes=episodes,
        evaluations=_read_log(path, log_tables.EVALUATIONS),
        summary=summary,
        status=_status(path, summary, description['config']),
        own_task=identity.own_task(description),
        rates=description.get('resolved', {}),
        source=(description.get('environment_source') or {}).get('sha256', ''))
  except (OSError, EOFError, ValueError, KeyError, TypeError, csv.Error,
          zlib.error) as error:
    raise RunFolderError(
        f'{path} cannot be read as a run ({type(error).__name__}: {error}).'
    ) from error


def _read_description(path: str) -> Dict[str, Any]:
  name = 'config.json'
  description = workdir.load_json(os.path.join(path, name)) or {}
  workdir.check_entries(description, _DESCRIPTION, name)
  workdir.check_entries(description['config'], _CONFIG, f'config in {name}')
  for constraint in description['constraints']:
    workdir.check_entries(constraint, _CONSTRAINT, f'a constraint in {name}')
  for session in description.get('sessions', ()):
    workdir.check_entries(session, {}, f'a session in {name}')
  return description


def _read_log(path: str, table: log_tables.Table) -> Dict[str, np.ndarray]:
  try:
    return log_tables.read(path, table)
  except FileNotFoundError:
    return {}


def _check_columns(episodes: Dict[str, np.ndarray],
                   constraint_names: Sequence[str]) -> None:
  needed = [*_SCALARS, *(f'{column}/{name}' for name in constraint_names
                         for column in _PER_CONSTRAINT)]
  missing = [column for column in needed if column not in episodes]
  if episodes and missing:
    raise ValueError(f'episodes.csv has no {", ".join(missing)}')


def _status(path: str, summary: Optional[Dict[str, Any]],
            config: Dict[str, Any]) -> str:
  if is_locked(os.path.join(path, 'lock')):
    return RUNNING
  if summary is not None and summary['episodes'] >= config['num_episodes']:
    return FINISHED
  return UNFINISHED


def is_locked(path: str) -> bool:
  """Whether a process holds the run's lock.

  Read off the kernel's list: to try the lock would be to hold it for a moment,
  and a run that starts in that moment would be refused.
  """
  try:
    inode = os.stat(path).st_ino
    with open('/proc/locks', encoding='utf-8') as stream:
      locks = [line.split() for line in stream]
  except OSError:
    return False
  # 1: FLOCK ADVISORY WRITE <process> <major>:<minor>:<inode> 0 EOF; devices of
  # stacked file systems are shown differently than by `stat`.
  return any(
      lock[1] == 'FLOCK' and lock[5].rpartition(':')[2] == str(inode)
      for lock in locks if len(lock) > 5)
