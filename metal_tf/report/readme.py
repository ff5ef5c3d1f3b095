"""The part of README that says what came out, made from archived runs."""

import os
from typing import Callable, Dict, List, Sequence, Tuple

from metal_tf import metrics
from metal_tf.report import aggregate
from metal_tf.report import claims
from metal_tf.report import coefficients
from metal_tf.report import collect
from metal_tf.report import compute
from metal_tf.report import curves
from metal_tf.report import document
from metal_tf.report import naming
from metal_tf.report import reductions
from metal_tf.report import rules
from metal_tf.report import style
from metal_tf.report import tables
from metal_tf.report import write
from metal_tf.runs import workdir

START, END = '<!-- results -->', '<!-- /results -->'
_CLAIMS = 'claims.csv'


def update(runs: str, readme: str, check: bool,
           say: Callable[[str], None]) -> List[str]:
  """Writes the block of README, the picture and the claims, or checks them.

  The picture is `<runs>.png` and the claims are `claims.csv`, both beside the
  folder of the runs.

  Args:
    runs: folder with the runs.
    readme: file with the lines `START` and `END`, each once.
    check: writes nothing.
    say: takes a line of progress.

  Returns:
    The files that were not what the runs give.

  Raises:
    ReportError: if there is no finished run, or no place for the block; or a
      file cannot be written.
  """
  runs, readme = os.path.abspath(runs), os.path.abspath(readme)
  before, after = _around(readme)
  grid = collect.collect(runs, say)
  say(f'{len(grid.used)} finished runs of {len(grid.runs) + len(grid.absent)}')
  if not grid.used:
    raise collect.ReportError(f'none of the {len(grid.runs)} runs in {runs} is '
                              'finished.')
  if len(grid.pools) > 1:
    raise collect.ReportError(
        f'{runs} has runs that no table puts together, on '
        f'{" and on ".join(grid.pools)}; --runs takes one of them.')
  block, files = _make(grid, runs, os.path.dirname(readme))
  files[readme] = f'{before}{START}\n{block}{END}{after}'.encode()
  stale = [path for path, content in files.items()
           if _content(path) != content]
  for path in files:
    say(f'{path}: ' + ('is what the runs give' if path not in stale else
                       'NOT what the runs give' if check else 'written'))
  if not check:
    try:
      for path in stale:
        workdir.write_atomically(path, files[path])
    except OSError as error:
      raise collect.ReportError(f'cannot be written: {error}.') from error
  return stale


def _around(readme: str) -> Tuple[str, str]:
  """What stands before and behind the block."""
  try:
    with open(readme, encoding='utf-8', newline='') as stream:
      text = stream.read()
  except (OSError, ValueError) as error:
    raise collect.ReportError(
        f'--readme={readme} cannot be read ({error}).') from error
  before, start, rest = text.partition(START)
  _, end, after = rest.partition(END)
  if not start or not end or START in rest or END in before + after:
    raise collect.ReportError(
        f'--readme={readme} needs the lines {START} and {END}, each once and '
        'in this order: the results go between them.')
  return before, after


def _content(path: str) -> bytes:
  try:
    with open(path, 'rb') as stream:
      return stream.read()
  except FileNotFoundError:
    return b''
  except OSError as error:
    raise collect.ReportError(f'{path} cannot be read ({error}).') from error


def _make(grid: collect.Grid, runs: str, base: str
          ) -> Tuple[str, Dict[str, bytes]]:
  """The block, and the files beside the runs by path."""
  beside, name = os.path.split(runs)
  files, lines = {}, []
  figure = curves.figure_4(grid, style.looks(grid.labels))
  if isinstance(figure, style.Made):
    picture = os.path.join(beside, f'{name}.png')
    files[picture] = figure.png
    lines = [f'![{figure.title}]({os.path.relpath(picture, base)})',
             f'*{figure.title}. {figure.caption}*']
  path = os.path.join(beside, _CLAIMS)
  verdicts = claims.all_claims(grid) if grid.of_paper else []
  if verdicts:
    files[path] = write.csv_text(tables.verdicts_csv(verdicts)).encode()
  runs_path = os.path.relpath(runs, base)
  text = _text(grid, verdicts, os.path.relpath(path, base), runs_path,
               _others(grid, collect.left_out(runs), runs_path))
  return '\n\n'.join(filter(None, [*lines, *text])) + '\n', files


def _text(grid: collect.Grid, verdicts: Sequence[rules.Verdict],
          claims_path: str, runs_path: str, others: str) -> List[str]:
  sizes = sorted({len({run.seed for run in grid.of(label)})
                  for label in grid.labels})
  return [
      f'{len(grid.used)} finished runs{others}. Mean ± standard deviation over '
      f'n seeds of the last {metrics.WINDOW} training episodes, exploration '
      f'included; overshoot is max(0, J_C − β), R_penalized is R − '
      f'{metrics.KAPPA:g} × overshoot. ' + ' '.join(
          map(reductions.power, sizes)),
      f'Compute: {compute.total(grid.finished)}.',
      document.table(tables.by_coefficient(grid)),
      *coefficients.without_exploration(grid),
      *(_beside_the_paper(grid, verdicts, claims_path) if verdicts else ()),
      f'The runs are in [{runs_path}]({runs_path}); this part of the page is '
      f'written by `./bazelw run //launchers:readme -- --runs={runs_path}`.']


def _beside_the_paper(grid: collect.Grid, verdicts: Sequence[rules.Verdict],
                      claims_path: str) -> List[str]:
  rows = [row for row in aggregate.rows(grid) if row.label in naming.PAPER]
  conditions = len(grid.conditions)
  partly = any(len(row.conditions) < conditions for row in rows)
  return [
      *([f"Beside the paper's Table 1. {reductions.scopes(grid)}"
         + ' Rows with ‡ are not over all our conditions.' * partly,
         document.table(tables.table1(rows, conditions))] if rows else ()),
      "The paper's claims, judged by rules that are fixed in code "
      '([docs/report.md](docs/report.md)); what stands behind each verdict is '
      f'in [{claims_path}]({claims_path}).',
      document.table(tables.verdicts(verdicts)),
      'What is less than in the paper, or other:',
      document.items(reductions.of(grid))]


def _others(grid: collect.Grid, listed: Sequence[collect.Absent],
            runs_path: str) -> str:
  """Which runs are in no statistics, in words; '' if there are none.

  Args:
    grid: the runs.
    listed: those that the archive's own list names.
    runs_path: the archive, from the README.
  """
  in_list = [entry for entry in grid.absent if entry in listed]
  names = [run.name for run in grid.runs if run.left_out] + [
      entry.name for entry in grid.absent if entry not in listed]
  parts = [f'`{name}`' for name in names]
  if in_list:
    path = os.path.join(runs_path, collect.LEFT_OUT)
    parts.append((f'{len(in_list)} in ' if names else '')
                 + f'[{path}]({path})')
  return (f' ({len(names) + len(in_list)} more in no statistics: '
          f'{", ".join(parts)})') if parts else ''
