"""The figures of final scores: the paper's 1, 2 and 3, and the trade-off."""

from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np

from metal_tf import metrics
from metal_tf.environments import tasks
from metal_tf.report import aggregate
from metal_tf.report import captions
from metal_tf.report import collect
from metal_tf.report import naming
from metal_tf.report import statistics
from metal_tf.report import style

Outcome = Union[style.Made, style.Missing]
# One group of bars: its name on the axis and the scores of each agent.
_Group = Tuple[str, List[aggregate.Scores]]

_SEE = ('The gap between a wide pale bar (return) and the narrow bar in front '
        'of it (penalized return) is what violating the constraint costs; the '
        'highest penalized return belongs to ')
_HOW = ('Wide pale bars: mean return R; narrow bars: mean penalized return; '
        'white marks: penalized returns of the seeds; grey dots beside them: '
        f'their R. From {statistics.ENOUGH_SEEDS} seeds on, lines are ± one '
        'standard deviation over seeds.')
_SOLVABLE = max(tasks.SAFETY_COEFFICIENTS)


def all_figures(grid: collect.Grid, looks: Dict[str, style.Look]
                ) -> List[Outcome]:
  """The figures below, in the order of the report; of one pool."""
  return [
      trade_off(grid, looks),
      by_coefficient(grid, looks, all_agents=True),
      by_coefficient(grid, looks, all_agents=False),
      by_domain(grid, looks), outer_losses(grid, looks)]


def outer_losses(grid: collect.Grid, looks: Dict[str, style.Look]) -> Outcome:
  """Figure 1, left."""
  title = "Figure 1, left: MetaL's outer losses"
  labels = [naming.outer_label(loss) for loss in naming.OUTER_LOSSES]
  missing = [label for label in labels if label not in grid.labels]
  found = aggregate.common(grid, [x for x in labels if x in grid.labels])
  if len(found) < 2:
    return style.Missing(title, 'finished runs of ' + (
        _listed(missing) or 'the outer losses on the same conditions'))
  return _bars(
      'figure1_left', title, [(row.label, [row]) for row in found], looks,
      _over(found) + _lacking(missing))


def by_coefficient(grid: collect.Grid, looks: Dict[str, style.Look],
                   all_agents: bool) -> Outcome:
  """Figure 1, right (MetaL, RC-D4PG, D4PG), or figure 2 (all of the paper)."""
  stem, title, wanted = (
      ('figure2', 'Figure 2: all agents by safety coefficient', naming.PAPER)
      if all_agents else
      ('figure1_right', 'Figure 1, right: MetaL, RC-D4PG and D4PG by safety '
       'coefficient', naming.PAPER[:3]))
  labels = [label for label in grid.labels if label in wanted]
  missing = [label for label in wanted if label not in labels]
  if len(labels) < 2 or all_agents and set(labels) <= set(naming.PAPER[:3]):
    return style.Missing(title, f'finished runs of {_listed(missing)}')
  groups = []
  for coefficient in sorted({c.safety_coeff for c in grid.conditions}):
    conditions = [c for c in grid.conditions if c.safety_coeff == coefficient]
    groups.append((f'{coefficient:g}', [
        row for row in aggregate.rows(grid, conditions)
        if row.label in labels]))
  groups = [group for group in groups if group[1]]
  absent = [f'coefficient {c:g}' for c in tasks.SAFETY_COEFFICIENTS
            if f'{c:g}' not in dict(groups)]
  return _bars(stem, title, groups, looks,
               _differing(groups) + _lacking([*missing, *absent]),
               'safety coefficient (smaller: harder)')


