"""Reads a folder of runs into scored runs; nothing is dropped silently."""

import itertools
import json
import os
from typing import (
  Any,
  Callable,
  Container,
  Dict,
  List,
  NamedTuple,
  Optional,
  Sequence,
  Set,
  Tuple,
)

import numpy as np
import pandas as pd

from metal_tf import config as config_lib
from metal_tf import metrics
from metal_tf.environments import tasks
from metal_tf.report import errors
from metal_tf.report import naming
from metal_tf.runs import run_folder

SWEEP = 'sweep.json'
# In an archive: what was there beside the runs that it holds.
LEFT_OUT = 'left_out.csv'
FAILED = 'failed'
# As many lines as can be told apart in a figure.
MOST_AGENTS = 10
# The settings of a run that began with no others.
_PRESET = config_lib.Config.preset


class Condition(NamedTuple):
  """What a run was trained on: runs of different ones are never pooled.

  Attributes:
    domain: e.g. 'cartpole', or what tells a task of the user's own apart.
    task: '' for the paper's.
    constraints: K names.
    thresholds: beta, K numbers.
    safety_coeff: of the suite; smaller is harder.
    rwrl_spec: delays, noise and so on of the suite; '' for none.
    preset: of sizes and learning rates; 'paper' for none.
  """
  domain: str
  task: str
  constraints: Tuple[str, ...]
  thresholds: Tuple[float, ...]
  safety_coeff: float
  rwrl_spec: str = ''
  preset: str = _PRESET

  @property
  def of_paper(self) -> bool:
    """Whether the paper has such a task."""
    return self.domain in tasks.TASKS

  @property
  def pool(self) -> str:
    """Means are taken over runs of one pool, and agents compared within it.

    The paper's tasks are one, as in the paper; every other task is one by
    itself, and so is every preset.
    """
    name = "the paper's tasks" if self.of_paper else self.domain
    return name + (f', preset {self.preset}' if self.preset != _PRESET else '')

  @property
  def problem(self) -> str:
    """All but the coefficient, in words."""
    limits = ', '.join(f'{name} ≤ {threshold:g}' for name, threshold in zip(
        self.constraints, self.thresholds))
    task = f'/{self.task}' if self.task else ''
    preset = f', preset {self.preset}' if self.preset != _PRESET else ''
    spec = f', with {self.rwrl_spec}' if self.rwrl_spec else ''
    return f'{self.domain}{task}{preset}, {limits}{spec}'

  def __str__(self) -> str:
    return f'{self.problem}, coefficient {self.safety_coeff:g}'


def condition_of(run: run_folder.RunFolder) -> Condition:
  """The one place that says what has to be equal for runs to be comparable.

  Args:
    run: any; what its version did not record yet is as by default.
  """
  return Condition(
      run.own_task or run.config['domain'],
      '' if run.own_task else run.config.get('task', ''), run.constraint_names,
      tuple(float(threshold) for threshold in run.thresholds),
      float(run.config['safety_coeff']), run.config.get('rwrl_spec', ''),
      run.config.get('preset', _PRESET))


class ScoredRun(NamedTuple):
  """One run.

  Attributes:
    name: its folder, relative to the folder of the report's runs.
    variant: which agent.
    condition: on what.
    seed: its seed.
    run: what its folder holds.
    score: the paper's metrics over its last 100 episodes; None without any.
    status: of `run_folder`, or `FAILED` where the sweep says so.
    left_out: why the run is in no statistics; '' for those that are.
  """
  name: str
  variant: naming.Variant
  condition: Condition
  seed: int
  run: run_folder.RunFolder
  score: Optional[metrics.Score]
  status: str
  left_out: str

  @property
  def label(self) -> str:
    return self.variant.label


class Absent(NamedTuple):
  """A run that there is nothing to read of: its name, and why."""
  name: str
  why: str


