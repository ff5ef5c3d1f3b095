"""Walker walk as dm_control has it, with integer indices."""

from typing import Any

from dm_control.rl import control
from dm_control.suite import walker
import numpy as np

from metal_tf.environments import indices

_TIME_LIMIT = 25  # seconds, checked
_CONTROL_TIMESTEP = 0.025  # seconds, checked
_WALK_SPEED = 1  # m/s, checked


def walk(seed: int) -> control.Environment:
  """The walking task; 1000 steps of 0.025 s."""
  physics = _Physics.from_xml_string(*walker.get_model_and_assets())
  return control.Environment(
      physics, walker.PlanarWalker(move_speed=_WALK_SPEED, random=seed),
      time_limit=_TIME_LIMIT, control_timestep=_CONTROL_TIMESTEP)


class _Physics(walker.Physics):
  """dm_control's, same values without named indexing."""

  def _reload_from_data(self, data: Any) -> None:
    super()._reload_from_data(data)
    self._torso = indices.body(self, 'torso')
    self._velocity = indices.sensor(self, 'torso_subtreelinvel').start

  def torso_upright(self) -> float:
    return self.data.xmat[self._torso, indices.ZZ]

  def torso_height(self) -> float:
    return self.data.xpos[self._torso, 2]

  def horizontal_velocity(self) -> float:
    return self.data.sensordata[self._velocity]

  def orientations(self) -> np.ndarray:
    return self.data.xmat[1:, [indices.XX, indices.XZ]].ravel()
