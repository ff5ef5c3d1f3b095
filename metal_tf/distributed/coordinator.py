"""Decides when a run ends, and lets its workers go in order."""

import enum
import os
import threading
import time
from typing import Any, Callable, Dict, List, Sequence, Set, Tuple

import launchpad as lp

from metal_tf.distributed import leash as leash_lib
from metal_tf.distributed import service

_PERIOD_SECONDS = 0.2


class Phase(enum.IntEnum):
  """How far a run has got. A worker stops at its own phase, or a later one.

  The order is what makes the end clean: actors first, so that nothing waits at
  the replay's rate limiter; then the learner, whose last checkpoint needs the
  replay and the counter; then these.
  """
  RUN = 0
  STOP_ACTING = 1
  STOP_LEARNING = 2
  STOP_SERVING = 3


# Seconds that the workers of a phase have to stop. Somebody who is in a hurry
# gets what can be had; at a normal end the evaluator finishes its episodes.
_HURRIED = {Phase.STOP_ACTING: 3.0, Phase.STOP_LEARNING: 8.0,
            Phase.STOP_SERVING: 1.0}
_PATIENT = {Phase.STOP_ACTING: 120.0, Phase.STOP_LEARNING: 120.0,
            Phase.STOP_SERVING: 3.0}

_COUNTER = 'counter'  # Its count is the number of episodes.

# Workers that hold what no other has.
_IRREPLACEABLE = ('replay', 'counter', 'learner')

WARN_SHARE = 0.1  # Of the time after which a run that is stuck is stopped.


