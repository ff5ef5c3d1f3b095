"""The whole benchmark: which contests, in which order, and what is printed."""

import importlib.metadata
import os
import tempfile
from typing import Callable, List, Sequence, Tuple

from metal_tf import environments
from metal_tf.benchmarks import contests as contests_lib
from metal_tf.benchmarks import progress as progress_lib
from metal_tf.benchmarks import protocol
from metal_tf.benchmarks import rows as rows_lib
from metal_tf.benchmarks import threads

_PACKAGES = ('tensorflow', 'numpy', 'dm-acme', 'dm-reverb', 'dm-sonnet',
             'dm-control', 'mujoco')

_Contest = Tuple[str, float, Callable[[], List[rows_lib.Row]]]


def run(names: Sequence[str], quick: bool, rounds: int,
        write: Callable[[str], None]) -> List[rows_lib.Row]:
  """Measures.

  Args:
    names: of the wanted rows.
    quick: whether to measure little, for under three minutes in all.
    rounds: turns of each contest; 0: as many as usual.
    write: takes progress, the table and what else is to be told, by lines.

  Returns:
    The rows that could be measured.

  Raises:
    WorkerFailed: if a contestant died or hung.
  """
  amounts = contests_lib.QUICK if quick else contests_lib.FULL
  if rounds:
    amounts = amounts._replace(rounds=rounds, run_rounds=rounds)
  names = list(names)
  without_suite = [] if _suite_is_here() else [
      name for name in names if name.startswith('environment_vs_suite_')]
  names = [name for name in names if name not in without_suite]
  write(machine())
  rows = []
  with tempfile.TemporaryDirectory(prefix='metal_tf-benchmark-') as directory:
    with protocol.Workers(directory) as workers:
      contests = contests_lib.Contests(
          names, workers, amounts, quick, lambda line: progress.say(line))
      planned = plan(names, contests, quick)
      progress = progress_lib.Progress(
          {title: seconds for title, seconds, _ in planned}, write)
      for title, _, contest in planned:
        progress.begin(title)
        rows += contest()
  rows.sort(key=lambda row: names.index(row.name))
  if contests.scan:
    write('\n' + '\n'.join(contests.scan))
  write('\n' + rows_lib.table(rows))
  if without_suite:
    write(f'\nLeft out, since realworldrl_suite is not installed here: '
          f'{", ".join(without_suite)}.')
  write(f'\nLoad after it (1, 5, 15 minutes): {_load()}')
  return rows


def machine() -> str:
  """What was measured on: cores, threads, versions, load."""
  versions = ', '.join(
      f'{name} {importlib.metadata.version(name)}' for name in _PACKAGES)
  return (f'{threads.num_cores()} cores ({_processor()})\n'
          f'ours: {threads.ours()}\n{versions}\n'
          f'load before (1, 5, 15 minutes): {_load()}')


def plan(names: Sequence[str], contests: contests_lib.Contests,
          quick: bool) -> List[_Contest]:
  """The contests that these rows need, with their seconds on two cores."""
  longer = 1.0 if quick else 4.0
  planned: List[_Contest] = []

  def add(prefix: str, title: str, seconds: float,
          contest: Callable[[], List[rows_lib.Row]], suffix: str = '') -> None:
    if any(name.startswith(prefix) and name.endswith(suffix)
           for name in names):
      planned.append((title, longer * seconds, contest))

  for domain in rows_lib.DOMAINS:
    suffix = f'_{domain}'
    # These two rows compare sizes of cartpole.
    of_cartpole = ('learner_rc_d4pg_vs_d4pg', 'learner_d4pg_sgemm_share')
    if domain == 'cartpole' and set(of_cartpole) & set(names):
      suffix = ''
    add('learner_', f'learners, {domain}', 45.0,
        lambda domain=domain: contests.learners(domain), suffix)
    add('run_', f'runs, {domain}', 45.0,
        lambda domain=domain: contests.runs(domain), f'_{domain}')
  for domain in rows_lib.DOMAINS:
    add('environment_', f'environments, {domain}', 5.0,
        lambda domain=domain: contests.environment(domain), f'_{domain}')
  add('insert_', 'insertion', 12.0, contests.insert)
  add('first_step_', 'first step', 15.0, contests.first_step)
  add('replay_', 'memory', 15.0, contests.memory)
  return planned


def _suite_is_here() -> bool:
  try:
    return environments.resolve_suite('realworldrl') == 'realworldrl'
  except ValueError:
    return False


def _load() -> str:
  return ', '.join(f'{load:.1f}' for load in os.getloadavg())


def _processor() -> str:
  try:
    with open('/proc/cpuinfo', encoding='utf-8') as stream:
      return next((line.partition(':')[2].strip() for line in stream
                   if line.startswith('model name')), 'unknown processor')
  except OSError:
    return 'unknown processor'
