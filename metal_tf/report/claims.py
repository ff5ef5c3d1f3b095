"""The paper's claims (a) to (h), judged by rules that are fixed here.

How intervals make a verdict is in `rules.py`. Whether means are "comparable"
needs margins, which are not the paper's. And agents that have not learned the
task are all alike, which proves nothing: see `dynamics.LEARNED`.
"""

import math
from typing import Callable, List, Optional, Sequence, Set, Tuple

from metal_tf import config as config_lib
from metal_tf.environments import tasks
from metal_tf.report import aggregate
from metal_tf.report import collect
from metal_tf.report import dynamics
from metal_tf.report import naming
from metal_tf.report import noise_free
from metal_tf.report import rules

# A tenth of the return's upper bound (1000).
MARGIN = 100.0
# In J_C, as a mean penalty per step. A difference of 0.1 in overshoot is one of
# `MARGIN` in the penalized return; constraints are held to half of that.
PENALTY_MARGIN = 0.05
# An agent's return has collapsed below this share of D4PG's.
COLLAPSED = 0.5

_CARTPOLE = tasks.TASKS['cartpole']
# Domain, constraints and thresholds of the problem that the paper analyses.
_ANALYSED = (_CARTPOLE.domain, (_CARTPOLE.default_constraint,),
             (_CARTPOLE.default_threshold,))
ANALYSED = (f'{_CARTPOLE.domain}, {_CARTPOLE.default_constraint} ≤ '
            f'{_CARTPOLE.default_threshold:g}')
_META_OPTIMIZER = config_lib.Config.meta_optimizer

EASY = max(tasks.SAFETY_COEFFICIENTS)
HARD = min(tasks.SAFETY_COEFFICIENTS)


def all_claims(grid: collect.Grid) -> List[rules.Verdict]:
  """Judges all claims.

  Args:
    grid: runs of one pool. Where it has several problems, one of which is that
      of the paper's analysis, this one is judged: the number of seeds and what
      "solvable" means are those of one problem.
  """
  analysed = [c for c in grid.conditions if _is_analysed(c)]
  if analysed:
    grid = grid.on(analysed)
  quiet = noise_free.scored(grid)
  found = [_beside(claim(grid), claim(quiet)) for claim in (
      _best, _comparable_return, _solvable, _collapse)]
  optimizers = sorted({
      run.run.config['meta_optimizer'] for run in grid.used
      if naming.plain(run.label) == naming.METAL}) or [_META_OPTIMIZER]
  found += [_over_training(grid, measured, optimizer)
            for measured in (dynamics.rises, dynamics.falls)
            for optimizer in optimizers]
  return [*found, _outer_losses(grid), _shaping(grid)]


def _is_analysed(condition: collect.Condition) -> bool:
  """Whether a condition is of the problem that the paper analyses."""
  return not (condition.rwrl_spec or condition.task) and _ANALYSED == (
      condition.domain, condition.constraints, condition.thresholds)


def _beside(verdict: rules.Verdict, quiet: rules.Verdict) -> rules.Verdict:
  """Adds what the same rule says of the evaluations; it decides nothing."""
  if verdict.effect is None:
    return verdict
  said = 'nothing, for lack of evaluations'
  if quiet.effect is not None:
    said = (f'"{quiet.verdict}"{f" ({quiet.why})" if quiet.why else ""}; '
            f'{quiet.effect}')
  return verdict._replace(diagnosis=(
      f'{verdict.diagnosis} Of episodes without exploration the same rule '
      f'says {said}.'))


# --- The claims ---------------------------------------------------------------


