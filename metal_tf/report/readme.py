"""What came out, on README and on the results page, from archived runs."""

import collections
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
from metal_tf.report import errors
from metal_tf.report import naming
from metal_tf.report import page as page_lib
from metal_tf.report import reductions
from metal_tf.report import rules
from metal_tf.report import style
from metal_tf.report import tables
from metal_tf.report import write
from metal_tf.runs import workdir

START, END = '<!-- results -->', '<!-- /results -->'
_CLAIMS = 'claims.csv'
# The claims about scores; README shows these.
_SHORT = ('a', 'b', 'c', 'd', 'h')


def update(runs: Sequence[str], readme: str, results: str, check: bool,
           say: Callable[[str], None]) -> List[str]:
  """Writes the blocks of both pages, the pictures and the claims, or checks.

  The pictures are `<runs>.png` and `<runs>_glance.png`, and the claims are
  `claims.csv`, all beside the first folder of runs.

  Args:
    runs: folders with the runs.
    readme: page that gets one picture, the verdicts of `_SHORT` and the way to
      the other page; it has the lines `START` and `END`, each once.
    results: page that gets everything, with the same two lines.
    check: writes nothing.
    say: takes a line of progress.

  Returns:
    The files that were not what the runs give.

  Raises:
    ReportError: if there is no finished run, or no place for a block; or a
      file cannot be written.
  """
  readme, results, *runs = map(os.path.abspath, (readme, results, *runs))
  around = {page: _around(page) for page in (readme, results)}
  grid = collect.collect(runs, say)
  say(f'{len(grid.used)} finished runs of {len(grid.runs) + len(grid.absent)}')
  if not grid.used:
    raise errors.ReportError(
        f'none of the {len(grid.runs)} runs in {" and ".join(runs)} is '
        'finished.')
  if len(grid.pools) > 1:
    raise errors.ReportError(
        f'{" and ".join(runs)} has runs that no table puts together, on '
        f'{" and on ".join(grid.pools)}; --runs takes one of them.')
  files = _make(grid, runs, readme, results)
  for page, (before, after) in around.items():
    block = files[page].decode()
    files[page] = f'{before}{START}\n{block}{END}{after}'.encode()
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
      raise errors.ReportError(f'cannot be written: {error}.') from error
  return stale


def _around(page: str) -> Tuple[str, str]:
  """What stands before and behind the block."""
  try:
    with open(page, encoding='utf-8', newline='') as stream:
      text = stream.read()
  except (OSError, ValueError) as error:
    raise errors.ReportError(f'{page} cannot be read ({error}).') from error
  before, start, rest = text.partition(START)
  _, end, after = rest.partition(END)
  if not start or not end or START in rest or END in before + after:
    raise errors.ReportError(
        f'{page} needs the lines {START} and {END}, each once and in this '
        'order: the results go between them.')
  return before, after


def _content(path: str) -> bytes:
  try:
    with open(path, 'rb') as stream:
      return stream.read()
  except FileNotFoundError:
    return b''
  except OSError as error:
    raise errors.ReportError(f'{path} cannot be read ({error}).') from error


def _make(grid: collect.Grid, runs: Sequence[str], readme: str, results: str
          ) -> Dict[str, bytes]:
  """The files beside the runs, and the blocks of the pages, by path."""
  looks = style.looks(grid.labels)
  claims_path = os.path.join(os.path.dirname(runs[0]), _CLAIMS)
  verdicts = claims.all_claims(grid) if grid.of_paper else []
  files, texts = {}, {
      readme: _summary(grid, verdicts, _link(results, readme)),
      results: _text(grid, verdicts, claims_path, runs, results, readme)}
  for figure, picture, page in (
      (curves.glance(grid, looks), f'{runs[0]}_glance.png', readme),
      (curves.figure_4(grid, looks), f'{runs[0]}.png', results)):
    if isinstance(figure, style.Made):
      files[picture] = figure.png
      texts[page] = [
          f'![{figure.title}]({_relative(picture, page)})',
          f'*{figure.title}. {figure.caption}*', *texts[page]]
  if verdicts:
    files[claims_path] = write.csv_text(tables.verdicts_csv(verdicts)).encode()
  return {**files, **{page: ('\n\n'.join(filter(None, lines)) + '\n').encode()
                      for page, lines in texts.items()}}


def _relative(path: str, page: str) -> str:
  return os.path.relpath(path, os.path.dirname(page))


def _link(path: str, page: str) -> str:
  """A link from a page to a file, with its path as the text."""
  path = _relative(path, page)
  return f'[{path}]({path})'


