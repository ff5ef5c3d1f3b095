"""What a person sees: lines, and one picture that is drawn again and again."""

import time
from typing import Any, Callable, List, Optional, Sequence

from rich import console as console_lib
from rich import live as live_lib

from metal_tf.runs import rates
from metal_tf.sweep import overview
from metal_tf.sweep import record

_REST = 20.0  # Times as long as a picture takes: the runs need the machine.


class Screen:
  """A live picture on a terminal; elsewhere pictures follow each other."""

  def __init__(self, period: float,
               console: Optional[console_lib.Console] = None):
    """Shows nothing yet.

    Args:
      period: seconds between two pictures, at least.
      console: where to write; standard output by default.
    """
    self.console = console or console_lib.Console(highlight=False)
    self._period = period
    self._live: Optional[live_lib.Live] = None
    self._picture: Any = ''
    self._due = 0.0

  @property
  def rest(self) -> float:
    """Seconds until it is time for `update`; 0 if it is."""
    return max(0.0, self._due - time.monotonic())

  def note(self, text: str) -> None:
    """Writes a line of its own, above the picture."""
    self.console.print(text, markup=False, soft_wrap=self._live is None)

  def update(self, draw: Callable[[], Any]) -> None:
    """Shows what `draw` returns: something for rich, or a line."""
    started = time.monotonic()
    try:
      self._show(draw())
    finally:
      now = time.monotonic()
      self._due = now + max(self._period, _REST * (now - started))

  def _show(self, picture: Any) -> None:
    self._picture = picture
    if isinstance(picture, str):
      self.note(picture)
    elif self.console.is_terminal:
      if self._live is None:
        # Refreshed by hand, without a thread of its own.
        self._live = live_lib.Live(console=self.console, auto_refresh=False,
                                   transient=True)
        self._live.start()
      self._live.update(picture, refresh=True)
    else:
      self.console.print(picture)

  def close(self, draw: Optional[Callable[[], Any]] = None) -> None:
    """Ends a live picture; the last one, or what `draw` returns, stays."""
    if self._live is not None:
      self._live.stop()
      self._live = None
      self.console.print(draw() if draw else self._picture)


def progress_line(states: Sequence[overview.State], jobs: int,
                  before_episodes: str = ' ') -> str:
  """How far the grid is.

  E.g. '3 of 8 runs finished, 2 running, 3 waiting, episode 40/80 in all, ETA
  1h05m'.

  Args:
    states: of the grid.
    jobs: runs at once.
    before_episodes: what parts the runs from the episodes; a new line where
      the screen is narrow.
  """
  counts = overview.count(states)
  parts: List[str] = [
      f'{counts.pop(record.FINISHED, 0)} of {len(states)} runs finished']
  parts += [f'{number} {status}' for status, number in sorted(counts.items())]
  done = sum(min(state.episodes, state.num_episodes) for state in states)
  episodes = [f'episode {done}/{sum(s.num_episodes for s in states)} in all']
  left = overview.seconds_left(states, jobs)
  if left and record.RUNNING in counts:
    episodes.append(f'ETA {rates.duration(left)}')
  return ', '.join(parts) + f',{before_episodes}' + ', '.join(episodes)
