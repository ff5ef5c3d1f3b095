"""The paper's claims (a) to (h), judged by rules that are fixed here.

A claim is about one or more effects, each with a 95 % interval. It is `seen` if
every interval lies where the claim says, `not seen` if one lies entirely
elsewhere, and `undecided` otherwise: too few seeds, or no data. With several
effects in one claim each interval is widened (Bonferroni). Whether means are
"comparable" needs a margin, which is not the paper's: `MARGIN`. And agents that
have not learned the task are all alike, which proves nothing: see `LEARNED`.
Nor do seeds whose scores are equal to the last bit: see `_contrast`.
"""

import math
from typing import Callable, List, NamedTuple, Optional, Sequence, Tuple

from metal_tf.environments import registry
from metal_tf.report import aggregate
from metal_tf.report import collect
from metal_tf.report import dynamics
from metal_tf.report import statistics
from metal_tf.report import variants

SEEN = 'seen'
NOT_SEEN = 'not seen'
UNDECIDED = 'undecided'

# A tenth of the return's upper bound (1000).
MARGIN = 100.0
# An agent's return has collapsed below this share of D4PG's.
COLLAPSED = 0.5
# Below half of the return's upper bound the task counts as not learned, and the
# claims that agents do as well as others on it stay undecided.
LEARNED = 500.0

EASY = max(registry.SAFETY_COEFFICIENTS)
HARD = min(registry.SAFETY_COEFFICIENTS)

_INF = float('inf')


class Verdict(NamedTuple):
  """One line of `claims.csv`.

  Attributes:
    id: 'a' to 'h'; 'e' and 'f' with the meta optimizer behind.
    claim: in words.
    verdict: `SEEN`, `NOT_SEEN` or `UNDECIDED`.
    effect: what was measured, with its interval; NaN where there is none.
    n: seeds of the agent that has the fewest.
    diagnosis: what the effect is, and what stands behind the verdict.
  """
  id: str
  claim: str
  verdict: str
  effect: statistics.Interval
  n: int
  diagnosis: str


class Effect(NamedTuple):
  """One effect and where the claim says that it lies.

  Attributes:
    name: in words.
    interval: measured.
    low: the claim says: above this,
    high: and below this.
  """
  name: str
  interval: statistics.Interval
  low: float = 0.0
  high: float = _INF

  def verdict(self) -> str:
    """Of this effect alone."""
    _, low, high = self.interval
    if math.isnan(low) or math.isnan(high):
      return UNDECIDED
    if self.low < low and high < self.high:
      return SEEN
    return NOT_SEEN if high < self.low or low > self.high else UNDECIDED

  def __str__(self) -> str:
    value, low, high = self.interval
    bounds = (' (no interval: a single value, or all alike)'
              if math.isnan(low) else f' [{low:.4g}, {high:.4g}]')
    return f'{self.name}: {value:.4g}{bounds}'


def judge(effects: Sequence[Effect]) -> str:
  """The verdict of a claim that says all of these at once."""
  verdicts = {effect.verdict() for effect in effects}
  if NOT_SEEN in verdicts:
    return NOT_SEEN
  return SEEN if verdicts == {SEEN} else UNDECIDED


def all_claims(grid: collect.Grid) -> List[Verdict]:
  """Judges all claims."""
  found = [_best(grid), _comparable_return(grid), _solvable(grid),
           _collapse(grid)]
  for claim in (dynamics.rises, dynamics.falls):
    for optimizer in ('adam', 'sgd'):
      found.append(_over_training(grid, claim, optimizer))
  return [*found, _outer_losses(grid), _shaping(grid)]


# --- The claims ---------------------------------------------------------------


def _best(grid: collect.Grid) -> Verdict:
  """(a)"""
  pairs = [(other, aggregate.common(grid, [variants.METAL, other]))
           for other in variants.PAPER[1:]]
  pairs = [(other, pair) for other, pair in pairs if pair]
  missing = [label for label in variants.PAPER[1:]
             if label not in [other for other, _ in pairs]]
  effects = [
      Effect(f'MetaL - {other}', _difference(*pair, 'penalized_return',
                                             len(pairs)))
      for other, pair in pairs]
  verdict = judge(effects) if effects else UNDECIDED
  notes = []
  if missing:
    notes.append('Not there on conditions of MetaL: ' + ', '.join(missing))
    if verdict == SEEN:  # Best of some is not best of all.
      verdict = UNDECIDED
  over = {other: _coefficients(pair[0]) for other, pair in pairs}
  for some in sorted(set(over.values())):
    others = [other for other in over if over[other] == some]
    who = '' if len(others) == len(over) else ', '.join(others) + ' '
    notes.append(f'{who}over the coefficients '
                 + ', '.join(f'{c:g}' for c in some))
  coefficients = {c for some in over.values() for c in some}
  absent = [f'{c:g}' for c in registry.SAFETY_COEFFICIENTS
            if c not in coefficients]
  if absent:
    notes.append(f'coefficients without runs: {", ".join(absent)}')
  return _verdict(
      'a', 'MetaL has the best penalized return over the coefficients', verdict,
      effects, [row for _, pair in pairs for row in pair], notes, grid,
      key=lambda effect: effect.interval.estimate)


