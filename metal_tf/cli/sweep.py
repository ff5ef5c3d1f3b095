"""Runs a grid of runs: `bazel run //launchers:sweep -- --workdir=runs/paper`.

The paper's grid by default. Every other flag of docs/settings.md is passed on
to each run (--helpfull lists them all); docs/sweep.md has the rest.
"""

import os
import shlex
import sys
from typing import Iterable, List, NoReturn, Sequence

from absl import flags as absl_flags
from rich import console as console_lib

from metal_tf import config as config_lib
from metal_tf import plant as plant_lib
from metal_tf import validation
from metal_tf.cli import flags
from metal_tf.cli import main as main_lib
from metal_tf.cli import tool
from metal_tf.environments import tasks
from metal_tf.runs import workdir as workdir_lib
from metal_tf.sweep import cost
from metal_tf.sweep import display
from metal_tf.sweep import grid
from metal_tf.sweep import jobs as jobs_lib
from metal_tf.sweep import overview
from metal_tf.sweep import sweep
from metal_tf.watch import sweep_view


def _list(name: str, default: Iterable[object], text: str
          ) -> absl_flags.FlagHolder:
  return absl_flags.DEFINE_list(name, [str(item) for item in default], text)


_ALGORITHMS = _list(
    'algorithms', grid.PAPER_ALGORITHMS,
    'Agents as name[:setting=value]..., for example metal:meta_optimizer=adam; '
    'with rs_d4pg the multiplier alone is enough, rs_d4pg:0.1. (origin of the '
    'default: paper)')
_DOMAINS = _list('domains', tasks.TASKS,
                 'Task families. (origin of the default: paper)')
_COEFFICIENTS = _list('safety_coeffs', tasks.SAFETY_COEFFICIENTS,
                      'Safety coefficients. (origin of the default: paper)')
_THRESHOLDS = _list(
    'thresholds', (), "Thresholds beta; empty means the paper's three of each "
    'domain. (in [0, 1]; unit: mean penalty per step; origin: paper for '
    "cartpole's 0.115, recalled for the others)")
_KWARGS = absl_flags.DEFINE_multi_string(
    'environment_kwargs', [], 'Settings of the own environment, a JSON object; '
    'given several times, each is run.')
_SEEDS = _list('seeds', grid.PAPER_SEEDS,
               'Seeds. (origin of the default: paper)')
_WORKDIR = absl_flags.DEFINE_string(
    'workdir', '', 'Folder of the sweep, with a folder for each run, logs/ and '
    'sweep.json; the same command again goes on there. Relative to where you '
    'stand.')
_JOBS = absl_flags.DEFINE_integer(
    'jobs', 1, 'Runs at once, each with its share of the cores. (>= 1; origin '
    'of the default: our choice)')
_RETRY_FAILED = absl_flags.DEFINE_bool(
    'retry_failed', False, 'Tries runs again that have failed twice.')
_DRY_RUN = absl_flags.DEFINE_bool(
    'dry_run', False, 'Runs nothing of the grid: prints what it would cost, '
    'and to standard output one command a line, nothing else. An array job of '
    'a cluster takes its own: `sweep --dry_run ... > commands`, then in the '
    'job `sed -n "${SLURM_ARRAY_TASK_ID}p" commands | bash`.')


def main() -> NoReturn:
  """Runs the sweep; see `tool.run` for its errors."""
  flags.define(without=grid.AXES)
  flags.describe_launch_type()
  tool.run(_run)


def _run() -> int:
  try:
    runs = _read_grid()
  except ValueError as error:
    raise absl_flags.Error(str(error)) from error
  return _dry_run(runs) if _DRY_RUN.value else _sweep(runs)


def _read_grid() -> Sequence[grid.Run]:
  """Checks everything that can be checked before anything is started."""
  if not _WORKDIR.value:
    raise validation.ConfigError('workdir', '', 'a folder for the sweep')
  if _JOBS.value < 1:
    raise validation.ConfigError('jobs', _JOBS.value, '>= 1')
  runs = grid.make(
      grid.Axes(_ALGORITHMS.value, _DOMAINS.value, _COEFFICIENTS.value,
                _THRESHOLDS.value, _SEEDS.value,
                [flags.own_settings(text) for text in _KWARGS.value]),
      _read_shared(), flags.user_path(_WORKDIR.value), flags.read_settings)
  for run in runs:
    _check_launch_type(run)
  grid.check_folders(runs)
  return runs


