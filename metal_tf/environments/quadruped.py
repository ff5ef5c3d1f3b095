"""Quadruped walk as the suite has it: episodes start upright.

dm_control's own quadruped walk drops the robot in any orientation; the suite's
differs in the azimuth only. Everything else is dm_control's, with integer
indices.
"""

from typing import Any

from dm_control.mujoco.wrapper import mjbindings
from dm_control.rl import control
from dm_control.suite import common
from dm_control.suite import quadruped
import numpy as np

from metal_tf.environments import indices

_TIME_LIMIT = 20  # seconds, checked
_CONTROL_TIMESTEP = 0.02  # seconds, checked
_WALK_SPEED = 0.5  # m/s, checked
_HEIGHT_STEP = 0.01  # m, checked
_MAX_HEIGHT = 100.0  # m, far above any contact


def walk(seed: int) -> control.Environment:
  """The walking task with the suite's distribution of initial states."""
  model = quadruped.make_model(floor_size=_TIME_LIMIT * _WALK_SPEED)
  physics = _Physics.from_xml_string(model, common.ASSETS)
  return control.Environment(
      physics, _Walk(desired_speed=_WALK_SPEED, random=seed),
      time_limit=_TIME_LIMIT, control_timestep=_CONTROL_TIMESTEP)


class _Physics(quadruped.Physics):
  """dm_control's, same values without named indexing."""

  def _reload_from_data(self, data: Any) -> None:
    super()._reload_from_data(data)
    sensor = mjbindings.enums.mjtSensor
    hinges = indices.joints_of_type(
        self, mjbindings.enums.mjtJoint.mjJNT_HINGE)
    self._torso = indices.body(self, 'torso')
    self._hinge_qpos = self.model.jnt_qposadr[hinges]
    self._hinge_qvel = self.model.jnt_dofadr[hinges]
    self._velocity = indices.sensor(self, 'velocimeter')
    self._imu = indices.sensors_of_type(
        self, (sensor.mjSENS_GYRO, sensor.mjSENS_ACCELEROMETER))
    self._force_torque = indices.sensors_of_type(
        self, (sensor.mjSENS_FORCE, sensor.mjSENS_TORQUE))

  def torso_upright(self) -> np.ndarray:
    return np.asarray(self.data.xmat[self._torso, indices.ZZ])

  def torso_velocity(self) -> np.ndarray:
    return self.data.sensordata[self._velocity].copy()

  def egocentric_state(self) -> np.ndarray:
    data = self.data
    return np.concatenate((data.qpos[self._hinge_qpos],
                           data.qvel[self._hinge_qvel], data.act))

  def imu(self) -> np.ndarray:
    return self.data.sensordata[self._imu]

  def force_torque(self) -> np.ndarray:
    return np.arcsinh(self.data.sensordata[self._force_torque])


class _Walk(quadruped.Move):
  """dm_control's Move, started at a random azimuth just above the ground."""

  def initialize_episode(self, physics: quadruped.Physics) -> None:
    half_azimuth = self.random.uniform(0, 2 * np.pi) / 2
    _place_above_ground(
        physics, np.array([np.cos(half_azimuth), 0, 0, np.sin(half_azimuth)]))


def _place_above_ground(physics: quadruped.Physics,
                        orientation: np.ndarray) -> None:
  """Raises the robot from the floor until nothing touches.

  Args:
    physics: of the quadruped.
    orientation: unit quaternion, `[4]`.

  Raises:
    RuntimeError: if there is still a contact at an absurd height.
  """
  height = 0.0
  while height < _MAX_HEIGHT:
    try:
      with physics.reset_context():
        # The free joint of the root comes first: position, then orientation.
        physics.data.qpos[:3] = 0.0, 0.0, height
        physics.data.qpos[3:7] = orientation
    except control.PhysicsError:
      # Deep in the floor the contact buffer may overflow: go on upwards.
      pass
    if not physics.data.ncon:
      return
    # Added up, not multiplied: the sum's rounding is part of the start state.
    height += _HEIGHT_STEP
  raise RuntimeError(f'the quadruped touches something even {height:g} m above '
                     'the ground')
