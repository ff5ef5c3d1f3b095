"""Scores over alpha_1, the first learning rate of lambda: figure and table."""

import collections
from typing import (
  Any,
  Dict,
  List,
  NamedTuple,
  Optional,
  Sequence,
  Tuple,
  Union,
)

import numpy as np
import pandas as pd

from metal_tf.agent import agents
from metal_tf.report import captions
from metal_tf.report import claims
from metal_tf.report import collect
from metal_tf.report import dynamics
from metal_tf.report import naming
from metal_tf.report import style
from metal_tf.report import tables

Outcome = Union[style.Made, style.Missing]

_TITLE = 'Sensitivity to alpha_1'
_ROWS = (('penalized_return', 'R_penalized'), ('return', 'return R'),
         ('penalty', '$J_C$'))


class Series(NamedTuple):
  """Runs that differ in alpha_1, the seed and the condition alone, or nearly.

  Attributes:
    label: the agent.
    settings: what else it was trained with where that is not the default.
    alpha_eta: to one digit; None for an agent that learns no alpha_lambda.
  """
  label: str
  settings: naming.Settings
  alpha_eta: Optional[float]


# By condition and series: alpha_1 and the scores of a run each.
_Scores = Dict[collect.Condition, Dict[Series, List[Tuple[float, np.ndarray]]]]


def figure(grid: collect.Grid) -> Outcome:
  """Scores over alpha_1, a column per condition.

  Args:
    grid: runs of one pool.
  """
  found = scores(grid)
  if not found:
    return style.Missing(
        _TITLE, 'finished runs of an agent that learns lambda with several '
        'values of alpha_1 on one condition')
  columns = sorted(found)
  names = _names(found)
  looks = style.looks(list(names.values()))
  drawn = style.new(max(5.0, 1.0 + 2.3 * len(columns)), 6.4)
  with style.context():
    axes = drawn.subplots(len(_ROWS), len(columns), sharex=True, sharey='row',
                          squeeze=False)
    for i, condition in enumerate(columns):
      axes[0, i].set_title(f'coefficient {condition.safety_coeff:g}')
      axes[-1, i].set(xlabel='alpha_1', xscale='log')
      for j, (measure, ylabel) in enumerate(_ROWS):
        if not i:
          axes[j, 0].set_ylabel(ylabel)
        if measure == 'penalty':
          axes[j, i].axhline(np.mean(condition.thresholds), color='#222222',
                             linestyle=':', linewidth=1)
        row = list(collect.MEASURES).index(measure)
        for shift, (series, name) in zip(_shifts(len(names)), names.items()):
          _draw(axes[j, i], found[condition].get(series, []), row,
                looks[name], name, shift)
    drawn.legend(*axes[0, 0].get_legend_handles_labels(),
                 loc='outside upper center')
  return style.made(
      'sensitivity', _TITLE,
      'The flatter a line, the less its agent depends on the choice of '
      'alpha_1.',
      f'{captions.seeds(_seeds(found, names))} Lines: means over seeds; small '
      'marks: seeds; marks of the same alpha_1 stand side by side. alpha_1 is '
      'the learning rate of lambda at the start (RC-D4PG keeps it), alpha_eta '
      'that of alpha_lambda. Dotted: the threshold. On ' + '; '.join(
          sorted({condition.problem for condition in columns})) + '.', drawn)


def table(grid: collect.Grid) -> pd.DataFrame:
  """Each agent at its best alpha_1, and how large alpha_1 may be.

  The best alpha_1 is the one with the highest mean R_penalized. An agent has
  its task where its mean return is above `claims.COLLAPSED` times that of a
  D4PG that has learned the task on the same condition.

  Args:
    grid: runs of one pool.

  Returns:
    a row per condition and series with several alpha_1; empty without any.
  """
  found = scores(grid)
  names = _names(found)
  problems = {condition.problem for condition in found}
  rows = []
  for condition in sorted(found):
    unconstrained = [collect.measures(run)
                     for run in grid.of(naming.D4PG, condition)]
    mean = _frame(unconstrained)['return'].mean()
    bound = claims.COLLAPSED * mean if mean >= dynamics.LEARNED else np.nan
    for series, name in names.items():
      points = found[condition].get(series, [])
      if len({rate for rate, _ in points}) > 1:
        rates, values = zip(*points)
        rows.append({
            **({'task': condition.problem} if len(problems) > 1 else {}),
            'coefficient': f'{condition.safety_coeff:g}', 'agent': name,
            **_cells(_frame(values, rates), bound)})
  return pd.DataFrame(rows)


