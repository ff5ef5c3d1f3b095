"""Cartpole swing-up as dm_control has it, without its cost per step.

A simulator step of this small model takes a tenth of the time that named
indexing and array arithmetic on single numbers take around it, so both are
replaced here: same operations, same rounding, on scalars. That observations and
rewards stay equal bit for bit is what `golden_test` and `parity_test` hold.
"""

from dm_control.rl import control
from dm_control.suite import cartpole
import numpy as np

from metal_tf.environments import indices

_TIME_LIMIT = 10  # seconds, checked

_POLE = 2  # Body, after the world and the cart.

# dm_control's Gaussian tolerance falls to this at its margin, checked.
_VALUE_AT_MARGIN = 0.1
_GAUSSIAN_SCALE = np.sqrt(-2 * np.log(_VALUE_AT_MARGIN))
_POSITION_MARGIN = 2  # m, checked
_VELOCITY_MARGIN = 5  # rad/s, checked


def swingup(seed: int) -> control.Environment:
  """The swing-up task with dense reward; 1000 steps of 0.01 s."""
  physics = _Physics.from_xml_string(*cartpole.get_model_and_assets())
  return control.Environment(
      physics, _SwingUp(swing_up=True, sparse=False, random=seed),
      time_limit=_TIME_LIMIT)


class _Physics(cartpole.Physics):
  """dm_control's, with integer indices."""

  def bounded_position(self) -> np.ndarray:
    rotation = self.data.xmat[_POLE]
    return np.array([self.data.qpos[0], rotation[indices.ZZ],
                     rotation[indices.XZ]])


class _SwingUp(cartpole.Balance):
  """dm_control's, with a reward computed on scalars."""

  def get_reward(self, physics: _Physics) -> float:
    data = physics.data
    upright = (data.xmat[_POLE, indices.ZZ] + 1) / 2
    # `** 2` is a power here and a product below, as in dm_control, where one is
    # of a scalar and the other of an array; they may differ in the last bit.
    position = abs(data.qpos[0]) / _POSITION_MARGIN * _GAUSSIAN_SCALE
    centered = (1 + np.exp(-0.5 * position**2)) / 2
    velocity = abs(data.qvel[1]) / _VELOCITY_MARGIN * _GAUSSIAN_SCALE
    small_velocity = (1 + np.exp(-0.5 * (velocity * velocity))) / 2
    force = data.ctrl[0]
    small_control = 1 - force * force if abs(force) < 1 else 0.0
    return upright * ((4 + small_control) / 5) * small_velocity * centered
