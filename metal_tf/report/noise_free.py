"""The same runs, scored by their evaluations: episodes without exploration.

Training episodes have exploration noise in them, which costs return and can be
most of an agent's J_C. So agents may rank otherwise without it.
"""

import numpy as np

from metal_tf import metrics
from metal_tf.report import collect


def scored(grid: collect.Grid) -> collect.Grid:
  """Scores runs by those evaluations that are in the window of their score.

  Args:
    grid: the runs. Those without such an evaluation are left out of the
      statistics of the result.

  Returns:
    The same runs; each has the mean return and J_C of the evaluations made
    during its last 100 training episodes, one episode each.
  """
  return grid._replace(runs=tuple(map(_scored, grid.runs)))


def _scored(run: collect.ScoredRun) -> collect.ScoredRun:
  if run.left_out:
    return run
  columns = run.run.evaluations
  made_at = columns.get('episode', np.zeros(0))
  counts = made_at > run.run.num_episodes - metrics.WINDOW
  if not counts.any():
    return run._replace(
        left_out='no evaluation during its last '
        f'{metrics.WINDOW} training episodes')
  names = [f'penalty/{name}' for name in run.run.constraint_names]
  missing = [name for name in ('episode_return', *names) if name not in columns]
  if missing:
    return run._replace(
        left_out=f'its evaluations have no {", ".join(missing)}')
  penalties = np.stack([columns[name][counts] for name in names], axis=1)
  return run._replace(score=metrics.score(
      columns['episode_return'][counts], penalties, run.run.thresholds))
