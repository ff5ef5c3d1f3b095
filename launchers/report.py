"""Reports on runs: `bazel run //launchers:report -- --runs=DIR --output=DIR`.

Tables, tests and figures of the paper, from folders of runs alone: see
docs/report.md. Imports no TensorFlow.
"""

import sys
import time
from typing import Sequence

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


def main(argv: Sequence[str]) -> int:
  if len(argv) > 1:
    print(f'report: unexpected {argv[1]!r}; see --help.', file=sys.stderr)
    return 2
  if not _RUNS.value or not _OUTPUT.value:
    print('report: give --runs=DIR (with the runs) and --output=DIR (for the '
          'report).', file=sys.stderr)
    return 2
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
    print(f'report: {error}', file=sys.stderr)
    return 2
  return 0


if __name__ == '__main__':
  app.run(main)
