"""What is smaller than, or other than, in the paper: computed from the runs."""

import dataclasses
from typing import Any, Dict, Iterable, List, Sequence, Set

from metal_tf import config as config_lib
from metal_tf import metrics
from metal_tf.environments import tasks
from metal_tf.report import captions
from metal_tf.report import collect
from metal_tf.report import naming
from metal_tf.report import statistics
from metal_tf.runs import run_folder

# Section 5 of the paper.
EPISODES = 20_000
SEEDS = 8
# What a sweep says of a run that has not begun.
_WAITING = 'waiting'


def scopes(grid: collect.Grid) -> str:
  """What the two halves of Table 1 are averages over, in words."""
  problems = sorted({c.problem for c in grid.conditions})
  coefficients = sorted({c.safety_coeff for c in grid.conditions})
  episodes = captions.span(run.run.num_episodes for run in grid.used)
  return (
      f"The paper's columns are averages over {len(tasks.TASKS)} domains, "
      f'{len(tasks.SAFETY_COEFFICIENTS)} safety coefficients, all '
      f'thresholds and {SEEDS} seeds of {EPISODES} episodes; ours are of '
      f'{"; ".join(problems)} (safety coefficient '
      f'{", ".join(f"{c:g}" for c in coefficients)}; seeds per agent and '
      f'condition: {captions.span(_seeds(grid))}; episodes a run: {episodes}). '
      "Our ± is the standard deviation over seeds; what the paper's is, it "
      'does not say.')


def interim(grid: collect.Grid) -> str:
  """Says that runs are still to come; '' if there are none."""
  open_states = run_folder.RUNNING, run_folder.UNFINISHED, _WAITING
  waiting = [run for run in grid.runs if run.status in open_states] + [
      entry for entry in grid.absent if entry.why.startswith(open_states)]
  return (f'**Interim:** {len(waiting)} of the runs that were planned or begun '
          'are not finished. If they are still to come, all numbers and '
          'verdicts may change with them.' if waiting else '')


def _seeds(grid: collect.Grid) -> Set[int]:
  """How many seeds an agent has on a condition."""
  return {len(grid.of(label, condition))
          for label in grid.labels for condition in grid.conditions
          if grid.of(label, condition)}


def of(grid: collect.Grid) -> List[str]:
  """Returns one sentence per difference to the paper's experiments."""
  used = grid.used
  episodes = sorted({run.run.num_episodes for run in used})
  seeds = _seeds(grid)
  found = []
  if episodes != [EPISODES]:
    found.append(f'Episodes: {captions.span(episodes)} a run instead of '
                 f'{EPISODES}.')
  if len(episodes) > 1:
    lengths = {label: sorted({run.run.num_episodes for run in grid.of(label)})
               for label in grid.labels}
    found.append('Runs of different lengths are put together: ' + '; '.join(
        f'{label} {captions.span(own)}'
        for label, own in lengths.items()) + '.')
  short = [run.name for run in used
           if run.score and run.score.episodes < metrics.WINDOW]
  if short:
    found.append(
        f'Window: {len(short)} of {len(used)} finished runs have fewer than '
        f'{metrics.WINDOW} episodes and are scored over all they have, from '
        'the first on (marked † in the list of runs).')
  if seeds != {SEEDS}:
    found.append(f'Seeds: {captions.span(seeds)} per agent and condition '
                 f'instead of {SEEDS}.')
  found += _differences(
      'Safety coefficients', [c.safety_coeff for c in grid.conditions],
      tasks.SAFETY_COEFFICIENTS)
  found += _differences('Domains', [c.domain for c in grid.conditions],
                        tasks.TASKS)
  for domain in sorted({c.domain for c in grid.conditions}):
    found += _of_domain(domain, [
        c for c in grid.conditions if c.domain == domain])
  found += _sources(grid)
  found += _presets(grid)
  harder = [run.name for run in used if run.run.config.get('rwrl_spec')]
  if harder:
    found.append(
        f'Tasks: {len(harder)} of {len(used)} finished runs have delays, noise '
        'or perturbations of the suite (--rwrl_spec), which the paper does not '
        'have.')
  missing = [label for label in naming.PAPER if label not in grid.labels]
  if missing:
    found.append(f'Agents of Table 1 without finished runs: '
                 f'{", ".join(missing)}.')
  found += _batches(grid)
  suites = sorted({run.run.suite for run in used})
  if any(not suite.startswith('realworldrl') for suite in suites):
    parity = (' The builtin tasks equal it bit for bit in observations, '
              'rewards and penalties: docs/tasks.md.' if any(
                  suite.startswith('builtin') for suite in suites) else '')
    found.append('Simulated by ' + '; '.join(suites) + ' (the paper: the '
                 f'Real-World RL suite).{parity}')
  found.append("Where the paper's settings are unknown (its appendix), ours "
               'are used: docs/settings.md labels each.')
  return found