def _best(grid: collect.Grid) -> rules.Verdict:
  """(a)."""
  pairs = {other: aggregate.common(grid, [naming.METAL, other])
           for other in naming.PAPER[1:]}
  missing = [other for other, pair in pairs.items() if not pair]
  pairs = {other: pair for other, pair in pairs.items() if pair}
  effects = [
      rules.difference(f'R_penalized of MetaL - {other}', pair,
                       'penalized_return', len(pairs))
      for other, pair in pairs.items()]
  over = {other: _coefficients(one) for other, (one, _) in pairs.items()}
  conditions = {one.conditions for one, _ in pairs.values()}
  against: List[str] = []
  if missing:  # Best of some is not best of all.
    against.append('not there on conditions of MetaL: ' + ', '.join(missing))
  if len(conditions) > 1:
    against.append('compared over different conditions')
  if over and max(map(len, over.values())) < 2:
    against.append('only one coefficient')
  notes = []
  for some in sorted(set(over.values())):
    others = [other for other in over if over[other] == some]
    who = '' if len(others) == len(over) else ', '.join(others) + ' '
    notes.append(f'{who}over the coefficients {_listed(some)}')
  against += _dropped(grid, [naming.METAL, *pairs],
                      {c for one in conditions for c in one})
  absent = set(tasks.SAFETY_COEFFICIENTS) - {
      run.condition.safety_coeff for run in grid.runs}
  if absent:
    notes.append(f'coefficients without runs: {_listed(sorted(absent))}')
  # The one that is nearest to being no lead comes first, and is shown.
  effects.sort(key=_lead)
  return _conclude(
      'a', 'MetaL has the best penalized return over the coefficients', effects,
      [row for pair in pairs.values() for row in pair], notes, grid,
      {rules.SEEN: against}, says_coefficients=True)


def _lead(effect: rules.Effect) -> float:
  """What is sure of an effect; where nothing is, the effect itself."""
  estimate, low, _ = effect.interval
  return estimate if math.isnan(low) else low


def _comparable_return(grid: collect.Grid) -> rules.Verdict:
  """(b)."""
  pair = aggregate.common(grid, [naming.METAL, naming.D4PG])
  effects = [rules.difference('R of MetaL - R of D4PG', pair, 'return',
                              low=-MARGIN)] if pair else []
  against = _unlearned(pair[1:])
  if pair:
    against += _dropped(grid, [naming.METAL, naming.D4PG],
                        set(pair[0].conditions))
  return _conclude(
      'b', f"MetaL's return is comparable to D4PG's (not more than {MARGIN:g} "
      'below)', effects, pair, [], grid, {rules.SEEN: against})


def _solvable(grid: collect.Grid) -> rules.Verdict:
  """(c)."""
  pair = _at(grid, EASY, naming.METAL, naming.RC_D4PG)
  effects, notes = [], []
  if pair:
    effects = [
        rules.difference(f'{name} of MetaL - RC-D4PG', pair, measure, 3,
                         -margin, margin)
        for name, measure, margin in (
            ('R_penalized', 'penalized_return', MARGIN),
            ('R', 'return', MARGIN), ('J_C', 'penalty', PENALTY_MARGIN))]
    # Where no constraint binds, all agents do the same.
    free = _at(grid, EASY, naming.D4PG)
    notes = [*map(_held, [*pair, *free]), _history(grid, pair[1])]
  return _conclude(
      'c', f'at {EASY:g} (solvable) MetaL does what RC-D4PG does (within '
      f'{MARGIN:g} in return and penalized return, {PENALTY_MARGIN:g} in J_C)',
      effects, pair, notes, grid, {rules.SEEN: _unlearned(pair[1:])}, EASY)


def _collapse(grid: collect.Grid) -> rules.Verdict:
  """(d)."""
  rows = _at(grid, HARD, naming.METAL, naming.RC_D4PG, naming.D4PG)
  effects, notes = [], []
  if rows:
    metal, constrained, free = [row.measure('return') for row in rows]
    effects = [
        rules.contrast(f'R of MetaL - {COLLAPSED:g} R of D4PG',
                       [(1, metal), (-COLLAPSED, free)], 2),
        rules.contrast(f'{COLLAPSED:g} R of D4PG - R of RC-D4PG',
                       [(COLLAPSED, free), (-1, constrained)], 2)]
    # Collapsed, never learned, or not yet collapsed? The rule cannot tell.
    notes = [*map(_held, rows), _history(grid, rows[1])]
  doubts = _unlearned(rows[2:])
  return _conclude(
      'd', f"at {HARD:g} (unsolvable) RC-D4PG's return collapses (below "
      f"{COLLAPSED:g} of D4PG's) and MetaL's does not", effects, rows, notes,
      grid, {rules.SEEN: doubts, rules.NOT_SEEN: doubts}, HARD)