def _frame(values: Sequence[np.ndarray],
           rates: Optional[Sequence[float]] = None) -> pd.DataFrame:
  """Scores of runs, with their alpha_1 as the index."""
  return pd.DataFrame(values, index=rates, columns=list(collect.MEASURES))


def _cells(runs: pd.DataFrame, bound: float) -> Dict[str, str]:
  """A row of the table.

  Args:
    runs: of one series, as `_frame` has them.
    bound: mean return above which the task is kept; NaN if it is not known.
  """
  groups = runs.groupby(level=0)
  means = groups.mean()
  best = means['penalized_return'].idxmax()
  kept = means.index[means['return'] > bound]
  if np.isnan(bound):
    largest = tables.NONE
  elif kept.empty:
    largest = f'< {means.index[0]:g}'
  else:
    largest = '≥ ' * (kept[-1] == means.index[-1]) + f'{kept[-1]:g}'
  return {
      'alpha_1 (runs)': ', '.join(
          f'{rate:g} ({number})' for rate, number in groups.size().items()),
      'best': f'{best:g}', **{
          f'{heading} there': tables.spread(
              groups.get_group(best)[name].to_numpy(), name)
          for name, heading in collect.MEASURES.items()},
      'largest': largest}


def scores(grid: collect.Grid) -> _Scores:
  """The runs of agents that learn lambda, where there are several alpha_1.

  Args:
    grid: runs of one pool.
  """
  found: _Scores = {}
  for run in grid.used:
    algorithm = agents.ALGORITHMS.get(run.run.algorithm)
    if algorithm is not None and algorithm.learns_multiplier:
      found.setdefault(run.condition, {}).setdefault(
          _series(run, algorithm), []).append(
              (float(f'{collect.rate(run, "lagrange_lr"):.3g}'),
               collect.measures(run)))
  several = {
      series for of_condition in found.values()
      for series, points in of_condition.items()
      if len({rate for rate, _ in points}) > 1}
  labels = {(series.label, series.settings) for series in several}
  kept = {
      condition: {series: points for series, points in of_condition.items()
                  if (series.label, series.settings) in labels}
      for condition, of_condition in found.items()}
  return {condition: series for condition, series in kept.items()
          if any(len({rate for rate, _ in points}) > 1
                 for points in series.values())}


def _names(found: _Scores) -> Dict[Series, str]:
  """Names of the series, in the order of the other tables.

  A name has the settings that some series of its agent do not have.
  """
  every = {series for of_condition in found.values() for series in of_condition}
  labels = naming.order([series.label for series in every])
  shared = {label: set.intersection(*(
      set(series.settings) for series in every if series.label == label))
            for label in labels}
  names = {}
  for series in sorted(every, key=lambda one: (
      labels.index(one.label), one.settings, one.alpha_eta or 0)):
    own = ', '.join('='.join(setting) for setting in series.settings
                    if setting not in shared[series.label])
    names[series] = series.label + f' [{own}]' * bool(own) + (
        '' if series.alpha_eta is None else
        f', alpha_eta ≈ {series.alpha_eta:g}')
  return names


def _seeds(found: _Scores, names: Dict[Series, str]) -> Dict[str, List[int]]:
  """How many runs the marks of each series are means of."""
  counts: Dict[str, List[int]] = {}
  for of_condition in found.values():
    for series, points in of_condition.items():
      counts.setdefault(names[series], []).extend(
          collections.Counter(rate for rate, _ in points).values())
  return counts


def _series(run: collect.ScoredRun, algorithm: agents.Algorithm) -> Series:
  return Series(
      naming.base_label(run.run),
      tuple(setting for setting in run.variant.settings
            if setting[0] not in naming.RATES),
      float(f'{collect.rate(run, "meta_lr"):.1g}')
      if algorithm.learns_meta_parameter else None)


def _shifts(number: int) -> np.ndarray:
  """Factors by which series are moved along alpha_1, so that none is hidden."""
  return 1.25 ** (np.linspace(-0.5, 0.5, number) if number > 1 else np.zeros(1))


def _draw(axes: Any, points: List[Tuple[float, np.ndarray]], row: int,
          look: style.Look, name: str, shift: float) -> None:
  """One series in one panel."""
  rates = sorted({rate for rate, _ in points})
  means = [np.mean([values[row] for rate, values in points if rate == at])
           for at in rates]
  axes.plot(np.multiply(rates, shift), means, color=look.color,
            marker=look.marker, markersize=6, linestyle=look.dashes, label=name)
  axes.scatter([rate * shift for rate, _ in points],
               [values[row] for _, values in points], s=12, marker=look.marker,
               color=look.color, alpha=0.5, linewidths=0)
