"""The figure of alpha_lambda over lambda: what makes MetaL's lambda stop."""

from typing import Any, Union

import numpy as np

from metal_tf.report import collect
from metal_tf.report import curves
from metal_tf.report import naming
from metal_tf.report import style

Outcome = Union[style.Made, style.Missing]

_TITLE = 'What moves alpha_lambda'


def figure(grid: collect.Grid) -> Outcome:
  """alpha_lambda over alpha_eta lambda^2: a line a run, a panel a condition.

  The squared TD error grows with the noise of its target, of which a part is
  lambda times that of the penalties. So its derivative by lambda has a part in
  proportion to lambda, whatever the constraint allows, and alpha_lambda one in
  proportion to alpha_eta lambda^2 (docs/algorithm.md).

  Args:
    grid: runs of one pool.
  """
  plain = next((run.variant.settings for run in grid.used
                if run.label == naming.METAL), ())
  runs = [run for run in grid.used if _follows(run) and {
      *naming.differences(run.variant.settings, plain)} <= {*naming.RATES}]
  if not runs:
    return style.Missing(
        _TITLE, 'finished runs of MetaL with one constraint, the squared TD '
        'error and gradient descent on alpha_lambda, in which lambda rose from '
        '0')
  columns = sorted({run.condition for run in runs})
  several = len({condition.problem for condition in columns}) > 1
  rates = sorted({_rate(run) for run in runs})
  looks = dict(zip(rates, style.looks(list(map(str, rates))).values()))
  drawn = style.new(max(5.0, 1.0 + 2.3 * len(columns)), 3.6)
  with style.context():
    axes = drawn.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    slopes = [_draw(axes[columns.index(run.condition)], run, looks[_rate(run)])
              for run in runs]
    usual = float(np.median(slopes))
    data = axes[0].get_ylim()
    for panel, condition in zip(axes, columns):
      panel.set_title(curves.heading(condition, several))
      panel.set_xlabel(r'$\alpha_\eta\,\lambda^2$')
      end = panel.get_xlim()[1]
      panel.plot((0, end), (0, -usual * end), color='#222222', linestyle=':',
                 linewidth=1)
    axes[0].set(ylabel=r'$\alpha_\lambda$', ylim=data)
    handles = [axes[0].plot([], [], color=look.color, marker=look.marker,
                            label=f'alpha_eta ≈ {rate:g}')[0]
               for rate, look in looks.items()]
    drawn.legend(handles=handles, loc='outside lower center',
                 ncols=style.legend_columns(
                     [handle.get_label() for handle in handles],
                     drawn.get_figwidth(), 4))
  return style.made(
      'alpha_lambda', _TITLE,
      'Where lines of different rates fall on one another, alpha_lambda only '
      'follows lambda: how far it falls is then decided by alpha_eta and '
      'lambda, and not by what the constraint allows.',
      f'A line for each of {len(runs)} runs, from the left to the mark at its '
      f'end. Dotted: alpha_lambda = -{usual:.2g} alpha_eta lambda², the median '
      'of all runs where lambda is largest; of single runs the factor is '
      f'{min(slopes):.2g} to {max(slopes):.2g}. On '
      + '; '.join(sorted({condition.problem for condition in columns})) + '.',
      drawn)


def _follows(run: collect.ScoredRun) -> bool:
  """Whether a run learned alpha_lambda in the way that the figure shows."""
  config = run.run.config
  return (naming.plain(run.label) == naming.METAL
          and len(run.condition.constraints) == 1
          and config.get('meta_optimizer') == 'sgd'
          and config.get('outer_divergence') == 'td'
          and not config.get('lagrange_multiplier')
          and run.run.per_constraint('lambda').max() > 0
          and bool(collect.rate(run, 'meta_lr')))


def _rate(run: collect.ScoredRun) -> float:
  """alpha_eta to one digit."""
  return float(f'{collect.rate(run, "meta_lr"):.1g}')


def _draw(axes: Any, run: collect.ScoredRun, look: style.Look) -> float:
  """Draws a run; returns -alpha_lambda / (alpha_eta lambda^2) where largest."""
  x = collect.rate(run, 'meta_lr') * run.run.per_constraint('lambda')[:, 0]**2
  alpha = run.run.per_constraint('alpha_lambda')[:, 0]
  axes.plot(x, alpha, color=look.color, linewidth=0.8, marker=look.marker,
            markevery=[-1], markersize=4)
  largest = int(np.argmax(x))
  return float(-alpha[largest] / x[largest])
