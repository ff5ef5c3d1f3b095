"""The paper's four tasks: names, limits, thresholds and sizes, as plain facts.

Imports neither TensorFlow nor a simulator, so that flags can be checked before
any process starts. How sure a fact is goes with it, in four labels:

* `paper`: in the paper's main text;
* `checked`: read in public source code or a sister paper. The constraints and
  their limits are those of google-research/realworldrl_suite at `SUITE_COMMIT`;
* `recalled`: from the paper's appendix, which could not be opened: a good
  default, never a citation;
* `our choice`.

`s` below is the safety coefficient in [0, 1]. The suite has a bit per
constraint that is True where the constraint holds: penalty = 1 - bit.
"""

import dataclasses
import difflib
import math
from typing import Callable, Dict, Iterable, Optional, Tuple

SUITE_COMMIT = 'be7a51cffa7f5f9cb77a387c16bad209e0f851f8'
SAFETY_COEFFICIENTS = (0.05, 0.1, 0.2, 0.3)  # paper

_PREFIX = 'realworld_'


@dataclasses.dataclass(frozen=True)
class ConstraintInfo:
  """One constraint of a task.

  Attributes:
    name: the suite's name without `_constraint`.
    limits: from the safety coefficient to the limits. The order of the
      arithmetic is the suite's: it decides the last bit of a limit.
    text: when the constraint holds, with `{0:g}` for the first limit.
  """
  name: str
  limits: Callable[[float], Tuple[float, ...]]
  text: str

  def describe(self, safety_coeff: float) -> str:
    """When the constraint holds, in words with the limit and its unit."""
    return self.text.format(*self.limits(safety_coeff))


@dataclasses.dataclass(frozen=True)
class TaskInfo:
  """One of the paper's tasks.

  Attributes:
    domain: e.g. 'cartpole'.
    task: e.g. 'realworld_swingup'.
    constraints: all of the suite's, in its order.
    default_constraint: the paper's choice.
    default_constraint_label: how sure that is.
    default_threshold: for `default_constraint`, in mean penalty per step.
    default_threshold_label: how sure that is.
    thresholds: all thresholds of the paper's experiments, with their labels.
    observation_size: O, without penalties in the observation.
    action_size: A; the bounds are the environment's (not all of them are 1).
    control_timestep: seconds per step.
    episode_steps: steps of a full episode.
  """
  domain: str
  task: str
  constraints: Tuple[ConstraintInfo, ...]
  default_constraint: str
  default_constraint_label: str
  default_threshold: float
  default_threshold_label: str
  thresholds: Tuple[Tuple[float, str], ...]
  observation_size: int
  action_size: int
  control_timestep: float
  episode_steps: int = 1000

  @property
  def constraint_names(self) -> Tuple[str, ...]:
    return tuple(c.name for c in self.constraints)

  def constraint(self, name: str) -> ConstraintInfo:
    """The constraint called `name`; ValueError with the nearest if unknown."""
    for info in self.constraints:
      if info.name == name:
        return info
    raise ValueError(unknown(f'constraint of {self.domain}', name,
                             self.constraint_names))


# The joints' own ranges in the walker's model, in degrees: left and right hip,
# left and right knee, left and right ankle.
_WALKER_LOWER = (-30, -30, -160, -160, -75, -75)
_WALKER_UPPER = (110, 110, 15, 15, 60, 60)

_CARTPOLE = TaskInfo(
    domain='cartpole',
    task='realworld_swingup',
    constraints=(
        ConstraintInfo('slider_pos', lambda s: (s * -2, s * 2),
                       'cart strictly between {0:g} and {1:g} m'),
        ConstraintInfo('slider_accel', lambda s: (s * 130,),
                       'cart acceleration below {0:g} m/s^2'),
        ConstraintInfo(
            'balance_velocity',
            lambda s: ((1 - s) / 0.5 + 0.15, s * 0.5),
            'pole at most {1:g} rad/s where its cosine exceeds cos({0:g} rad)'),
    ),
    default_constraint='balance_velocity',
    default_constraint_label='checked',
    default_threshold=0.115,
    default_threshold_label='paper',
    thresholds=((0.07, 'recalled'), (0.09, 'recalled'), (0.115, 'paper')),
    observation_size=5,
    action_size=1,
    control_timestep=0.01,
)

