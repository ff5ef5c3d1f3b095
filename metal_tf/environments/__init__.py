"""Constrained environments: the wrapper, the paper's tasks, the suite.

Importing this package loads no simulator: `make` does.
"""

from metal_tf.environments.adapting import adapt
from metal_tf.environments.adapting import from_gymnasium
from metal_tf.environments.constraint import Constraint
from metal_tf.environments.errors import BadEnvironmentOutput
from metal_tf.environments.errors import EpisodeCut
from metal_tf.environments.factory import make
from metal_tf.environments.factory import resolve_suite
from metal_tf.environments.own import OwnEnvironmentError
from metal_tf.environments.tasks import TASKS
from metal_tf.environments.wrapper import ConstrainedEnvironment
from metal_tf.environments.wrapper import TimeStep

__all__ = (
    'BadEnvironmentOutput',
    'ConstrainedEnvironment',
    'Constraint',
    'EpisodeCut',
    'OwnEnvironmentError',
    'TASKS',
    'TimeStep',
    'adapt',
    'from_gymnasium',
    'make',
    'resolve_suite',
)
