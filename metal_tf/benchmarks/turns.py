"""Contestants: processes that prepare, and then measure when it is their turn.

TensorFlow fixes its threads and oneDNN when a process starts, so a contestant
is a process of its own. `Turns` is its end of a pipe, `Contestant` the
benchmark's. While one measures, the others wait.
"""

import contextlib
import importlib
import multiprocessing
import os
import sys
import tempfile
import time
from typing import (
  Any,
  Callable,
  Dict,
  List,
  Mapping,
  NoReturn,
  Optional,
  Sequence,
)

from metal_tf.system import process
from metal_tf.system import threads

_SPAWN = multiprocessing.get_context('spawn')
_TAIL_CHARACTERS = 4000
_DEADLINE_SECONDS = 600.0  # Of one answer.


class ContestantFailed(RuntimeError):
  """A contestant died or hung; the message has the end of its output."""


class Turns:
  """A contestant's end of the pipe."""

  def __init__(self, pipe: Any):
    """Takes over the pipe, and says nothing yet."""
    self._pipe = pipe

  def next(self, answer: Any = None) -> int:
    """Answers, waits for the next turn, and returns how much to measure.

    Args:
      answer: what the last turn came to; the first says that all is prepared.
    """
    self._pipe.send(answer)
    return self._pipe.recv()

  def serve(self, measure: Callable[[int], None],
            ready: Any = None) -> NoReturn:
    """Answers with the seconds of one in so many, until the process is killed.

    Args:
      measure: does as many as it is told.
      ready: what to say first.
    """
    answer = ready
    while True:
      amount = self.next(answer)
      started = time.perf_counter()
      measure(amount)
      answer = (time.perf_counter() - started) / amount


class Contestant:
  """A contestant, seen from the benchmark: as a context, its process.

  Attributes:
    kind: 'module.function' of this room.
    amount: how much it measures in a turn.
    arguments: of the function, after its `Turns`.
    cores: that the process may use, and so its threads; 0: all.
    environment: variables that are added to this process's.
    ready: what it said when it was prepared.
  """

  def __init__(self, kind: str, amount: int = 1, cores: int = 0,
               environment: Optional[Mapping[str, str]] = None,
               **arguments: Any):
    """Starts nothing yet; see the attributes."""
    self.kind, self.amount, self.cores = kind, amount, cores
    self.environment, self.arguments = dict(environment or {}), arguments
    self.ready: Any = None
    self._log = ''
    self._pipe: Any = None
    self._process: Any = None

  def start(self, directory: str) -> None:
    """Starts the process, which then prepares.

    Args:
      directory: for its output and its temporary files.
    """
    folder = tempfile.mkdtemp(dir=directory)
    self._log = os.path.join(folder, 'output')
    with open(self._log, 'wb'):
      pass  # It is there even if the process never writes to it.
    self._pipe, other_end = _SPAWN.Pipe()
    self._process = _SPAWN.Process(daemon=True, target=_run, args=(
        self.kind, self.arguments, other_end, self._log, os.getpid()))
    cores, environment = os.sched_getaffinity(0), dict(os.environ)
    try:
      # Inherited: libraries look when they are loaded, which begins at once.
      os.sched_setaffinity(0, sorted(cores)[-self.cores:])
      os.environ.update(
          self.environment, TMPDIR=folder, TF_CPP_MIN_LOG_LEVEL='2')
      self._process.start()
    finally:
      os.sched_setaffinity(0, cores)
      os.environ.clear()
      os.environ.update(environment)
    other_end.close()

  def wait_until_ready(self) -> None:
    """Waits for the end of the preparation.

    Raises:
      ContestantFailed: if it dies first, or takes ten minutes.
    """
    self.ready = self._answer()

  def turn(self) -> float:
    """Lets it measure, and returns what that came to; raises likewise."""
    with contextlib.suppress(OSError):  # It is dead, as `_answer` will say.
      self._pipe.send(self.amount)
    return self._answer()

  def stop(self) -> None:
    """Kills the process; nothing of it is wanted any more."""
    self._process.kill()
    self._process.join()

  def _answer(self) -> Any:
    try:
      if self._pipe.poll(_DEADLINE_SECONDS):
        return self._pipe.recv()
      what = f'said nothing for {_DEADLINE_SECONDS:g} s'
    except (EOFError, OSError):
      self._process.join()
      what = f'ended with exit status {self._process.exitcode}'
    with open(self._log, encoding='utf-8', errors='replace') as stream:
      output = stream.read()[-_TAIL_CHARACTERS:].strip()
    raise ContestantFailed(
        f'{self.kind} {self.arguments} {what}. Its output ends with:\n'
        f'{output or "(nothing)"}')


def _run(kind: str, arguments: Mapping[str, Any], pipe: Any, log: str,
         parent: int) -> None:
  """The contestant's process."""
  process.die_with_parent(parent)
  with open(log, 'ab') as stream:
    os.dup2(stream.fileno(), sys.stdout.fileno())
    os.dup2(stream.fileno(), sys.stderr.fileno())
  threads.set_up(0)  # As a launcher does, unless the environment says more.
  module, function = kind.split('.')
  prepare = getattr(
      importlib.import_module(f'metal_tf.benchmarks.{module}'), function)
  prepare(Turns(pipe), **arguments)


def race(contestants: Mapping[str, Contestant], directory: str, rounds: int,
         peers: Sequence[str] = ()) -> Dict[str, List[float]]:
  """Lets contestants prepare, then measure in turns.

  As many as there are cores prepare at once. The order of the turns is reversed
  from round to round, so that a machine that slows down or speeds up favours
  nobody. Of more than two peers only the two fastest go on after the second
  round.

  Args:
    contestants: by name.
    directory: for their files.
    rounds: how often.
    peers: names of those that do the same with different settings.

  Returns:
    By name what each one answered per round, without the peers that were left
    behind.

  Raises:
    ContestantFailed: if one dies or hangs.
  """
  names, at_once = list(contestants), len(os.sched_getaffinity(0))
  answers: Dict[str, List[float]] = {name: [] for name in contestants}
  with contextlib.ExitStack() as stack:
    for batch in (names[i:i + at_once] for i in range(0, len(names), at_once)):
      for name in batch:
        contestants[name].start(directory)
        stack.callback(contestants[name].stop)
      for name in batch:
        contestants[name].wait_until_ready()
    for number in range(rounds):
      if number == 2:
        for slow in sorted(peers, key=lambda name: sum(answers[name]))[2:]:
          contestants[slow].stop()
          del answers[slow]
      for name in list(answers)[::-1 if number % 2 else 1]:
        answers[name].append(contestants[name].turn())
  return answers
