"""What lambda and alpha_lambda do over training, in numbers per run."""

from typing import Dict, Iterable, List, NamedTuple, Sequence, Tuple

import numpy as np

from metal_tf import metrics
from metal_tf.report import collect
from metal_tf.report import curves
from metal_tf.report import naming

RISES = ('alpha_lambda rises until the constraint is satisfied, then the '
         'effective rate falls')
FALLS = 'alpha_lambda falls and lambda settles'

# Lambda has settled if it moves by less than this share of itself in the last
# quarter of the training.
SETTLED = 0.1
# Below half of the return's upper bound the task counts as not learned.
LEARNED = 500.0
_INF = float('inf')


class Measured(NamedTuple):
  """What a claim over training comes to.

  Attributes:
    effects: name, values `[runs]`, and the bounds between which the claim says
      that their mean is.
    notes: more, in words.
  """
  effects: Tuple[Tuple[str, np.ndarray, float, float], ...]
  notes: Tuple[str, ...]


def metal_runs(grid: collect.Grid, optimizer: str, coefficient: float
               ) -> Tuple[str, List[collect.ScoredRun]]:
  """The runs of MetaL with that optimizer at a coefficient, K = 1.

  Of several such agents those that differ from plain MetaL in the fewest
  settings besides the optimizer, since a variant with more seeds is not the
  agent that the claims are about; of these, and of several conditions, the one
  with the most runs.
  """
  # Without any plain run: the defaults.
  plain = next((run.variant.settings for run in grid.runs
                if run.label == naming.METAL), ())
  possible: Dict[
      Tuple[int, str, collect.Condition], List[collect.ScoredRun]] = {}
  for run in grid.used:
    if (naming.plain(run.label) == naming.METAL
        and run.run.config['meta_optimizer'] == optimizer
        and run.condition.safety_coeff == coefficient
        and len(run.condition.constraints) == 1):
      different = set(naming.differences(run.variant.settings, plain))
      possible.setdefault(
          (len(different - {'meta_optimizer'}), run.label, run.condition),
          []).append(run)
  if not possible:
    return '', []
  # Python's min takes the first of equals, and the plain label sorts first.
  key = min(sorted(possible), key=lambda k: (k[0], -len(possible[k])))
  _, label, condition = key
  return f'{label} on {condition}', possible[key]


def satisfied_at(run: collect.ScoredRun) -> int:
  """Index of the first episode within beta after the peak of J_C, smoothed.

  0 if J_C never was above beta, -1 if it stayed there after its peak. (The
  peak, since an untrained agent may satisfy a constraint by doing nothing.)
  """
  episode_penalty = curves.smooth(run.run.per_constraint('penalty'),
                      curves.window(run.run.num_episodes))[:, 0]
  peak = int(np.argmax(episode_penalty))
  if episode_penalty[peak] <= run.run.thresholds[0]:
    return 0
  within = np.flatnonzero(episode_penalty[peak:] <= run.run.thresholds[0])
  return peak + int(within[0]) if within.size else -1


def rises(runs: Sequence[collect.ScoredRun]) -> Measured:
  """Claim (e): the rise until satisfied, and the fall from there to the end.

  The fall of the logarithm of the effective rate is that of alpha_lambda. In a
  run that never satisfies its constraint, the rise is that over all of it, and
  there is no fall.
  """
  up, down, reached, peaks = [], [], [], []
  for run in runs:
    alpha = _column(run, 'alpha_lambda')
    episodes = run.run.episodes['episode']
    at = satisfied_at(run)
    up.append(alpha[at] - alpha[0])
    if at >= 0:
      down.append(alpha[at] - alpha[-1])
    reached.append(f'{episodes[at]:g}' if at >= 0 else 'never')
    peak = int(np.argmax(alpha))
    peaks.append(f'{alpha[peak]:.3g} at {episodes[peak]:g}')
  return Measured((
      ('rise of alpha_lambda until the constraint is satisfied', np.array(up),
       0.0, _INF),
      ('fall of the log of the rate after that', np.array(down), 0.0, _INF)), (
          'smoothed J_C first within beta after its peak at episode '
          f'{", ".join(reached)}',
          f'highest alpha_lambda, and at which episode: {", ".join(peaks)}'))


def falls(runs: Sequence[collect.ScoredRun]) -> Measured:
  """Claim (f): the fall of alpha_lambda, and lambda's last movement."""
  alphas = [_column(run, 'alpha_lambda') for run in runs]
  multipliers = [_column(run, 'lambda') for run in runs]
  return Measured((
      ('fall of alpha_lambda', np.array([x[0] - x[-1] for x in alphas]), 0.0,
       _INF),
      ('share of lambda moved in the last quarter',
       np.array([abs(_moved(x)) for x in multipliers]), -_INF, SETTLED)), (
           f'lambda at the end: {_listed(x[-1] for x in multipliers)}; when '
           f'the smoothed return first passed {LEARNED:g}: '
           f'{", ".join(map(_when_learned, runs, multipliers))}',
           f'alpha_lambda at the end: {_listed(x[-1] for x in alphas)}'))


