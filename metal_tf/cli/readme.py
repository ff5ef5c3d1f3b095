"""README's picture and tables: `bazel run //launchers:readme -- --runs=DIR`.

Writes them anew from archived runs, with the report's own code: see
docs/report.md. Imports no TensorFlow.
"""

from typing import NoReturn

from absl import flags

from metal_tf.cli import report_tool

_RUNS = flags.DEFINE_string(
    'runs', '', 'Folder with the archived runs, such as results/cartpole '
    '(relative to where you stand). The picture and claims.csv go beside it.')
_README = flags.DEFINE_string(
    'readme', 'README.md', 'File with the two marker lines between which the '
    'results are written (relative to where you stand).')
_CHECK = flags.DEFINE_bool(
    'check', False, 'Writes nothing: status 1 if a file is not what the runs '
    'give.')


def _update(say: report_tool.Say) -> int:
  from metal_tf.report import readme  # pylint: disable=g-import-not-at-top
  stale = readme.update(report_tool.folder(_RUNS), report_tool.folder(_README),
                        _CHECK.value, say)
  return int(_CHECK.value and bool(stale))


def main() -> NoReturn:
  """Runs the program; see `report_tool.run` for its errors."""
  report_tool.run(_update, 'runs')
