"""What a person sees of a program's workers, and how they stop them."""

import contextlib
import threading
import time
from typing import Any, Callable, Optional

from metal_tf.distributed import coordinator as coordinator_lib
from metal_tf.distributed import leash as leash_lib
from metal_tf.training import progress as progress_lib

_PERIOD_SECONDS = 0.25


class Screen:
  """Asks the coordinator and the counter for news, from a thread of its own.

  The coordinator watches over the workers. Whether it can be reached at all is
  watched here, since it could not say so itself.
  """

  def __init__(self, coordinator: Any, counter: Any,
               progress: progress_lib.Progress, kill: Callable[[], None],
               grace_seconds: float, fail: Callable[[str], None],
               stall_seconds: float):
    """Begins to watch.

    Args:
      coordinator: client of it.
      counter: client of it.
      progress: shows the numbers.
      kill: ends all workers at once.
      grace_seconds: that the workers have after `stop`, before `kill`.
      fail: ends all workers at once, for the reason that it is given.
      stall_seconds: without an answer of the coordinator until `fail`; before
        its first one it has longer, like everybody who is being started.
    """
    self._coordinator = coordinator
    self._counter = counter
    self._progress = progress
    self._kill = kill
    self._grace_seconds = grace_seconds
    self._fail = fail
    self._stall_seconds = stall_seconds
    self._patience = max(stall_seconds, leash_lib.START_SECONDS)
    self._heard = time.monotonic()
    self._warned = False
    self._reason = ''
    self._killer: Optional[threading.Timer] = None
    self._num_notes = 0
    self._num_episodes = 0
    self._closed = threading.Event()
    self._thread = threading.Thread(target=self._watch, daemon=True)
    self._thread.start()

  def stop(self, reason: str) -> None:
    """Lets the workers live for the grace only; safe in a signal handler.

    Args:
      reason: told to the coordinator, which ends the run; '' if that has ended.
    """
    self._reason = self._reason or reason
    if self._killer is None:
      # Apart from the watching thread, whose calls may take seconds.
      self._killer = threading.Timer(self._grace_seconds, self._kill_late)
      self._killer.daemon = True
      self._killer.start()

  def close(self) -> None:
    """Ends the threads."""
    if self._killer is not None:
      self._killer.cancel()
    self._closed.set()
    self._thread.join()

  def _kill_late(self) -> None:
    with contextlib.suppress(OSError):  # Whatever became of the screen.
      self._progress.note('Workers that did not stop are killed now.')
    self._kill()

  def _watch(self) -> None:
    told = False
    while not self._closed.wait(_PERIOD_SECONDS):
      try:
        if self._reason and not told:
          self._coordinator.ask_stop(self._reason, False)
          told = True
        self._show_notes()
        if self._progress.due:
          self._show_numbers()
      except Exception:  # noqa: BLE001 (Courier has one error for everything)
        # Not there yet, or gone.
        self._check_silence()

  def _check_silence(self) -> None:
    silence = time.monotonic() - self._heard
    text = (f'no answer from the coordinator for {silence:.0f} s; do all '
            'processes live, and can they reach each other through the '
            'loopback device?')
    if silence > coordinator_lib.WARN_SHARE * self._patience and (
        not self._warned):
      self._warned = True
      self._progress.note(f'Warning: {text}')
    if silence > self._patience and self._killer is None:
      self._fail(text)

  def _show_notes(self) -> None:
    notes = self._coordinator.notes(self._num_notes)
    self._heard, self._warned = time.monotonic(), False
    self._patience = self._stall_seconds
    for note in notes:
      self._num_notes += 1
      self._progress.note(note)

  def _show_numbers(self) -> None:
    news = self._counter.news(self._num_episodes)
    for episode_return, episode_penalty, multiplier in news['episodes']:
      self._num_episodes += 1
      self._progress.episode(episode_return, episode_penalty, multiplier)
    doing = self._coordinator.overview()['doing']
    phase, learner_steps = doing.get('learner', ('starting', 0))
    if phase == 'waiting for samples':
      phase = 'learning' if learner_steps else 'filling replay'
    actor_steps = sum(count for name, (_, count) in doing.items()
                      if name.startswith('actor'))
    self._progress.update(
        phase, news['num_episodes'], actor_steps, news['multiplier'],
        news['meta_parameter'], news['effective_rate'])
