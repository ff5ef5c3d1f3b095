"""Reports on runs: `bazel run //launchers:report -- --runs=DIR --output=DIR`.

Tables, tests and figures of the paper, from folders of runs alone: see
docs/report.md. Imports no TensorFlow.
"""

from typing import NoReturn

from absl import flags

from metal_tf.cli import tool

_RUNS = flags.DEFINE_string(
    'runs', '', 'Folder at or below which the runs are (relative to where you '
    'stand): the --workdir of a sweep, or of a run.')
_OUTPUT = flags.DEFINE_string(
    'output', '', 'Folder for the report; the files of an older report in it '
    'are replaced.')


def _report() -> None:
  runs, output = tool.folders(_RUNS, _OUTPUT)
  from metal_tf.report import write  # pylint: disable=g-import-not-at-top
  write.report(runs, output, tool.progress())


def main() -> NoReturn:
  """Runs the program; see `tool.run` for its errors."""
  tool.run(_report)