def _comparable_return(grid: collect.Grid) -> Verdict:
  """(b)"""
  pair = aggregate.common(grid, [variants.METAL, variants.D4PG])
  effects = [Effect('R of MetaL - R of D4PG', _difference(*pair, 'return'),
                    -MARGIN)] if pair else []
  verdict, notes = judge(effects), _unlearned(pair[1:])
  if notes and verdict == SEEN:
    verdict = UNDECIDED
  return _verdict(
      'b', f"MetaL's return is comparable to D4PG's (not more than {MARGIN:g} "
      'below)', verdict, effects, pair, notes, grid)


def _solvable(grid: collect.Grid) -> Verdict:
  """(c)"""
  pair = _at(grid, EASY, variants.METAL, variants.RC_D4PG)
  effects, notes = [], _unlearned(pair[1:])
  verdict = UNDECIDED
  if pair:
    effects = [
        Effect(f'{measure} of MetaL - RC-D4PG', _difference(*pair, measure, 2),
               -MARGIN, MARGIN) for measure in ('penalized_return', 'return')]
    verdict = judge(effects)
    if notes and verdict == SEEN:
      verdict = UNDECIDED
    notes += [f'mean overshoot of {row.label} '
              f'{row.measure("overshoot").mean():.3g}, mean return '
              f'{row.measure("return").mean():.4g}' for row in pair]
  return _verdict(
      'c', f'at {EASY:g} (solvable) MetaL does what RC-D4PG does (within '
      f'{MARGIN:g} in return and penalized return)', verdict, effects, pair,
      notes, grid, EASY)


def _collapse(grid: collect.Grid) -> Verdict:
  """(d)"""
  rows = _at(grid, HARD, variants.METAL, variants.RC_D4PG, variants.D4PG)
  effects, notes = [], _unlearned(rows[2:])
  verdict = UNDECIDED
  if rows:
    metal, constrained, free = [row.measure('return') for row in rows]
    level = statistics.LEVEL / 2
    effects = [
        Effect(f'R of MetaL - {COLLAPSED:g} R of D4PG', _contrast(
            [(1, metal), (-COLLAPSED, free)], level)),
        Effect(f'{COLLAPSED:g} R of D4PG - R of RC-D4PG', _contrast(
            [(COLLAPSED, free), (-1, constrained)], level))]
    verdict = UNDECIDED if notes else judge(effects)
    notes += ['mean returns ' + ', '.join(
        f'{row.label} {row.measure("return").mean():.4g}' for row in rows)]
    # Collapsed, never learned, or not yet collapsed? The rule cannot tell.
    notes.append(dynamics.history([
        run for run in grid.of(variants.RC_D4PG, *rows[1].conditions)
        if run.seed in rows[1].seeds]))
  return _verdict(
      'd', f"at {HARD:g} (unsolvable) RC-D4PG's return collapses (below "
      f"{COLLAPSED:g} of D4PG's) and MetaL's does not", verdict, effects, rows,
      notes, grid, HARD)


def _over_training(
    grid: collect.Grid,
    measured: Callable[[Sequence[collect.ScoredRun]], dynamics.Measured],
    optimizer: str) -> Verdict:
  """(e) and (f), for one meta optimizer."""
  rises = measured is dynamics.rises
  name, coefficient = ('e', EASY) if rises else ('f', HARD)
  claim = dynamics.RISES if rises else dynamics.FALLS
  label, runs = dynamics.metal_runs(grid, optimizer, coefficient)
  effects, notes = [], []
  if runs:
    result = measured(runs)
    level = statistics.LEVEL / 2
    effects = [
        Effect(what, _contrast([(1, values)], level), low, high)
        for what, values, low, high in result.effects if len(values)]
    notes = [label, *result.notes]
    verdict = judge(effects)
    if verdict == SEEN and len(effects) < len(result.effects):
      verdict = UNDECIDED  # No run got as far as the second half of the claim.
  else:
    verdict = UNDECIDED
    notes = [f'not run: there is no finished run of {variants.METAL} with '
             f'meta_optimizer={optimizer} and one constraint at '
             f'{coefficient:g}']
  return _verdict(
      f'{name}-{optimizer}',
      f'at {coefficient:g}, with {optimizer} on alpha_lambda: {claim}',
      verdict, effects, [], notes, grid, coefficient,
      n=len(runs), runs=runs)


