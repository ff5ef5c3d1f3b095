"""The figures over training: the paper's 4, learning curves, gradients."""

import itertools
import textwrap
from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Tuple, Union

from matplotlib import ticker
import numpy as np
import pandas as pd

from metal_tf import metrics
from metal_tf.environments import tasks
from metal_tf.report import captions
from metal_tf.report import collect
from metal_tf.report import naming
from metal_tf.report import statistics
from metal_tf.report import style

Outcome = Union[style.Made, style.Missing]

_ANALYSED = tasks.TASKS['cartpole']
# The harder one first, as in all figures.
_COEFFICIENTS = (min(tasks.SAFETY_COEFFICIENTS),
                 max(tasks.SAFETY_COEFFICIENTS))
_SYMBOLS = (
    ' J_C: mean penalty per step of an episode (share of steps that violate '
    'the constraint), at most β where it is satisfied. λ: multiplier, the '
    'weight of the penalty against the reward; D4PG has none. α_λ: '
    'meta-parameter, learned by MetaL alone. α_1 exp(α_λ): effective rate, '
    'the learning rate of λ; for RC-D4PG always α_1. λ has a scale of its own '
    'in each column.')
_MOST_POINTS = 200
# Of fewer seeds the interval is wider than the seeds lie apart: a curtain.
_BAND_SEEDS = statistics.ENOUGH_SEEDS
_MARKS = 5  # On a mean curve.
_TITLE_WIDTH = 48  # Letters.
_CONSTRAINT_DASHES = {'-': 'solid', '-.': 'dash-dotted', ':': 'dotted'}


class Panel(NamedTuple):
  """One row of a figure over training.

  Attributes:
    ylabel: of its axis.
    series: from a run to `[E, columns]`; NaN where there is no number.
    threshold: whether to draw the thresholds.
    log: whether the axis is logarithmic, and means are of the logarithm.
    bend: whether the axis is logarithmic above 1, if anything is there: one
      seed that runs away would flatten all others.
    combine: of the smoothed series, `[E, columns]` to `[E, fewer]`.
    labels: the agents that are drawn; all if there are none.
    own_scale: whether each column has its own axis; otherwise a row has one.
  """
  ylabel: str
  series: Callable[[collect.ScoredRun], np.ndarray]
  threshold: bool = False
  log: bool = False
  bend: bool = False
  combine: Callable[[np.ndarray], np.ndarray] = lambda smoothed: smoothed
  labels: Tuple[str, ...] = ()
  own_scale: bool = False


def column(name: str) -> Callable[[collect.ScoredRun], np.ndarray]:
  """A column of `episodes.csv`: `[E, 1]`, `[E, K]` if per constraint."""
  def series(run: collect.ScoredRun) -> np.ndarray:
    if name in run.run.episodes:
      return run.run.episodes[name][:, None]
    return run.run.per_constraint(name)
  return series


def gradient_sizes(run: collect.ScoredRun) -> np.ndarray:
  """|direct| and |through the weights| of the meta-gradient, `[E, 2 K]`."""
  return np.abs(np.concatenate([
      run.run.per_constraint('meta_gradient_direct'),
      run.run.per_constraint('meta_gradient_weights')], axis=1))


def weights_share(sizes: np.ndarray) -> np.ndarray:
  """|through the weights| / (|direct| + |through the weights|).

  Args:
    sizes: `[..., 2 K]` as in `gradient_sizes`, or means of them.

  Returns:
    `[..., K]`; NaN where there is no gradient at all.
  """
  direct, weights = np.split(sizes, 2, axis=-1)
  with np.errstate(invalid='ignore', divide='ignore'):
    return weights / (direct + weights)


_RETURN = Panel('return\nper episode', column('episode_return'))
_J_C = Panel('$J_C$, penalty\nper step', column('penalty'), threshold=True)
_LAMBDA = Panel('$\\lambda$, reward\nper penalty', column('lambda'))
_SEE_MULTIPLIER = (
    'A multiplier λ that levels off while the return stays high has found a '
    'balance; where the return collapses as λ grows, the task was given up for '
    'the constraint')


