"""Integer indices of a model's named parts, to be looked up once.

dm_control's named indexing costs about 5 microseconds per access, as much as a
tenth of a simulator step; a task makes some ten of them per step.
"""

from typing import Iterable

from dm_control import mujoco
import numpy as np

# Elements of a body's rotation matrix, flattened.
XX, XZ, ZX, ZZ = 0, 2, 6, 8


def body(physics: mujoco.Physics, name: str) -> int:
  """Row of a body in `xmat`, `xpos`."""
  return physics.model.name2id(name, 'body')


def sensor(physics: mujoco.Physics, name: str) -> slice:
  """Part of `sensordata` that a sensor writes."""
  return _sensor_slice(physics, physics.model.name2id(name, 'sensor'))


def sensors_of_type(physics: mujoco.Physics,
                    types: Iterable[int]) -> np.ndarray:
  """Elements of `sensordata` of all sensors of some types, in model order."""
  [sensors] = np.nonzero(np.isin(physics.model.sensor_type.ravel(),
                                 list(types)))
  slices = [_sensor_slice(physics, index) for index in sensors]
  return np.concatenate([np.arange(s.start, s.stop) for s in slices])


def joints_of_type(physics: mujoco.Physics, joint_type: int) -> np.ndarray:
  """Ids of all joints of a type, in model order."""
  [joints] = np.nonzero(physics.model.jnt_type == joint_type)
  return joints


def _sensor_slice(physics: mujoco.Physics, index: int) -> slice:
  start = int(physics.model.sensor_adr[index])
  return slice(start, start + int(physics.model.sensor_dim[index]))