def by_domain(grid: collect.Grid, looks: Dict[str, style.Look]) -> Outcome:
  """Figure 3."""
  title = (f'Figure 3: by domain, coefficient {_SOLVABLE:g}, largest threshold')
  at = [c for c in grid.conditions if c.safety_coeff == _SOLVABLE
        and any(grid.of(label, c) for label in naming.PAPER)]
  labels = [label for label in naming.PAPER if grid.of(label, *at)]
  if not at or len(labels) < 2:
    return style.Missing(
        title, 'finished runs of two of the agents of the paper at coefficient '
        f'{_SOLVABLE:g}')
  largest: Dict[Tuple[str, ...], collect.Condition] = {}
  for condition in at:
    key = condition.domain, condition.task, *condition.constraints
    if key not in largest or condition.thresholds > largest[key].thresholds:
      largest[key] = condition
  groups = []
  for condition in largest.values():
    rows = [row for row in aggregate.rows(grid, [condition])
            if row.label in labels]
    groups.append((condition.problem.replace(', ', '\n'), rows))
  absent = [domain for domain in tasks.TASKS
            if domain not in {c.domain for c in at}]
  return _bars('figure3', title, groups, looks,
               'The largest threshold that there are runs of.' + _lacking(
                   [*absent, *(x for x in naming.PAPER if x not in labels)]))


def trade_off(grid: collect.Grid, looks: Dict[str, style.Look]) -> Outcome:
  """Return against overshoot."""
  rows = aggregate.rows(grid)
  full = _widest(rows)
  front = pareto([
      (row.measure('overshoot').mean(), row.measure('return').mean())
      for row in rows if row.conditions == full])
  figure = style.new(5.6, 5.4)
  with style.context():
    axes = figure.subplots()
    for row in rows:
      x, y = row.measure('overshoot'), row.measure('return')
      look = looks[row.label]
      whole = row.conditions == full
      axes.scatter(x, y, s=18, marker=look.marker, color=look.color, alpha=0.5,
                   linewidths=0)
      axes.scatter(
          x.mean(), y.mean(), s=85, marker=look.marker, edgecolors=look.color,
          facecolors=look.color if whole else 'white', linewidths=1.5,
          label=f'{row.label} (n = {len(row.seeds)})', zorder=3)
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    axes.plot(*zip(*front), color='#222222', linestyle='--', linewidth=1,
              label='Pareto front of the means', zorder=1,
              drawstyle='steps-post')
    # Lines of one penalized return, from the top edge down to the left.
    reach = metrics.KAPPA * (right - left)
    for level in np.linspace(bottom - reach, top, 8)[1:-1]:
      axes.plot((left, right), (level, level + reach), color='#CCCCCC',
                linewidth=0.7, zorder=0)
    axes.set(xlim=(left, right), ylim=(bottom, top),
             xlabel=r'overshoot, max(0, $J_C - \beta$), penalty per step',
             ylabel='return R per episode')
    axes.grid(False)
    names = axes.get_legend_handles_labels()[1]
    figure.legend(loc='outside lower center', ncols=style.legend_columns(
        names, figure.get_figwidth(), 2))
  hollow = ('' if all(row.conditions == full for row in rows) else
            f' Hollow: not over the same {len(full)} condition(s) as the '
            'filled ones; not in the front.')
  return style.made(
      'return_overshoot', 'Return against overshoot',
      'Agents further up earn more and agents further left violate their '
      'constraint less; the highest penalized return belongs to '
      f'{_best(rows)}.',
      'Large marks: means over seeds and conditions; small ones: seeds. '
      'Dashed: no other agent has both more return and less overshoot. Grey: '
      'equal penalized return.' + hollow, figure)


def pareto(points: Sequence[Tuple[float, float]]
           ) -> List[Tuple[float, float]]:
  """The points that none beats in both overshoot (x, less) and return (y)."""
  front: List[Tuple[float, float]] = []
  for point in sorted(points, key=lambda p: (p[0], -p[1])):
    if not front or point[1] > front[-1][1]:
      front.append(point)
  return front