def _read_shared() -> config_lib.Config:
  """The settings that all runs share."""
  config = flags.read(without=grid.AXES)
  if _KWARGS.value and not config.environment:
    raise validation.ConfigError('environment_kwargs', _KWARGS.value[0],
                                 'unset without --environment')
  for axis in (_DOMAINS, _COEFFICIENTS, _THRESHOLDS):
    if config.environment and axis.present:
      raise validation.ConfigError(
          axis.name, ','.join(axis.value), 'unset with --environment',
          "It is an axis of the suite's tasks; --environment_kwargs is one of "
          'your own.')
  if config.environment:  # Its file may load anything.
    main_lib.quiet_start_up()
  return config


def _check_launch_type(run: grid.Run) -> None:
  if not _on_cluster():
    flags.launch_type(run.config)
  elif _DRY_RUN.value:  # Whoever submits needs xmanager, not who prints.
    validation.check_workers(run.config)
  else:
    raise validation.ConfigError(
        flags.LAUNCH_TYPE, 'vertex_ai', 'local_mp, local_mt',
        'A cluster takes the lines of --dry_run, see docs/sweep.md.')


def _on_cluster() -> bool:
  flag = absl_flags.FLAGS[flags.LAUNCH_TYPE]
  return bool(flag.present and flag.value == 'vertex_ai')


def _sweep(runs: Sequence[grid.Run]) -> int:
  """Runs the grid; returns the exit status."""
  workdir = workdir_lib.Workdir(flags.user_path(_WORKDIR.value))
  try:
    console = console_lib.Console(highlight=False)
    screen = display.Screen(2.0 if console.is_terminal else 30.0, console)
    environment = jobs_lib.environment(_JOBS.value, tool.root())
    screen.note(grid.describe(runs, workdir.path))
    if _JOBS.value > 1:
      screen.note(f'  {_JOBS.value} at once, each with OMP_NUM_THREADS='
                  + environment['OMP_NUM_THREADS'])
    return sweep.Sweep(
        runs, _command, workdir, screen,
        lambda states, jobs: sweep_view.make(states, jobs, console)
        if console.is_terminal else display.progress_line(states, jobs),
        _JOBS.value, environment, _RETRY_FAILED.value).run()
  finally:
    workdir.close()


def _dry_run(runs: Sequence[grid.Run]) -> int:
  """Says what the grid is and costs; its commands alone go to stdout."""
  directory = flags.user_path(_WORKDIR.value)
  _say(grid.describe(runs, directory))
  status = 0
  if _on_cluster():
    _say('What it takes on other machines cannot be measured on this one.')
  else:
    try:
      _say('\n'.join(_cost(runs, directory)))
    except cost.MeasuringError as error:
      _say(f'The cost is unknown: {error}')
      status = 1
  path = jobs_lib.python_path(
      os.environ.get('BUILD_WORKSPACE_DIRECTORY', tool.root()))
  for run in runs:
    print(f'PYTHONPATH={shlex.quote(path)} ' + shlex.join(_command(run)))
  return status


def _cost(runs: Sequence[grid.Run], directory: str) -> List[str]:
  """Takes speeds from the folder's runs, and measures those that lack."""
  # Jobs die with this process in any case; the temporary folder does not.
  tool.exit_on_sigterm()
  states = (overview.Overview(directory).states()
            if os.path.isdir(directory) else [])
  speeds = cost.of_runs(states)
  for domain in cost.episodes_left(runs, states):
    if domain not in speeds:
      some = [run for run in runs if plant_lib.short_name(
          run.config) == domain][:_JOBS.value]
      _say(f'No run on {domain} has been measured in the folder; training '
           f'{", ".join(run.name for run in some)} shortly, in a temporary '
           'folder ...')
      speeds[domain] = cost.measure(
          some, _command, jobs_lib.environment(_JOBS.value, tool.root()))
  return cost.describe(runs, states, _JOBS.value, speeds)


def _command(run: grid.Run) -> List[str]:
  """The command line that trains a run."""
  flag = absl_flags.FLAGS[flags.LAUNCH_TYPE]
  return [
      sys.executable, '-m', 'metal_tf.cli', run.algorithm.name,
      *flags.as_arguments(run.config, always=(
          'seed', 'num_episodes',
          *(() if run.config.environment else ('domain', 'safety_coeff')))),
      *([f'--{flag.name}={flag.value}'] if flag.present else [])]


def _say(text: str) -> None:
  print(text, file=sys.stderr, flush=True)
