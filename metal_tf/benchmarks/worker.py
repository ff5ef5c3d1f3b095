"""A contestant's process: prepares, then measures whenever it is told.

    python -m metal_tf.benchmarks.worker <role> <arguments as JSON>

See `protocol` for what it says, and the modules of the roles for what it does.
"""

import importlib
import json
import os
import sys
import time
from typing import Any, Callable, Dict

from metal_tf.system import process

# Where a role's function is: it prepares, then serves turns until the end.
ROLES: Dict[str, str] = {
    'learner': 'metal_tf.benchmarks.learners:ours',
    'acme_learner': 'metal_tf.benchmarks.learners:acme',
    'run': 'metal_tf.benchmarks.runs:ours',
    'acme_run': 'metal_tf.benchmarks.runs:acme',
    'first_step': 'metal_tf.benchmarks.runs:first_step',
    'environment': 'metal_tf.benchmarks.components:environment',
    'insert': 'metal_tf.benchmarks.components:insert',
    'server': 'metal_tf.benchmarks.components:server',
    'memory': 'metal_tf.benchmarks.components:memory',
    'sgemm': 'metal_tf.benchmarks.components:sgemm',
}


class Turns:
  """The worker's end of the protocol."""

  def __init__(self) -> None:
    """Keeps standard output for the answers; prints go to standard error."""
    self._answers = os.fdopen(os.dup(sys.stdout.fileno()), 'w', buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

  def answer(self, **values: Any) -> None:
    """Answers; the first time, this says that everything is prepared."""
    self._answers.write(json.dumps(values) + '\n')

  def wait(self) -> int:
    """Idles until it is this worker's turn, and returns how much to measure.

    Raises:
      SystemExit: if there are no more turns.
    """
    line = sys.stdin.readline()
    if not line:
      sys.exit(0)
    return int(line)

  def serve(self, measure: Callable[[int], None], **ready: Any) -> None:
    """Says that everything is prepared and times calls until the end.

    Args:
      measure: does so many of what is measured.
      **ready: what to say first.
    """
    self.answer(**ready)
    while True:
      amount = self.wait()
      started = time.perf_counter()
      measure(amount)
      self.answer(count=amount, seconds=time.perf_counter() - started)


def main() -> None:
  parent = os.environ.pop(process.PARENT_VARIABLE)
  process.die_with_parent(int(parent))
  role, arguments = sys.argv[1:]
  turns = Turns()
  module, function = ROLES[role].split(':')
  getattr(importlib.import_module(module), function)(
      turns, **json.loads(arguments))


if __name__ == '__main__':
  main()
