"""From runs to one score per seed: averages over conditions, comparisons.

A seed's score on a condition is fixed in advance (`metrics.score`: the last 100
episodes). Over several conditions a seed's score is the mean of these, and only
then are seeds averaged. So a seed counts only if it has all the conditions, and
agents are compared only over conditions that both have.
"""

from typing import (
  Any,
  Callable,
  Dict,
  FrozenSet,
  List,
  NamedTuple,
  Sequence,
  Tuple,
)

import numpy as np

from metal_tf.report import collect
from metal_tf.report import naming
from metal_tf.report import statistics

# seed -> condition -> run
BySeed = Dict[int, Dict[collect.Condition, collect.ScoredRun]]


class Scores(NamedTuple):
  """One agent over some conditions.

  Attributes:
    label: the agent.
    conditions: all of which every seed has.
    seeds: n of them.
    values: `[n, conditions, 4]`, in the order of `collect.MEASURES`.
    left_out: seeds of the agent that lack a condition.
  """
  label: str
  conditions: Tuple[collect.Condition, ...]
  seeds: Tuple[int, ...]
  values: np.ndarray
  left_out: Tuple[int, ...]

  def measure(self, name: str) -> np.ndarray:
    """Scores by seed of one of `collect.MEASURES`, `[n]`."""
    return self.values.mean(axis=1)[:, list(collect.MEASURES).index(name)]


def by_seed(runs: Sequence[collect.ScoredRun]) -> BySeed:
  """Sorts the runs of one agent."""
  found: BySeed = {}
  for run in runs:
    found.setdefault(run.seed, {})[run.condition] = run
  return found


def _complete(runs: BySeed, conditions: FrozenSet[collect.Condition]
              ) -> List[int]:
  return sorted(seed for seed, done in runs.items() if conditions <= set(done))


def block(groups: Sequence[BySeed]) -> Tuple[collect.Condition, ...]:
  """The conditions to average over: the largest complete block of runs.

  Of all sets of conditions that the seeds have in common, the one with the most
  (seeds that have all of it) x (conditions), so that neither one missing run
  nor one run too many empties the table. A block with two seeds of every agent
  goes before one without.

  Args:
    groups: the runs of each agent that is to be compared.

  Returns:
    the conditions, sorted; none if the agents have none in common.
  """
  sets = {frozenset(done) for runs in groups for done in runs.values()}
  candidates = set(sets)
  while True:
    more = {one & other for one in candidates for other in sets} - candidates
    if not more:
      break
    candidates |= more

  def worth(conditions: FrozenSet[collect.Condition]) -> Tuple[Any, ...]:
    counts = [len(_complete(runs, conditions)) for runs in groups]
    return (min(counts) > 1, sum(counts) * len(conditions), len(conditions),
            sorted(conditions))

  possible = [conditions for conditions in candidates if conditions and all(
      _complete(runs, conditions) for runs in groups)]
  if not possible:
    return ()
  best = max(possible, key=worth)
  return tuple(sorted(best))


def scores(grid: collect.Grid, label: str,
           conditions: Sequence[collect.Condition]) -> Scores:
  """The scores of those of an agent's seeds that have all the conditions."""
  runs = by_seed(grid.of(label))
  seeds = _complete(runs, frozenset(conditions))
  values = np.array([
      [collect.measures(runs[seed][condition]) for condition in conditions]
      for seed in seeds]).reshape(
          len(seeds), len(conditions), len(collect.MEASURES))
  return Scores(label, tuple(conditions), tuple(seeds), values,
                tuple(sorted(set(runs) - set(seeds))))


def rows(grid: collect.Grid,
         conditions: Sequence[collect.Condition] = ()) -> List[Scores]:
  """Every agent over the largest complete block of its own runs.

  Args:
    grid: the runs.
    conditions: only these; all if there are none.
  """
  return [row for label in grid.labels
          for row in common(grid, [label], conditions)]


