"""The suite's constraints on the paper's tasks, as functions of the physics.

Every function here takes a model's physics (to look up indices once) and the
limits of `registry`, and returns `violated(physics) -> bool`. Limits and
quantities are those of google-research/realworldrl_suite at
`registry.SUITE_COMMIT`, quirks included. Comparisons there are strict and say
what holds, so here a constraint is violated where `not quantity < limit`.
"""

from typing import Callable, Dict, Sequence, Tuple

from dm_control import mujoco
from dm_control.mujoco.wrapper import mjbindings
import numpy as np

from metal_tf.environments import indices

_Violated = Callable[[mujoco.Physics], bool]

# A free root joint takes the first seven elements of qpos.
_FREE_JOINT_QPOS = 7

_WALKER_JOINTS = ('left_hip', 'right_hip', 'left_knee', 'right_knee',
                  'left_ankle', 'right_ankle')
_TOE_SENSORS = ('force_toe_front_left', 'force_toe_front_right',
                'force_toe_back_left', 'force_toe_back_right')
_FOOT_SENSORS = ('right_left_foot_touch', 'right_right_foot_touch',
                 'left_left_foot_touch', 'left_right_foot_touch')
_FALL_SENSORS = ('head_touch', 'torso_touch')


def _slider_pos(physics: mujoco.Physics, lower: float,
                upper: float) -> _Violated:
  """The cart's position in m, strictly inside both limits."""
  del physics  # The slider is the model's first joint.
  return lambda physics: not lower < physics.data.qpos[0] < upper


def _slider_accel(physics: mujoco.Physics, limit: float) -> _Violated:
  """The cart's acceleration in m/s^2."""
  del physics
  return lambda physics: not abs(physics.data.qacc[0]) < limit


def _balance_velocity(physics: mujoco.Physics, angle: float,
                      velocity: float) -> _Violated:
  """The pole's velocity in rad/s, while it is within `angle` rad of upright."""
  pole = indices.body(physics, 'pole_1')
  # numpy's cosine, as in the suite: math.cos may differ in the last bit.
  cosine = np.cos(angle)

  def violated(physics: mujoco.Physics) -> bool:
    data = physics.data
    return bool(data.xmat[pole, indices.ZZ] > cosine and
                abs(data.qvel[1]) > velocity)

  return violated


def _walker_joint_angle(physics: mujoco.Physics, *limits: float) -> _Violated:
  """Angles in rad against lower and upper limits of their own.

  The suite's condition holds as soon as one joint is above its lower limit and
  one, perhaps another, is below its upper limit, so it is hardly ever violated.
  """
  joints = [int(physics.model.jnt_qposadr[physics.model.name2id(name, 'joint')])
            for name in _WALKER_JOINTS]
  lower = np.array(limits[:len(joints)])
  upper = np.array(limits[len(joints):])

  def violated(physics: mujoco.Physics) -> bool:
    angles = physics.data.qpos[joints]
    return not ((angles > lower).any() and (angles < upper).any())

  return violated


def _velocity_from(first: int) -> Callable[..., _Violated]:
  """The largest |velocity| in rad/s from degree of freedom `first` on."""

  def build(physics: mujoco.Physics, limit: float) -> _Violated:
    del physics
    return lambda physics: not np.abs(physics.data.qvel[first:]).max() < limit

  return build


def _torso(element: int, sign: int) -> Callable[..., _Violated]:
  """A projection of the torso's axes on the world's, in [-1, 1]."""

  def build(physics: mujoco.Physics, limit: float) -> _Violated:
    torso = indices.body(physics, 'torso')
    return lambda physics: not sign * physics.data.xmat[torso, element] > limit

  return build


def _quadruped_joint_angle(physics: mujoco.Physics,
                           limit: float) -> _Violated:
  """The largest |hinge angle| in rad."""
  hinges = physics.model.jnt_qposadr[_hinges(physics)]
  return lambda physics: not np.abs(physics.data.qpos[hinges]).max() < limit


def _quadruped_joint_velocity(physics: mujoco.Physics,
                              limit: float) -> _Violated:
  """The largest |hinge velocity| in rad/s."""
  hinges = physics.model.jnt_dofadr[_hinges(physics)]
  return lambda physics: not np.abs(physics.data.qvel[hinges]).max() < limit


def _quadruped_foot_force(physics: mujoco.Physics, limit: float) -> _Violated:
  """The largest force on a toe in N, unscaled."""
  toes = [indices.sensor(physics, name) for name in _TOE_SENSORS]

  def violated(physics: mujoco.Physics) -> bool:
    forces = physics.data.sensordata
    return not max(np.linalg.norm(forces[toe]) for toe in toes) < limit

  return violated


def _humanoid_joint_angle(physics: mujoco.Physics, limit: float) -> _Violated:
  """The largest |joint angle| in rad, the root left out."""
  del physics

  def violated(physics: mujoco.Physics) -> bool:
    return not np.abs(physics.data.qpos[_FREE_JOINT_QPOS:]).max() < limit

  return violated


def _touch(names: Sequence[str]) -> Callable[..., _Violated]:
  """The largest reading of touch sensors in N; they are never negative."""

  def build(physics: mujoco.Physics, limit: float) -> _Violated:
    sensors = [indices.sensor(physics, name).start for name in names]
    return lambda physics: not physics.data.sensordata[sensors].max() < limit

  return build


def _hinges(physics: mujoco.Physics) -> np.ndarray:
  return indices.joints_of_type(
      physics, mjbindings.enums.mjtJoint.mjJNT_HINGE)


VIOLATED: Dict[Tuple[str, str], Callable[..., _Violated]] = {
    ('cartpole', 'slider_pos'): _slider_pos,
    ('cartpole', 'slider_accel'): _slider_accel,
    ('cartpole', 'balance_velocity'): _balance_velocity,
    ('walker', 'joint_angle'): _walker_joint_angle,
    # The planar root has three degrees of freedom.
    ('walker', 'joint_velocity'): _velocity_from(3),
    ('walker', 'dangerous_fall'): _torso(indices.ZX, -1),
    ('walker', 'torso_upright'): _torso(indices.ZZ, 1),
    ('quadruped', 'joint_angle'): _quadruped_joint_angle,
    ('quadruped', 'joint_velocity'): _quadruped_joint_velocity,
    ('quadruped', 'upright'): _torso(indices.ZZ, 1),
    ('quadruped', 'foot_force'): _quadruped_foot_force,
    ('humanoid', 'joint_angle'): _humanoid_joint_angle,
    # The free root has six degrees of freedom, but the suite leaves out seven,
    # the first joint's among them.
    ('humanoid', 'joint_velocity'): _velocity_from(7),
    ('humanoid', 'upright'): _torso(indices.ZZ, 1),
    ('humanoid', 'dangerous_fall'): _touch(_FALL_SENSORS),
    ('humanoid', 'foot_force'): _touch(_FOOT_SENSORS),
}
