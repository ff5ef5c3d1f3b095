"""Keeps runs: `bazel run //launchers:archive -- --runs=DIR --output=DIR`.

Copies every finished run's data, without checkpoints and without a word of this
machine, into a folder that the report reads and that a repository can hold: see
docs/report.md. Imports no TensorFlow.
"""

from typing import NoReturn

from absl import flags

from metal_tf.cli import report_tool

_RUNS = flags.DEFINE_string(
    'runs', '', 'Folder at or below which the runs are (relative to where you '
    'stand): the --workdir of a sweep, or of a run.')
_OUTPUT = flags.DEFINE_string(
    'output', '', 'Folder for the archive, such as results/cartpole; runs that '
    'are in it stay.')
_REPLACE = flags.DEFINE_bool(
    'replace', False, 'Writes over runs that are in the archive with another '
    'content, instead of refusing.')


def _archive(say: report_tool.Say) -> int:
  from metal_tf.report import archive  # pylint: disable=g-import-not-at-top
  archive.archive(report_tool.folder(_RUNS), report_tool.folder(_OUTPUT),
                  _REPLACE.value, say)
  return 0


def main() -> NoReturn:
  """Runs the program; see `report_tool.run` for its errors."""
  report_tool.run(_archive, 'runs', 'output')
