"""A sweep as a picture in text: the runs that matter now, as many as fit."""

from typing import Any, Dict, List, NamedTuple, Sequence

from rich import console as console_lib
from rich import table as table_lib
from rich import text as text_lib

from metal_tf import metrics
from metal_tf.runs import rates
from metal_tf.sweep import display
from metal_tf.sweep import overview
from metal_tf.sweep import record
from metal_tf.watch import run_view
from metal_tf.watch import spark

# In the order of the table.
_STYLES = {
    record.RUNNING: f'bold {run_view.OK}',
    record.FAILED: f'bold {run_view.BAD}',
    record.INTERRUPTED: f'bold {run_view.HALTED}', record.FINISHED: 'bold',
    record.WAITING: 'dim'}
_WIDE = 112  # Columns from which on speed, curve and ETA have columns.
_CURVE = 12
_AROUND = 9  # Lines above and below the rows.


def make(states: Sequence[overview.State], jobs: int,
         console: console_lib.Console) -> console_lib.Group:
  """Draws a sweep.

  Args:
    states: of its runs.
    jobs: runs at once.
    console: where it is to fit; without a terminal all lines do.
  """
  wide = console.width >= _WIDE
  table = table_lib.Table(box=None, padding=(0, 1, 0, 0), header_style='bold',
                          pad_edge=False)
  table.add_column('run', overflow='fold', min_width=12)
  for name in ('episode', 'return', 'J_C', 'lambda', 'alpha_\nlambda', 'rate',
               *(('learner/env\nsteps/s', 'return so far', 'ETA') if wide
                 else ())):
    table.add_column(name, no_wrap=True)
  labels = _labels([state.name for state in states])
  room = console.height - _AROUND if console.is_terminal else 1 << 20
  shown = 0
  for status, style in _STYLES.items():
    group = [state for state in states if state.status == status]
    for number, state in enumerate(group):
      cells = _cells(state, labels[state.name], wide)
      room -= max(cell.plain.count('\n') + 1 for cell in cells) + (not number)
      if room < 0:
        break
      if not number:
        table.add_row(text_lib.Text(f'{status} ({len(group)})', style=style))
      shown += 1
      table.add_row(*cells)
  parts: List[Any] = [
      # A line of its own for the episodes: 80 columns do not hold all of it.
      text_lib.Text(display.progress_line(states, jobs, before_episodes='\n'),
                    style='bold'),
      text_lib.Text(), table]
  if shown < len(states):
    parts.append(text_lib.Text(f'... and {len(states) - shown} more runs',
                               style='dim'))
  parts.append(text_lib.Text(
      f'\nReturn and J_C: means of the last {run_view.WINDOW} episodes, of '
      f'finished runs of the last {metrics.WINDOW}.' + _constraints(states),
      style='dim'))
  return console_lib.Group(*parts)


def _constraints(states: Sequence[overview.State]) -> str:
  """Says what the lines of a run are, if all runs have the same."""
  names = set()
  for state in states:
    if state.summary is not None:
      names.add(tuple(c['name'] for c in state.summary['constraints']))
    elif state.run is not None:
      names.add(state.run.constraint_names)
  if len(names) != 1:
    return ''
  return f' Constraint{"s from above" * (len(min(names)) > 1)}: ' + ', '.join(
      names.pop()) + '.'


def _labels(names: Sequence[str]) -> Dict[str, str]:
  """Names without what all have in common, where that tells them apart."""
  parts = [name.split('-') for name in names]
  common = set.intersection(*map(set, parts)) if len(parts) > 1 else set()
  short = ['-'.join(part for part in each if part not in common)
           for each in parts]
  if len(set(short)) < len(names):
    short = list(names)
  return dict(zip(names, short))


def _cells(state: overview.State, label: str, wide: bool
           ) -> List[text_lib.Text]:
  """A row of the table."""
  name = text_lib.Text(f'  {label}')
  left = _left(state)
  if state.status == record.FAILED and state.last_line:
    name.append(f'\n  {state.last_line}', style=run_view.BAD)
  if left and not wide:
    name.append(f'\n    ETA {left}', style='dim')
  episode_return, penalties, constraints, curve = _numbers(state)
  speed = '' if state.rates is None else (
      f'{state.rates.learner_steps:.0f}/{state.rates.actor_steps:.0f}')
  return [
      name, text_lib.Text(f'{state.episodes}/{state.num_episodes}'),
      text_lib.Text(episode_return), text_lib.Text('\n').join(penalties),
      *(text_lib.Text('\n'.join(column)) for column in constraints),
      *(map(text_lib.Text, (speed, curve, left)) if wide else ())]


class _Numbers(NamedTuple):
  """What the table says of a run.

  Attributes:
    episode_return: R.
    penalties: J_C against its threshold, a text per constraint.
    constraints: lambda, alpha_lambda and the effective rate, likewise.
    curve: of the returns so far.
  """
  episode_return: str
  penalties: Sequence[text_lib.Text]
  constraints: Sequence[Sequence[str]]
  curve: str


def _numbers(state: overview.State) -> _Numbers:
  """From the summary of a finished run, else from the log."""
  if state.summary is not None:
    of = state.summary['constraints']
    return _Numbers(
        f'{state.summary["return"]:.1f}',
        [run_view.compared(c['penalty'], c['threshold']) for c in of],
        [[f'{c["lambda"]:.3g}' for c in of],
         [f'{c["alpha_lambda"]:.2g}' for c in of], []], '')
  if state.run is None or not state.run.num_episodes:
    return _Numbers('', [], [[], [], []], '')
  run = state.run
  returns, penalties = run.episodes['episode_return'], run.per_constraint(
      'penalty')
  return _Numbers(
      f'{run_view.recent(returns):.1f}',
      [run_view.compared(run_view.recent(penalty), float(threshold))
       for penalty, threshold in zip(penalties.T, run.thresholds)],
      [[format(value, form) for value in run.per_constraint(column)[-1]]
       for column, form in (('lambda', '.3g'), ('alpha_lambda', '.2g'),
                            ('effective_rate', '.2g'))],
      spark.line(spark.bins(returns, _CURVE)) if len(returns) > 1 else '')


def _left(state: overview.State) -> str:
  if state.status != record.RUNNING or state.rates is None:
    return ''
  return rates.duration(state.rates.seconds_per_episode * (
      state.num_episodes - state.episodes))

