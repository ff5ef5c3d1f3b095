"""A contestant: a process that prepares, then measures when it is its turn.

    python -m metal_tf.benchmarks.contestant MODULE.FUNCTION CORES ARGUMENTS

The function is one of this room; its arguments are JSON. The process keeps to
that many cores. It prints a line of JSON when it is prepared and one for each
number that it reads, which says how much to measure: mostly the seconds for one
of what it measures. `turns` has the other end.
"""

import importlib
import json
import os
import sys
import time
from typing import Any, Callable, NoReturn

from metal_tf.system import process
from metal_tf.system import threads


class Turns:
  """The contestant's end of the pipe."""

  def __init__(self) -> None:
    """Keeps standard output for answers; prints go to standard error."""
    self._answers = os.fdopen(os.dup(sys.stdout.fileno()), 'w', buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

  def next(self, answer: Any = None) -> int:
    """Answers, and idles until the next turn.

    Args:
      answer: what the last turn came to; the first says that all is prepared.

    Returns:
      How much to measure.

    Raises:
      SystemExit: if there are no more turns.
    """
    self._answers.write(json.dumps(answer) + '\n')
    line = sys.stdin.readline()
    if not line:
      sys.exit(0)
    return int(line)

  def serve(self, measure: Callable[[int], None], ready: Any = None
           ) -> NoReturn:
    """Answers with the seconds of one call in so many, until the end.

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


def main() -> None:
  process.die_with_parent(int(os.environ.pop(process.PARENT_VARIABLE)))
  kind, cores, arguments = sys.argv[1:]
  os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-int(cores):])
  threads.set_up(0)  # As a launcher does, unless the environment says more.
  module, function = kind.split('.')
  prepare = getattr(
      importlib.import_module(f'metal_tf.benchmarks.{module}'), function)
  prepare(Turns(), **json.loads(arguments))


if __name__ == '__main__':
  main()
