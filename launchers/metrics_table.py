"""Writes docs/metrics.md from the tables of the logs and of the JSON files.

Run by hand after a change of what is measured:

    ./bazelw run //launchers:metrics_table -- $PWD/docs/metrics.md
"""

import sys
import textwrap
from typing import Iterable, Iterator, Sequence

from metal_tf.runs import json_tables
from metal_tf.runs import log_tables

_HEAD = """\
# Metrics

This page lists every column, scalar and entry of the logs, `summary.json`,
`config.json` and `feasibility.json` that a run writes into its `--workdir`,
with unit and meaning. `launchers/metrics_table.py` makes it, and a test
compares it with the code and with the files of a run.

The suite's penalties are 0 or 1 per step, so J_C, thresholds and overshoots are
shares of violated steps. Rewards have the task's unit; the paper's tasks pay 0
to 1 per step. Columns are the same for all agents. A number that an agent does
not have, or does not have yet, is `nan` in a CSV file and missing in
TensorBoard. The exceptions are alpha_lambda, which is 0 for agents that do not
learn it, and the lambda of D4PG, which is 0.

A column that ends in `/<constraint>` exists once for each of the K constraints,
all columns of the first constraint before those of the second. With
`--constraints=balance_velocity:0.115,slider_pos:0.2` the header of `{file}`
is, in one line,

```
{header}
```"""

_EXAMPLE = ('balance_velocity', 'slider_pos')
_ANY = '<constraint>'


def _columns(table: log_tables.Table) -> Iterator[str]:
  yield f'\n## `{table.file}`, TensorBoard in `{table.folder}/`\n'
  yield from _table(
      ('column', 'TensorBoard', 'meaning'),
      ((f'`{column}`', _code(table.tag(column, quantity)), quantity.meaning)
       for column, quantity in table.quantities([_ANY]).items()))


def _entries(file: json_tables.File) -> Iterator[str]:
  yield f'\n## `{file.name}`\n'
  yield f'{file.written}\n'
  yield from _table(
      ('entry', 'meaning'),
      ((f'`{entry.name}`', entry.meaning + (
          ' (several workers only)' if entry.workers_only else ''))
       for entry in file.entries))


def _table(head: Sequence[str],
           rows: Iterable[Sequence[str]]) -> Iterator[str]:
  for row in (head, ['---'] * len(head), *rows):
    # A bar within a cell would begin another one.
    yield f'| {" | ".join(cell.replace("|", chr(92) + "|") for cell in row)} |'


def _code(text: str) -> str:
  return f'`{text}`' if text else ''


def page() -> str:
  """Returns the whole page."""
  episodes = log_tables.EPISODES
  lines = [_HEAD.format(file=episodes.file,
                        header=textwrap.fill(
                            ', '.join(episodes.columns(_EXAMPLE)), 80))]
  for table in (episodes, log_tables.EVALUATIONS):
    lines += _columns(table)
  for file in json_tables.FILES:
    lines += _entries(file)
  return '\n'.join(lines) + '\n'


if __name__ == '__main__':
  with open(sys.argv[1], 'w', encoding='utf-8') as stream:
    stream.write(page())
