"""Constrained reinforcement learning with Meta-Gradient D4PG.

`metal_tf.load_policy(DIR)` loads an exported policy, `metal_tf.export(DIR)`
exports one from a run's folder. Both are imported when they are first used, so
that importing the package loads nothing.
"""

import importlib
import os
import sys
from typing import Any

from metal_tf.system import versions

__version__ = '0.1.0'

_LAZY = {
    'export': 'metal_tf.training.export',
    'load_policy': 'metal_tf.policy.load',
}

# The doctor has to start where nothing else does: it says what is wrong.
if 'doctor' not in (os.path.basename(sys.argv[0]).partition('.')[0],
                    *sys.argv[1:2]):
  versions.check()


def __getattr__(name: str) -> Any:
  """Imports a function of the package on demand (PEP 562)."""
  if name not in _LAZY:
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
  return getattr(importlib.import_module(_LAZY[name]), name)
