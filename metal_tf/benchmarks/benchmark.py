"""The benchmark's program: `bazel run //launchers:benchmark`.

Prints one table with a target for each row: see docs/performance.md.
"""

import json
import os
import signal
import sys
import tempfile
import time
from typing import List, Tuple

from absl import flags

from metal_tf import environments
from metal_tf import validation
from metal_tf.benchmarks import contests as contests_lib
from metal_tf.benchmarks import rows as rows_lib
from metal_tf.benchmarks import turns
from metal_tf.cli import flags as launcher_flags
from metal_tf.cli import tool
from metal_tf.runs import workdir
from metal_tf.system import provenance

_ROWS = flags.DEFINE_list(
    'rows', [], 'Only these rows, or those whose names begin so; empty means '
    'all.')
_JSON = flags.DEFINE_string(
    'json', '', 'File for the rows, as a list of name, value, unit, op, '
    'target, met and remarks. Relative to where you stand.')
_ROUNDS = flags.DEFINE_integer(
    'rounds', 0, 'Turns of each contestant; 0: as many as usual.')


def launch() -> None:
  """Runs the program; status 0 if all was measured, 1 if a contest failed."""
  tool.run(_main)


def _main() -> None:
  names = rows_lib.selected(_ROWS.value)
  if _ROUNDS.value < 0:
    raise validation.ConfigError('rounds', _ROUNDS.value, '>= 0')
  path = launcher_flags.user_path(_JSON.value) if _JSON.value else ''
  if path and (os.path.isdir(path) or
               not os.access(os.path.dirname(path), os.W_OK)):
    raise validation.ConfigError('json', _JSON.value, 'a file in a folder that '
                                 'is there and can be written to')
  # Ends the contestants on the way out, as Ctrl-C does.
  signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
  if environments.resolve_suite() != 'realworldrl':
    _say('Without realworldrl_suite nothing is measured beside it.')
    names = [name for name in names if not name.startswith('environment_')]
  measured, failures = _measure(names)
  if path:
    workdir.write_atomically(path, (json.dumps(
        [row.as_json() for row in measured], indent=2) + '\n').encode())
  if failures:
    sys.exit('benchmark: ' + '\n'.join(failures))


def _measure(names: List[str]) -> Tuple[List[rows_lib.Row], List[str]]:
  """Measures rows and prints their table.

  Args:
    names: of the rows.

  Returns:
    What was measured, and of each contest that failed why.
  """
  _say(f'{_machine()}\n{provenance.versions()}, commit {provenance.commit()}')
  seconds = {title: contest.seconds
             for title, contest in rows_lib.CONTESTS.items()
             if set(contest.targets) & set(names)}
  measured, failures = [], []
  started, pace, done = time.monotonic(), 1.0, 0.0
  with tempfile.TemporaryDirectory(prefix='metal_tf-benchmark-') as directory:
    contests = contests_lib.Contests(directory, _ROUNDS.value, _say)
    for title in seconds:
      left = pace * (sum(seconds.values()) - done)
      _say(f'[{time.monotonic() - started:4.0f} s, about {left:.0f} s left] '
           f'{title}')
      method, *arguments = title.split()
      try:
        measured += getattr(contests, method)(*arguments)
      except turns.ContestantFailed as error:  # The others are worth having.
        failures.append(f'{title}: {error}')
        _say(failures[-1])
      done += seconds[title]
      pace = (time.monotonic() - started) / done
  measured = [row for row in measured if row.name in names]
  _say(f'\n{rows_lib.table(measured)}\n\n'
       f'After {time.monotonic() - started:.0f} s: {_machine()}')
  return measured, failures


def _machine() -> str:
  with open('/proc/cpuinfo', encoding='utf-8') as stream:
    processor = next((line.partition(':')[2].strip() for line in stream
                      if line.startswith('model name')), 'unknown processor')
  load = ', '.join(f'{load:.1f}' for load in os.getloadavg())
  return (f'{len(os.sched_getaffinity(0))} cores ({processor}), load {load} in '
          '1, 5, 15 minutes')


def _say(line: str) -> None:
  print(line, flush=True)