class Grid(NamedTuple):
  """All runs of a report.

  Attributes:
    runs: those with a readable folder, in order of their names.
    absent: those without.
  """
  runs: Tuple[ScoredRun, ...]
  absent: Tuple[Absent, ...]

  @property
  def used(self) -> Tuple[ScoredRun, ...]:
    """The runs that the statistics are made of."""
    return tuple(run for run in self.runs if not run.left_out)

  @property
  def of_paper(self) -> bool:
    """Whether all finished runs are on the paper's tasks."""
    return all(condition.of_paper for condition in self.conditions)

  @property
  def pools(self) -> Dict[str, 'Grid']:
    """The runs of each pool that has finished ones, the paper's tasks first."""
    papers = {c.pool: c.of_paper for c in self.conditions}
    return {pool: self._replace(runs=tuple(
        run for run in self.runs if run.condition.pool == pool))
            for pool in sorted(papers, key=lambda p: (not papers[p], p))}

  @property
  def finished(self) -> Tuple[ScoredRun, ...]:
    """All finished runs; those of one seed, too, that count once above."""
    return tuple(run for run in self.runs
                 if run.status == run_folder.FINISHED and run.score)

  @property
  def labels(self) -> List[str]:
    """The agents that have a finished run, in the tables' order."""
    return naming.order([run.label for run in self.used])

  @property
  def shown(self) -> 'Grid':
    """The runs of the agents that stand side by side in tables and figures.

    All, unless there are more than `MOST_AGENTS`: then those that carry no
    settings in their names, if there are any.
    """
    plain = [label for label in self.labels if label == naming.plain(label)]
    return self.only(plain) if plain and len(self.labels) > MOST_AGENTS else (
        self)

  @property
  def balanced(self) -> 'Grid':
    """The runs at the coefficients that all problems have; all without one.

    So that no problem weighs more than another in a mean over conditions.
    """
    problems: Dict[str, Set[float]] = {}
    for condition in self.conditions:
      problems.setdefault(condition.problem, set()).add(condition.safety_coeff)
    shared = set.intersection(*problems.values()) if problems else set()
    return self.on([c for c in self.conditions
                    if c.safety_coeff in shared]) if shared else self

  @property
  def conditions(self) -> List[Condition]:
    """What the finished runs were trained on."""
    return sorted({run.condition for run in self.used})

  def on(self, conditions: Container[Condition]) -> 'Grid':
    """The runs on some conditions."""
    return self._replace(runs=tuple(
        run for run in self.runs if run.condition in conditions))

  def only(self, labels: Container[str]) -> 'Grid':
    """The runs of some agents."""
    return self._replace(runs=tuple(
        run for run in self.runs if run.label in labels))

  def of(self, label: str, *conditions: Condition) -> List[ScoredRun]:
    """Finished runs of an agent, on some conditions or on all."""
    return [run for run in self.used if run.label == label
            and (not conditions or run.condition in conditions)]


def collect(folders: Sequence[str], say: Callable[[str], None]) -> Grid:
  """Reads all runs at or below some folders.

  Args:
    folders: one or more. Runs are called by their paths from the folder, or
      from the nearest one around several.
    say: takes a line of progress.

  Raises:
    ReportError: if there is no run, or one folder is inside another.
  """
  folders = list(map(os.path.abspath, folders))
  for folder in folders:
    if not os.path.isdir(folder):
      raise errors.ReportError(f'{folder} is no folder.')
  for one, other in itertools.permutations(folders, 2):
    if os.path.commonpath([one, other]) == one:
      raise errors.ReportError(f'{other} is inside {one}, or the same.')
  root = os.path.commonpath(folders)
  found, absent = {}, {}
  paths = [path for folder in folders for path in run_folder.find(folder)]
  for i, path in enumerate(paths):
    name = os.path.relpath(path, root)
    try:
      found[name] = run_folder.read(path)
    except run_folder.RunFolderError as error:
      absent[name] = str(error).replace(path, 'the folder')
    if (i + 1) % 20 == 0:
      say(f'read {i + 1} of {len(paths)} runs')
  failures: Dict[str, str] = {}
  for folder in sorted({*folders, *map(os.path.dirname, paths)}):
    for entry in left_out(folder):
      name = os.path.relpath(os.path.join(folder, entry.name), root)
      if name not in found:  # Else a sweep has gone on from an archive.
        absent[name] = entry.why
    try:
      failures.update(_failures(root, folder))
    except (OSError, ValueError, KeyError, TypeError) as error:
      absent[os.path.relpath(os.path.join(folder, SWEEP), root)] = (
          f'cannot be read ({type(error).__name__}: {error})')
  absent.update({
      name: '; '.join(filter(None, dict.fromkeys((why, absent.get(name)))))
      for name, why in failures.items() if name not in found})
  if not found:
    first = next((f' ({name}: {why})' for name, why in absent.items()), '')
    raise errors.ReportError(
        f'{" and ".join(folders)} holds no run that can be read{first}; --runs '
        'is the folder of a sweep or of a run.')
  runs = [_scored(name, run, variant, failures.get(name, ''))
          for (name, run), variant in zip(
              found.items(), naming.assign(list(found.values())))]
  return Grid(tuple(_without_twins(runs)),
              tuple(Absent(*item) for item in absent.items()))