def _summary(grid: collect.Grid, verdicts: Sequence[rules.Verdict],
             results: str) -> List[str]:
  """README's block but for its picture."""
  table = grid.shown.balanced
  rows = [row for row in aggregate.rows(table)
          if len(row.conditions) == len(table.conditions)]
  rows.sort(key=lambda row: -row.measure('penalized_return').mean())
  scores = tables.scores(rows, len(table.conditions))
  best_first = '; '.join(
      f'{agent} {score}' for agent, score in zip(
          scores.get('agent', []), scores.get('R_penalized', [])))
  counts = collections.Counter(verdict.verdict for verdict in verdicts)
  changed = '; '.join(
      f'{label} ' + ', '.join(f'`{name}={value}`' for name, value in settings)
      for label, settings in sorted({
          (run.label, run.variant.settings) for run in table.used})
      if settings)
  return [
      reductions.interim(grid),
      f'Mean R_penalized of {len(table.used)} runs over all conditions, ± '
      f'standard deviation over seeds, best first: {best_first}. '
      + (f"Settings that are not today's defaults: {changed}. " if changed
         else '') + f'The tables: {results}.',
      *((document.table(tables.verdicts(
          [verdict for verdict in verdicts if verdict.id in _SHORT]
          ).drop(columns=['', 'n'])),
         f'Of all {len(verdicts)} claims: ' + ', '.join(
             f'{counts[verdict]} {verdict}' for verdict in (
                 rules.SEEN, rules.NOT_SEEN, rules.UNDECIDED)) + '.')
        if verdicts else ())]


def _text(grid: collect.Grid, verdicts: Sequence[rules.Verdict],
          claims_path: str, runs: Sequence[str], page: str, readme: str
          ) -> List[str]:
  """The results page's block but for its picture."""
  sizes = sorted({len({run.seed for run in grid.of(label)})
                  for label in grid.labels})
  return [
      reductions.interim(grid),
      f'{len(grid.used)} finished runs'
      f'{_others(grid, runs, page)}. Mean ± standard '
      f'deviation over n seeds of the last {metrics.WINDOW} training episodes, '
      'exploration included; overshoot is max(0, J_C − β), R_penalized is R − '
      f'{metrics.KAPPA:g} × overshoot. ' + ' '.join(
          map(reductions.power, sizes)),
      f'Compute: {compute.total(grid.finished)}.',
      document.table(tables.by_coefficient(grid.shown)),
      *coefficients.without_exploration(grid.shown),
      *(_beside_the_paper(grid, verdicts, _link(claims_path, page))
        if verdicts else ()),
      *_other_tables(grid),
      f'The runs are in {" and ".join(_link(path, page) for path in runs)}. '
      'This part of the page, and that of README, are written by `./bazelw run '
      '//launchers:readme -- ' + ' '.join(
          f'--runs={_relative(path, readme)}' for path in runs) + '`.']


def _other_tables(grid: collect.Grid) -> List[str]:
  """Scores by domain, if there are several, of other agents and by alpha_1."""
  domains = {condition.domain for condition in grid.shown.conditions}
  return [*(page_lib.by_domain(grid.shown) if len(domains) > 1 else ()),
          *page_lib.variants(grid), *page_lib.rates(grid)]


def _beside_the_paper(grid: collect.Grid, verdicts: Sequence[rules.Verdict],
                      claims_link: str) -> List[str]:
  table = grid.shown.balanced
  rows = [row for row in aggregate.rows(table) if row.label in naming.PAPER]
  conditions = len(table.conditions)
  partly = any(len(row.conditions) < conditions for row in rows)
  return [
      *([f"Beside the paper's Table 1. {reductions.scopes(table)}"
         + ' Rows with ‡ are not over all our conditions.' * partly,
         document.table(tables.table1(rows, conditions))] if rows else ()),
      "The paper's claims, judged by rules that are fixed in code "
      '([report.md](report.md#the-rules-for-the-claims)); what stands behind '
      f'each verdict is in {claims_link}.',
      document.table(tables.verdicts(verdicts)),
      "Where these experiments are smaller than the paper's, or differ:",
      document.items(reductions.of(grid))]


def _others(grid: collect.Grid, runs: Sequence[str], page: str) -> str:
  """Which runs are in no statistics, in words; '' if there are none.

  Args:
    grid: the runs.
    runs: the archives, of which each may list some.
    page: where the words stand.
  """
  root = os.path.commonpath(runs)
  lists = {folder: {os.path.relpath(os.path.join(folder, entry.name), root)
                    for entry in collect.left_out(folder)} for folder in runs}
  listed = set().union(*lists.values())
  parts = [f'`{run.name}`' for run in grid.runs if run.left_out] + [
      f'`{entry.name}`' for entry in grid.absent if entry.name not in listed]
  number = len(parts)
  for folder, names in lists.items():
    there = sum(entry.name in names for entry in grid.absent)
    if there:
      parts.append((f'{there} in ' if parts else '')
                   + _link(os.path.join(folder, collect.LEFT_OUT), page))
      number += there
  return (f' ({number} more in no statistics: {", ".join(parts)})'
          if parts else '')
