"""Reports on finished runs: `bazel run //launchers:report -- --runs=DIR --output=DIR`.

Tables, tests and figures of the paper, from folders of runs alone: see
docs/report.md. Imports no TensorFlow.
"""

import os
import sys
import time
from typing import Sequence

from absl import app
from absl import flags
from absl import logging

_RUNS = flags.DEFINE_string(
    'runs', None, 'Folder at or below which the runs are (relative to where you '
    'stand): the --workdir of a sweep, or of a run.', required=True)
_OUTPUT = flags.DEFINE_string(
    'output', None, 'Folder for the report; the files of an older report in it '
    'are replaced.', required=True)


def _from_here(path: str) -> str:
  """`bazel run` starts programs elsewhere and says where the user stands."""
  return os.path.abspath(os.path.join(
      os.environ.get('BUILD_WORKING_DIRECTORY', ''), os.path.expanduser(path)))


def main(argv: Sequence[str]) -> int:
  if len(argv) > 1:
    print(f'report: unexpected {argv[1]!r}; see --help.', file=sys.stderr)
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
    write.report(_from_here(_RUNS.value), _from_here(_OUTPUT.value), say)
  except collect.ReportError as error:
    print(f'report: {error}', file=sys.stderr)
    return 2
  return 0


if __name__ == '__main__':
  app.run(main)
