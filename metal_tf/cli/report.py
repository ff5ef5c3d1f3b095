"""Reports on runs: `bazel run //launchers:report -- --runs=DIR --output=DIR`.

Tables, tests and figures of the paper, from folders of runs alone: see
docs/report.md. Imports no TensorFlow.
"""

from typing import NoReturn

from metal_tf.cli import tool

_RUNS, _OUTPUT = tool.define_folders(
    'Folder for the report; the files of an older report in it are replaced.')


def _report() -> None:
  *runs, output = tool.folders(_RUNS, _OUTPUT)
  from metal_tf.report import write  # pylint: disable=g-import-not-at-top
  write.report(runs, output, tool.progress())


def main() -> NoReturn:
  """Runs the program; see `tool.run` for its errors."""
  tool.run(_report)
