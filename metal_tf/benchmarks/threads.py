"""Thread pools and oneDNN, which TensorFlow fixes when a process starts."""

import os
from typing import Dict, List, NamedTuple

from metal_tf.system import threads


def num_cores() -> int:
  """Cores that this process may use."""
  return len(os.sched_getaffinity(0))


class Threads(NamedTuple):
  """How a process of TensorFlow is set up.

  Attributes:
    intra: threads of one operation.
    inter: operations at once.
    onednn: whether oneDNN's kernels are used.
  """
  intra: int
  inter: int
  onednn: bool

  def environment(self) -> Dict[str, str]:
    """The variables that say so."""
    return {'TF_NUM_INTRAOP_THREADS': str(self.intra),
            'TF_NUM_INTEROP_THREADS': str(self.inter),
            'TF_ENABLE_ONEDNN_OPTS': str(int(self.onednn))}

  def __str__(self) -> str:
    return (f'intra {self.intra}, inter {self.inter}, oneDNN '
            f'{"on" if self.onednn else "off"}')


def ours() -> Threads:
  """What a run of this project is set up with."""
  chosen = threads.choose(num_cores())
  return Threads(chosen.within, chosen.between, False)


def of_the_peer(quick: bool) -> List[Threads]:
  """The settings of which the peer gets the fastest.

  Args:
    quick: only the two that were fastest wherever this was tried.
  """
  cores = num_cores()
  if quick:
    return _different([Threads(1, cores, True), Threads(cores, cores, True)])
  return _different([
      Threads(intra, inter, onednn) for onednn in (True, False)
      for intra in (1, cores) for inter in (cores, 1)])


def _different(settings: List[Threads]) -> List[Threads]:
  return list(dict.fromkeys(settings))  # On one core they are all the same.