def _over_training(
    grid: collect.Grid,
    measured: Callable[[Sequence[collect.ScoredRun]], dynamics.Measured],
    optimizer: str) -> rules.Verdict:
  """(e) and (f), for one meta optimizer."""
  rises = measured is dynamics.rises
  name, coefficient, other = (
      ('e', EASY, HARD) if rises else ('f', HARD, EASY))
  claim = dynamics.RISES if rises else dynamics.FALLS
  label, runs = dynamics.metal_runs(grid, optimizer, coefficient)
  effects, against = [], []
  if runs:
    result = measured(runs)
    known = [effect for effect in result.effects if len(effect[1])]
    effects = [
        rules.contrast(what, [(1, values)], 2, low, high)
        for what, values, low, high in known]
    lacking = len(runs) - min(len(values) for _, values, *_ in result.effects)
    if lacking:
      against = [
          f'{lacking} of {len(runs)} runs never satisfied the constraint']
    notes = [label, *result.notes]
    # What happens everywhere says nothing about this coefficient.
    _, elsewhere = dynamics.metal_runs(grid, optimizer, other)
    if elsewhere:
      notes.append(f'for comparison, at {other:g} alpha_lambda '
                   f'{dynamics.course(elsewhere)}')
    # A lambda that is learned at a fixed rate may slow down as well.
    fixed = grid.of(naming.RC_D4PG, runs[0].condition)
    if fixed and not rises:
      notes.append('for comparison, ' + dynamics.history(fixed))
    notes.append(dynamics.gradient_parts(runs))
  else:
    notes = [f'there is no finished run of {naming.METAL} with '
             f'meta_optimizer={optimizer} and one constraint at '
             f'{coefficient:g}']
  return rules.conclude(
      f'{name}-{optimizer}',
      f'at {coefficient:g}, with {optimizer} on alpha_lambda: {claim}', effects,
      notes, {rules.SEEN: against})


def _outer_losses(grid: collect.Grid) -> rules.Verdict:
  """(g)."""
  labels = [naming.outer_label(loss) for loss in naming.OUTER_LOSSES]
  missing = [label for label in labels if label not in grid.labels]
  rows = [] if missing else aggregate.common(grid, labels)
  effects = []
  if rows:
    critic, both, actor = rows
    effects = [
        rules.difference(f"R_penalized by MetaL's outer loss, {name}",
                         (one, other), 'penalized_return', 3)
        for name, one, other in (
            ('critic - actor', critic, actor),
            ('critic - actor+critic', critic, both),
            ('actor+critic - actor', both, actor))]
  return _conclude(
      'g', 'the critic outer loss is best and the actor\'s worst (penalized '
      'return)', effects, rows,
      [f'not there: {", ".join(missing)}'] if missing else [], grid, {})


def _shaping(grid: collect.Grid) -> rules.Verdict:
  """(h)."""
  wanted = [label for label in naming.PAPER if label.startswith(naming.RS)]
  labels = [label for label in wanted if label in grid.labels]
  missing = [label for label in wanted if label not in labels]
  rows = aggregate.common(grid, labels) if len(labels) > 1 else []
  effects = []
  if rows:
    # The best and the worst are chosen by looking: widened for all pairs.
    rows = sorted(rows, key=lambda row: row.measure('penalized_return').mean())
    pairs = len(rows) * (len(rows) - 1) // 2
    effects = [rules.difference(
        f'R_penalized of {rows[-1].label} (best) - {rows[0].label} (worst)',
        (rows[-1], rows[0]), 'penalized_return', pairs, MARGIN)]
  # Another lambda may differ.
  absent = [f'not there: {", ".join(missing)}'] if missing else []
  return _conclude(
      'h', 'RS-D4PG depends strongly on its lambda (best and worst differ by '
      f'more than {MARGIN:g} in penalized return)', effects, rows,
      [] if effects else absent, grid, {rules.NOT_SEEN: absent})