def _sources(grid: collect.Grid) -> List[str]:
  """Whether the file of an own environment has changed between runs."""
  sources: Dict[str, Set[str]] = {}
  for run in grid.used:
    if run.run.source:
      sources.setdefault(run.condition.domain, set()).add(run.run.source)
  return [
      f'Environment: the file of {domain} has changed between the runs, which '
      f'are put together all the same ({len(versions)} versions by their '
      'SHA-256).' for domain, versions in sorted(sources.items())
      if len(versions) > 1]


def _presets(grid: collect.Grid) -> List[str]:
  """Which sizes and rates the presets other than the paper's have."""
  usual = dataclasses.asdict(config_lib.Config())
  found = []
  for preset in sorted({c.preset for c in grid.conditions}):
    configs = [naming.config_of(run.run) for run in grid.used
               if run.condition.preset == preset]
    parts = []
    for name in config_lib.PRESETS[preset]:
      ours = {_text(config[name]) for config in configs}
      without = _text(usual[name])
      if ours != {without}:
        parts.append(f'{name} {" or ".join(sorted(ours))} (without the preset '
                     f'{without})')
    if parts:
      found.append(f'Preset {preset}: {", ".join(parts)}.')
  return found


def _text(value: Any) -> str:
  """The value of a setting, as it stands in a sentence."""
  return ('-'.join(map(str, value)) if isinstance(value, (list, tuple))
          else str(value))


def _batches(grid: collect.Grid) -> List[str]:
  """Whether all agents' inner updates see equally many samples."""
  sizes = {label: sorted({naming.inner_batch(run.run)
                          for run in grid.of(label)}) for label in grid.labels}
  parts: Dict[str, List[str]] = {}
  for label, pairs in sizes.items():
    text = ' or '.join(
        f'{inner} of {batch}' if inner < batch else f'all {batch}'
        for inner, batch in pairs)
    parts.setdefault(text, []).append(label)
  if all(inner == batch for pairs in sizes.values() for inner, batch in pairs):
    return []
  return ['Inner batch: ' + '; '.join(
      f'{", ".join(labels)} {text} samples' for text, labels in parts.items())
          + ', the rest of a batch being for the outer loss. The paper does '
          'not say how MetaL splits its batch.']


def _of_domain(domain: str, conditions: Sequence[collect.Condition]
               ) -> List[str]:
  if domain not in tasks.TASKS:
    return []
  info = tasks.TASKS[domain]
  found = []
  others = sorted({c.constraints for c in conditions
                   if c.constraints != (info.default_constraint,)})
  if others:
    names = '; '.join(' and '.join(constraints) for constraints in others)
    found.append(f'Constraints of {domain}: {names}, where the paper has '
                 f'{info.default_constraint} '
                 f'({info.default_constraint_label}).')
  known: Set[float] = {threshold for threshold, _ in info.thresholds}
  texts = {threshold: f'{threshold:g} ({label})'
           for threshold, label in info.thresholds}
  ours = {threshold for c in conditions for threshold in c.thresholds}
  if ours != known:
    found.append(
        f'Thresholds of {domain}: {", ".join(f"{x:g}" for x in sorted(ours))} '
        f'instead of {", ".join(texts[x] for x in sorted(known))}.')
  return found


def _differences(what: str, ours: Iterable[Any],
                 papers: Iterable[Any]) -> List[str]:
  own, other = set(ours), set(papers)
  if own == other:
    return []
  return [f'{what}: {_listed(own)} instead of {_listed(other)}.']


def _listed(values: Iterable[Any]) -> str:
  return ', '.join(str(value) for value in sorted(values))


def power(n: int) -> str:
  """What n seeds an agent can show, in a sentence."""
  if n < 2:
    return 'n = 1: no standard deviation and no test.'
  effect = statistics.smallest_effect(n)
  weak = ' Underpowered.' if n < statistics.ENOUGH_SEEDS else ''
  return (f'With n = {n} seeds against {n}, a difference has to be of '
          f'{effect:.2f} standard deviations to be found with '
          f'{100 * statistics.POWER:.0f} % power.{weak}')
