"""What ties a worker to its run: it hears when to stop, says what it does."""

from concurrent import futures
import os
import socket
import threading
import time
from typing import Any

import launchpad as lp

_PERIOD_SECONDS = 0.25
# The coordinator answers in milliseconds; a client's call ends after seconds.
_MISSES = 3
# For an answer that is on its way when the worker has to stop.
_LAST_ANSWER_SECONDS = 1.0
# Machines of a cluster start minutes apart.
START_SECONDS = 600.0


class Stopped(Exception):
  """The worker has to stop, and what it waited for has not come."""


def _hello(coordinator: Any, name: str) -> int:
  """Says that a worker has started; the coordinator may start later than it."""
  deadline = time.monotonic() + START_SECONDS
  while True:
    try:
      return coordinator.hello(name, os.getpid(), socket.gethostname())
    except Exception:
      # Courier has one error for everything.
      if time.monotonic() > deadline:
        raise
      time.sleep(_PERIOD_SECONDS)


class Leash:
  """A background conversation with the coordinator.

  A worker stops when the coordinator's phase says so; when Launchpad asks it to
  (SIGTERM, or another worker that failed), the coordinator is told, and stops
  everybody in order. Without a coordinator each stops on its own account.

  Attributes:
    doing: a few words for the screen, set by the worker.
    count: what the worker has done so far, in its own unit; a run in which no
      count moves is stuck.
    hurried: whether the run ends before its time, so that nobody waits long.
    starts_before: how often a worker of that name had started before.
  """

  def __init__(self, coordinator: Any, name: str, phase: int):
    """Says hello and begins to listen.

    Args:
      coordinator: client of it, whose calls time out after some seconds.
      name: of the worker, e.g. 'actor 2'.
      phase: of the coordinator in which this worker has to stop.

    Raises:
      Exception: the client's, if no coordinator is found for ten minutes.
    """
    self.starts_before = _hello(coordinator, name)
    self.doing = 'starting'
    self.count = 0
    self.hurried = False
    self._coordinator = coordinator
    self._name = name
    self._phase = phase
    self._stop = threading.Event()
    self._closed = threading.Event()
    self._asked_by_launchpad = lp.stop_event()
    self._thread = threading.Thread(target=self._listen, daemon=True)
    self._thread.start()

  @property
  def stopping(self) -> bool:
    """Whether the worker has to come to its end."""
    return self._stop.is_set()

  def wait(self, seconds: float) -> bool:
    """Sleeps; returns at once with True when the worker has to stop."""
    return self._stop.wait(seconds)

  def ask(self, client: Any, method: str, *arguments: Any,
          patience: float = _LAST_ANSWER_SECONDS) -> Any:
    """Calls another worker, which may be dead, without waiting for ever.

    At the run's normal end the answer is waited for: the other one is alive
    then, and on a busy machine only slow. Only the coordinator loses patience.

    Args:
      client: of the other worker.
      method: its name.
      *arguments: for it.
      patience: seconds for the answer once this worker has to stop in a hurry.

    Returns:
      The answer.

    Raises:
      Stopped: if this worker has to stop in a hurry and there is no answer.
    """
    answer = getattr(client.futures, method)(*arguments)
    while True:
      try:
        return answer.result(_PERIOD_SECONDS)
      except futures.TimeoutError:
        if self.stopping and self.hurried:
          patience -= _PERIOD_SECONDS
        if patience < 0:
          answer.cancel()
          raise Stopped(f'{self._name}: no answer from {method}') from None

  def close(self) -> None:
    """Says that the worker is done."""
    self._closed.set()
    self._thread.join()
    try:
      self._coordinator.done(self._name)
    except Exception:  # noqa: BLE001 (nobody is left to be told)
      pass

  def _listen(self) -> None:
    misses = 0
    passed_on = False
    while not self._closed.wait(_PERIOD_SECONDS):
      try:
        if self._asked_by_launchpad.is_set() and not passed_on:
          self._coordinator.ask_stop(f'{self._name} was asked to stop')
          passed_on = True
        phase, hurried = self._coordinator.beat(
            self._name, self.doing, self.count)
        misses = 0
      except Exception:  # noqa: BLE001 (Courier has one error for everything)
        # Gone, busy, or raised over there.
        misses += 1
        if misses == _MISSES:
          self.hurried = True
          self._stop.set()
          return
        continue
      self.hurried = hurried  # Before anybody reads it because of the next.
      if phase >= self._phase:
        self._stop.set()
