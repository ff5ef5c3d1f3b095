"""Reports on runs: `bazel run //launchers:report -- --runs=DIR --output=DIR`.

Tables, tests and figures of the paper, from folders of runs alone: see
docs/report.md. Imports no TensorFlow.
"""

import sys
import time
from typing import NoReturn

from absl import app
from absl import flags as absl_flags
from absl import logging

from launchers import flags

_RUNS = absl_flags.DEFINE_string(
    'runs', '', 'Folder at or below which the runs are (relative to where you '
    'stand): the --workdir of a sweep, or of a run.')
_OUTPUT = absl_flags.DEFINE_string(
    'output', '', 'Folder for the report; the files of an older report in it '
    'are replaced.')


def main() -> NoReturn:
  """Writes a report; what a user can mend is one sentence, status 2."""
  app.define_help_flags()
  try:
    _, *unexpected = absl_flags.FLAGS(sys.argv)
  except absl_flags.Error as error:
    _refuse(str(error))
  if unexpected:
    _refuse(f'unexpected {unexpected[0]!r}; see --help.')
  if not _RUNS.value or not _OUTPUT.value:
    _refuse('give --runs=DIR (with the runs) and --output=DIR (for the '
            'report).')
  # rliable says every step of it at this level.
  logging.set_verbosity(logging.WARNING)
  # After the flags, so that a wrong one is told at once.
  # pylint: disable=g-import-not-at-top
  from metal_tf.report import collect
  from metal_tf.report import write
  # pylint: enable=g-import-not-at-top
  started = time.monotonic()

  def say(line: str) -> None:
    print(f'[{time.monotonic() - started:5.1f} s] {line}', flush=True)

  try:
    write.report(flags.user_path(_RUNS.value),
                 flags.user_path(_OUTPUT.value), say)
  except collect.ReportError as error:
    _refuse(str(error))
  except KeyboardInterrupt:
    sys.exit(130)
  sys.exit(0)


def _refuse(message: str) -> NoReturn:
  print(f'report: {message}', file=sys.stderr, flush=True)
  sys.exit(2)


if __name__ == '__main__':
  main()
