"""Contestants as processes that idle until they are told to measure.

A worker prepares (builds, compiles, warms up), answers one JSON line, and then
answers each number on its standard input with one JSON line about so many
calls. What else it prints is kept in a file and shown if it fails.
"""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any, Dict, List, Mapping, Optional, Sequence

from metal_tf.system import process

WORKER_MODULE = 'metal_tf.benchmarks.worker'
_TAIL_CHARACTERS = 4000


class WorkerFailed(RuntimeError):
  """A worker died or hung; the message has the end of its output."""


class Worker:
  """One contestant's process."""

  def __init__(self, name: str, arguments: Sequence[str],
               environment: Mapping[str, str], directory: str,
               deadline_seconds: float):
    """Starts it; `wait_until_ready` before anything else.

    Args:
      name: for messages, and of its folder.
      arguments: for Python, the module or script first.
      environment: added to this process's.
      directory: gets a folder of its own, for its output and temporary files.
      deadline_seconds: an answer that takes longer is an error.
    """
    self.name = name
    self._deadline_seconds = deadline_seconds
    folder = tempfile.mkdtemp(
        prefix=f'{name.split()[0]}-', dir=directory)
    self._log = os.path.join(folder, 'output')
    self._started = time.monotonic()
    with open(self._log, 'wb') as log:
      # In a session of its own: Ctrl-C is for whoever ends all workers.
      # pylint: disable-next=consider-using-with
      self._process = subprocess.Popen(
          [sys.executable, *arguments],
          env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path),
               'TMPDIR': folder, 'TF_CPP_MIN_LOG_LEVEL': '2',
               process.PARENT_VARIABLE: str(os.getpid()), **environment},
          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
          start_new_session=True)
    self._answers: 'queue.Queue[str]' = queue.Queue()
    self._first_answer_time = 0.0  # None yet.
    threading.Thread(target=self._listen, daemon=True).start()
    self.start_seconds = float('nan')
    self.ready: Dict[str, Any] = {}

  @property
  def has_answered(self) -> bool:
    """Whether an answer, or the end, waits to be taken."""
    return not self._answers.empty()

  def wait_until_ready(self) -> Dict[str, Any]:
    """Waits for the end of the preparation.

    Returns:
      The worker's first answer; `start_seconds` are those from its start to it.

    Raises:
      WorkerFailed: if it dies first, or the deadline passes.
    """
    self.ready = self._answer('preparing')
    self.start_seconds = self._first_answer_time - self._started
    return self.ready

  def measure(self, amount: int) -> Dict[str, Any]:
    """Lets it measure.

    Args:
      amount: how many calls, episodes and so on.

    Returns:
      What it answers.

    Raises:
      WorkerFailed: if it dies, or the deadline passes.
    """
    try:
      self._process.stdin.write(f'{amount}\n')
      self._process.stdin.flush()
    except BrokenPipeError:
      pass  # It is dead, which is told with its output.
    return self._answer('measuring')

  def close(self) -> None:
    """Kills it and whatever it started; nothing of it is wanted any more."""
    try:
      os.killpg(self._process.pid, signal.SIGKILL)
    except ProcessLookupError:
      pass
    self._process.wait()
    with contextlib.suppress(BrokenPipeError):  # Of what was not read.
      self._process.stdin.close()

  def _answer(self, doing: str) -> Dict[str, Any]:
    try:
      line = self._answers.get(timeout=self._deadline_seconds)
    except queue.Empty:
      raise self._failed(f'did not end {doing} within '
                         f'{self._deadline_seconds:g} s') from None
    if not line:
      self._process.wait()
      raise self._failed(
          f'ended while {doing}, exit status {self._process.returncode}')
    return json.loads(line)

  def _failed(self, what: str) -> WorkerFailed:
    self.close()
    with open(self._log, encoding='utf-8', errors='replace') as stream:
      output = stream.read()[-_TAIL_CHARACTERS:].strip()
    return WorkerFailed(
        f'{self.name} {what}. Its output ends with:\n{output or "(nothing)"}')

  def _listen(self) -> None:
    """Hands the answers on; '' at the end."""
    with self._process.stdout as stream:
      for line in stream:
        self._first_answer_time = self._first_answer_time or time.monotonic()
        self._answers.put(line)
    self._answers.put('')


class Workers:
  """Starts workers and ends all of them, whatever happens.

  Use as a context manager.
  """

  def __init__(self, directory: str, deadline_seconds: float = 300.0):
    """Starts nothing yet.

    Args:
      directory: for their output and temporary files.
      deadline_seconds: of each answer.
    """
    self._directory = directory
    self._deadline_seconds = deadline_seconds
    self._workers: List[Worker] = []

  def start(self, name: str, role: str, environment: Mapping[str, str],
            arguments: Optional[Mapping[str, Any]] = None) -> Worker:
    """Starts a contestant.

    Args:
      name: for messages, different for each.
      role: of `worker.ROLES`.
      environment: added to this process's.
      arguments: of the role.
    """
    return self.start_command(
        name, ['-m', WORKER_MODULE, role, json.dumps(arguments or {})],
        environment)

  def start_command(self, name: str, command: Sequence[str],
                    environment: Mapping[str, str]) -> Worker:
    """Starts any program of Python's that speaks like a worker."""
    worker = Worker(name, command, environment, self._directory,
                    self._deadline_seconds)
    self._workers.append(worker)
    return worker

  def __enter__(self) -> 'Workers':
    return self

  def __exit__(self, *unused: Any) -> None:
    for worker in self._workers:
      worker.close()


def take_turns(workers: Mapping[str, Worker], amounts: Mapping[str, int],
               rounds: int) -> Dict[str, List[Dict[str, Any]]]:
  """Lets workers measure in turns; while one does, the others idle.

  The order is reversed from round to round, so that a machine that slows down
  or speeds up favours nobody.

  Args:
    workers: by name.
    amounts: what each measures per round.
    rounds: how often.

  Returns:
    Per worker its answers, one per round.
  """
  answers: Dict[str, List[Dict[str, Any]]] = {name: [] for name in workers}
  names = list(workers)
  for number in range(rounds):
    for name in names if number % 2 == 0 else reversed(names):
      answers[name].append(workers[name].measure(amounts[name]))
  return answers
