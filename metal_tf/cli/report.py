"""Reports on runs: `bazel run //launchers:report -- --runs=DIR --output=DIR`.

Tables, tests and figures of the paper, from folders of runs alone: see
docs/report.md. Imports no TensorFlow.
"""

from typing import NoReturn

from absl import flags

from metal_tf.cli import report_tool

_RUNS = flags.DEFINE_string(
    'runs', '', 'Folder at or below which the runs are (relative to where you '
    'stand): the --workdir of a sweep, or of a run.')
_OUTPUT = flags.DEFINE_string(
    'output', '', 'Folder for the report; the files of an older report in it '
    'are replaced.')


def _report(say: report_tool.Say) -> int:
  from metal_tf.report import write  # pylint: disable=g-import-not-at-top
  write.report(report_tool.folder(_RUNS), report_tool.folder(_OUTPUT), say)
  return 0


def main() -> NoReturn:
  """Runs the program; see `report_tool.run` for its errors."""
  report_tool.run(_report, 'runs', 'output')
