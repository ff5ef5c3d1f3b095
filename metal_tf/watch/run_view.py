"""One run as a picture in text: where it stands, and how it got there."""

import os
import time
from typing import List, Optional, Tuple

import numpy as np
from rich import console as console_lib
from rich import table as table_lib
from rich import text as text_lib

from metal_tf.runs import checkpoint
from metal_tf.runs import rates as rates_lib
from metal_tf.runs import run_folder
from metal_tf.runs import workdir as workdir_lib
from metal_tf.watch import spark

WINDOW = 10  # Episodes that the means are taken over.

# Of the 256 colours, with a contrast of nearly 4:1 or more on black and white.
OK, BAD, HALTED = 'color(28)', 'color(196)', 'color(130)'
_DIM = 'dim'
_LABEL, _VALUE, _RANGE = 17, 15, 20  # Columns; the curve gets the rest.


def make(run: run_folder.RunFolder, width: int) -> console_lib.Group:
  """Draws a run.

  Args:
    run: what is on disk.
    width: columns of the terminal.
  """
  parts = [_title(run), *_state(run), text_lib.Text()]
  if not run.num_episodes:
    parts.append(text_lib.Text('No episode has ended yet.'))
    return console_lib.Group(*parts)
  rows = table_lib.Table.grid(padding=(0, 1))
  rows.add_column(width=_LABEL, no_wrap=True)
  rows.add_column(width=_VALUE, no_wrap=True)
  curve = max(8, width - _LABEL - _VALUE - _RANGE - 3)
  rows.add_column(width=curve, no_wrap=True)
  rows.add_column(width=_RANGE, no_wrap=True, style=_DIM)
  _add_returns(rows, run, curve)
  for k in range(len(run.constraint_names)):
    _add_constraint(rows, run, k, curve)
  return console_lib.Group(*parts, rows, _legend(run))


def phase(run: run_folder.RunFolder) -> str:
  """What a run is doing, as far as files tell."""
  if run.status == run_folder.FINISHED:
    return 'finished'
  if run.status == run_folder.UNFINISHED:
    return 'stopped'
  if rates_lib.begun(run):
    return 'learning'
  return 'filling replay' if run.num_episodes else 'starting'


def seconds_left(run: run_folder.RunFolder) -> Optional[float]:
  """Estimates the time to the end; None while there is no speed or need."""
  rates = rates_lib.of(run)
  if rates is None or run.status != run_folder.RUNNING:
    return None
  return rates.seconds_per_episode * (
      run.config['num_episodes'] - run.num_episodes)


def recent(values: np.ndarray) -> float:
  """Mean over the last episodes."""
  return float(np.mean(values[-WINDOW:]))


def compared(penalty: float, threshold: float) -> text_lib.Text:
  """J_C against its threshold, e.g. '0.213 > 0.115'."""
  satisfied = penalty <= threshold
  return text_lib.Text(f'{penalty:.3f} {"<=" if satisfied else ">"} '
                       f'{threshold:g}', style=OK if satisfied else BAD)


def _title(run: run_folder.RunFolder) -> text_lib.Text:
  title = text_lib.Text(
      f'{run.algorithm} on {run.own_task or run.config["domain"]}',
      style='bold')
  if not run.own_task:
    title.append(f', safety coefficient {run.config["safety_coeff"]:g}',
                 style='not bold')
  title.append(f', seed {run.config["seed"]}\n', style='not bold')
  return title.append(run.path, style='not bold dim')


def _state(run: run_folder.RunFolder) -> List[text_lib.Text]:
  """Phase, progress, speed, checkpoint."""
  total = run.config['num_episodes']
  styles = {'learning': f'bold {OK}', 'stopped': f'bold {HALTED}'}
  now = phase(run)
  first = text_lib.Text().append(now, style=styles.get(now, 'bold'))
  first.append(f'  episode {run.num_episodes} of {total}')
  left = seconds_left(run)
  if left is not None:
    first.append(f'  ETA {rates_lib.duration(left)}')
  if now == 'stopped':
    first.append('  (the same command again goes on)')
  second = []
  rates = rates_lib.of(run)
  if rates is not None:
    second.append(f'{rates.learner_steps:.1f} learner steps/s  '
                  f'{rates.actor_steps:.0f} env steps/s')
  newest = checkpoint.Checkpointer(
      os.path.join(run.path, workdir_lib.CHECKPOINTS),
      lambda warning: None).newest()
  if newest is None:
    second.append('no checkpoint yet')
  else:
    age = time.time() - os.path.getmtime(newest)
    second.append(f'checkpoint {rates_lib.duration(max(0.0, age))} ago '
                  f'({os.path.basename(newest)})')
  return [first, text_lib.Text('  '.join(second))]


def _add_returns(rows: table_lib.Table, run: run_folder.RunFolder,
                 curve: int) -> None:
  for label, values in (
      ('return', run.episodes['episode_return']),
      ('penalized return', run.episodes['penalized_return']),
      ('evaluation return', run.evaluations.get('episode_return',
                                                np.zeros(0)))):
    if len(values):
      # Of evaluations, each with the same policy, the last one.
      value = values[-1] if label.startswith('eval') else recent(values)
      rows.add_row(label, f'{value:.1f}', *_curve(values, curve))


def _add_constraint(rows: table_lib.Table, run: run_folder.RunFolder, k: int,
                    curve: int) -> None:
  """The rows of one constraint."""
  threshold = float(run.thresholds[k])
  rows.add_row()
  rows.add_row(text_lib.Text(run.constraint_names[k], style='bold'))
  penalty = run.per_constraint('penalty')[:, k]
  rows.add_row('  J_C', compared(recent(penalty), threshold),
               *_curve(penalty, curve, threshold))
  for label, column in (('lambda', 'lambda'), ('alpha_lambda', 'alpha_lambda'),
                        ('effective rate', 'effective_rate')):
    values = run.per_constraint(column)[:, k]
    rows.add_row(f'  {label}', f'{values[-1]:.4g}', *_curve(values, curve))


def _curve(values: np.ndarray, width: int, threshold: Optional[float] = None
           ) -> Tuple[text_lib.Text, str]:
  """A curve and the numbers at its bottom and top."""
  means = spark.bins(values, width)
  finite = means[np.isfinite(means)]
  if not len(finite):
    return text_lib.Text(''), ''
  low, high = float(finite.min()), float(finite.max())
  if low == high:
    return text_lib.Text('constant', style=_DIM), ''
  if threshold is not None:
    low = 0.0
  drawn = text_lib.Text(spark.line(means, low, high))
  if threshold is not None:
    for i, mean in enumerate(means):
      drawn.stylize(OK if mean <= threshold else BAD, i, i + 1)
  return drawn, f'{low:.3g} to {high:.3g}'


def _legend(run: run_folder.RunFolder) -> text_lib.Text:
  return text_lib.Text(
      f'\nReturn, J_C: mean of {min(WINDOW, run.num_episodes)} episodes; all '
      f'else: now. Curves: episodes 1 to {run.num_episodes}.',
      style=_DIM)
