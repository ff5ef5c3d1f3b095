"""Says what is being measured, and how long the rest will take."""

import time
from typing import Callable, Mapping


class Progress:
  """Lines of progress over steps whose length is known roughly."""

  def __init__(self, expected: Mapping[str, float],
               write: Callable[[str], None],
               clock: Callable[[], float] = time.monotonic):
    """Starts the clock.

    Args:
      expected: seconds of each step, by name, in their order.
      write: takes a line.
      clock: seconds.
    """
    self._expected = dict(expected)
    self._write = write
    self._clock = clock
    self._step_started = self._started = clock()
    self._step = ''
    self._done = 0.0  # Expected seconds of the steps that are over.
    self._taken = 0.0  # What they took.

  def begin(self, step: str) -> None:
    """Goes on to a step of `expected`."""
    now = self._clock()
    if self._step:
      self._done += self._expected.pop(self._step)
      self._taken += now - self._step_started
    self._step, self._step_started = step, now

  @property
  def seconds_left(self) -> float:
    """Until the end of the last step, corrected by how the first ones went."""
    pace = self._taken / self._done if self._done else 1.0
    left = pace * sum(self._expected.values())
    return max(0.0, left - (self._clock() - self._step_started))

  def say(self, text: str) -> None:
    """Writes a line with the time so far and the time left."""
    self._write(f'[{self._clock() - self._started:4.0f} s, about '
                f'{self.seconds_left:.0f} s left] {self._step}: {text}')
