"""The content of a report, in the order in which it is read."""

import time
from typing import Callable, Dict, List, NamedTuple, Sequence, Tuple

from metal_tf import metrics
from metal_tf.report import aggregate
from metal_tf.report import alpha_lambda
from metal_tf.report import bars
from metal_tf.report import claims
from metal_tf.report import coefficients
from metal_tf.report import collect
from metal_tf.report import compute
from metal_tf.report import curves
from metal_tf.report import document
from metal_tf.report import errors
from metal_tf.report import naming
from metal_tf.report import reductions
from metal_tf.report import rules
from metal_tf.report import sensitivity
from metal_tf.report import statistics
from metal_tf.report import style
from metal_tf.report import tables


class Report(NamedTuple):
  """All that is written.

  Attributes:
    text: the page, in Markdown.
    rows: of Table 1, by pool.
    figures: those that the grid supports.
    verdicts: of the claims; none without runs on the paper's tasks.
  """
  text: str
  rows: Dict[str, List[aggregate.Scores]]
  figures: List[style.Made]
  verdicts: List[rules.Verdict]


TITLE = 'metal_tf: report of runs'

_MEASURES = (
    f"A run is scored by its last {metrics.WINDOW} training episodes, "
    'exploration included. R is their mean return and J_C their mean penalty '
    'per step. Overshoot is max(0, J_C − β), by how much that mean exceeds the '
    f'threshold β, and R_penalized is R − {metrics.KAPPA:g} × overshoot. '
    'Numbers are mean ± standard deviation over n seeds.')
_BLOCKS = (
    'A condition is a domain with a constraint, a threshold β and a safety '
    'coefficient. Over several conditions, the scores of a seed are averaged '
    'first, then mean and standard deviation (n − 1) are taken over seeds. '
    'Each agent is averaged over the largest complete block of its own runs: '
    'all seeds that have all of the block\'s conditions. Rows over different '
    'conditions (‡) are not comparable with each other; the tests compare '
    'MetaL with each agent over conditions that both have.')


def make(grid: collect.Grid, resamples: int, say: Callable[[str], None]
         ) -> Report:
  """Computes a report.

  Args:
    grid: the runs.
    resamples: of the bootstrap.
    say: takes a line of progress.

  Raises:
    ReportError: if no run is finished.
  """
  if not grid.used:
    raise errors.ReportError(
        f'none of the {len(grid.runs)} runs is finished, so there are no '
        'scores yet: ' + '; '.join(f'{run.name} ({run.status}, {run.left_out})'
                            for run in grid.runs[:3]) + '.')
  pools = grid.pools
  main = next(iter(pools.values()))
  verdicts = claims.all_claims(main) if main.of_paper else []
  made, missing = _draw(grid, main, say)
  text, rows = [f'# {TITLE}', *_opening(grid), *_pictures(made, missing)], {}
  for name, pool in pools.items():
    table = pool.shown.balanced
    rows[name] = aggregate.rows(table)
    across = aggregate.across_tasks(
        table, resamples, _countdown(resamples, say))
    text += [
        f'# On {name}' if len(pools) > 1 else '',
        *_table1(table, rows[name],
                 balanced=table.conditions != pool.shown.conditions),
        *coefficients.section(table),
        *(_claims(verdicts) if pool is main and verdicts else ()),
        *_statistics(table, rows[name], across), *by_domain(pool.shown),
        *variants(pool), *rates(pool)]
  text += ['# All runs' if len(pools) > 1 else '', *_runs(grid)]
  return Report('\n\n'.join(filter(None, text)) + '\n', rows, made, verdicts)


def _draw(grid: collect.Grid, main: collect.Grid, say: Callable[[str], None]
          ) -> Tuple[List[style.Made], List[style.Missing]]:
  """The figures that the runs support, and those that cannot be made.

  Args:
    grid: all runs.
    main: those of the first pool, to which the figures of scores belong.
    say: takes a line of progress.
  """
  looks = style.looks(grid.labels)
  outcomes = [curves.figure_4(main, looks),
              *bars.all_figures(main.shown.balanced, looks)]
  say(f'{len(outcomes)} figures of scores')
  shown = grid._replace(runs=tuple(
      run for pool in grid.pools.values() for run in pool.shown.runs))
  outcomes += [sensitivity.figure(main),
               *curves.learning_curves(shown, looks),
               curves.meta_gradient(shown, looks),
               alpha_lambda.figure(main)]
  say(f'{len(outcomes)} figures')
  return ([x for x in outcomes if isinstance(x, style.Made)],
          [x for x in outcomes if isinstance(x, style.Missing)])


