"""Sizes of TensorFlow's two thread pools.

The learner step is a graph of compiled parts, two of which can run side by side
(the critic's and the policy's): threads *between* operations. Threads *within*
one, which share a single matrix product, gain little at the paper's sizes and
disturb each other where there are only two: docs/performance.md.
"""

import os
from typing import Dict, NamedTuple, Optional

_WITHIN, _BETWEEN = 'TF_NUM_INTRAOP_THREADS', 'TF_NUM_INTEROP_THREADS'
_PARTS = 2  # Of the learner step that run side by side.


class Threads(NamedTuple):
  """Threads within an operation, and between operations."""
  within: int
  between: int


def choose(threads: int) -> Threads:
  """Shares threads out.

  Args:
    threads: to be used in all, at least 1.
  """
  between = min(_PARTS, threads)
  return Threads(threads // between, between)


def set_up(threads: int) -> None:
  """Sets the pools' sizes; has to come before TensorFlow is loaded.

  Args:
    threads: to be used in all; 0: what the environment's variables of
      TensorFlow say, else all of the process's cores.
  """
  chosen = choose(threads or len(os.sched_getaffinity(0)))
  for variable, number in zip((_WITHIN, _BETWEEN), chosen):
    if threads or variable not in os.environ:
      os.environ[variable] = str(number)


def serve(threads: int) -> None:
  """Sets the sizes where TensorFlow is loaded, but has not computed yet.

  Args:
    threads: to be used in all; 0 leaves everything as it is.

  Raises:
    RuntimeError: if TensorFlow has begun with other sizes.
  """
  if not threads:
    return
  chosen = choose(threads)
  if tuple(in_use().values()) == tuple(map(str, chosen)):
    return  # By `set_up`.
  import tensorflow as tf
  tf.config.threading.set_intra_op_parallelism_threads(chosen.within)
  tf.config.threading.set_inter_op_parallelism_threads(chosen.between)
  set_up(threads)  # For the record.


def between() -> int:
  """Threads between operations that `set_up` chose; 0: TensorFlow decides."""
  return int(os.environ.get(_BETWEEN, 0))


def in_use() -> Dict[str, Optional[str]]:
  """The sizes that this process was started with; None: TensorFlow's own."""
  return {variable: os.environ.get(variable)
          for variable in (_WITHIN, _BETWEEN)}