def course(runs: Sequence[collect.ScoredRun]) -> str:
  """What alpha_lambda does in runs of K = 1, in a few words."""
  alphas = [_column(run, 'alpha_lambda') for run in runs]
  return (f'ends at {_listed(x[-1] for x in alphas)} after a highest value of '
          f'{_listed(x.max() for x in alphas)}')


def _column(run: collect.ScoredRun, name: str) -> np.ndarray:
  """A per-constraint column of a run of K = 1, `[E]`."""
  return run.run.per_constraint(name)[:, 0]


def _listed(values: Iterable[float]) -> str:
  return ', '.join(f'{x:.3g}' for x in values)


def _smoothed_return(run: collect.ScoredRun) -> np.ndarray:
  """`[E]`."""
  return curves.smooth(run.run.episodes['episode_return'][:, None],
                       curves.window(run.run.num_episodes))[:, 0]


def _learned_at(run: collect.ScoredRun) -> int:
  """Index of the first episode with the task learned; E if it never was."""
  learned = np.flatnonzero(_smoothed_return(run) >= LEARNED)
  return int(learned[0]) if learned.size else run.run.num_episodes


def _when_learned(run: collect.ScoredRun, values: np.ndarray) -> str:
  """What a column `[E]` was when the task was learned, in words."""
  at = _learned_at(run)
  return f'{values[at]:.3g}' if at < len(values) else 'never'


def _moved(multiplier: np.ndarray) -> float:
  """Movement over the last quarter of `[E]`, as a share of the larger end."""
  quarter = multiplier[len(multiplier) * 3 // 4]
  # A lambda that is 0 and stays there has settled.
  largest = max(multiplier[-1], quarter)
  return (multiplier[-1] - quarter) / largest if largest else 0.0


def history(runs: Sequence[collect.ScoredRun]) -> str:
  """How far an agent with a multiplier has come, in words.

  Its return may be low because it has never been high, and high because lambda
  is not where it is going yet.

  Args:
    runs: of one agent; at least one.
  """
  multipliers = [run.run.per_constraint('lambda').sum(axis=1) for run in runs]
  moved = ', '.join(f'{100 * _moved(each):+.0f} %' for each in multipliers)
  returns = [run.run.episodes['episode_return'][-metrics.WINDOW:]
             for run in runs]
  halves = ', '.join(
      ' then '.join(f'{half.mean():.4g}' for half in np.array_split(x, 2))
      for x in returns if len(x) > 1)
  several = runs[0].run.thresholds.size > 1
  return (
      f'{runs[0].label}, by seed: {"sum of the " if several else ""}lambda at '
      f'the end {_listed(each[-1] for each in multipliers)}, which moved by '
      f'{moved} in the last quarter'
      + (f'; return in the halves of the scored window {halves}' if halves
         else '')
      + '; highest smoothed return '
      f'{_listed(_smoothed_return(run).max() for run in runs)}')


def gradient_parts(runs: Sequence[collect.ScoredRun]) -> str:
  """What the logged parts of the meta-gradient say, in words; '' without.

  Told before and after the task was learned, since signs change in between.
  """
  runs = [run for run in runs if np.isfinite(
      run.run.per_constraint('meta_gradient_direct')).any()]
  if not runs:
    return ''
  learned = [_learned_at(run) for run in runs]
  phases = [('until the task was learned', [slice(0, at) for at in learned]),
            ('with the task learned', [slice(at, None) for at in learned])]
  told = [f'{when}: {parts}' for when, episodes in phases
          for parts in [_parts(runs, episodes)] if parts]
  # Means over constraints: runs may have different ones.
  sizes = [np.nanmean(np.split(curves.gradient_sizes(run), 2, axis=1),
                      axis=(1, 2)) for run in runs]
  [share] = curves.weights_share(np.mean(sizes, axis=0))
  ends = [np.mean([curves.column(name)(run)[-1].mean() for run in runs])
          for name in ('lambda', 'alpha_lambda')]
  clipped = np.mean([np.nanmean(curves.column('clipped_mass')(run))
                     for run in runs])
  return (
      'MetaL\'s meta-gradient (above 0 it lowers alpha_lambda) '
      f'{"; ".join(told)}'
      + ('' if np.isnan(share) else  # NaN: both terms are 0.
         f'; share of the term through the weights {share:.2g}')
      + f'; at the end lambda {ends[0]:.3g}, alpha_lambda {ends[1]:.3g}; '
      f'target mass clipped {clipped:.2g}')


def _parts(runs: Sequence[collect.ScoredRun], episodes: Sequence[slice]) -> str:
  """Means over some episodes of each run, in words; '' without episodes."""
  means = {}
  for name in ('meta_gradient_direct', 'meta_gradient_weights',
               'td_error_violating'):
    values = [curves.column(name)(run)[part]
              for run, part in zip(runs, episodes)]
    means[name] = np.mean([
        np.nanmean(each) for each in values if np.isfinite(each).any()] or [
            np.nan])
  direct, weights, delta = means.values()
  return '' if np.isnan(direct) else (
      f'direct term {direct:.2g}, through the weights {weights:.2g}'
      + ('' if np.isnan(delta) else
         f', TD error on violating transitions {delta:.2g}'))