def _countdown(resamples: int, say: Callable[[str], None]
               ) -> Callable[[int], None]:
  """Says how far the bootstrap is, and how long it still takes."""
  started = time.monotonic()

  def progress(done: int) -> None:
    left = (time.monotonic() - started) * (resamples / done - 1)
    say(f'bootstrap: {done} of {resamples} resamples, {left:.0f} s to go')

  return progress


def _opening(grid: collect.Grid) -> List[str]:
  left_out = len(grid.runs) - len(grid.used) + len(grid.absent)
  others = (f'; the other runs ({left_out}) are listed at the end and are '
            'in no statistics' if left_out else '')
  return [f'{len(grid.used)} finished runs of {len(grid.labels)} agents on '
          f'{len(grid.conditions)} conditions{others}.',
          reductions.interim(grid)]


def _table1(grid: collect.Grid, rows: Sequence[aggregate.Scores],
            balanced: bool) -> List[str]:
  papers = grid.of_paper
  notes = [f'{row.label}: seeds {", ".join(map(str, row.left_out))} lack some '
           f'of its {len(row.conditions)} conditions and are left out.'
           for row in rows if row.left_out]
  sizes = sorted({len(row.seeds) for row in rows})
  multiple = any(len(c.constraints) > 1 for c in grid.conditions)
  return [
      '## Table 1: ours' + " beside the paper's" * papers,
      reductions.scopes(grid) if papers else '',
      'Tables and figures of scores are over the coefficients that all '
      'problems have. The others are in the tables by domain.'
      if balanced else '',
      document.table(tables.table1(rows, len(grid.conditions))),
      _MEASURES,
      'With several constraints: J_C is their mean, overshoot their sum.'
      if multiple else '',
      *(document.fold("What is smaller than in the paper, or differs from it",
                      document.items(reductions.of(grid))) if papers
        else ["This is no task of the paper's: nothing stands beside it."]),
      *document.fold(
          'How scores are averaged, and what so many seeds can show', _BLOCKS,
          document.items([reductions.power(n) for n in sizes] + notes)),
      *document.fold(
          'The scores of every seed', 'In the order of the seeds.',
          document.table(tables.points(rows)))]


def _claims(verdicts: Sequence[rules.Verdict]) -> List[str]:
  return [
      "## The paper's claims",
      'Fixed rules judge each claim: it is seen if the interval of every '
      'effect lies where the claim says, not seen if one lies entirely '
      'elsewhere, and undecided otherwise. Where there are several problems, '
      'the one that the paper analyses is judged, if it is among them: '
      f'{claims.ANALYSED}.',
      document.table(tables.verdicts(verdicts)), *document.fold(
          'What stands behind each verdict',
          'The rules are in `metal_tf/report/claims.py` and stated in '
          'docs/report.md. A claim of m effects has intervals of '
          f'1 − {100 * statistics.LEVEL:g} %/m; the table shows the first '
          'effect with the verdict of the claim. So many seeds would decide '
          'an open one if means and spreads stayed as they are.',
          document.items([f'**{verdict.id}**: {verdict.diagnosis}'
                          for verdict in verdicts]))]


