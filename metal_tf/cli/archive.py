"""Keeps runs: `bazel run //launchers:archive -- --runs=DIR --output=DIR`.

Copies every finished run's data, without checkpoints and without a word of this
machine, into a folder that the report reads and that a repository can hold: see
docs/report.md. Imports no TensorFlow.
"""

from typing import NoReturn

from absl import flags

from metal_tf.cli import tool

_RUNS, _OUTPUT = tool.define_folders(
    'Folder for the archive, such as results/cartpole; runs that are in it '
    'stay.')
_REPLACE = flags.DEFINE_bool(
    'replace', False, 'Writes over runs that are in the archive with another '
    'content, instead of refusing.')


def _archive() -> None:
  *runs, output = tool.folders(_RUNS, _OUTPUT)
  from metal_tf.report import archive  # pylint: disable=g-import-not-at-top
  archive.archive(runs, output, _REPLACE.value, tool.progress())


def main() -> NoReturn:
  """Runs the program; see `tool.run` for its errors."""
  tool.run(_archive)