def left_out(root: str) -> List[Absent]:
  """Returns the runs that an archive names but does not hold.

  Args:
    root: folder; no archive has none.
  """
  try:
    rows = pd.read_csv(os.path.join(root, LEFT_OUT), dtype=str,
                       keep_default_na=False)
    return list(map(Absent, rows['run'], rows['why']))
  except FileNotFoundError:
    return []
  except (OSError, ValueError, KeyError) as error:
    return [Absent(LEFT_OUT, f'cannot be read ({type(error).__name__}: '
                   f'{error})')]


def _failures(root: str, folder: str) -> Dict[str, str]:
  """What a folder's sweep says of runs that are not finished, by name."""
  record, found = os.path.join(folder, SWEEP), {}
  if os.path.isfile(record):
    with open(record, encoding='utf-8') as stream:
      entries = json.load(stream)['runs']
    for entry in entries:
      path = os.path.join(folder, entry['name'])
      if entry['status'] != run_folder.FINISHED or not run_folder.is_run(path):
        found[os.path.relpath(path, root)] = _described(entry)
  return found


def _described(entry: Dict[str, Any]) -> str:
  """What a sweep says of one run, in words."""
  parts = [str(entry['status'])]
  if entry.get('exit_status') is not None:
    parts.append(f'exit status {entry["exit_status"]}')
  if entry.get('attempts'):
    parts.append(f'attempts: {entry["attempts"]}')
  if entry.get('last_line'):
    parts.append(f'its last line: {entry["last_line"]}')
  if entry['status'] == run_folder.FINISHED:
    parts.append('but its folder is gone')
  return ', '.join(parts)


def _scored(name: str, run: run_folder.RunFolder, variant: naming.Variant,
            failure: str) -> ScoredRun:
  score = None
  if run.num_episodes:
    score = metrics.score(run.episodes['episode_return'],
                          run.per_constraint('penalty'), run.thresholds)
  status, left_out = run.status, ''
  if status == run_folder.UNFINISHED and failure.startswith(FAILED):
    status = FAILED
  if status != run_folder.FINISHED:
    left_out = f'{run.num_episodes} of {run.config["num_episodes"]} episodes'
    if status == FAILED:
      left_out += f'; {failure}'
  elif score is None:
    left_out = 'its episodes are missing'
  return ScoredRun(name, variant, condition_of(run), int(run.config['seed']),
                   run, score, status, left_out)


def _without_twins(runs: List[ScoredRun]) -> List[ScoredRun]:
  """Leaves out all but the longest of finished runs with the same seed.

  Two runs of one seed are no two independent seeds.
  """
  longest: Dict[Tuple[str, Condition, int], ScoredRun] = {}
  for run in sorted(runs, key=lambda run: -run.run.num_episodes):
    if not run.left_out:
      longest.setdefault((run.label, run.condition, run.seed), run)
  kept = set(map(id, longest.values()))
  return [
      run if run.left_out or id(run) in kept else run._replace(
          left_out='the same agent, condition and seed as '
          f'{longest[run.label, run.condition, run.seed].name}')
      for run in runs]


def rate(run: ScoredRun, name: str) -> float:
  """A run's `lagrange_lr` or `meta_lr`; 0 if it was not recorded."""
  return run.run.rates.get(name, run.run.config.get(name)) or 0.0


# The measures of a score, in the order of the tables: the name in scores.csv
# and the heading. Per-constraint ones of K > 1 constraints are put together as
# the penalized return does it, by their sum (J_C: by their mean).
MEASURES = {
    'penalized_return': 'R_penalized',
    'return': 'R',
    'penalty': 'J_C',
    'overshoot': 'overshoot',
}


def measures(run: ScoredRun) -> np.ndarray:
  """Returns a run's score in the order of `MEASURES`, `[4]`; NaN without."""
  score = run.score
  if score is None:
    return np.full(len(MEASURES), np.nan)
  return np.array([score.penalized_return, score.episode_return,
                   np.mean(score.penalty), np.sum(score.overshoot)])
