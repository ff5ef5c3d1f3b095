"""Starts contestants and lets them take turns; see `contestant`."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from typing import (
    Any, Dict, Iterator, List, Mapping, NamedTuple, NoReturn, Sequence)

from metal_tf.system import process

_TAIL_CHARACTERS = 4000


class ContestantFailed(RuntimeError):
  """A contestant died or hung; the message has the end of its output."""


class Job(NamedTuple):
  """What a contestant is.

  Attributes:
    kind: 'module.function' of this room.
    amount: how much it measures in a turn.
    arguments: of the function.
    cores: that it may use.
    environment: variables that are added to this process's.
  """
  kind: str
  amount: int
  arguments: Mapping[str, Any]
  cores: int
  environment: Mapping[str, str] = {}


class Contestant:
  """A contestant's process, seen from the benchmark."""

  def __init__(self, name: str, job: Job, directory: str,
               deadline_seconds: float = 600.0):
    """Starts it; `wait_until_ready` before anything else.

    Args:
      name: for messages.
      job: what it is.
      directory: gets its output and a folder for its temporary files.
      deadline_seconds: an answer that takes longer is an error.
    """
    self.name = name
    self._deadline_seconds = deadline_seconds
    folder = tempfile.mkdtemp(dir=directory)
    self._log = os.path.join(folder, 'output')
    self._started = time.monotonic()
    with open(self._log, 'wb') as log:
      # In a session of its own, which Ctrl-C does not reach and which can be
      # killed whole. pylint: disable-next=consider-using-with
      self._process = subprocess.Popen(
          [sys.executable, '-m', 'metal_tf.benchmarks.contestant', job.kind,
           str(job.cores), json.dumps(job.arguments)],
          env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path),
               'TMPDIR': folder, 'TF_CPP_MIN_LOG_LEVEL': '2',
               process.PARENT_VARIABLE: str(os.getpid()), **job.environment},
          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
          start_new_session=True)
    self.ready: Any = None
    self.start_seconds = float('nan')

  def wait_until_ready(self) -> None:
    """Waits for the end of the preparation.

    `ready` is then what the contestant said first, `start_seconds` the time
    from its start until then.

    Raises:
      ContestantFailed: if it dies first, or the deadline passes.
    """
    self.ready = self._answer('preparing')
    self.start_seconds = time.monotonic() - self._started

  def turn(self, amount: int) -> float:
    """Lets it measure so much, and returns what it answers.

    Raises:
      ContestantFailed: if it dies, or the deadline passes.
    """
    with contextlib.suppress(BrokenPipeError):  # It is dead; see `_answer`.
      self._process.stdin.write(f'{amount}\n')
      self._process.stdin.flush()
    return self._answer('measuring')

  def close(self) -> None:
    """Kills it and all that it started."""
    with contextlib.suppress(ProcessLookupError):
      os.killpg(self._process.pid, signal.SIGKILL)
    self._process.wait()
    self._process.stdout.close()
    with contextlib.suppress(BrokenPipeError):  # Of what it did not read.
      self._process.stdin.close()

  def _answer(self, doing: str) -> Any:
    answers = self._process.stdout
    if not select.select([answers], [], [], self._deadline_seconds)[0]:
      self._fail(f'did not end {doing} within {self._deadline_seconds:g} s')
    line = answers.readline()
    if not line:
      self._fail(f'ended while {doing}, exit status {self._process.wait()}')
    return json.loads(line)

  def _fail(self, what: str) -> NoReturn:
    self.close()
    with open(self._log, encoding='utf-8', errors='replace') as stream:
      output = stream.read()[-_TAIL_CHARACTERS:].strip() or '(nothing)'
    raise ContestantFailed(
        f'{self.name} {what}. Its output ends with:\n{output}')


@contextlib.contextmanager
def started(jobs: Mapping[str, Job],
            directory: str) -> Iterator[Dict[str, Contestant]]:
  """Starts contestants, as many at once as there are cores.

  Args:
    jobs: by name.
    directory: for their files.

  Yields:
    The prepared contestants by name; they are ended at the end of the context.

  Raises:
    ContestantFailed: if one cannot be prepared.
  """
  at_once = len(os.sched_getaffinity(0))
  contestants: Dict[str, Contestant] = {}
  names = list(jobs)
  try:
    for i in range(0, len(names), at_once):
      for name in names[i:i + at_once]:
        contestants[name] = Contestant(name, jobs[name], directory)
      for name in names[i:i + at_once]:
        contestants[name].wait_until_ready()
    yield contestants
  finally:
    for contestant in contestants.values():
      contestant.close()


def take(contestants: Mapping[str, Contestant], jobs: Mapping[str, Job],
         rounds: int, peers: Sequence[str] = ()) -> Dict[str, List[float]]:
  """Lets contestants measure in turns; while one does, the others idle.

  The order is reversed from round to round, so that a machine that slows down
  or speeds up favours nobody. Of more than two peers only the two fastest go on
  after the second round.

  Args:
    contestants: by name.
    jobs: by name.
    rounds: how often.
    peers: names of those that do the same with different settings.

  Returns:
    By name, in the order of `contestants`, what each one answered per round;
    without the peers that did not go on.
  """
  answers: Dict[str, List[float]] = {name: [] for name in contestants}
  for number in range(rounds):
    if number == 2:
      for name in sorted(peers, key=lambda name: sum(answers[name]))[2:]:
        contestants[name].close()
        del answers[name]
    for name in list(answers)[::-1 if number % 2 else 1]:
      answers[name].append(contestants[name].turn(jobs[name].amount))
  return answers
