"""The suite's constraints on the paper's tasks, as functions of the physics.

Every function here takes a model's physics (to look up indices once) and the
limits of `registry`, and returns `violated(physics) -> bool`. Limits and
quantities are those of google-research/realworldrl_suite at
`registry.SUITE_COMMIT`, quirks included; comparisons are strict there and say
what holds, so here a constraint is violated where `not quantity < limit`.
"""

from typing import Callable, Dict, Tuple

from dm_control import mujoco
import numpy as np

_Violated = Callable[[mujoco.Physics], bool]

# Elements of a flattened 3x3 rotation matrix.
_ZX, _ZZ = 6, 8


def _cartpole_slider_pos(physics: mujoco.Physics, lower: float,
                         upper: float) -> _Violated:
  del physics  # The slider is the first joint of the model.
  return lambda physics: not lower < physics.data.qpos[0] < upper


def _cartpole_slider_accel(physics: mujoco.Physics, limit: float) -> _Violated:
  del physics
  return lambda physics: not abs(physics.data.qacc[0]) < limit


def _cartpole_balance_velocity(physics: mujoco.Physics, angle: float,
                               velocity: float) -> _Violated:
  """Violated where the pole is up and fast; `angle` in rad, then rad/s."""
  pole = physics.model.name2id('pole_1', 'body')
  # numpy's cosine, as in the suite: the last bit may differ from math.cos.
  cosine = np.cos(angle)

  def violated(physics: mujoco.Physics) -> bool:
    return bool(physics.data.xmat[pole, _ZZ] > cosine and
                abs(physics.data.qvel[1]) > velocity)

  return violated


VIOLATED: Dict[Tuple[str, str], Callable[..., _Violated]] = {
    ('cartpole', 'slider_pos'): _cartpole_slider_pos,
    ('cartpole', 'slider_accel'): _cartpole_slider_accel,
    ('cartpole', 'balance_velocity'): _cartpole_balance_velocity,
}