def common(grid: collect.Grid, labels: Sequence[str],
           conditions: Sequence[collect.Condition] = ()) -> List[Scores]:
  """Agents over the largest block that all of them have; [] if there is none.

  Args:
    grid: the runs.
    labels: the agents.
    conditions: only these; all if there are none.
  """
  groups = [by_seed(grid.of(label, *conditions)) for label in labels]
  chosen = block(groups)
  return [scores(grid, label, chosen) for label in labels] if chosen else []


class Comparison(NamedTuple):
  """MetaL against another agent in one measure.

  Attributes:
    first: MetaL's scores.
    second: the other's, over the same conditions.
    measure: one of `collect.MEASURES`.
    difference: first - second, with its interval.
    welch: the test that belongs to it.
    holm: its p-value, adjusted over its family.
    effect: Hedges' g.
  """
  first: Scores
  second: Scores
  measure: str
  difference: statistics.Interval
  welch: statistics.Welch
  holm: float
  effect: statistics.Interval


def comparisons(grid: collect.Grid, reference: str = naming.METAL
                ) -> List[Comparison]:
  """The reference against each other agent, in all measures.

  Holm's families are, within one measure, the tests against the agents of the
  paper's Table 1, and those against all others. So an ablation that is added
  changes no p-value of the paper's comparisons.
  """
  pairs = _pairs(grid, reference)
  families = [
      [pair for pair in pairs if (pair[1].label in naming.PAPER) == papers]
      for papers in (True, False)]
  found: List[Comparison] = []
  for measure in collect.MEASURES:
    for family in families:
      tests = [_compare(pair, measure) for pair in family]
      adjusted = statistics.holm([test.welch.p for test in tests])
      found += [test._replace(holm=p) for test, p in zip(tests, adjusted)]
  return found


def _pairs(grid: collect.Grid, reference: str) -> List[List[Scores]]:
  """The reference and each other agent, over what both have."""
  return list(filter(None, (
      common(grid, [reference, other]) for other in grid.labels
      if other != reference)))


def _compare(pair: Sequence[Scores], measure: str) -> Comparison:
  """One test, not adjusted yet."""
  first, second = pair
  x, y = first.measure(measure), second.measure(measure)
  return Comparison(
      first, second, measure, statistics.contrast([(1, x), (-1, y)]),
      statistics.welch(x, y), float('nan'), statistics.hedges_g(x, y))


class AcrossTasks(NamedTuple):
  """rliable's aggregates; a task is a condition.

  Attributes:
    means: agent's scores and its interquartile mean per measure.
    improvement: MetaL's and another's scores, and P(MetaL is better) by the
      penalized return.
  """
  means: List[Tuple[Scores, List[statistics.Interval]]]
  improvement: List[Tuple[Scores, Scores, statistics.Interval]]


def across_tasks(
    grid: collect.Grid, resamples: int,
    progress: Callable[[int], None] = lambda done: None,
    reference: str = naming.METAL) -> AcrossTasks:
  """Interquartile means of all agents, and the reference's improvement.

  Args:
    grid: the runs.
    resamples: of the bootstrap.
    progress: told now and then how many are done.
    reference: the agent that the others are held against.
  """
  own = rows(grid)
  pairs = _pairs(grid, reference)
  # An agent over the same block is drawn once.
  arrays: Dict[Tuple[str, Tuple[collect.Condition, ...]], Scores] = {}
  for entry in [*own, *(one for pair in pairs for one in pair)]:
    arrays.setdefault((entry.label, entry.conditions), entry)
  keys = list(arrays)
  means, improvement = statistics.across_tasks(
      [arrays[key].values for key in keys],
      [(keys.index((one.label, one.conditions)),
        keys.index((other.label, other.conditions)))
       for one, other in pairs], resamples, progress)
  return AcrossTasks(
      [(row, means[keys.index((row.label, row.conditions))]) for row in own],
      [(one, other, interval)
       for (one, other), interval in zip(pairs, improvement)])