def _outer_losses(grid: collect.Grid) -> Verdict:
  """(g)"""
  labels = [variants.outer_label(loss) for loss in variants.OUTER_LOSSES]
  missing = [label for label in labels if label not in grid.labels]
  rows = [] if missing else aggregate.common(grid, labels)
  effects = []
  if rows:
    critic, both, actor = rows
    effects = [
        Effect(name, _difference(one, other, 'penalized_return', 3))
        for name, one, other in (
            ('critic - actor', critic, actor),
            ('critic - actor+critic', critic, both),
            ('actor+critic - actor', both, actor))]
  return _verdict(
      'g', 'the critic outer loss is best and the actor\'s worst (penalized '
      'return)', judge(effects), effects, rows,
      [f'Not there: {", ".join(missing)}'] if missing else [], grid)


def _shaping(grid: collect.Grid) -> Verdict:
  """(h)"""
  wanted = [label for label in variants.PAPER if label.startswith(variants.RS)]
  labels = [label for label in wanted if label in grid.labels]
  missing = [label for label in wanted if label not in labels]
  rows = aggregate.common(grid, labels) if len(labels) > 1 else []
  effects, notes = [], []
  if missing:
    notes.append(f'Not there: {", ".join(missing)}')
  verdict = UNDECIDED
  if rows:
    # The best and the worst are chosen by looking: widened for all pairs.
    rows = sorted(rows, key=lambda row: row.measure('penalized_return').mean())
    pairs = len(rows) * (len(rows) - 1) // 2
    effects = [Effect(
        f'{rows[-1].label} (best) - {rows[0].label} (worst)',
        _difference(rows[-1], rows[0], 'penalized_return', pairs), MARGIN)]
    verdict = judge(effects)
    if verdict == NOT_SEEN and missing:  # Another lambda may differ.
      verdict = UNDECIDED
  return _verdict(
      'h', 'RS-D4PG depends strongly on its lambda (best and worst differ by '
      f'more than {MARGIN:g} in penalized return)', verdict, effects, rows,
      notes, grid, about_metal=False)


# --- What they share ----------------------------------------------------------


def _at(grid: collect.Grid, coefficient: float, *labels: str
        ) -> List[aggregate.Scores]:
  """Agents over common conditions of one coefficient; [] without."""
  conditions = [c for c in grid.conditions if c.safety_coeff == coefficient]
  return aggregate.common(grid, labels, conditions) if conditions else []


def _unlearned(rows: Sequence[aggregate.Scores]) -> List[str]:
  """A note for each of the agents that has not learned the task."""
  return [f'{row.label} has not learned the task: mean return '
          f'{row.measure("return").mean():.4g} < {LEARNED:g}'
          for row in rows if row.measure('return').mean() < LEARNED]


def _coefficients(row: aggregate.Scores) -> Tuple[float, ...]:
  return tuple(sorted({c.safety_coeff for c in row.conditions}))


def _difference(one: aggregate.Scores, other: aggregate.Scores, measure: str,
                family: int = 1) -> statistics.Interval:
  return _contrast([(1, one.measure(measure)), (-1, other.measure(measure))],
                   statistics.LEVEL / family)


def _contrast(terms: Sequence[Tuple[float, Sequence[float]]], level: float
              ) -> statistics.Interval:
  """As `statistics.contrast`; no interval if all of one group's are alike.

  Scores of seeds that are equal to the last bit are copies of one run, or stand
  at a limit. They are no independent draws, and may not narrow an interval that
  judges a claim.
  """
  found = statistics.contrast(terms, level)
  if any(len(set(map(float, values))) < 2 for _, values in terms):
    return statistics.Interval(found.estimate, *[float('nan')] * 2)
  return found


def _verdict(name: str, claim: str, verdict: str, effects: Sequence[Effect],
             rows: Sequence[aggregate.Scores], notes: Sequence[str],
             grid: collect.Grid, coefficient: Optional[float] = None,
             key: Optional[Callable[[Effect], float]] = None,
             n: int = 0, runs: Sequence[collect.ScoredRun] = (),
             about_metal: bool = True) -> Verdict:
  """Puts a line together; its effect is the first, or the smallest by `key`.

  A claim about MetaL that is not seen gets what the parts of its meta-gradient
  say; those over training (with `runs`) always do.
  """
  if not effects:
    return Verdict(name, claim, UNDECIDED, statistics.Interval(
        *[float('nan')] * 3), n, '; '.join(['No data for it', *notes]) + '.')
  n = n or min(len(row.seeds) for row in rows)
  parts = [*map(str, effects), *notes]
  if n < statistics.ENOUGH_SEEDS:
    parts.append(f'underpowered with n = {n}' if n > 1 else
                 'n = 1: no interval')
  if about_metal and (runs or verdict == NOT_SEEN):
    parts.append(dynamics.gradient_parts(runs or _metal(grid, coefficient)))
  shown = min(effects, key=key) if key else effects[0]
  return Verdict(name, claim, verdict, shown.interval, n,
                 '; '.join(filter(None, parts)) + '.')


def _metal(grid: collect.Grid, coefficient: Optional[float]
           ) -> List[collect.ScoredRun]:
  return [run for run in grid.of(variants.METAL)
          if coefficient in (None, run.condition.safety_coeff)]
