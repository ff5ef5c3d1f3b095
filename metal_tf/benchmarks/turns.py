"""Contestants: processes that prepare, and then measure when it is their turn.

TensorFlow fixes its threads and oneDNN when a process starts, so a contestant
is a process of its own. `Turns` is its end of a pipe, `Contestant` the
benchmark's. While one measures, the others wait for their turns.
"""

import contextlib
import importlib
import multiprocessing
import os
import sys
import tempfile
import time
from typing import (
    Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, NoReturn,
    Sequence)

from metal_tf.system import process
from metal_tf.system import threads

_SPAWN = multiprocessing.get_context('spawn')
_TAIL_CHARACTERS = 4000


class ContestantFailed(RuntimeError):
  """A contestant died or hung; the message has the end of its output."""


class Job(NamedTuple):
  """What a contestant does.

  Attributes:
    kind: 'module.function' of this room; takes a `Turns` and `arguments`.
    amount: how much it measures in a turn.
    arguments: of the function, by name.
    cores: that the process may use, and so its threads.
    environment: variables that are added to this process's.
  """
  kind: str
  amount: int
  arguments: Mapping[str, Any]
  cores: int
  environment: Mapping[str, str] = {}


class Turns:
  """A contestant's end of the pipe."""

  def __init__(self, pipe: Any):
    """Takes over the pipe, and says nothing yet."""
    self._pipe = pipe

  def next(self, answer: Any = None) -> int:
    """Answers, and waits for the next turn.

    Args:
      answer: what the last turn came to; the first says that all is prepared.

    Returns:
      How much to measure.
    """
    self._pipe.send(answer)
    return self._pipe.recv()

  def serve(self, measure: Callable[[int], None],
            ready: Any = None) -> NoReturn:
    """Answers with the seconds of one call in so many, until it is killed.

    Args:
      measure: does as many calls as it is told.
      ready: what to say first.
    """
    answer = ready
    while True:
      amount = self.next(answer)
      started = time.perf_counter()
      measure(amount)
      answer = (time.perf_counter() - started) / amount


class Contestant:
  """A contestant's process, seen from the benchmark."""

  def __init__(self, name: str, job: Job, directory: str,
               deadline_seconds: float = 600.0):
    """Starts it; `prepared` before anything else.

    Args:
      name: for messages.
      job: what it does.
      directory: for its output and its temporary files.
      deadline_seconds: an answer that takes longer is an error.
    """
    self._name, self._amount = name, job.amount
    self.ready: Any = None
    self._deadline_seconds = deadline_seconds
    folder = tempfile.mkdtemp(dir=directory)
    self._log = open(  # pylint: disable=consider-using-with
        os.path.join(folder, 'output'), 'w+', encoding='utf-8',
        errors='replace')
    self._pipe, other_end = _SPAWN.Pipe()
    self._process = _SPAWN.Process(
        target=_contestant, daemon=True,
        args=(job, other_end, folder, self._log.name, os.getpid()))
    cores = os.sched_getaffinity(0)
    try:
      # Before it starts: libraries look when they are loaded.
      os.sched_setaffinity(0, sorted(cores)[-job.cores:])
      self._process.start()
    finally:
      os.sched_setaffinity(0, cores)
    other_end.close()

  def prepared(self) -> None:
    """Waits until it is; `ready` is then what it said.

    Raises:
      ContestantFailed: if it dies, or the deadline passes.
    """
    self.ready = self._answer()

  def turn(self) -> float:
    """Lets it measure, and returns what that came to; raises as above."""
    with contextlib.suppress(OSError):  # It is dead, as `_answer` will say.
      self._pipe.send(self._amount)
    return self._answer()

  def close(self) -> None:
    """Kills it; nothing of it is wanted any more."""
    self._process.kill()
    self._process.join()
    self._log.close()

  def _answer(self) -> Any:
    try:
      if self._pipe.poll(self._deadline_seconds):
        return self._pipe.recv()
      what = f'said nothing for {self._deadline_seconds:g} s'
    except (EOFError, OSError):
      self._process.join()
      what = f'ended with exit status {self._process.exitcode}'
    output = self._log.read()[-_TAIL_CHARACTERS:].strip() or '(nothing)'
    raise ContestantFailed(
        f'{self._name} {what}. Its output ends with:\n{output}')


def _contestant(job: Job, pipe: Any, folder: str, log: str,
                parent: int) -> None:
  """The contestant's process."""
  process.die_with_parent(parent)
  with open(log, 'ab') as stream:
    os.dup2(stream.fileno(), sys.stdout.fileno())
    os.dup2(stream.fileno(), sys.stderr.fileno())
  os.environ.update(job.environment, TMPDIR=folder, TF_CPP_MIN_LOG_LEVEL='2')
  threads.set_up(0)  # As a launcher does, unless the environment says more.
  module, function = job.kind.split('.')
  prepare = getattr(
      importlib.import_module(f'metal_tf.benchmarks.{module}'), function)
  prepare(Turns(pipe), **job.arguments)


@contextlib.contextmanager
def started(jobs: Mapping[str, Job],
            directory: str) -> Iterator[Dict[str, Contestant]]:
  """Prepares contestants, as many at once as there are cores.

  Args:
    jobs: by name.
    directory: for their files.

  Yields:
    The contestants by name; they are killed at the end.

  Raises:
    ContestantFailed: if one cannot be prepared.
  """
  contestants: Dict[str, Contestant] = {}
  at_once, names = len(os.sched_getaffinity(0)), list(jobs)
  try:
    for batch in (names[i:i + at_once] for i in range(0, len(jobs), at_once)):
      for name in batch:
        contestants[name] = Contestant(name, jobs[name], directory)
      for name in batch:
        contestants[name].prepared()
    yield contestants
  finally:
    for contestant in contestants.values():
      contestant.close()


def take(contestants: Mapping[str, Contestant], rounds: int,
         peers: Sequence[str] = ()) -> Dict[str, List[float]]:
  """Lets contestants measure in turns.

  The order is reversed from round to round, so that a machine that slows down
  or speeds up favours nobody. Of more than two peers only the two fastest go on
  after the second round.

  Args:
    contestants: by name.
    rounds: how often.
    peers: names of those that do the same with different settings.

  Returns:
    By name what each one answered per round, without the peers that were left
    behind.
  """
  answers: Dict[str, List[float]] = {name: [] for name in contestants}
  for number in range(rounds):
    if number == 2:
      for slow in sorted(peers, key=lambda name: sum(answers[name]))[2:]:
        contestants[slow].close()
        del answers[slow]
    for name in list(answers)[::-1 if number % 2 else 1]:
      answers[name].append(contestants[name].turn())
  return answers
