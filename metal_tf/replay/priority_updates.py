"""Brings new priorities to a Reverb server, beside the learner."""

import contextlib
import queue
import threading
from typing import Any, Optional, Tuple

import reverb

from metal_tf.replay import priorities as priorities_lib
from metal_tf.replay import tables

# Updates that may wait. A server that is slower than the learner then slows it,
# rather than getting further and further behind.
_LONGEST_QUEUE = 4

# For the updates that wait at the end.
_CLOSE_SECONDS = 5.0


class PriorityUpdates:
  """A thread that sends updates in the order in which they were given.

  It is the thread that waits for a learner step's result, where that comes from
  an accelerator, and for the server's answer; meanwhile the next step runs.
  """

  def __init__(self, client: reverb.Client,
               largest: float = priorities_lib.FIRST) -> None:
    """Starts the thread.

    Args:
      client: of the server that holds `tables.make_tables`.
      largest: the largest priority so far.
    """
    self._client = client
    self._largest = largest
    self._error: Optional[Exception] = None
    self._queue: queue.Queue[Optional[Tuple[Any, Any]]] = queue.Queue(
        _LONGEST_QUEUE)
    self._thread = threading.Thread(
        target=self._send_all, name='priority updates', daemon=True)
    self._thread.start()

  @property
  def largest(self) -> float:
    """The largest priority so far, with which transitions should enter."""
    return self._largest

  def put(self, keys: Any, priorities: Any) -> None:
    """Takes an update, see `Replay.update_priorities`; waits if many do.

    Raises:
      Exception: that of an update before, if it failed; later ones are lost.
    """
    self._check()
    self._queue.put((keys, priorities))

  def flush(self) -> None:
    """Waits until the server has all updates; raises as `put` does."""
    self._queue.join()
    self._check()

  def close(self) -> None:
    """Ends the thread, after what it still has to do, if that is soon."""
    with contextlib.suppress(queue.Full):  # The server does not answer.
      self._queue.put(None, timeout=_CLOSE_SECONDS)
    self._thread.join(_CLOSE_SECONDS)

  def _check(self) -> None:
    if self._error is not None:
      raise self._error

  def _send_all(self) -> None:
    while True:
      update = self._queue.get()
      try:
        if update is None:
          return
        if self._error is None:
          self._send(*update)
      except Exception as error:  # noqa: BLE001 (for the thread that learns)
        self._error = error
      finally:
        self._queue.task_done()

  def _send(self, keys: Any, priorities: Any) -> None:
    keys, priorities = priorities_lib.usable(keys, priorities)
    if not keys.size:
      return
    # Reverb passes over transitions that it has removed.
    self._client.mutate_priorities(
        tables.TRANSITIONS, updates=dict(zip(keys.tolist(),
                                             priorities.tolist())))
    self._largest = max(self._largest, float(priorities.max()))
