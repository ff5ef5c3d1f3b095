"""The tables of a report."""

import csv
import math
import os
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from metal_tf import metrics
from metal_tf.report import aggregate
from metal_tf.report import collect
from metal_tf.report import document
from metal_tf.report import rules
from metal_tf.report import statistics

_PAPER = os.path.join(
    os.path.dirname(os.path.abspath(__file__)), 'paper_table1.csv')
_NONE = '–'
# What the conditions at all safety coefficients are called.
ALL = 'all'

_DECIMALS = {'penalized_return': 1, 'return': 1, 'penalty': 3, 'overshoot': 3}


class PaperRow(NamedTuple):
  """A row of the paper's Table 1.

  An average over four domains, four safety coefficients, all thresholds and 8
  seeds. What stands behind its "±" (a standard deviation, a standard error, an
  interval), and over what, the paper does not say.
  """
  penalized_return: float
  penalized_return_plus_minus: float
  episode_return: float
  overshoot: float


def paper() -> Dict[str, PaperRow]:
  """The paper's Table 1, by agent."""
  with open(_PAPER, encoding='utf-8', newline='') as stream:
    _, *rows = csv.reader(stream)
  return {name: PaperRow(*map(float, row)) for name, *row in rows}


def number(value: float, decimals: int) -> str:
  """A number in a cell; a dash for NaN."""
  return _NONE if math.isnan(value) else f'{value:.{decimals}f}'


def interval(value: statistics.Interval, decimals: int) -> str:
  """An estimate with its interval."""
  if math.isnan(value.low):
    return number(value.estimate, decimals)
  return (f'{number(value.estimate, decimals)} [{number(value.low, decimals)}, '
          f'{number(value.high, decimals)}]')


def _spread(values: np.ndarray, decimals: int) -> str:
  """Mean ± sd; the mean alone for n = 1."""
  found = statistics.summary(values)
  sd = '' if math.isnan(found.sd) else f' ± {number(found.sd, decimals)}'
  return number(found.mean, decimals) + sd


def _measured(row: aggregate.Scores) -> List[str]:
  return [_spread(row.measure(name), _DECIMALS[name])
          for name in collect.MEASURES]


def table1(rows: Sequence[aggregate.Scores], conditions: int
           ) -> document.Table:
  """Table 1: ours beside the paper's.

  Args:
    rows: of the agents, each over its own conditions.
    conditions: how many there are in the report.
  """
  published = paper()
  return document.Table(
      ['agent', *(f'{name} (ours)' for name in collect.MEASURES.values()), 'n',
       'conditions', 'R_penalized (paper)', 'R (paper)', 'overshoot (paper)'],
      [[row.label, *_measured(row), f'{len(row.seeds)}',
        _share(row, conditions), *_theirs(published.get(row.label))]
       for row in rows])


def compact_table1(rows: Sequence[aggregate.Scores], conditions: int
                   ) -> document.Table:
  """The paper's agents and measures only, ours and the paper's in turn.

  Args:
    rows: as of `table1`.
    conditions: likewise.

  Returns:
    Without rows if there is no agent of the paper's table.
  """
  published = paper()
  names = ('penalized_return', 'return', 'overshoot')
  cells = []
  for row in rows:
    if row.label in published:
      ours = [_spread(row.measure(name), _DECIMALS[name]) for name in names]
      pairs = zip(ours, _theirs(published[row.label]))
      cells.append([row.label, *(cell for pair in pairs for cell in pair),
                    f'{len(row.seeds)}', _share(row, conditions)])
  return document.Table(
      ['agent', *(f'{collect.MEASURES[name]} ({whose})' for name in names
                  for whose in ('ours', 'paper')), 'n', 'conditions'], cells)


def _share(row: aggregate.Scores, conditions: int) -> str:
  """How many of the conditions a row is over."""
  return f'{len(row.conditions)} of {conditions}' + (
      '' if len(row.conditions) == conditions else ' ‡')