def _statistics(grid: collect.Grid, rows: Sequence[aggregate.Scores],
                across: aggregate.AcrossTasks) -> List[str]:
  found = aggregate.comparisons(grid)
  tests = document.fold(
      'Tests of MetaL against each agent',
      "Welch's t-test, two-sided, of the seeds' scores. Holm's families, "
      "within one measure: the tests against the agents of the paper's Table "
      '1; those against all others, so that an agent added to them changes no '
      "p-value of the first. Hedges' g with the interval of the noncentral t "
      'distribution. Smallest d found: the difference in standard deviations '
      f'that these n find with {100 * statistics.POWER:.0f} % power at p < '
      f'{statistics.LEVEL}. For J_C and overshoot less is better. A dash: '
      'fewer than two seeds, or no spread, so no test.',
      document.table(tables.comparisons(found))) if found else [
          f'No tests: they need finished runs of {naming.METAL} and of '
          'another agent on the same conditions.']
  few = min(len(row.seeds) for row in rows) < statistics.ENOUGH_SEEDS
  return [
      '## Statistics', *tests, *document.fold(
          'Averages across conditions, with bootstrap intervals',
          'Interquartile mean over all runs of a block, and the probability '
          'that a run of MetaL has more R_penalized than one of the other '
          'agent on the same condition. Intervals are percentiles of a '
          'bootstrap stratified by condition, over seeds '
          f'({statistics.RESAMPLES} resamples, seed '
          f'{statistics.BOOTSTRAP_SEED}, rliable). It draws the runs of each '
          'condition by themselves. Those of one seed have the same starts of '
          'episodes, and those of D4PG are the same at all coefficients, so '
          'these intervals are too narrow; no verdict uses them.' + (
              f' There are none below {statistics.ENOUGH_SEEDS} seeds, where '
              'they would be too narrow.' if few else ''),
          document.table(tables.interquartile(across)),
          document.table(tables.improvement(across))
          if across.improvement else '')]


def by_domain(grid: collect.Grid) -> List[str]:
  """Scores on each domain, as in the paper's figure 7.

  Args:
    grid: runs of one pool.
  """
  found = []
  for domain in sorted({c.domain for c in grid.conditions}):
    conditions = [c for c in grid.conditions if c.domain == domain]
    found += document.fold(
        f"Scores on {domain} (as in the paper's figure 7)",
        document.table(tables.scores(
            aggregate.rows(grid, conditions), len(conditions))))
  return found


def variants(pool: collect.Grid) -> List[str]:
  """The agents that are too many to stand beside the others.

  Args:
    pool: runs of one pool.
  """
  labels = [x for x in pool.labels if x not in pool.shown.labels]
  if not labels:
    return []
  others = pool.only(labels)
  tests = aggregate.comparisons(pool.only([naming.METAL, *labels]))
  return document.fold(
      f'Agents with other settings ({len(labels)})',
      f'Where there are more than {collect.MOST_AGENTS} agents, those that '
      'differ from another of their name in their settings stand here, and not '
      'in the tables and figures above.',
      document.table(tables.by_coefficient(others)),
      *((f'{naming.METAL} against each of them, a family of tests of its own:',
         document.table(tables.comparisons(tests))) if tests else ()))


def rates(pool: collect.Grid) -> List[str]:
  """The agents that learn lambda, over alpha_1.

  Args:
    pool: runs of one pool.
  """
  table = sensitivity.table(pool)
  return [] if table.empty else document.fold(
      'Agents that learn lambda, at their best alpha_1',
      'Best: the alpha_1 with the highest mean R_penalized, chosen by the '
      'scores that stand beside it, which flatters an agent with more values '
      'or fewer runs. Largest: the largest alpha_1 with which the mean return '
      f"is above {claims.COLLAPSED:g} of D4PG's on the same condition; ≥ where "
      'that is the largest that was run, < where there is none. A dash: no '
      'D4PG there that has learned the task.', document.table(table))


def _pictures(made: Sequence[style.Made], missing: Sequence[style.Missing]
              ) -> List[str]:
  found = []
  for picture in made:
    found += [f'## {picture.title}', picture.see,
              f'![{picture.title}](figures/{picture.stem}.png)',
              *document.fold('How it is drawn', picture.caption)]
  if missing:
    found += document.fold(
        'Figures that these runs do not support', document.items(
            [f'**{x.title}**: needs {x.why}.' for x in missing]))
  return found


def _runs(grid: collect.Grid) -> List[str]:
  return [
      '## Runs', f'{compute.total(grid.finished)}. Runs that are not '
      'finished are not in it.',
      *document.fold(
          'The agents and their settings',
          'Two runs are of one agent if they agree in every setting that '
          'their algorithm uses, except for seed, length and folder. Where '
          'several agents share a name, the one at the defaults of its preset '
          'keeps it, or the one with the most finished runs if there is none. '
          'The others add their differences from that one.',
          document.table(tables.settings(grid)),
          'Commits of metal_tf, with the number of finished runs that each '
          'took part in (a run resumed under another commit counts for both): '
          f'{compute.commits(grid.finished)}.'),
      *document.fold(
          'All runs, and what became of each',
          f'† fewer than {metrics.WINDOW} episodes: scored over all. Only '
          'finished runs are in the statistics.',
          document.table(tables.runs(grid)))]