# --- What they share ----------------------------------------------------------


def _at(grid: collect.Grid, coefficient: float, *labels: str
        ) -> List[aggregate.Scores]:
  """Agents over common conditions of one coefficient; [] without."""
  conditions = [c for c in grid.conditions if c.safety_coeff == coefficient]
  return aggregate.common(grid, labels, conditions) if conditions else []


def _dropped(grid: collect.Grid, labels: Sequence[str],
             conditions: Set[collect.Condition]) -> List[str]:
  """A reason, if agents were run on more than they are compared over.

  A run that failed or is not finished takes its condition, or its seed, with
  it, and the hardest conditions fail most easily.
  """
  dropped = {run.condition.safety_coeff for run in grid.runs
             if run.label in labels} - {c.safety_coeff for c in conditions}
  return [f'not over {_listed(sorted(dropped))}, for lack of finished runs'
          ] if dropped else []


def _unlearned(rows: Sequence[aggregate.Scores]) -> List[str]:
  """A reason for each of the agents that has not learned the task."""
  return [
      f'{row.label} has not learned the task: mean return '
      f'{row.measure("return").mean():.4g} < {dynamics.LEARNED:g} ('
      f'{int((row.measure("return") < dynamics.LEARNED).sum())} of '
      f'{len(row.seeds)} seeds below)'
      for row in rows if row.measure('return').mean() < dynamics.LEARNED]


def _held(row: aggregate.Scores) -> str:
  """Return, and J_C against the threshold."""
  over = row.measure('overshoot')
  return (
      f'{row.label}: mean return {row.measure("return").mean():.4g}, J_C '
      f'{row.measure("penalty").mean():.3g}, overshoot {over.mean():.3g}, '
      f'satisfied by {int((over <= 0).sum())} of {len(over)} seeds')


def _history(grid: collect.Grid, row: aggregate.Scores) -> str:
  return dynamics.history([run for run in grid.of(row.label, *row.conditions)
                           if run.seed in row.seeds])


def _coefficients(row: aggregate.Scores) -> Tuple[float, ...]:
  return tuple(sorted({c.safety_coeff for c in row.conditions}))


def _listed(coefficients: Sequence[float]) -> str:
  return ', '.join(f'{c:g}' for c in coefficients)


def _conclude(name: str, claim: str, effects: Sequence[rules.Effect],
              rows: Sequence[aggregate.Scores], notes: Sequence[str],
              grid: collect.Grid, against: rules.Against,
              coefficient: Optional[float] = None,
              says_coefficients: bool = False) -> rules.Verdict:
  """A verdict on differences of scores: says over which, and of whom.

  Where an effect on MetaL is not seen, the parts of its meta-gradient are told.
  """
  if not effects:
    return rules.conclude(name, claim, (), notes, {})
  notes = list(notes)
  if not says_coefficients:
    notes.append(f'over the coefficients {_listed(_coefficients(rows[0]))}')
  lacking = {row.label: row.left_out for row in rows if row.left_out}
  notes += [f'left out, for lack of runs on these conditions: {label} with '
            f'seed {", ".join(map(str, seeds))}'
            for label, seeds in lacking.items()]
  failed = [run.name for run in grid.runs if run.status == collect.FAILED
            and run.label in {row.label for row in rows}
            and coefficient in (None, run.condition.safety_coeff)]
  if failed:
    against = {rules.SEEN: [], **against}
    against[rules.SEEN] = [*against[rules.SEEN],
                           f'failed: {", ".join(failed)}']
  if any(naming.METAL in effect.name and effect.verdict() != rules.SEEN
         for effect in effects):
    notes.append(dynamics.gradient_parts([
        run for run in grid.of(naming.METAL)
        if coefficient in (None, run.condition.safety_coeff)]))
  return rules.conclude(name, claim, effects, notes, against)
