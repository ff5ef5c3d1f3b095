"""The tables of a report: texts for people, numbers for CSV files."""

import math
import os
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
import pandas as pd

from metal_tf import metrics
from metal_tf.report import aggregate
from metal_tf.report import collect
from metal_tf.report import rules
from metal_tf.report import statistics

# Averages over four domains, four safety coefficients, all thresholds and 8
# seeds. What stands behind its "±" (a standard deviation, a standard error, an
# interval), and over what, the paper does not say.
PAPER = pd.read_csv(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                 'paper_table1.csv'), index_col='algorithm')
NONE = '–'
# What the conditions at all safety coefficients are called.
ALL = 'all'

_DECIMALS = {'penalized_return': 1, 'return': 1, 'penalty': 3, 'overshoot': 3}


def number(value: float, decimals: int) -> str:
  """A number in a cell; a dash for NaN."""
  return NONE if math.isnan(value) else f'{value:.{decimals}f}'


def interval(value: statistics.Interval, decimals: int) -> str:
  """An estimate with its interval."""
  if math.isnan(value.low):
    return number(value.estimate, decimals)
  return (f'{number(value.estimate, decimals)} [{number(value.low, decimals)}, '
          f'{number(value.high, decimals)}]')


def spread(values: np.ndarray, measure: str) -> str:
  """Mean ± sd; the mean alone for n = 1.

  Args:
    values: `[n]`, of the runs or seeds.
    measure: a key of `collect.MEASURES`.
  """
  found, decimals = statistics.summary(values), _DECIMALS[measure]
  sd = '' if math.isnan(found.sd) else f' ± {number(found.sd, decimals)}'
  return number(found.mean, decimals) + sd


def _cells(row: aggregate.Scores, conditions: int) -> Dict[str, str]:
  """An agent with all measures; ‡ if it lacks some of the conditions."""
  return {
      'agent': row.label,
      **{heading: spread(row.measure(name), name)
         for name, heading in collect.MEASURES.items()},
      'n': f'{len(row.seeds)}', 'conditions': (
          f'{len(row.conditions)} of {conditions}'
          + ' ‡' * (len(row.conditions) != conditions))}


def scores(rows: Sequence[aggregate.Scores], conditions: int) -> pd.DataFrame:
  """Agents with all measures, each over its own conditions.

  Args:
    rows: of the agents, of one pool.
    conditions: how many it has.
  """
  return pd.DataFrame([_cells(row, conditions) for row in rows])


def table1(rows: Sequence[aggregate.Scores], conditions: int) -> pd.DataFrame:
  """Table 1: ours and, for runs on its tasks, the paper's beside it.

  Args:
    rows: as of `scores`.
    conditions: likewise.
  """
  ours = scores(rows, conditions)
  if not _of_paper(rows):
    return ours
  theirs = PAPER.reindex([row.label for row in rows])
  columns: Dict[str, Any] = {'agent': ours['agent']}
  for name, heading in collect.MEASURES.items():
    columns[f'{heading} (ours)'] = ours[heading]
    if name in PAPER:
      columns[f'{heading} (paper)'] = [number(x, 2) for x in theirs[name]]
  columns['R_penalized (paper)'] = [
      text + f' ± {its:.2f}' * (text != NONE) for text, its in zip(
          columns['R_penalized (paper)'],
          theirs['penalized_return_plus_minus'])]
  return pd.DataFrame({**columns, 'n': ours['n'],
                       'conditions': ours['conditions']})


def table1_csv(rows: Sequence[aggregate.Scores]) -> pd.DataFrame:
  """Table 1 as numbers."""
  found = []
  for row in rows:
    entry: Dict[str, Any] = {
        'algorithm': row.label, 'n': len(row.seeds),
        'conditions': len(row.conditions)}
    for name in collect.MEASURES:
      _, entry[name], entry[f'{name}_sd'] = statistics.summary(
          row.measure(name))
    found.append(entry)
  ours = pd.DataFrame(found)
  if not _of_paper(rows):
    return ours
  theirs = PAPER.rename(columns={'return': 'episode_return'})
  return ours.join(theirs.add_prefix('paper_'), on='algorithm')


def _of_paper(rows: Sequence[aggregate.Scores]) -> bool:
  """Whether these are scores on the paper's tasks."""
  return all(c.of_paper for row in rows for c in row.conditions)


def points(rows: Sequence[aggregate.Scores]) -> pd.DataFrame:
  """All scores by seed, that means and deviations are made of."""
  return pd.DataFrame([
      {'agent': row.label, 'seeds': ', '.join(map(str, row.seeds)), **{
          heading: ', '.join(
              number(x, _DECIMALS[name]) for x in row.measure(name))
          for name, heading in collect.MEASURES.items()}} for row in rows])


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


def by_coefficient(grid: collect.Grid) -> pd.DataFrame:
  """All agents at each safety coefficient, and over all conditions.

  An agent stands under "all" only if it has every condition there is.
  """
  return pd.DataFrame([
      {'coefficient': name, **_cells(row, len(group))}
      for name, group in groups(grid) for row in aggregate.rows(grid, group)
      if name != ALL or len(row.conditions) == len(group)])


