"""A transition as one vector, the form in which both replays hold it."""

from typing import Any, Optional, Sequence, Tuple

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
    ValueError: if a field does not have the shape that the spec gives; nothing
      has been written then.
  """
  o_end = spec.observation_size
  a_end = o_end + spec.action_size
  c_end = a_end + 1 + spec.num_constraints
  o_tm1, a_tm1, r_t, c_t, discount_t, o_t = map(np.asarray, transition)
  shapes = (o_tm1.shape, a_tm1.shape, r_t.shape, c_t.shape, discount_t.shape,
            o_t.shape)
  expected = ((o_end,), (a_end - o_end,), (), (c_end - a_end - 1,), (),
              (o_end,))
  if shapes != expected:
    _raise_shapes(shapes, expected)
  if packed is None:
    packed = np.empty(c_end + 1 + o_end, np.float32)
  packed[:o_end] = o_tm1
  packed[o_end:a_end] = a_tm1
  packed[a_end] = r_t
  packed[a_end + 1:c_end] = c_t
  packed[c_end] = discount_t
  packed[c_end + 1:] = o_t
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


def pack_episode_penalty(episode_penalty: np.ndarray,
                         spec: types.EnvironmentSpec) -> np.ndarray:
  """Returns J_C as float32 `[K]`.

  Raises:
    ValueError: if its shape is another one.
  """
  episode_penalty = np.asarray(episode_penalty)
  expected = (spec.num_constraints,)
  if episode_penalty.shape != expected:
    raise ValueError(f'episode_penalty: got shape {episode_penalty.shape}, '
                     f'expected {expected}')
  return episode_penalty.astype(np.float32)


def _raise_shapes(shapes: Sequence[Any], expected: Sequence[Any]) -> None:
  """Raises ValueError for the first field with another shape."""
  for name, got, right in zip(types.Transition._fields, shapes, expected):
    if got != right:
      raise ValueError(f'{name}: got shape {got}, expected {right}')
