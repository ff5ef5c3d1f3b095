"""Signals that end a run in order."""

import contextlib
import signal
import threading
from typing import Any, Callable, Iterator


@contextlib.contextmanager
def handled(handler: Callable[[int, Any], None]) -> Iterator[None]:
  """Gives SIGINT and SIGTERM to a handler, where a program can.

  Python has handlers of signals in the main thread only: in another one, the
  run leaves them to whoever started it.

  Args:
    handler: takes the signal's number and a frame.
  """
  if threading.current_thread() is not threading.main_thread():
    yield
    return
  before = {number: signal.signal(number, handler)
            for number in (signal.SIGINT, signal.SIGTERM)}
  try:
    yield
  finally:
    for number, previous in before.items():
      signal.signal(number, previous)
