"""Scores by safety coefficient: with exploration, and without it."""

from typing import Dict, List, Tuple

from metal_tf import config as config_lib
from metal_tf import metrics
from metal_tf.report import aggregate
from metal_tf.report import captions
from metal_tf.report import collect
from metal_tf.report import document
from metal_tf.report import naming
from metal_tf.report import noise_free
from metal_tf.report import tables


def section(grid: collect.Grid) -> List[str]:
  """The section of the page, in Markdown."""
  return [
      '## By safety coefficient',
      'Scores as in Table 1. Under "all" stand the agents that have every '
      'condition.',
      document.table(tables.by_coefficient(grid)),
      *document.fold('The same runs without exploration',
                     *without_exploration(grid))]


def without_exploration(grid: collect.Grid) -> List[str]:
  """The table of the runs' evaluations, and who changes places in it.

  Args:
    grid: with a finished run.
  """
  free = noise_free.scored(grid)
  missing: Dict[str, List[str]] = {}
  for run, scored in zip(grid.runs, free.runs):
    if scored.left_out and not run.left_out:
      missing.setdefault(scored.left_out, []).append(run.name)
  if not free.used:
    return ['Without exploration there are no scores: ' + '; '.join(
        f'{why} (runs: {len(names)})' for why, names in missing.items()) + '.']
  period = captions.span(
      run.run.config.get('evaluation_period', config_lib.Config(
          ).evaluation_period) for run in free.used)
  episodes = captions.span(
      run.score.episodes for run in free.used if run.score)
  return [
      'The same runs by their evaluations without exploration: those made '
      f'during the last {metrics.WINDOW} training episodes, one episode each, '
      f'every {period} episodes, so {episodes} episodes a run. The scores '
      'above, with exploration, are the ones that were fixed in advance. '
      f'{order(grid, free)}'.rstrip(),
      document.table(tables.by_coefficient(free)),
      *(f'Not in this table: {", ".join(names)} ({why}).'
        for why, names in missing.items())]


def order(grid: collect.Grid, free: collect.Grid) -> str:
  """Says which agents change places with MetaL in R_penalized without noise.

  Args:
    grid: the runs.
    free: the same runs, scored without noise.

  Returns:
    Sentences; '' if no agent has conditions in common with MetaL.
  """
  found = reversals(grid, free)
  if not found:
    return ''
  texts = [
      ('Over all conditions below, ' if name == tables.ALL else f'At {name}, ')
      + ', '.join(f'{upper} is above {lower}' for upper, lower in pairs)
      + ' in R_penalized with exploration and below it without.'
      for name, pairs in found.items() if pairs]
  return ' '.join(texts or [
      'In R_penalized no agent changes places with MetaL.']) + (
          ' These are orders of means, not tests.')


def reversals(grid: collect.Grid, free: collect.Grid
              ) -> Dict[str, List[Tuple[str, str]]]:
  """Agents whose order with MetaL in R_penalized noise turns round.

  Both orders are of the same runs over the same conditions.

  Args:
    grid: the runs.
    free: the same runs, scored without noise.

  Returns:
    by coefficient (and `tables.ALL`) at which MetaL can be compared: the pairs,
    first the one that is above with noise. Agents with equal means have no
    order.
  """
  same = grid._replace(runs=tuple(
      run._replace(left_out=scored.left_out)
      for run, scored in zip(grid.runs, free.runs)))
  found: Dict[str, List[Tuple[str, str]]] = {}
  for name, conditions in tables.groups(free):
    # Only agents whose rows in the table are over the conditions of the pair.
    shown = {row.label: row.conditions
             for row in aggregate.rows(free, conditions)
             if name != tables.ALL or len(row.conditions) == len(conditions)}
    for labels in ((naming.METAL, label) for label in free.labels
                   if label != naming.METAL):
      noisy = aggregate.common(same, labels, conditions)
      if not noisy or any(
          shown.get(label) != noisy[0].conditions for label in labels):
        continue
      pairs = found.setdefault(name, [])
      lead = _lead(noisy)
      if lead * _lead(aggregate.common(free, labels, conditions)) < 0:
        pairs.append(labels if lead > 0 else labels[::-1])
  return found


def _lead(pair: List[aggregate.Scores]) -> float:
  """How far the first of two is above the second."""
  first, second = (row.measure('penalized_return').mean() for row in pair)
  return first - second
