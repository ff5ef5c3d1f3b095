"""Constrained reinforcement learning with Meta-Gradient D4PG.

What a program needs stands here: `Config`, the agents (`METAL`, `RC_D4PG`,
`RS_D4PG`, `D4PG`, `MESH`), `train`; `Constraint`, `ConstrainedEnvironment` and
`from_gymnasium` for environments of one's own; `export`, which exports a policy
from a run's folder, and `load_policy`. Each is imported when it is first used,
so that importing the package loads nothing.
"""

import importlib
import os
import sys
from typing import Any, List

from metal_tf.system import lean_start
from metal_tf.system import proxies
from metal_tf.system import versions

__version__ = '0.1.0'

# Where each name is defined.
_LAZY = {
    'Config': 'metal_tf.config',
    'ConstrainedEnvironment': 'metal_tf.environments',
    'Constraint': 'metal_tf.environments',
    'D4PG': 'metal_tf.agent.agents',
    'MESH': 'metal_tf.agent.agents',
    'METAL': 'metal_tf.agent.agents',
    'RC_D4PG': 'metal_tf.agent.agents',
    'RS_D4PG': 'metal_tf.agent.agents',
    'export': 'metal_tf.training.export',
    'from_gymnasium': 'metal_tf.environments',
    'load_policy': 'metal_tf.policy.load',
    'train': 'metal_tf.training.run',
}

# The doctor has to start where nothing else does: it says what is wrong.
if 'doctor' not in (os.path.basename(sys.argv[0]).partition('.')[0],
                    *sys.argv[1:2]):
  versions.check()
proxies.except_loopback()
lean_start.without_jax()

# Training needs no renderer, and a machine without a display must not fail for
# the lack of one. dm_control reads this when it is first imported; set
# MUJOCO_GL yourself (e.g. to egl) to render.
os.environ.setdefault('MUJOCO_GL', 'disable')


def __getattr__(name: str) -> Any:
  """Imports what the package offers on demand (PEP 562)."""
  if name not in _LAZY:
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
  return getattr(importlib.import_module(_LAZY[name]), name)


def __dir__() -> List[str]:
  return sorted({*globals(), *_LAZY})
