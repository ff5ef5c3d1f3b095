"""Keeps TensorFlow's import from loading what no run needs."""

from importlib import abc
import sys
from typing import Any, Optional, Sequence

# Tries to import jax, for converting its functions to TensorFlow Lite, and does
# without where there is none.
_CONVERTER = 'tensorflow.lite.python.util'


class _NoJax(abc.MetaPathFinder):
  """Hides jax from TensorFlow Lite's converter, and from nobody else."""

  def find_spec(self, fullname: str, path: Optional[Sequence[str]],
                target: Any = None) -> None:
    """Finds nothing; raises ImportError while the converter is imported."""
    del path, target
    if fullname == 'jax':
      spec = getattr(sys.modules.get(_CONVERTER), '__spec__', None)
      if getattr(spec, '_initializing', False):
        raise ImportError('not needed')


def without_jax() -> None:
  """Saves each process half a second of importing jax along with TensorFlow.

  Acme brings jax, and TensorFlow 2.8 imports what there is of it. Whoever
  imports jax themselves, before or after, gets it; what is missing is
  `tf.lite.TFLiteConverter.experimental_from_jax`, which says so.
  """
  if not any(isinstance(finder, _NoJax) for finder in sys.meta_path):
    sys.meta_path.insert(0, _NoJax())
