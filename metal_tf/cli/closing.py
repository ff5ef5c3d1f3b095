"""The last lines of a launcher: whether the thresholds hold, and a film."""

import os
from typing import List, Tuple

import numpy as np

from metal_tf import metrics
from metal_tf.cli import tool
from metal_tf.runs import run_folder


def lines(path: str) -> str:
  """What a run that has ended came to, and how to see its policy.

  Args:
    path: the run's folder.

  Returns:
    Return and J_C beside each threshold, without exploration noise where the
    run has evaluations, and the command for a film; '' for a run that is not
    at its end.

  Raises:
    RunFolderError: if the folder cannot be read.
  """
  run = run_folder.read(path)
  if run.summary is None:
    return ''
  measured, episode_return, penalties = _measured(run)
  told = [f'{measured}: return {episode_return:.1f}']
  for name, threshold, penalty in zip(
      run.constraint_names, run.thresholds, penalties):
    relation, verb = (('<=', 'holds') if penalty <= threshold else
                      ('>', 'does not hold'))
    told.append(f'  {name}: J_C {penalty:.4f} {relation} {threshold:g}: {verb} '
                'the threshold')
  command = tool.command('evaluate', f'--workdir={path}', '--episodes=10',
                         f'--video={os.path.join(path, "policy.mp4")}')
  return '\n'.join([*told, 'To film the policy:', f'  {command}'])


def _measured(run: run_folder.RunFolder) -> Tuple[str, float, List[float]]:
  """What is told of, the mean return, and the mean J_C per constraint."""
  columns = run.evaluations
  made_at = columns.get('episode', np.zeros(0))
  recent = made_at > run.num_episodes - metrics.WINDOW
  if not recent.any():
    assert run.summary is not None  # The run has ended.
    return (f'Over the last {run.summary["window"]} training episodes, with '
            'exploration noise', run.summary['return'],
            [c['penalty'] for c in run.summary['constraints']])
  count = int(recent.sum())
  measured = ('Without exploration noise, in the evaluation after episode '
              f'{made_at[recent][0]:.0f}' if count == 1 else
              f'Without exploration noise, over the {count} evaluations after '
              f'episodes {made_at[recent][0]:.0f} to {made_at[recent][-1]:.0f}')
  return (measured, float(np.mean(columns['episode_return'][recent])),
          [float(np.mean(columns[f'penalty/{name}'][recent]))
           for name in run.constraint_names])
