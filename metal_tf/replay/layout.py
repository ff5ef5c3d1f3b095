"""A transition as one vector, the form in which both replays hold it."""

from typing import Any, Tuple

import numpy as np

from metal_tf import types


def transition_sizes(spec: types.EnvironmentSpec) -> Tuple[int, ...]:
  """Numbers of floats of the fields of a transition, in their order."""
  return (spec.observation_size, spec.action_size, 1, spec.num_constraints, 1,
          spec.observation_size)


def pack(transition: types.Transition) -> np.ndarray:
  """Lays the fields of one transition one after another, float32."""
  return np.concatenate([np.ravel(x) for x in transition], dtype=np.float32)


def unpack(packed: Any, spec: types.EnvironmentSpec) -> types.Transition:
  """Undoes `pack` for a batch.

  Args:
    packed: array or tensor, float32 `[B, sum of the sizes]`.
    spec: the environment's, gives the sizes.

  Returns:
    A batch of transitions, `[B, ...]`.
  """
  o_end = spec.observation_size
  a_end = o_end + spec.action_size
  c_end = a_end + 1 + spec.num_constraints
  return types.Transition(
      o_tm1=packed[:, :o_end],
      a_tm1=packed[:, o_end:a_end],
      r_t=packed[:, a_end],
      c_t=packed[:, a_end + 1:c_end],
      discount_t=packed[:, c_end],
      o_t=packed[:, c_end + 1:])


def check_transition(transition: types.Transition,
                     spec: types.EnvironmentSpec) -> None:
  """Raises ValueError unless every field has the shape that the spec gives."""
  observation, action = (spec.observation_size,), (spec.action_size,)
  expected = types.Transition(
      o_tm1=observation, a_tm1=action, r_t=(), c_t=(spec.num_constraints,),
      discount_t=(), o_t=observation)
  for name, value, shape in zip(types.Transition._fields, transition, expected):
    if np.shape(value) != shape:
      raise ValueError(
          f'{name}: got shape {np.shape(value)}, expected {shape}')


def check_episode_penalty(j_c: np.ndarray, spec: types.EnvironmentSpec) -> None:
  """Raises ValueError unless J_C has the shape `[K]`."""
  if np.shape(j_c) != (spec.num_constraints,):
    raise ValueError(f'j_c: got shape {np.shape(j_c)}, expected '
                     f'{(spec.num_constraints,)}')
