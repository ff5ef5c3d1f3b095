"""Humanoid walk as dm_control has it, with integer indices."""

from typing import Any

from dm_control.rl import control
from dm_control.suite import humanoid
import numpy as np

from metal_tf.environments import indices

_TIME_LIMIT = 25  # seconds, checked
_CONTROL_TIMESTEP = 0.025  # seconds, checked
_WALK_SPEED = 1  # m/s, checked
_LIMBS = ('left_hand', 'left_foot', 'right_hand', 'right_foot')


def walk(seed: int) -> control.Environment:
  """The walking task; 1000 steps of 0.025 s."""
  physics = _Physics.from_xml_string(*humanoid.get_model_and_assets())
  return control.Environment(
      physics,
      humanoid.Humanoid(move_speed=_WALK_SPEED, pure_state=False, random=seed),
      time_limit=_TIME_LIMIT, control_timestep=_CONTROL_TIMESTEP)


class _Physics(humanoid.Physics):
  """dm_control's, same values without named indexing."""

  def _reload_from_data(self, data: Any) -> None:
    super()._reload_from_data(data)
    self._torso = indices.body(self, 'torso')
    self._head = indices.body(self, 'head')
    self._limbs = [indices.body(self, name) for name in _LIMBS]
    self._velocity = indices.sensor(self, 'torso_subtreelinvel')

  def torso_upright(self) -> float:
    return self.data.xmat[self._torso, indices.ZZ]

  def head_height(self) -> float:
    return self.data.xpos[self._head, 2]

  def center_of_mass_velocity(self) -> np.ndarray:
    return self.data.sensordata[self._velocity].copy()

  def torso_vertical_orientation(self) -> np.ndarray:
    return self.data.xmat[self._torso, indices.ZX:indices.ZZ + 1].copy()

  def extremities(self) -> np.ndarray:
    frame = self.data.xmat[self._torso].reshape(3, 3)
    positions = self.data.xpos
    torso = positions[self._torso]
    # Limb by limb: one product of matrices would round differently.
    return np.concatenate(
        [(positions[limb] - torso).dot(frame) for limb in self._limbs])
