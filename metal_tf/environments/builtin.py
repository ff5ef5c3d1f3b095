"""The paper's four tasks on dm_control, equal to the suite bit for bit.

Same seed and same actions give the observations, rewards and penalties of
google-research/realworldrl_suite at `tasks.SUITE_COMMIT` (held by
`parity_test.py` and `golden_test.py`). Without delays, noise and perturbations,
which the paper does not use, the suite's tasks are the control suite's, but
for its constraints and for how quadruped walk starts an episode.
"""

import importlib.metadata
from typing import Callable, Dict, List, Sequence, Tuple

from dm_control.rl import control

from metal_tf.environments import builtin_constraints
from metal_tf.environments import cartpole
from metal_tf.environments import constraint as constraint_lib
from metal_tf.environments import humanoid
from metal_tf.environments import quadruped
from metal_tf.environments import tasks
from metal_tf.environments import walker

_BUILDERS: Dict[str, Callable[[int], control.Environment]] = {
    'cartpole': cartpole.swingup,
    'walker': walker.walk,
    'quadruped': quadruped.walk,
    'humanoid': humanoid.walk,
}


def version() -> str:
  """What is running, to be printed and recorded."""
  versions = ', '.join(f'{name} {importlib.metadata.version(name)}'
                       for name in ('dm-control', 'mujoco'))
  return f'builtin ({versions})'


def make_environment(info: tasks.TaskInfo, safety_coeff: float,
                     seed: int) -> control.Environment:
  """Builds the task, still without constraints.

  Args:
    info: one of the paper's tasks.
    safety_coeff: not needed here; the suite's tasks know it.
    seed: of the initial states.

  Returns:
    The environment.
  """
  del safety_coeff
  return _BUILDERS[info.domain](seed)


def make_constraints(
    environment: control.Environment, info: tasks.TaskInfo,
    safety_coeff: float,
    chosen: Sequence[Tuple[tasks.ConstraintInfo, float]]
) -> List[constraint_lib.Constraint]:
  """Builds the chosen constraints with their thresholds.

  Args:
    environment: as `make_environment` returned it.
    info: one of the paper's tasks.
    safety_coeff: in [0, 1].
    chosen: constraints of this task, each with its threshold.

  Returns:
    The constraints, in the order of `chosen`.
  """
  return [
      constraint_lib.Constraint.of_physics(
          constraint.name,
          builtin_constraints.VIOLATED[info.domain, constraint.name](
              environment.physics, *constraint.limits(safety_coeff)),
          threshold, constraint.describe(safety_coeff))
      for constraint, threshold in chosen
  ]
