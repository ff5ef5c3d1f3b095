"""A sweep as a picture in text: the runs that matter now, as many as fit."""

from typing import List, Sequence

import numpy as np
from rich import console as console_lib
from rich import table as table_lib
from rich import text as text_lib

from metal_tf.experiment import progress
from metal_tf.sweep import display
from metal_tf.sweep import overview
from metal_tf.sweep import record
from metal_tf.watch import run_view
from metal_tf.watch import spark

# In the order of the table.
_STYLES = {
    record.RUNNING: 'bold green', record.FAILED: 'bold red',
    record.INTERRUPTED: 'yellow', record.FINISHED: '', record.WAITING: 'dim'}
_WIDE = 118  # Columns from which on the multiplier gets columns of its own.
_CURVE = 12


def make(states: Sequence[overview.State], jobs: int, width: int,
         height: int) -> console_lib.Group:
  """Draws a sweep.

  Args:
    states: of its runs.
    jobs: runs at once.
    width: columns of the terminal.
    height: lines of the terminal.
  """
  wide = width >= _WIDE
  table = table_lib.Table(box=None, padding=(0, 2, 0, 0), header_style='bold',
                          expand=False, pad_edge=False)
  table.add_column('status', no_wrap=True)
  table.add_column('run', overflow='fold')
  for name in ('episode', 'return', 'J_C', *(
      ('lambda', 'alpha_lambda', 'rate', 'steps/s', 'curve') if wide else ()),
               'ETA'):
    table.add_column(name, no_wrap=True)
  order = list(_STYLES)
  room = height - 5
  shown = 0
  for state in sorted(states, key=lambda state: order.index(state.status)):
    cells = _cells(state, wide)
    lines = max(cell.plain.count('\n') + 1 for cell in cells)
    if room < lines:
      break
    room -= lines
    shown += 1
    table.add_row(*cells)
  parts: List[object] = [
      text_lib.Text(display.progress_line(states, jobs), style='bold'),
      text_lib.Text(), table]
  if shown < len(states):
    parts.append(text_lib.Text(f'... and {len(states) - shown} more runs',
                               style='dim'))
  return console_lib.Group(*parts)


def _cells(state: overview.State, wide: bool) -> List[text_lib.Text]:
  """A row of the table."""
  name = text_lib.Text(state.name)
  if state.status == record.FAILED and state.last_line:
    name.append(f'\n{state.last_line}', style='red')
  numbers = _numbers(state)
  if not wide and state.status == record.RUNNING:
    for k in range(len(numbers.multiplier)):
      name.append(
          f'\n  lambda {numbers.multiplier[k]}  alpha_lambda '
          f'{numbers.meta_parameter[k]}  rate {numbers.rate[k]}', style='dim')
    if numbers.speed:
      name.append(f'\n  {numbers.speed} learner/env steps/s', style='dim')
  more = [_text('\n'.join(numbers.multiplier)),
          _text('\n'.join(numbers.meta_parameter)),
          _text('\n'.join(numbers.rate)), _text(numbers.speed),
          _text(numbers.curve)]
  return [
      _text(state.status, _STYLES[state.status]), name,
      _text(f'{state.episodes}/{state.num_episodes}'),
      _text(numbers.episode_return), numbers.penalty,
      *(more if wide else ()), _text(_left(state))]


class _Numbers:
  """What the table says of a run; the lists have one text per constraint."""

  def __init__(self) -> None:
    self.episode_return = ''
    self.penalty = text_lib.Text()
    self.multiplier: List[str] = []
    self.meta_parameter: List[str] = []
    self.rate: List[str] = []
    self.speed = ''
    self.curve = ''


def _numbers(state: overview.State) -> _Numbers:
  """From the summary of a finished run, else from the log."""
  numbers = _Numbers()
  if state.rates is not None:
    numbers.speed = (f'{state.rates.learner_steps:.0f}/'
                     f'{state.rates.actor_steps:.0f}')
  lines = []
  if state.summary is not None:
    numbers.episode_return = f'{state.summary["return"]:.1f}'
    for constraint in state.summary['constraints']:
      lines.append(run_view.compared(
          constraint['penalty'], constraint['threshold']))
      numbers.multiplier.append(f'{constraint["lambda"]:.3g}')
      numbers.meta_parameter.append(f'{constraint["alpha_lambda"]:.2g}')
  elif state.run is not None and state.run.num_episodes:
    run = state.run
    returns = run.episodes['episode_return']
    numbers.episode_return = f'{run_view.recent(returns):.1f}'
    numbers.curve = spark.line(spark.bins(returns, _CURVE))
    for k, threshold in enumerate(run.thresholds):
      lines.append(run_view.compared(
          run_view.recent(run.per_constraint('penalty')[:, k]),
          float(threshold)))
    numbers.multiplier = _last(run.per_constraint('lambda'), '.3g')
    numbers.meta_parameter = _last(run.per_constraint('alpha_lambda'), '.2g')
    numbers.rate = _last(run.per_constraint('effective_rate'), '.2g')
  numbers.penalty = text_lib.Text('\n').join(lines)
  return numbers


def _last(values: np.ndarray, form: str) -> List[str]:
  return [format(value, form) for value in values[-1]]


def _left(state: overview.State) -> str:
  if state.status != record.RUNNING or state.rates is None:
    return ''
  return progress.duration(state.rates.seconds_per_episode * (
      state.num_episodes - state.episodes))


def _text(text: str, style: str = '') -> text_lib.Text:
  return text_lib.Text(text, style=style)
