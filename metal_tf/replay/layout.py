"""A transition as one vector, the form in which both replays hold it."""

from typing import Any, Optional, Tuple

import numpy as np

from metal_tf import types


def transition_sizes(spec: types.EnvironmentSpec) -> Tuple[int, ...]:
  """Numbers of floats of the fields of a transition, in their order."""
  return (spec.observation_size, spec.action_size, 1, spec.num_constraints, 1,
          spec.observation_size)


def pack(transition: types.Transition, spec: types.EnvironmentSpec,
         packed: Optional[np.ndarray] = None) -> np.ndarray:
  """Lays the fields of one transition one after another.

  Args:
    transition: arrays and scalars.
    spec: the environment's, gives the shapes.
    packed: where to, float32 `[2 * O + A + K + 2]`; None: a new array.

  Returns:
    The array.

  Raises:
    ValueError: if a field does not have the shape that the spec gives; what
      stands in `packed` is no transition then.
  """
  o_end = spec.observation_size
  a_end = o_end + spec.action_size
  c_end = a_end + 1 + spec.num_constraints
  if packed is None:
    packed = np.empty(c_end + 1 + o_end, np.float32)
  _put(packed, 0, o_end, 'o_tm1', transition.o_tm1)
  _put(packed, o_end, a_end, 'a_tm1', transition.a_tm1)
  _put_scalar(packed, a_end, 'r_t', transition.r_t)
  _put(packed, a_end + 1, c_end, 'c_t', transition.c_t)
  _put_scalar(packed, c_end, 'discount_t', transition.discount_t)
  _put(packed, c_end + 1, packed.size, 'o_t', transition.o_t)
  return packed


def unpack(packed: Any, spec: types.EnvironmentSpec) -> types.Transition:
  """Undoes `pack` for one or more batches.

  Args:
    packed: array or tensor, float32 `[..., sum of the sizes]`.
    spec: the environment's, gives the sizes.

  Returns:
    Transitions with the same dimensions in front, `[..., O]` and so on.
  """
  o_end = spec.observation_size
  a_end = o_end + spec.action_size
  c_end = a_end + 1 + spec.num_constraints
  return types.Transition(
      o_tm1=packed[..., :o_end],
      a_tm1=packed[..., o_end:a_end],
      r_t=packed[..., a_end],
      c_t=packed[..., a_end + 1:c_end],
      discount_t=packed[..., c_end],
      o_t=packed[..., c_end + 1:])


def pack_episode_penalty(j_c: np.ndarray,
                         spec: types.EnvironmentSpec) -> np.ndarray:
  """Returns J_C as float32 `[K]`.

  Raises:
    ValueError: if its shape is another one.
  """
  packed = np.empty(spec.num_constraints, np.float32)
  _put(packed, 0, packed.size, 'j_c', j_c)
  return packed


def _put(packed: np.ndarray, begin: int, end: int, name: str,
         value: Any) -> None:
  value = np.asarray(value)
  if value.shape != (end - begin,):
    raise ValueError(
        f'{name}: got shape {value.shape}, expected {(end - begin,)}')
  packed[begin:end] = value


def _put_scalar(packed: np.ndarray, index: int, name: str, value: Any) -> None:
  if np.ndim(value):
    raise ValueError(f'{name}: got shape {np.shape(value)}, expected ()')
  packed[index] = value