def _bars(stem: str, title: str, groups: Sequence[_Group],
          looks: Dict[str, style.Look], caption: str,
          xlabel: Optional[str] = None) -> style.Made:
  """Draws groups of bars."""
  labels = [label for label in looks
            if any(row.label == label for _, rows in groups for row in rows)]
  single = all(len(rows) == 1 for _, rows in groups)
  best = _best([rows[0] for _, rows in groups]) if single else ' and '.join(
      f'{_best(rows)} at {" ".join(name.split())}' for name, rows in groups)
  width = 0.62 if single else 0.86 / len(labels)
  figure = style.new(max(5.0, min(11, 1.5 + 0.38 * sum(
      len(rows) for _, rows in groups))), 4.2)
  with style.context():
    axes = figure.subplots()
    for position, (_, rows) in enumerate(groups):
      for row in rows:
        shift = 0 if single else (
            labels.index(row.label) - (len(labels) - 1) / 2) * width
        _bar(axes, position + shift, width, row, looks[row.label])
    axes.axhline(0, color='#222222', linewidth=0.8)
    axes.set_xticks(range(len(groups)), [name for name, _ in groups])
    axes.set(xlim=(-0.6, len(groups) - 0.4), ylabel='return per episode')
    axes.grid(axis='x', visible=False)
    if xlabel:
      axes.set_xlabel(xlabel)
    if not single:
      figure.legend(
          handles=[(axes.bar(0, 0, color=looks[label].color),
                    _marks(axes, [], [], looks[label])) for label in labels],
          labels=labels,
          loc='outside upper center', ncols=style.legend_columns(
              labels, figure.get_figwidth(), 3))
  n = captions.seeds({
      label: [len(row.seeds) for _, rows in groups for row in rows
              if row.label == label] for label in labels})
  return style.made(
      stem, title, f'{_SEE}{best}.',
      ' '.join(f'{_HOW} {n} {caption}'.split()), figure)


def _bar(axes: Any, x: float, width: float, row: aggregate.Scores,
         look: style.Look) -> None:
  values, whole = row.measure('penalized_return'), row.measure('return')
  returns, spread = statistics.summary(whole), statistics.summary(values)
  axes.bar(x, returns.mean, 0.92 * width, color=look.color, alpha=0.3)
  axes.bar(x, spread.mean, 0.5 * width, color=look.color)
  # In the pale bar's edge, which the narrow one never covers.
  edge = x + 0.35 * width
  if spread.n >= statistics.ENOUGH_SEEDS:
    axes.errorbar(x, spread.mean, spread.sd, color='black', linewidth=1,
                  capsize=2.5)
    axes.errorbar(edge, returns.mean, returns.sd, color='#666666', linewidth=1,
                  capsize=1.8)
  axes.scatter(np.full(len(whole), edge), whole, s=5, color='#666666', zorder=3)
  # Side by side, so that equal seeds are seen as several.
  places = x + 0.18 * width * np.linspace(-1, 1, len(values)) if len(
      values) > 1 else [x]
  _marks(axes, places, values, look)


def _marks(axes: Any, x: statistics.Values, y: statistics.Values,
           look: style.Look) -> Any:
  """An agent's seeds, by which bars are told apart without colour."""
  return axes.scatter(x, y, s=20, marker=look.marker, color='white',
                      edgecolors='black', linewidths=0.7, zorder=3)


def _best(rows: Sequence[aggregate.Scores]) -> str:
  """The agent with the highest mean penalized return, of comparable ones."""
  full = _widest(rows)
  score, label = max((row.measure('penalized_return').mean(), row.label)
                     for row in rows if row.conditions == full)
  return f'{label} ({score:.0f})'


def _listed(names: Sequence[str]) -> str:
  return ', '.join(names)


def _lacking(names: Sequence[str]) -> str:
  return f' Not there: {_listed(names)}.' if names else ''


def _over(rows: Sequence[aggregate.Scores]) -> str:
  return f'Means over {len(rows[0].conditions)} condition(s) that all have.'


def _widest(rows: Sequence[aggregate.Scores]) -> Tuple[collect.Condition, ...]:
  """The most conditions that an agent has; of several, those of most agents."""
  found = [row.conditions for row in rows]
  return max(found, key=lambda conditions: (
      len(conditions), found.count(conditions)))


def _differing(groups: Sequence[_Group]) -> str:
  """Says which agents have other conditions than most in their group."""
  texts = []
  for name, rows in groups:
    full = _widest(rows)
    texts += [
        f'{row.label} at {name}: ' + (
            f'{len(row.conditions)} of {len(full)} conditions'
            if set(row.conditions) < set(full) else 'other conditions')
        for row in rows if row.conditions != full]
  return f'Not comparable: {"; ".join(texts)}.' if texts else ''
