"""A picture of an environment, whoever simulates it."""

from typing import Any

import numpy as np

from metal_tf import environments

# MuJoCo's default offscreen buffer; the suite's tasks have no larger one.
WIDTH, HEIGHT = 640, 480

_DEFAULT_TIMESTEP = 1 / 30  # Of environments that know nothing of time.


class NoPictureError(Exception):
  """The environment cannot be rendered; the message says why."""


def take(environment: environments.ConstrainedEnvironment) -> np.ndarray:
  """Renders the state that an environment is in.

  Args:
    environment: with a `physics`, as dm_control's have it, or with a method
      `render` that returns a picture, as Gymnasium's have it where they were
      made with `render_mode='rgb_array'`.

  Returns:
    uint8 `[H, W, 3]`.

  Raises:
    NoPictureError: if there is none.
  """
  inner: Any = environment.environment
  try:
    picture = (
        inner.physics.render(HEIGHT, WIDTH, camera_id=0)
        if hasattr(inner, 'physics') else inner.render())
  except Exception as error:  # pylint: disable=broad-except
    raise NoPictureError(f'{environment.name}: rendering raised '
                         f'{type(error).__name__}: {error}') from error
  picture = np.asarray(picture)
  if picture.dtype != np.uint8 or picture.shape[2:] != (3,):
    raise NoPictureError(
        f'{environment.name}: render() gave no picture (uint8 [H, W, 3]); a '
        "Gymnasium environment has to be made with render_mode='rgb_array'")
  return picture


def control_timestep(environment: environments.ConstrainedEnvironment) -> float:
  """Seconds per step: dm_control's, or from Gymnasium's `render_fps`."""
  inner: Any = environment.environment
  if hasattr(inner, 'control_timestep'):
    return float(inner.control_timestep())
  metadata = getattr(getattr(inner, 'gymnasium', inner), 'metadata', None) or {}
  rate = metadata.get('render_fps')
  return 1 / rate if rate else _DEFAULT_TIMESTEP