def _theirs(published: Optional[PaperRow]) -> List[str]:
  """The paper's cells."""
  if not published:
    return [_NONE] * 3
  return [f'{published.penalized_return:.2f} ± '
          f'{published.penalized_return_plus_minus:.2f}',
          f'{published.episode_return:.2f}', f'{published.overshoot:.2f}']


def table1_csv(rows: Sequence[aggregate.Scores]) -> List[Dict[str, object]]:
  """Table 1 as numbers, one dict per agent."""
  published = paper()
  found = []
  for row in rows:
    entry: Dict[str, object] = {
        'algorithm': row.label, 'n': len(row.seeds),
        'conditions': len(row.conditions)}
    for name in collect.MEASURES:
      _, entry[name], entry[f'{name}_sd'] = statistics.summary(
          row.measure(name))
    theirs = published.get(row.label)
    for name in PaperRow._fields:
      entry[f'paper_{name}'] = getattr(theirs, name) if theirs else ''
    found.append(entry)
  return found


def points(rows: Sequence[aggregate.Scores]) -> document.Table:
  """All scores by seed, that means and deviations are made of."""
  return document.Table(
      ['agent', 'seeds', *collect.MEASURES.values()],
      [[row.label, ', '.join(map(str, row.seeds)), *(
          ', '.join(number(x, _DECIMALS[name]) for x in row.measure(name))
          for name in collect.MEASURES)] for row in rows])


def scores(rows: Sequence[aggregate.Scores]) -> document.Table:
  """Agents over the same conditions: all measures with n, mean and sd."""
  return document.Table(
      ['agent', *collect.MEASURES.values(), 'n', 'conditions'],
      [[row.label, *_measured(row), f'{len(row.seeds)}',
        f'{len(row.conditions)}'] for row in rows])


def groups(grid: collect.Grid) -> List[Tuple[str, List[collect.Condition]]]:
  """The conditions at each safety coefficient and, if there are several, all.

  Returns:
    the coefficient, or `ALL`, and its conditions.
  """
  coefficients = sorted({c.safety_coeff for c in grid.conditions})
  found = [(f'{coefficient:g}', [c for c in grid.conditions
                                 if c.safety_coeff == coefficient])
           for coefficient in coefficients]
  return found + ([(ALL, grid.conditions)] if len(found) > 1 else [])


def by_coefficient(grid: collect.Grid) -> document.Table:
  """All agents at each safety coefficient, and over all conditions.

  An agent stands under "all" only if it has every condition there is.
  """
  cells = []
  for name, group in groups(grid):
    for row in aggregate.rows(grid, group):
      if name == ALL and len(row.conditions) < len(group):
        continue
      cells.append([name, row.label, *_measured(row), f'{len(row.seeds)}',
                    _share(row, len(group))])
  return document.Table(
      ['coefficient', 'agent', *collect.MEASURES.values(), 'n', 'conditions'],
      cells)


def comparisons(found: Sequence[aggregate.Comparison]) -> document.Table:
  """MetaL against each other agent."""
  cells = []
  for test in found:
    decimals = _DECIMALS[test.measure]
    sizes = len(test.first.seeds), len(test.second.seeds)
    weak = ' underpowered' if min(sizes) < statistics.ENOUGH_SEEDS else ''
    cells.append([
        test.second.label, collect.MEASURES[test.measure],
        f'{sizes[0]}, {sizes[1]}', f'{len(test.first.conditions)}',
        interval(test.difference, decimals), number(test.welch.t, 2),
        number(test.welch.df, 1), _p(test.welch.p), _p(test.holm),
        interval(test.effect, 2),
        number(statistics.smallest_effect(*sizes), 2) + weak])
  return document.Table(
      ['MetaL −', 'measure', 'n', 'conditions', 'difference [95 %]', 't', 'df',
       'p', 'p (Holm)', "Hedges' g [95 %]", 'smallest d found'], cells)


def _p(value: float) -> str:
  return _NONE if math.isnan(value) else f'{value:.2g}'


