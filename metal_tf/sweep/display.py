"""What a person sees of a sweep: events as lines, and one view of the grid."""

import sys
import time
from typing import Any, Callable, List, Optional, Sequence, TextIO

from rich import console as console_lib
from rich import live as live_lib

from metal_tf.runs import rates
from metal_tf.sweep import overview
from metal_tf.sweep import record

_LIVE_PERIOD = 2.0
_PLAIN_PERIOD = 30.0
_REST = 20.0  # Times as long as an update takes: the runs need the machine.
# Makes something that rich can show from the runs and how many are at once.
View = Callable[[Sequence[overview.State], int], Any]


class Display:
  """A live view on a terminal, else a line now and then."""

  def __init__(self, view: View, stream: Optional[TextIO] = None):
    """Shows nothing yet.

    Args:
      view: makes the picture for a terminal.
      stream: where to write; standard output by default.
    """
    self._view = view
    self._stream = stream or sys.stdout
    self._console = console_lib.Console(file=self._stream, highlight=False)
    self._live: Optional[live_lib.Live] = None
    self._due = 0.0

  @property
  def due(self) -> bool:
    """Whether it is time for `update`."""
    return time.monotonic() >= self._due

  def note(self, text: str) -> None:
    """Writes a line of its own, above the view."""
    if self._live is not None:
      self._console.print(text, markup=False)
    else:
      print(text, file=self._stream, flush=True)

  def update(self, read: Callable[[], Sequence[overview.State]],
             jobs: int) -> None:
    """Shows the runs.

    Args:
      read: finds out how the runs of the grid stand.
      jobs: runs at once.
    """
    started = time.monotonic()
    states = read()
    if self._console.is_terminal:
      if self._live is None:
        # Refreshed by hand, without a thread of its own.
        self._live = live_lib.Live(console=self._console, auto_refresh=False,
                                   transient=True)
        self._live.start()
      self._live.update(self._view(states, jobs), refresh=True)
      period = _LIVE_PERIOD
    else:
      self.note(progress_line(states, jobs))
      period = _PLAIN_PERIOD
    now = time.monotonic()
    self._due = now + max(period, (now - started) * _REST)

  def close(self, states: Sequence[overview.State]) -> None:
    """Ends the view; the last one stays on the terminal."""
    if self._live is not None:
      self._live.stop()
      self._live = None
      self._console.print(self._view(states, 1))


def progress_line(states: Sequence[overview.State], jobs: int) -> str:
  """How far the grid is, e.g. '3 of 8 runs finished, 2 running, ETA 1h05m'.

  Args:
    states: of the grid.
    jobs: runs at once.
  """
  counts = overview.count(states)
  parts: List[str] = [
      f'{counts.pop(record.FINISHED, 0)} of {len(states)} runs finished']
  parts += [f'{number} {status}' for status, number in sorted(counts.items())]
  done = sum(min(state.episodes, state.num_episodes) for state in states)
  parts.append(f'episode {done}/{sum(s.num_episodes for s in states)} in all')
  left = overview.seconds_left(states, jobs)
  if left and record.RUNNING in overview.count(states):
    parts.append(f'ETA {rates.duration(left)}')
  return ', '.join(parts)
