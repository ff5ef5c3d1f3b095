"""For tests of the report: the small real grid, copies of it, made-up runs."""

import json
import os
import shutil
from typing import Any, Dict, Optional, Sequence

import numpy as np

from metal_tf import metrics
from metal_tf.report import collect
from metal_tf.report import naming
from metal_tf.runs import run_folder

_ROOT = os.path.dirname(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SMALL_GRID = os.path.join(_ROOT, 'testdata', 'small_grid')
PROBLEM = collect.Condition(
    'cartpole', '', ('balance_velocity',), (0.115,), 0.3)


def silent(line: str) -> None:
  """Takes a line of progress."""
  del line


def copy_grid(root: str) -> str:
  """Copies the small grid to a folder of a test."""
  path = os.path.join(root, 'runs')
  _copy(SMALL_GRID, path)
  return path


def _copy(path: str, to: str) -> None:
  """Copies contents: files of a Bazel sandbox are links, not to be written."""
  shutil.copytree(path, to, copy_function=shutil.copyfile)


def copy_run(root: str, name: str, to: str, **changes: Any) -> str:
  """Copies a run of a copied grid, with settings changed.

  Args:
    root: the grid.
    name: of the run.
    to: of the copy.
    **changes: of its settings; `algorithm` is that of the run.
  """
  path = os.path.join(root, to)
  _copy(os.path.join(root, name), path)
  algorithm = changes.pop('algorithm', None)
  config = os.path.join(path, 'config.json')
  with open(config, encoding='utf-8') as stream:
    description = json.load(stream)
  description['config'].update(changes)
  if algorithm:
    description['algorithm'] = algorithm
  with open(config, 'w', encoding='utf-8') as stream:
    json.dump(description, stream)
  return path


def made_run(label: str, seed: int, episode_return: float, penalty: float,
             safety_coeff: float = 0.3, domain: str = 'cartpole',
             columns: Optional[Dict[str, Sequence[float]]] = None,
             **settings: Any) -> collect.ScoredRun:
  """A finished run in memory with that score.

  Args:
    label: the agent.
    seed: its seed.
    episode_return: R.
    penalty: J_C.
    safety_coeff: of its condition.
    domain: likewise.
    columns: per-constraint ones of its log, `[E]`; one dull episode if None.
    **settings: of its config.
  """
  condition = PROBLEM._replace(
      domain=domain, safety_coeff=safety_coeff,
      preset=settings.get('preset', PROBLEM.preset))
  thresholds = np.array(condition.thresholds)
  columns = columns or {
      'penalty': [penalty], 'lambda': [0], 'alpha_lambda': [0],
      'meta_gradient_direct': [np.nan], 'meta_gradient_weights': [np.nan]}
  episodes = {f'{name}/balance_velocity': np.asarray(values, np.float64)
              for name, values in columns.items()}
  episodes['episode_return'] = np.full(len(columns['penalty']), episode_return)
  episodes['episode'] = np.arange(1.0, len(columns['penalty']) + 1)
  name = f'{label}-{domain}-{safety_coeff}-{seed}'
  run = run_folder.RunFolder(
      name, 'metal', {'meta_optimizer': 'adam', **settings},
      condition.constraints, thresholds, (), 'builtin', episodes, {}, {},
      run_folder.FINISHED)
  return collect.ScoredRun(
      name, naming.Variant(label, ()), condition, seed, run,
      metrics.score([episode_return], [[penalty]], thresholds),
      run_folder.FINISHED, '')


def grid_of(*runs: collect.ScoredRun) -> collect.Grid:
  """A grid of made-up runs."""
  return collect.Grid(runs, ())