def interquartile(found: aggregate.AcrossTasks) -> document.Table:
  """Interquartile means with their bootstrap intervals."""
  return document.Table(
      ['agent', *(f'IQM of {name}' for name in collect.MEASURES.values()), 'n',
       'conditions'],
      [[row.label, *(interval(value, _DECIMALS[name])
                     for name, value in zip(collect.MEASURES, means)),
        f'{len(row.seeds)}', f'{len(row.conditions)}']
       for row, means in found.means])


def improvement(found: aggregate.AcrossTasks) -> document.Table:
  """Probabilities of improvement."""
  return document.Table(
      ['MetaL over', 'P(improvement in R_penalized) [95 %]', 'n', 'conditions'],
      [[other.label, interval(value, 2),
        f'{len(first.seeds)}, {len(other.seeds)}', f'{len(first.conditions)}']
       for first, other, value in found.improvement])


def verdicts(found: Sequence[rules.Verdict]) -> document.Table:
  """The claims."""
  return document.Table(
      ['', 'claim', 'verdict', 'the effect that decides [its interval]', 'n'],
      [[verdict.id, verdict.claim, f'**{verdict.verdict}**', _deciding(verdict),
        f'{verdict.n}'] for verdict in found])


def _deciding(verdict: rules.Verdict) -> str:
  """The effect in a cell, and what else kept the claim from a verdict."""
  if verdict.effect is None:
    return verdict.why
  why = f'; {verdict.why}' if verdict.why else ''
  return f'{verdict.effect}{why}'


def verdicts_csv(found: Sequence[rules.Verdict]) -> List[Dict[str, object]]:
  """The claims, one dict each."""
  return [
      {'id': verdict.id, 'claim': verdict.claim, 'verdict': verdict.verdict,
       'effect': verdict.interval.estimate, 'low': verdict.interval.low,
       'high': verdict.interval.high, 'n': verdict.n,
       'diagnosis': verdict.diagnosis} for verdict in found]


def settings(grid: collect.Grid) -> document.Table:
  """What agents were trained with where it is not the default."""
  found = {run.label: run.variant.settings for run in grid.runs}
  return document.Table(
      ['agent', 'settings that are not the default'],
      [[label, ', '.join(f'`{name}={value}`' for name, value in found[label])
        or 'none'] for label in found])


def runs(grid: collect.Grid) -> document.Table:
  """Every run, whatever became of it."""
  cells = []
  for run in grid.runs:
    measured = ([number(x, _DECIMALS[name]) for name, x in zip(
        collect.MEASURES, collect.measures(run))] if run.score else [_NONE] * 4)
    short = run.score is not None and run.score.episodes < metrics.WINDOW
    status = run.status if run.status == 'finished' else f'**{run.status}**'
    cells.append([
        run.name, run.label, str(run.condition), f'{run.seed}',
        f'{run.run.num_episodes}' + ('†' if short else ''), *measured, status,
        run.left_out or 'used'])
  cells += [[entry.name, *[_NONE] * 8, '**nothing to read**', entry.why]
            for entry in grid.absent]
  return document.Table(
      ['run', 'agent', 'condition', 'seed', 'episodes',
       *collect.MEASURES.values(), 'status', 'statistics'], cells)


def scores_csv(grid: collect.Grid) -> List[Dict[str, object]]:
  """One dict per run: all that the statistics use."""
  found = []
  for run in grid.runs:
    entry: Dict[str, object] = {
        'run': run.name, 'algorithm': run.label, 'domain': run.condition.domain,
        'task': run.condition.task,
        'constraints': ' '.join(run.condition.constraints),
        'thresholds': ' '.join(f'{x:.10g}' for x in run.condition.thresholds),
        'safety_coeff': run.condition.safety_coeff, 'seed': run.seed,
        'status': run.status, 'episodes': run.run.num_episodes,
        'window': run.score.episodes if run.score else 0}
    values = collect.measures(run) if run.score else [''] * 4
    entry.update(zip(collect.MEASURES, values))
    entry['left_out'] = run.left_out
    entry['settings'] = ' '.join(
        f'{name}={value}' for name, value in run.variant.settings)
    found.append(entry)
  return found
