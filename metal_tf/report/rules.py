"""What makes a verdict out of measured effects.

A claim is about one or more effects, each with an interval. It is `seen` if
every interval lies where the claim says, `not seen` if one lies entirely
elsewhere, and `undecided` otherwise: too few seeds, or no data. With m effects
in one claim each interval is widened to the level 5 %/m (Bonferroni). What is
known besides may keep a claim from a verdict, and is then the reason why.
"""

import math
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from metal_tf.report import aggregate
from metal_tf.report import statistics

SEEN = 'seen'
NOT_SEEN = 'not seen'
UNDECIDED = 'undecided'

# Of an effect with an interval. That of two seeds is right, too, if scores are
# normal; nobody can tell that by two.
FEWEST_SEEDS = 3

_INF = float('inf')
_NO_INTERVAL = statistics.Interval(*[float('nan')] * 3)

# Verdict -> reasons why it is not given.
Against = Dict[str, List[str]]


class Effect(NamedTuple):
  """One effect and where the claim says that it lies.

  Attributes:
    name: in words.
    interval: measured.
    low: the claim says: above this,
    high: and below this.
    level: 1 - coverage of the interval.
    n: scores of the smallest group.
    seeds: scores a group with which the interval would lie on one side of all
      bounds, if means and spreads stayed as they are; NaN without an interval.
  """
  name: str
  interval: statistics.Interval
  low: float = 0.0
  high: float = _INF
  level: float = statistics.LEVEL
  n: int = 0
  seeds: float = float('nan')

  def verdict(self) -> str:
    """Of this effect alone."""
    _, low, high = self.interval
    if math.isnan(low) or math.isnan(high):
      return UNDECIDED
    if self.low < low and high < self.high:
      return SEEN
    return NOT_SEEN if high < self.low or low > self.high else UNDECIDED

  @property
  def leans(self) -> str:
    """The verdict that the estimate by itself would give."""
    return (SEEN if self.low < self.interval.estimate < self.high else NOT_SEEN)

  def __str__(self) -> str:
    value, low, high = self.interval
    bounds = (f' (no interval: fewer than {FEWEST_SEEDS} seeds, or all alike)'
              if math.isnan(low) else
              f' [{low:.4g}, {high:.4g}] ({100 * (1 - self.level):.4g} %)')
    return f'{self.name} (n = {self.n}): {value:.4g}{bounds}'


class Verdict(NamedTuple):
  """One line of `claims.csv`.

  Attributes:
    id: 'a' to 'h'; 'e' and 'f' with the meta optimizer behind.
    claim: in words.
    verdict: `SEEN`, `NOT_SEEN` or `UNDECIDED`.
    effect: the one that decides, or that does not let it be decided: of those
      with this verdict the first; None where nothing was measured.
    n: scores of its smallest group; 0 without one.
    why: what kept it from another verdict, besides intervals; '' for nothing.
    seeds: an agent and condition that would decide what intervals leave open;
      NaN where they do not, or where that cannot be told.
    leans: the verdict that they would then give.
    diagnosis: all effects, and what stands behind the verdict.
  """
  id: str
  claim: str
  verdict: str
  effect: Optional[Effect]
  n: int
  why: str
  seeds: float
  leans: str
  diagnosis: str

  @property
  def interval(self) -> statistics.Interval:
    """Of the effect; NaN without one."""
    return self.effect.interval if self.effect else _NO_INTERVAL

  @property
  def would_decide(self) -> str:
    """What would decide it, in words; '' where that cannot be told."""
    if math.isnan(self.seeds):
      return ''
    if math.isinf(self.seeds):
      return f'it would take more than {statistics.MOST_SEEDS} seeds'
    return f'about {self.seeds:g} seeds would decide it, as {self.leans}'


def judge(effects: Sequence[Effect]) -> str:
  """The verdict of a claim that says all of these at once."""
  verdicts = {effect.verdict() for effect in effects}
  if NOT_SEEN in verdicts:
    return NOT_SEEN
  return SEEN if verdicts == {SEEN} else UNDECIDED


def _seeds_to_decide(effects: Sequence[Effect]) -> float:
  """Scores a group with which `judge` would be sure, by today's estimates.

  One effect that lies elsewhere is enough for `NOT_SEEN`; for `SEEN` all have
  to be sure. NaN where that cannot be told.
  """
  elsewhere = [effect.seeds for effect in effects if effect.leans == NOT_SEEN
               and not math.isnan(effect.seeds)]
  return min(elsewhere) if elsewhere else float(
      np.max([effect.seeds for effect in effects]))


def difference(name: str, pair: Sequence[aggregate.Scores], measure: str,
               family: int = 1, low: float = 0.0,
               high: float = _INF) -> Effect:
  """The effect that one agent has more of a measure than the other.

  Args:
    name: in words.
    pair: an agent's scores, and another's on the same conditions.
    measure: of `collect.MEASURES`.
    family: effects in the claim.
    low: the claim says that the difference is above this,
    high: and below this.
  """
  one, other = pair
  return contrast(name, [(1, one.measure(measure)),
                         (-1, other.measure(measure))], family, low, high)


def contrast(name: str, terms: Sequence[Tuple[float, statistics.Values]],
             family: int = 1, low: float = 0.0, high: float = _INF) -> Effect:
  """As `difference`, of a weighted sum of the means of several groups.

  Scores of seeds that are equal to the last bit are copies of one run, or stand
  at a limit. They are no independent draws, and may not narrow an interval that
  judges a claim: there is none then, as there is none of fewer than three.
  """
  level = statistics.LEVEL / family
  found = statistics.contrast(terms, level)
  seeds = statistics.seeds_needed(
      terms, min(abs(found.estimate - low), abs(found.estimate - high)), level)
  if any(len(values) < FEWEST_SEEDS or len(set(map(float, values))) < 2
         for _, values in terms):
    found, seeds = _NO_INTERVAL._replace(estimate=found.estimate), math.nan
  return Effect(name, found, low, high, level,
                min(len(values) for _, values in terms), seeds)


def conclude(name: str, claim: str, effects: Sequence[Effect],
             notes: Sequence[str], against: Against) -> Verdict:
  """Puts a verdict together.

  Args:
    name: its id.
    claim: in words.
    effects: what was measured; of equal verdicts the first is shown.
    notes: what else to say, in the order of the diagnosis.
    against: reasons why a verdict is not given, though the intervals say so.
  """
  if not effects:
    return Verdict(name, claim, UNDECIDED, None, 0, 'no runs to compare',
                   math.nan, '', '; '.join(
                       ['No data for it', *filter(None, notes)]) + '.')
  verdict = judge(effects)
  shown = next(effect for effect in effects if effect.verdict() == verdict)
  why = '; '.join(against.get(verdict, ()))
  if why:
    verdict = UNDECIDED
  said = ([f'by its intervals {judge(effects)}, but: {why}'] if why else
          dict.fromkeys(reason for each in against.values() for reason in each))
  few = min(effect.n for effect in effects)
  weak = (f'underpowered: n = {few}, fewer than {statistics.ENOUGH_SEEDS}'
          if few < statistics.ENOUGH_SEEDS else '')
  # What is said against a verdict no seeds can mend.
  leans = (SEEN if all(effect.leans == SEEN for effect in effects)
           else NOT_SEEN)
  seeds = (_seeds_to_decide(effects) if judge(effects) == UNDECIDED
           and not against.get(leans) else math.nan)
  return Verdict(
      name, claim, verdict, shown, shown.n, why, seeds, leans, '; '.join(
          filter(None, [*map(str, effects), *said, *notes, weak])) + '.')
