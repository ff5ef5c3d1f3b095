"""A learner's state as arrays by name, and back."""

from typing import Dict, Mapping, Sequence

import numpy as np
import tensorflow as tf


def name_groups(
    groups: Mapping[str, Sequence[tf.Variable]]) -> Dict[str, tf.Variable]:
  """Names variables `group/0`, `group/1` and so on."""
  return {f'{group}/{i}': variable for group, variables in groups.items()
          for i, variable in enumerate(variables)}


def get(variables: Mapping[str, tf.Variable]) -> Dict[str, np.ndarray]:
  """Returns the values by name."""
  return {name: variable.numpy() for name, variable in variables.items()}


def put(variables: Mapping[str, tf.Variable],
        later: Mapping[str, tf.Variable],
        state: Mapping[str, np.ndarray]) -> None:
  """Takes over values.

  Args:
    variables: by name.
    later: those that a state of an older version may be without; they become
      zero then.
    state: arrays by name.

  Raises:
    ValueError: naming the first array that is missing, left over or of another
      shape; nothing is taken over then.
  """
  known = {**variables, **later}
  for name in sorted(set(variables) - set(state)):
    raise ValueError(f'{name!r} is missing from the learner state.')
  for name in sorted(set(state) - set(known)):
    raise ValueError(f'{name!r} is unknown to the learner state.')
  for name, array in state.items():
    shape = tuple(known[name].shape)
    if shape != array.shape:
      raise ValueError(f'learner state {name!r} must have shape {shape}, '
                       f'got {array.shape}.')
  for name, variable in known.items():
    variable.assign(state[name] if name in state else tf.zeros_like(variable))