class Coordinator(service.Service):
  """Counts down to the end of the run; knows who is there and what they do."""

  def __init__(self, workers: Sequence[Tuple[str, Phase]],
               num_episodes: int, stall_seconds: float, loopback_only: bool):
    """Prepares; the run begins with `run`.

    Args:
      workers: every other worker's name, and the phase in which it stops.
      num_episodes: of the whole run.
      stall_seconds: after which a run in which no count moves is stopped.
      loopback_only: whether all workers are on this machine.
    """
    super().__init__(loopback_only)
    self._workers = dict(workers)
    self._num_episodes = num_episodes
    self._stall_seconds = stall_seconds
    self._lock = threading.Lock()
    self._phase = Phase.RUN
    self._reason = ''
    self._failed = False
    self._notes: List[str] = []
    self._num_read = 0
    self._starts: Dict[str, int] = {}
    self._pids: Dict[str, int] = {}
    self._hosts: Dict[str, Tuple[str, int]] = {}
    self._doing: Dict[str, Tuple[str, int]] = {}
    self._done: Set[str] = set()
    self._stop_event = lp.stop_event()

  # --- What workers call -----------------------------------------------------

  def hello(self, name: str, pid: int, host: str = '') -> int:
    """A worker has started.

    Args:
      name: of the worker.
      pid: its process.
      host: its machine.

    Returns:
      How often a worker of that name had started before.
    """
    with self._lock:
      if self._hosts.get(name) == (host, pid):
        return 0  # The same once more, whose answer was lost.
      self._hosts[name] = (host, pid)
      before = self._starts.get(name, 0)
      self._starts[name] = before + 1
      self._pids[name] = pid
    if before:
      if name in _IRREPLACEABLE:
        # A cluster restarts it as it was submitted, behind the run's state.
        self.ask_stop(f'{name} died')
      self.note(f'Warning: {name} died and was started again, as process {pid} '
                f'(time {before}); its episode is lost, training goes on.')
    elif set(self._pids) == set(self._workers):
      self.note('Processes: ' + ', '.join(
          f'{name} {pid}' for name, pid in self._pids.items()) +
                f', coordinator {os.getpid()}.')
    return before

  def beat(self, name: str, doing: str, count: int) -> Tuple[int, bool]:
    """A worker lives; returns the phase, and whether the end is in a hurry."""
    self._doing[name] = (doing, count)
    return int(self._phase), bool(self._reason)

  def done(self, name: str) -> None:
    """A worker has come to its end."""
    with self._lock:
      self._done.add(name)

  def note(self, text: str) -> None:
    """Adds a line to the screen; where there is none, to the log."""
    if not self._loopback_only:
      print(text, flush=True)
    with self._lock:
      self._notes.append(text)

  def ask_stop(self, reason: str, failed: bool = True) -> None:
    """Ends the run before its time, in order.

    Args:
      reason: why.
      failed: whether that is a failure; not if the launcher was asked.
    """
    with self._lock:
      self._reason = self._reason or reason
      self._failed = self._failed or failed

  # --- What the screen calls -------------------------------------------------

  def notes(self, since: int) -> List[str]:
    """The lines from number `since` on."""
    with self._lock:
      self._num_read = len(self._notes)
      return self._notes[since:]

  def overview(self) -> Dict[str, Any]:
    """Who does what: 'doing' {name: (words, count)}, 'restarts', 'reason'."""
    with self._lock:
      return dict(
          doing=dict(self._doing),
          restarts=sum(self._starts.values()) - len(self._starts),
          reason=self._reason)

  # --- Its own work ----------------------------------------------------------

  def _serve(self) -> None:
    self._wait_for_the_end()
    for phase in (Phase.STOP_ACTING, Phase.STOP_LEARNING, Phase.STOP_SERVING):
      self._enter(phase)
    if self._loopback_only:
      self._wait(
          lambda: self._num_read == len(self._notes), Phase.STOP_SERVING)
    if self._failed:
      raise RuntimeError(self._reason)

  def _wait_for_the_end(self) -> None:
    """Returns when all episodes are done or somebody asked."""
    state, warned, moved = None, False, time.monotonic()
    # From the counter's own beats: a call to one that died would never return.
    while not self._reason and (
        self._doing.get(_COUNTER, ('', 0))[1] < self._num_episodes):
      if self._stop_event.wait(_PERIOD_SECONDS):
        self.ask_stop('the coordinator was asked to stop')
      now = (len(self._pids),
             [count for _, count in self._doing.copy().values()])
      if now != state:
        state, moved, warned = now, time.monotonic(), False
        continue
      patience = self._stall_seconds
      if len(self._pids) < len(self._workers):  # Some are still being started.
        patience = max(patience, leash_lib.START_SECONDS)
      stuck = time.monotonic() - moved
      text = f'nothing has moved for {stuck:.0f} s: {self._who_does_what()}'
      if stuck > WARN_SHARE * patience and not warned:
        warned = True
        self.note(f'Warning: {text}.')
      if stuck > patience:
        self.ask_stop(text)

  def _who_does_what(self) -> str:
    doing = [f'{name} {doing} ({count})'
             for name, (doing, count) in self._doing.copy().items()]
    return ', '.join(doing + [f'{name} not there yet' for name in self._workers
                              if name not in self._pids])

  def _enter(self, phase: Phase) -> None:
    """Begins a phase and waits for those whose last one it is."""
    self._phase = phase
    expected = {name for name, last in self._workers.items() if last == phase}
    self._wait(lambda: expected <= self._done, phase)
    late = sorted(expected - self._done)
    if late:
      text = f'{", ".join(late)} did not stop in {self._patience(phase):g} s'
      self.note(f'Warning: {text}.')
      if phase == Phase.STOP_LEARNING:  # The results of the run are not there.
        self.ask_stop(text)

  def _patience(self, phase: Phase) -> float:
    """Seconds for a phase; somebody may lose patience in the midst of it."""
    return (_HURRIED if self._reason else _PATIENT)[phase]

  def _wait(self, condition: Callable[[], bool], phase: Phase) -> None:
    """Waits for a condition, but no longer than the phase has."""
    began = time.monotonic()
    while (not condition() and
           time.monotonic() - began < self._patience(phase)):
      time.sleep(_PERIOD_SECONDS)
