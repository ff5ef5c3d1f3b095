"""Measures speed beside Acme: `bazel run //launchers:benchmark -- --quick`.

Prints one table with a target for each row: see docs/performance.md.
"""

import os
import signal
import sys
from typing import NoReturn

from absl import app
from absl import flags as absl_flags

from metal_tf.benchmarks import benchmark
from metal_tf.benchmarks import protocol
from metal_tf.benchmarks import rows
from metal_tf.cli import flags

_ROWS = absl_flags.DEFINE_list(
    'rows', [], 'Only rows whose names begin with one of these, for instance '
    'learner_,insert_ms; empty means all.')
_JSON = absl_flags.DEFINE_string(
    'json', '', 'File for the rows, as a list of name, value, unit, op, target '
    'and met (relative to where you stand).')
_QUICK = absl_flags.DEFINE_bool(
    'quick', False, 'Measure everything in under three minutes, with fewer '
    'rounds and fewer settings tried for Acme.')
_ROUNDS = absl_flags.DEFINE_integer(
    'rounds', 0, 'Turns of each contestant; 0 means as many as usual.')


def main() -> NoReturn:
  """Measures; 0 if all was measured, whether targets were met or not."""
  app.define_help_flags()
  try:
    _, *unexpected = absl_flags.FLAGS(sys.argv)
    names = rows.selected(_ROWS.value)
  except (absl_flags.Error, ValueError) as error:
    _end(str(error), 2)
  if unexpected:
    _end(f'unexpected {unexpected[0]!r}; see --help.', 2)
  if _ROUNDS.value < 0:
    _end(f'--rounds: got {_ROUNDS.value}, allowed: >= 0', 2)
  path = flags.user_path(_JSON.value) if _JSON.value else ''
  if path and (os.path.isdir(path) or
               not os.access(os.path.dirname(path), os.W_OK)):
    _end(f'--json: cannot write {path}.', 2)
  # Ends all workers on the way out, as Ctrl-C does.
  signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
  try:
    measured = benchmark.run(
        names, _QUICK.value, _ROUNDS.value,
        lambda line: print(line, flush=True))
    if path:
      rows.write_json(path, measured)
  except protocol.WorkerFailed as error:
    _end(str(error), 1)
  except OSError as error:
    _end(f'{error}', 1)
  except KeyboardInterrupt:
    _end('stopped; nothing was written.', 130)
  sys.exit(0)


def _end(message: str, status: int) -> NoReturn:
  print(f'benchmark: {message}', file=sys.stderr, flush=True)
  sys.exit(status)


if __name__ == '__main__':
  main()
