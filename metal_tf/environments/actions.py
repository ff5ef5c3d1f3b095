"""Actions between an agent, which has float32, and an environment."""

from typing import Any

from dm_env import specs
import numpy as np

_FLOAT32_MAX = float(np.finfo(np.float32).max)


class ActionGate:
  """Hands an environment arrays of its own, within its own bounds.

  Attributes:
    minimum: lower bounds, float32 `[A]`.
    maximum: upper bounds, float32 `[A]`.
  """

  def __init__(self, name: str, spec: Any):
    """Checks the action's spec.

    Args:
      name: of the environment, for messages.
      spec: of its actions.

    Raises:
      ValueError: unless actions are a float vector with bounds in float32.
    """
    _check(name, spec)
    self._name = name
    self._dtype = spec.dtype
    # float32 of 0.1 is above 0.1: some environments check.
    self._minimum = np.array(np.broadcast_to(spec.minimum, spec.shape),
                             spec.dtype)
    self._maximum = np.array(np.broadcast_to(spec.maximum, spec.shape),
                             spec.dtype)
    self.minimum = self._minimum.astype(np.float32)
    self.maximum = self._maximum.astype(np.float32)

  def __call__(self, action: Any) -> np.ndarray:
    """Returns a copy of an action `[A]` for the environment.

    Args:
      action: `[A]`; what is beyond the bounds is moved to them.

    Raises:
      ValueError: for another shape.
    """
    # A copy: what the environment does to it must not reach the replay.
    own = np.array(action, self._dtype)
    if own.shape != self._minimum.shape:
      raise ValueError(f'{self._name}: expected an action of shape '
                       f'{self._minimum.shape}, got {own.shape}')
    np.maximum(own, self._minimum, out=own)
    return np.minimum(own, self._maximum, out=own)


def _check(name: str, spec: Any) -> None:
  """Raises ValueError unless actions are a finitely bounded float vector."""
  expected = f'{name}: expected a bounded 1-d float action'
  if not isinstance(spec, specs.Array):
    raise ValueError(f'{expected}, got {spec!r}; several actions have to be '
                     'put together into one vector')
  if np.dtype(spec.dtype).kind != 'f':
    raise ValueError(f'{expected}, got {spec!r}; the agents here have '
                     'continuous actions only')
  if not isinstance(spec, specs.BoundedArray) or len(spec.shape) != 1:
    raise ValueError(f'{expected}, got {spec!r}')
  if not spec.shape[0]:
    raise ValueError(f'{expected} of at least one number, got {spec!r}')
  bounds = np.broadcast_to(spec.minimum, spec.shape), np.broadcast_to(
      spec.maximum, spec.shape)
  if not all(np.isfinite(bound).all() for bound in bounds):
    raise ValueError(f'{name}: expected finite action bounds, got minimum '
                     f'{spec.minimum}, maximum {spec.maximum}; give each '
                     'action the range in which the plant is to be driven')
  if any((np.abs(bound, dtype=np.float64) > _FLOAT32_MAX).any()
         for bound in bounds):
    raise ValueError(f'{name}: expected action bounds within float32, got '
                     f'minimum {spec.minimum}, maximum {spec.maximum}')
