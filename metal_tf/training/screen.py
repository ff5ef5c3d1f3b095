"""Where a run's lines go; nothing that happens there ends the run."""

import os
import shutil
import sys
import textwrap
from typing import Any


class Screen:
  """A stream for text that may be of any kind, and may go away.

  Attributes:
    live: whether it is a terminal, whose lines can be rewritten.
  """

  def __init__(self, stream: Any):
    """Takes a stream.

    Args:
      stream: has `write`; a missing `flush` or `isatty` is no error. None, as
        `sys.stdout` is in a program without a console, shows nothing.
    """
    self._stream = stream
    isatty = getattr(stream, 'isatty', None)
    self.live = bool(isatty is not None and isatty())

  def line(self, text: str) -> None:
    """Shows lines; a terminal has them wrapped between words.

    Args:
      text: indented lines, such as those of tables and commands, stay whole.
    """
    if self.live:
      text = '\n'.join(line if line.startswith(' ') else textwrap.fill(
          line, shutil.get_terminal_size().columns - 1, break_on_hyphens=False,
          break_long_words=False, subsequent_indent='  ')
                       for line in text.split('\n'))
    self.write(text + '\n')

  def write(self, text: str) -> None:
    """Shows text at once, or drops it where nobody reads it any more."""
    if self._stream is None:
      return
    try:
      self._stream.write(text)
      getattr(self._stream, 'flush', lambda: None)()
    except BrokenPipeError:
      _drop_output(self._stream)
      self._stream = None
    except (OSError, ValueError):
      pass  # A full disk may have room later; a closed file never has.


def _drop_output(stream: Any) -> None:
  """Keeps Python from failing at its end, when it flushes what is left."""
  if stream is sys.stdout and stream is sys.__stdout__:
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, stream.fileno())
    os.close(sink)