def comparisons(found: Sequence[aggregate.Comparison]) -> pd.DataFrame:
  """MetaL against each other agent."""
  cells = []
  for test in found:
    decimals = _DECIMALS[test.measure]
    sizes = len(test.first.seeds), len(test.second.seeds)
    weak = ' underpowered' if min(sizes) < statistics.ENOUGH_SEEDS else ''
    cells.append({
        'MetaL −': test.second.label,
        'measure': collect.MEASURES[test.measure],
        'n': f'{sizes[0]}, {sizes[1]}',
        'conditions': f'{len(test.first.conditions)}',
        'difference [95 %]': interval(test.difference, decimals),
        't': number(test.welch.t, 2), 'df': number(test.welch.df, 1),
        'p': _p(test.welch.p), 'p (Holm)': _p(test.holm),
        "Hedges' g [95 %]": interval(test.effect, 2),
        'smallest d found': number(
            statistics.smallest_effect(*sizes), 2) + weak})
  return pd.DataFrame(cells)


def _p(value: float) -> str:
  return NONE if math.isnan(value) else f'{value:.2g}'


def interquartile(found: aggregate.AcrossTasks) -> pd.DataFrame:
  """Interquartile means with their bootstrap intervals."""
  return pd.DataFrame([
      {'agent': row.label, **{
          f'IQM of {heading} [95 %]': interval(value, _DECIMALS[name])
          for (name, heading), value in zip(collect.MEASURES.items(), means)},
       'n': f'{len(row.seeds)}' + _too_few(len(row.seeds)),
       'conditions': f'{len(row.conditions)}'} for row, means in found.means])


def improvement(found: aggregate.AcrossTasks) -> pd.DataFrame:
  """Probabilities of improvement."""
  return pd.DataFrame([
      {'MetaL over': other.label,
       'P(improvement in R_penalized) [95 %]': interval(value, 2),
       'n': f'{len(first.seeds)}, {len(other.seeds)}' + _too_few(
           min(len(first.seeds), len(other.seeds))),
       'conditions': f'{len(first.conditions)}'}
      for first, other, value in found.improvement])


def _too_few(n: int) -> str:
  """Says why there is no bootstrap interval."""
  few = n < statistics.ENOUGH_SEEDS
  return f' (below {statistics.ENOUGH_SEEDS}: no interval)' * few


def verdicts(found: Sequence[rules.Verdict]) -> pd.DataFrame:
  """The claims."""
  return pd.DataFrame([
      {'': verdict.id, 'claim': verdict.claim,
       'verdict': f'**{verdict.verdict}**',
       'the effect that decides [its interval]': _deciding(verdict),
       'n': f'{verdict.n}'} for verdict in found])


def _deciding(verdict: rules.Verdict) -> str:
  """The effect in a cell, and what kept the claim from a verdict."""
  return '; '.join(filter(None, (
      str(verdict.effect) if verdict.effect else '', verdict.why,
      verdict.would_decide)))


def verdicts_csv(found: Sequence[rules.Verdict]) -> pd.DataFrame:
  """The claims as numbers."""
  return pd.DataFrame([
      {'id': verdict.id, 'claim': verdict.claim, 'verdict': verdict.verdict,
       'effect': verdict.interval.estimate, 'low': verdict.interval.low,
       'high': verdict.interval.high, 'n': verdict.n,
       'seeds_to_decide': verdict.seeds,
       'diagnosis': verdict.diagnosis} for verdict in found])


def settings(grid: collect.Grid) -> pd.DataFrame:
  """What agents were trained with where it is not the default."""
  found = {run.label: run.variant.settings for run in grid.runs}
  return pd.DataFrame([
      {'agent': label, 'settings that are not the default': ', '.join(
          f'`{name}={value}`' for name, value in own) or 'none'}
      for label, own in found.items()])


def runs(grid: collect.Grid) -> pd.DataFrame:
  """Every run, whatever became of it."""
  cells = []
  for run in grid.runs:
    values = collect.measures(run)
    short = run.score is not None and run.score.episodes < metrics.WINDOW
    cells.append({
        'run': run.name, 'agent': run.label, 'condition': str(run.condition),
        'seed': f'{run.seed}',
        'episodes': f'{run.run.num_episodes}' + '†' * short,
        **{heading: number(x, _DECIMALS[name])
           for (name, heading), x in zip(collect.MEASURES.items(), values)},
        'status': run.status if run.status == 'finished' else
                  f'**{run.status}**', 'statistics': run.left_out or 'used'})
  cells += [{'run': entry.name, 'status': '**nothing to read**',
             'statistics': entry.why} for entry in grid.absent]
  return pd.DataFrame(cells).fillna(NONE)


def scores_csv(grid: collect.Grid) -> pd.DataFrame:
  """One row per run: all that the statistics use."""
  return pd.DataFrame([
      {'run': run.name, 'algorithm': run.label, 'domain': run.condition.domain,
       'task': run.condition.task,
       'constraints': ' '.join(run.condition.constraints),
       'thresholds': ' '.join(f'{x:.10g}' for x in run.condition.thresholds),
       'safety_coeff': run.condition.safety_coeff, 'seed': run.seed,
       'status': run.status, 'episodes': run.run.num_episodes,
       'window': run.score.episodes if run.score else 0,
       **dict(zip(collect.MEASURES, collect.measures(run))),
       'left_out': run.left_out, 'settings': ' '.join(
           f'{name}={value}' for name, value in run.variant.settings),
       'rwrl_spec': run.condition.rwrl_spec, 'preset': run.condition.preset}
      for run in grid.runs])
