"""Writes a report into a folder, and removes what an older one left there."""

import os
import re
from typing import Callable, Sequence

import pandas as pd

from metal_tf.report import collect
from metal_tf.report import document
from metal_tf.report import errors
from metal_tf.report import page
from metal_tf.report import reductions
from metal_tf.report import statistics
from metal_tf.report import tables
from metal_tf.runs import run_folder

# Names that a figure of ours may have, of this report or an older one.
_FIGURE = re.compile(
    r'(figure\d_?\w*|learning_curves_\d+|meta_gradient|return_overshoot|'
    r'sensitivity|alpha_lambda)'
    r'\.(png|svg)')


def report(runs: Sequence[str], output: str, say: Callable[[str], None],
           resamples: int = statistics.RESAMPLES) -> None:
  """Reads runs and writes the report.

  Args:
    runs: folders at or below which the runs are.
    output: folder; made if it is not there. Files of an older report in it are
      replaced, others left alone.
    say: takes a line of progress.
    resamples: of the bootstrap.

  Raises:
    ReportError: if there is no finished run, or `output` cannot be written.
  """
  output = os.path.abspath(output)
  check_output(output)
  grid = collect.collect(runs, say)
  say(f'{len(grid.used)} finished runs of {len(grid.runs) + len(grid.absent)}')
  made = page.make(grid, resamples, say)
  try:
    _write(made, grid, output)
  except OSError as error:
    raise errors.ReportError(
        f'--output={output} cannot be written ({error}).') from error
  say(f'{os.path.join(output, "index.html")}')


def check_output(output: str) -> None:
  """Refuses a folder that cannot be written to, or is a run's.

  Args:
    output: absolute path.

  Raises:
    ReportError: saying which it is.
  """
  inside = run_around(output)
  if inside:
    raise errors.ReportError(
        f'--output={output} is in the folder of the run {inside}; choose one '
        'outside of it.')
  if os.path.lexists(output) and not os.path.isdir(output):
    raise errors.ReportError(
        f'--output={output} cannot be written (it is there and no folder).')


def run_around(path: str) -> str:
  """Returns the run that `path` is in, or ''."""
  while not run_folder.is_run(path):
    path, before = os.path.dirname(path), path
    if path == before:
      return ''
  return path


def _write(made: page.Report, grid: collect.Grid, output: str) -> None:
  pools = grid.pools
  folder = os.path.join(output, 'figures')
  os.makedirs(folder, exist_ok=True)
  for name in os.listdir(folder):
    if _FIGURE.fullmatch(name):
      os.remove(os.path.join(folder, name))
  for figure in made.figures:
    _bytes(folder, f'{figure.stem}.png', figure.png)
    _bytes(folder, f'{figure.stem}.svg', figure.svg)
  images = {figure.stem: figure.png for figure in made.figures}
  texts = {
      'report.md': made.text,
      'index.html': document.to_html(page.TITLE, made.text, images),
      'table1.tex': '\n'.join(document.to_latex(
          tables.table1(rows, len(pools[name].conditions)),
          f'Ours beside the paper\'s Table 1. {reductions.scopes(pools[name])}'
          if pools[name].of_paper else f'Means over seeds, on {name}.')
                              for name, rows in made.rows.items()),
      'table1.csv': csv_text(pd.concat(
          tables.table1_csv(rows).assign(pool=name)
          for name, rows in made.rows.items())),
      'scores.csv': csv_text(tables.scores_csv(grid))}
  claims = os.path.join(output, 'claims.csv')
  if made.verdicts:
    texts['claims.csv'] = csv_text(tables.verdicts_csv(made.verdicts))
  elif os.path.exists(claims):  # Of an older report.
    os.remove(claims)
  for name, text in texts.items():
    _bytes(output, name, text.encode('utf-8'))


def _bytes(folder: str, name: str, content: bytes) -> None:
  with open(os.path.join(folder, name), 'wb') as stream:
    stream.write(content)


def csv_text(frame: pd.DataFrame) -> str:
  """Returns a table as CSV, numbers with ten digits."""
  return frame.to_csv(index=False, float_format='%.10g', na_rep='nan',
                      lineterminator='\n')
