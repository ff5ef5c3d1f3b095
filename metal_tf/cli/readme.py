"""Results of archived runs: `bazel run //launchers:readme -- --runs=DIR`.

Writes README's picture and short table, and all tables of docs/results.md, anew
from archived runs, with the report's own code: see docs/report.md. Imports no
TensorFlow.
"""

from typing import NoReturn

from absl import flags

from metal_tf.cli import tool

_RUNS = flags.DEFINE_multi_string(
    'runs', [], 'Folder with the archived runs, such as results/cartpole '
    '(relative to where you stand). May be given several times. The pictures '
    'and claims.csv go beside the first.')
_README = flags.DEFINE_string(
    'readme', 'README.md', 'Page with the two marker lines between which one '
    'picture and a short table are written (relative to where you stand).')
_RESULTS = flags.DEFINE_string(
    'results', 'docs/results.md', 'Page with the same marker lines, for all '
    'tables (relative to where you stand).')
_CHECK = flags.DEFINE_bool(
    'check', False, 'Writes nothing: status 1 if a file is not what the runs '
    'give.')


def _update() -> int:
  *runs, page, results = tool.folders(_RUNS, _README, _RESULTS)
  from metal_tf.report import readme  # pylint: disable=g-import-not-at-top
  stale = readme.update(
      runs, page, results, _CHECK.value, tool.progress())
  return int(_CHECK.value and bool(stale))


def main() -> NoReturn:
  """Runs the program; see `tool.run` for its errors."""
  tool.run(_update)