def window(episodes: int) -> int:
  """Episodes that a curve is smoothed over: a twentieth, at most 100."""
  return int(np.clip(episodes // 20, 1, 100))


def smooth(values: np.ndarray, width: int) -> np.ndarray:
  """Mean of the last `width` rows up to each, of those that are no NaN.

  Args:
    values: `[E, columns]`.
    width: fewer at the start.

  Returns:
    `[E, columns]`; NaN where there was no number.
  """
  return pd.DataFrame(values).rolling(width, min_periods=1).mean().to_numpy()


def figure_4(grid: collect.Grid, looks: Dict[str, style.Look]) -> Outcome:
  """Figure 4: what MetaL does on a solvable and an unsolvable task."""
  title = ('Figure 4: multiplier, penalty, meta-parameter and return over '
           'training on cartpole')
  columns = [c for coefficient in _COEFFICIENTS
             for c in _nearest(grid, coefficient)]
  missing = [f'coefficient {c:g}' for c in _COEFFICIENTS
             if c not in {condition.safety_coeff for condition in columns}]
  if not columns:
    return style.Missing(title, 'finished runs of MetaL on cartpole at '
                         f'{" or ".join(missing)}')
  learned = (naming.METAL, naming.RC_D4PG)
  panels = [
      _RETURN, _J_C,
      # Where it runs away in one column, it still settles in the other.
      _LAMBDA._replace(labels=learned, own_scale=True),
      Panel(r'$\alpha_\lambda$', column('alpha_lambda'),
            labels=(naming.METAL,)),
      Panel('effective rate\n$\\alpha_1\\,\\exp(\\alpha_\\lambda)$',
            column('effective_rate'), log=True, labels=learned)]
  return _figure('figure4', title, _SEE_MULTIPLIER, panels, columns, grid,
                 looks, naming.PAPER[:3], _SYMBOLS + (
                     f' Not there: {", ".join(missing)}.' if missing else ''))


def glance(grid: collect.Grid, looks: Dict[str, style.Look]) -> Outcome:
  """README's picture: agents where the constraint is hardest to meet."""
  title = 'Return, J_C and λ where the constraint is hardest to meet'
  columns = _nearest(grid, _COEFFICIENTS[0])
  if not columns:
    return style.Missing(title, 'finished runs of MetaL on cartpole at '
                         f'coefficient {_COEFFICIENTS[0]:g}')
  return _figure(
      'glance', title, _SEE_MULTIPLIER,
      [_RETURN, _J_C, _LAMBDA._replace(bend=True)], columns, grid,
      looks, (naming.METAL, naming.RC_D4PG, 'RS-0.1'),
      ' λ: multiplier, the weight of the penalty against the reward; where it '
      'exceeds 1, its axis is logarithmic from there on.')


def learning_curves(grid: collect.Grid, looks: Dict[str, style.Look]
                    ) -> List[Outcome]:
  """One figure a problem: return, J_C and penalized return by coefficient."""
  found: List[Outcome] = []
  problems: Dict[str, List[collect.Condition]] = {}
  for condition in grid.conditions:
    problems.setdefault(condition.problem, []).append(condition)
  for i, (problem, conditions) in enumerate(problems.items()):
    panels = [
        _RETURN, _J_C, Panel('penalized\nreturn', column('penalized_return'))]
    found.append(_figure(
        f'learning_curves_{i + 1}', f'Learning curves: {problem}',
        'An agent does well where its return rises while its J_C falls to the '
        'dashed threshold', panels, conditions, grid, looks, grid.labels))
  return found


def meta_gradient(grid: collect.Grid, looks: Dict[str, style.Look]) -> Outcome:
  """The two terms of the meta-gradient, and the TD error behind the first."""
  title = 'The meta-gradient: its two terms, and the TD error'
  direct = column('meta_gradient_direct')
  runs = [run for run in grid.used if np.isfinite(direct(run)).any()]
  if not runs:
    return style.Missing(title, 'finished runs of MetaL with learner steps')
  labels = naming.order([run.label for run in runs])
  # One problem: that with the most of these runs.
  problems = [run.condition.problem for run in runs]
  problem = max(sorted(set(problems)), key=problems.count)
  panels = [
      # A run that goes astray has gradients a hundred times those of others.
      Panel('direct term', direct, own_scale=True),
      Panel('term through\nthe weights', column('meta_gradient_weights'),
            own_scale=True),
      Panel('share of the\nlatter', gradient_sizes, log=True,
            combine=weights_share),
      Panel('TD error where\nviolating', column('td_error_violating'),
            own_scale=True)]
  return _figure(
      'meta_gradient', title,
      'Where the sum of the two upper terms is positive, α_λ falls and λ '
      'learns more slowly; where it is negative, λ learns faster', panels,
      [c for c in grid.conditions if c.problem == problem and any(
          run.condition == c for run in runs)], grid, looks, labels,
      f' On {problem}. Through lambda in the validation target (direct) and '
      'through the updated critic weights; their signs say where alpha_lambda '
      'goes (against them); each has a scale of its own in each column. Share: '
      'of the sum of the absolute terms, each smoothed. TD error: after the '
      'inner update, on validation transitions, weighted by their penalties; '
      'below 0 the critic lies above its target.')


def _nearest(grid: collect.Grid, coefficient: float
             ) -> List[collect.Condition]:
  """Figure 4's condition at a coefficient: the paper's, or near it."""
  possible = [
      c for c in grid.conditions
      if c.domain == _ANALYSED.domain and c.safety_coeff == coefficient
      and grid.of(naming.METAL, c)]
  return [min(possible, key=lambda c: (
      len(c.constraints), c.constraints != (_ANALYSED.default_constraint,),
      abs(c.thresholds[0] - _ANALYSED.default_threshold)))] if possible else []


def _figure(stem: str, title: str, see: str, panels: Sequence[Panel],
            columns: Sequence[collect.Condition], grid: collect.Grid,
            looks: Dict[str, style.Look], labels: Sequence[str],
            more: str = '') -> style.Made:
  """Draws panels (rows) by conditions (columns)."""
  drawn = [label for label in labels if grid.of(label, *columns)]
  wide = len(columns)
  figure = style.new(max(5.0, 1.0 + 2.3 * wide), 1.2 + 1.6 * len(panels))
  same = len({c.problem for c in columns}) == 1
  widths = {window(run.run.num_episodes) for run in grid.used
            if run.condition in columns}
  with style.context():
    axes = figure.subplots(len(panels), wide, sharex='col', squeeze=False)
    for j, condition in enumerate(columns):
      for i, panel in enumerate(panels):
        if j and not panel.own_scale:
          axes[i, j].sharey(axes[i, 0])
          axes[i, j].tick_params(which='both', labelleft=False)
        _panel(axes[i, j], panel, condition, grid, looks, drawn)
        if not j:
          axes[i, j].set_ylabel(panel.ylabel)
      # A fixed height: beside a power of ten it would be moved up.
      axes[0, j].set_title(heading(condition, not same), y=1, pad=14)
      axes[-1, j].set_xlabel('training episode')
    if same:
      # Lines are not to break before or behind a sign.
      problem = columns[0].problem.replace(' ≤ ', '\u00a0≤\u00a0')
      figure.suptitle(textwrap.fill(problem, _TITLE_WIDTH), fontsize='medium')
    handles = [
        axes[0, 0].plot([], [], color=looks[label].color,
                        linestyle=looks[label].dashes, label=label,
                        marker=looks[label].marker)[0]
        for label in drawn]
    handles += [
        axes[0, 0].plot([], [], color='#555555', linestyle=dashes,
                        label=name)[0]
        for name, (dashes, _) in _dashes(columns)]
    if any(panel.threshold for panel in panels):
      handles.append(axes[0, 0].plot([], [], color='black', linestyle='--',
                                     linewidth=1, label='threshold β')[0])
    figure.legend(handles=handles, loc='outside lower center',
                  ncols=style.legend_columns(
                      [handle.get_label() for handle in handles],
                      figure.get_figwidth(), 4))
  smoothed = ('Not smoothed' if widths == {1} else
              f'Smoothed over the last {captions.span(widths)} episodes')
  n = captions.seeds({
      label: [len(runs) for c in columns for runs in [grid.of(label, c)]
              if runs] for label in drawn})
  banded = any(len(grid.of(label, c)) >= _BAND_SEEDS
               for label in drawn for c in columns)
  band = ('; band: 95 % t interval of the mean, cut by the axis where it is '
          'wider than the seeds themselves' if banded else
          f'; no interval below n = {_BAND_SEEDS}')
  logs = ('; on logarithmic axes, mean of the logarithm'
          if any(panel.log for panel in panels) else '')
  return style.made(
      stem, title, f'{see}. {_held(grid, drawn, columns)}',
      f'{n} {smoothed}; thick, with marks: mean over seeds; thin, with a mark '
      f'at the end: seeds{band}{logs}. Training episodes, exploration included.'
      + more + _about_dashes(columns), figure)


def _held(grid: collect.Grid, labels: Sequence[str],
          columns: Sequence[collect.Condition]) -> str:
  """Says which agents end within the thresholds of each column."""
  told = []
  for condition in columns:
    within = [label for label in labels for runs in [grid.of(label, condition)]
              if runs and (np.mean([
                  run.score.penalty for run in runs if run.score], axis=0)
                           <= condition.thresholds).all()]
    told.append(f'{", ".join(within) or "no agent"} at '
                f'{heading(condition, False)}')
  return ('Within the threshold at the end, by the mean over seeds of the last '
          f'{metrics.WINDOW} episodes: {"; ".join(told)}.')


def heading(condition: collect.Condition, problem: bool) -> str:
  """The title of a column, in lines that are no wider than one.

  Args:
    condition: of the column.
    problem: whether to name it, and not the coefficient alone.
  """
  text = f'coefficient {condition.safety_coeff:g}'
  return f'{condition.problem}\n{text}'.replace(
      ', ', '\n') if problem else text


def _dashes(columns: Sequence[collect.Condition]
           ) -> List[Tuple[str, Tuple[str, str]]]:
  """How each of several constraints is drawn: dashes, and these in words."""
  names = max((c.constraints for c in columns), key=len)
  if len(names) == 1:
    return []
  return list(zip(names, itertools.cycle(_CONSTRAINT_DASHES.items())))


def _about_dashes(columns: Sequence[collect.Condition]) -> str:
  """The same for the caption."""
  drawn = [f'{name} {words}' for name, (_, words) in _dashes(columns)]
  return f' Constraints: {", ".join(drawn)}.' if drawn else ''


def _panel(axes: Any, panel: Panel, condition: collect.Condition,
           grid: collect.Grid, looks: Dict[str, style.Look],
           labels: Sequence[str]) -> None:
  """Draws one panel; the axis shows the seeds' curves, not all of the bands."""
  seen: List[np.ndarray] = []
  for i, label in enumerate(labels):
    if not panel.labels or label in panel.labels:
      seen += _curve(axes, panel, grid.of(label, condition), looks[label],
                     i / len(labels))
  if panel.threshold:
    for threshold in condition.thresholds:
      axes.axhline(threshold, color='black', linestyle='--', linewidth=1)
      seen.append(np.array([threshold]))
  values = np.concatenate([x.ravel() for x in seen] or [np.zeros(0)])
  values = values[np.isfinite(values) & (not panel.log or values > 0)]
  if not values.size:
    axes.text(0.5, 0.5, 'no numbers', transform=axes.transAxes, ha='center')
    return
  low, high = values.min(), values.max()
  if low < 0 < high:
    axes.axhline(0, color='#888888', linewidth=0.8, zorder=1)
  if panel.log:
    axes.set_yscale('log')
    low, high = low / 1.3, high * 1.3
  elif panel.bend and high > 1:
    axes.set_yscale('symlog', linthresh=1)
    ticks = [0, 0.5, 1, *10.0 ** np.arange(1, np.ceil(np.log10(high)))]
    axes.set_yticks(ticks, [f'{tick:g}' for tick in ticks])
    low, high = low - 0.06, high * 1.3
  else:
    margin = 0.06 * (high - low) or 0.5
    low, high = low - margin, high + margin
  # The axis is shared by the row: it has to hold what is there already.
  if axes.get_autoscaley_on():
    axes.set_ylim(low, high)
  else:
    before = axes.get_ylim()
    axes.set_ylim(min(low, before[0]), max(high, before[1]))
  if panel.log:
    _number(axes)


def _number(axes: Any) -> None:
  """Sees to it that a logarithmic axis has more than one number.

  With a decade or less matplotlib writes numbers between the powers of ten,
  and with two decades or more there are several powers.
  """
  low, high = axes.get_ylim()
  narrow = 10 * low < high < 100 * low
  axes.yaxis.set_major_locator(ticker.LogLocator(
      subs=(1, 3) if narrow else (1,)))
  axes.yaxis.set_major_formatter(ticker.LogFormatterSciNotation(
      minor_thresholds=(2, 2) if narrow else None))


def _curve(axes: Any, panel: Panel, runs: Sequence[collect.ScoredRun],
           look: style.Look, shift: float) -> List[np.ndarray]:
  """Draws an agent's seeds, their mean and its interval; returns the seeds.

  Args:
    axes: where.
    panel: what.
    runs: of the agent.
    look: of the agent.
    shift: of its marks, as a share of the way from one to the next, so that
      those of several agents do not hide each other.
  """
  if not runs:
    return []
  length = min(run.run.num_episodes for run in runs)
  width = window(length)
  seeds = np.stack([
      panel.combine(smooth(panel.series(run)[:length], width)) for run in runs])
  kept = np.unique(np.linspace(0, length - 1, min(length, _MOST_POINTS)).round(
      ).astype(int))
  seeds, episodes = seeds[:, kept], kept + 1
  for k in range(seeds.shape[2]):
    dashes = look.dashes if seeds.shape[2] == 1 else list(
        _CONSTRAINT_DASHES)[k % len(_CONSTRAINT_DASHES)]
    # A single seed is its own mean, whose dashes it would fill.
    for seed in seeds[..., k] if len(runs) > 1 else ():
      axes.plot(episodes, seed, color=look.color, linewidth=0.5, alpha=0.6,
                rasterized=True, marker=look.marker, markersize=3,
                markevery=[-1])
    mean, low, high = _interval(seeds[..., k], panel.log)
    step = max(1, len(episodes) // _MARKS)
    axes.plot(episodes, mean, color=look.color, linewidth=1.8, linestyle=dashes,
              zorder=3, marker=look.marker, markersize=5,
              markevery=(int(shift * step), step))
    if len(runs) >= _BAND_SEEDS:
      axes.fill_between(episodes, low, high, color=look.color, alpha=0.12,
                        linewidth=0, zorder=1, rasterized=True)
  return [seeds]


def _interval(values: np.ndarray, log: bool) -> Sequence[np.ndarray]:
  """Mean and interval over seeds `[n, points]`, of the logarithm if `log`."""
  if not log:
    return statistics.mean_intervals(values)
  positive = np.where(values > 0, values, np.nan)
  return [np.exp(x) for x in statistics.mean_intervals(np.log(positive))]