_WALKER = TaskInfo(
    domain='walker',
    task='realworld_walk',
    constraints=(
        ConstraintInfo(
            'joint_angle',
            lambda s: tuple(s * degrees * math.pi / 180.
                            for degrees in _WALKER_LOWER + _WALKER_UPPER),
            'one joint above its lower and one below its upper limit (any, not '
            'all: so in the suite); hips {0:g} to {6:g}, knees {2:g} to {8:g}, '
            'ankles {4:g} to {10:g} rad'),
        ConstraintInfo('joint_velocity', lambda s: (s * 65,),
                       'every joint below {0:g} rad/s'),
        ConstraintInfo('dangerous_fall', lambda s: (s * -0.5,),
                       'forward projection of the torso above {0:g}'),
        ConstraintInfo('torso_upright', lambda s: (1 - s,),
                       'upright projection of the torso above {0:g}'),
    ),
    default_constraint='joint_velocity',
    # As in a sister paper (Mankowitz et al. 2020, R3C), with 0.1 there.
    default_constraint_label='checked',
    default_threshold=0.097,
    default_threshold_label='recalled',
    thresholds=((0.057, 'recalled'), (0.077, 'recalled'), (0.097, 'recalled')),
    observation_size=24,
    action_size=6,
    control_timestep=0.025,
)

_QUADRUPED = TaskInfo(
    domain='quadruped',
    task='realworld_walk',
    constraints=(
        ConstraintInfo('joint_angle', lambda s: (s * 60 * math.pi / 180,),
                       'every hinge within ±{0:g} rad'),
        ConstraintInfo('joint_velocity', lambda s: (s * 20,),
                       'every hinge below {0:g} rad/s'),
        ConstraintInfo('upright', lambda s: (1 - s * 0.7,),
                       'upright projection of the torso above {0:g}'),
        ConstraintInfo('foot_force', lambda s: (s * 20000,),
                       'force on every toe below {0:g} N'),
    ),
    default_constraint='joint_angle',
    default_constraint_label='recalled',
    default_threshold=0.745,
    default_threshold_label='recalled',
    thresholds=((0.545, 'recalled'), (0.645, 'recalled'), (0.745, 'recalled')),
    observation_size=78,
    action_size=12,
    control_timestep=0.02,
)

_HUMANOID = TaskInfo(
    domain='humanoid',
    task='realworld_walk',
    constraints=(
        ConstraintInfo('joint_angle', lambda s: (s * math.pi,),
                       'every joint within ±{0:g} rad'),
        ConstraintInfo('joint_velocity', lambda s: (s * 90,),
                       'every joint (but the first: so in the suite) below '
                       '{0:g} rad/s'),
        ConstraintInfo('upright', lambda s: (1 - s,),
                       'upright projection of the torso above {0:g}'),
        ConstraintInfo('dangerous_fall', lambda s: (s * 100,),
                       'touch on head and torso below {0:g} N'),
        ConstraintInfo('foot_force', lambda s: (s * 8000,),
                       'touch on every foot below {0:g} N'),
    ),
    default_constraint='joint_angle',
    default_constraint_label='recalled',
    default_threshold=0.478,
    default_threshold_label='recalled',
    thresholds=((0.278, 'recalled'), (0.378, 'recalled'), (0.478, 'recalled')),
    observation_size=67,
    action_size=21,
    control_timestep=0.025,
)

TASKS: Dict[str, TaskInfo] = {
    info.domain: info for info in (_CARTPOLE, _WALKER, _QUADRUPED, _HUMANOID)
}


def lookup(domain: str, task: Optional[str] = None) -> TaskInfo:
  """Finds a task.

  Args:
    domain: 'cartpole', 'walker', 'quadruped' or 'humanoid'.
    task: the suite's name with or without `realworld_`; the domain's only task
      if None.

  Returns:
    What is known of the task.

  Raises:
    ValueError: for an unknown domain or task, with the nearest name.
  """
  if domain not in TASKS:
    raise ValueError(unknown('domain', domain, TASKS))
  info = TASKS[domain]
  if task is not None and task not in (info.task, info.task[len(_PREFIX):]):
    raise ValueError(unknown(f'task of {domain}', task,
                             (info.task, info.task[len(_PREFIX):])))
  return info


def check_safety_coeff(safety_coeff: float) -> float:
  """Returns the coefficient as a float; ValueError outside [0, 1]."""
  # The comparison is also False for NaN.
  if not 0.0 <= safety_coeff <= 1.0:
    raise ValueError(f'safety_coeff must be in [0, 1], got {safety_coeff}')
  return float(safety_coeff)


def unknown(what: str, got: str, allowed: Iterable[str]) -> str:
  """Says that a name is unknown, and which is nearest.

  Args:
    what: kind of name, e.g. 'domain'.
    got: the name.
    allowed: all that there are.
  """
  allowed = list(allowed)
  nearest = difflib.get_close_matches(str(got), allowed, n=1, cutoff=0.5)
  hint = f'; did you mean {nearest[0]}?' if nearest else ''
  return f'unknown {what}: {got!r}, expected one of {", ".join(allowed)}{hint}'
