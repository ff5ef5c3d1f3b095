"""A training state as variables, and by name, as checkpoints have it."""

from typing import Any, Dict, Mapping, Optional, Sequence

import numpy as np
import tensorflow as tf

from metal_tf.agent import algorithm1
from metal_tf.agent import iteration
from metal_tf.agent import step_metrics
from metal_tf.maths import optimizers

# Checkpoints of the first version have these sums by number, in this order.
_NUMBERED = ('critic_loss', 'critic_gradient_norm', 'clipped_mass',
             'policy_loss', 'policy_gradient_norm', 'outer_loss',
             'meta_gradient_direct', 'meta_gradient_weights')


def make_slots(parameters: Sequence[tf.Variable]) -> optimizers.AdamSlots:
  """Returns Adam's slots at step 0, variables all, for some parameters."""

  def moments() -> Sequence[tf.Variable]:
    return [tf.Variable(tf.zeros_like(parameter), trainable=False)
            for parameter in parameters]

  count = tf.Variable(0, dtype=tf.int64, trainable=False)
  return optimizers.AdamSlots(count, moments(), moments())


def read(variables: Any) -> Any:
  """Reads a structure of variables."""
  return tf.nest.map_structure(lambda v: v.read_value(), variables)


def assign(variables: Any, values: Any) -> None:
  """Assigns values to variables, structures of one order."""
  for variable, value in zip(
      tf.nest.flatten(variables), tf.nest.flatten(values)):
    variable.assign(value)


def names(state: algorithm1.TrainingState,
          tally: iteration.Tally) -> Dict[str, Sequence[tf.Variable]]:
  """The variables behind each array of a checkpoint.

  An optimizer's moments are one array each, of all its parameters in a row.

  Args:
    state: variables.
    tally: variables.
  """
  arrays: Dict[str, Sequence[tf.Variable]] = {}

  def add(group: str, *members: Any) -> None:
    for i, member in enumerate(members):
      arrays[f'{group}/{i}'] = (
          member if isinstance(member, (list, tuple)) else [member])

  add('critic', *state.critic)
  add('policy', *state.policy)
  add('target', *state.target_critic, *state.target_policy)
  add('critic_adam', *state.critic_slots)
  add('policy_adam', *state.policy_slots)
  add('meta_adam', *state.meta_slots)
  add('multiplier', state.multiplier)
  add('meta_parameter', state.meta_parameter)
  add('counts', state.steps, tally.skipped, tally.summed,
      tally.skipped_in_a_row)
  if state.shaping:
    add('shaping', *state.shaping)
    add('shaping_adam', *state.shaping_slots)
  for name, total in tally.sums.items():
    arrays[f'sums/{name}'] = [total]
  return arrays


def get(arrays: Mapping[str, Sequence[tf.Variable]]) -> Dict[str, np.ndarray]:
  """Returns copies of the values by name."""
  return {name: _value(name, variables) for name, variables in arrays.items()}


def put(arrays: Mapping[str, Sequence[tf.Variable]],
        state: Mapping[str, np.ndarray]) -> None:
  """Takes over values, of this version or an older one.

  Sums are metrics since the last episode: one that an older version did not
  have becomes zero, and one that does not apply any more is left out.

  Args:
    arrays: what `names` gave.
    state: arrays by name.

  Raises:
    ValueError: naming the first array that is missing, left over or of another
      shape; nothing is taken over then.
  """
  state = {_current(name): array for name, array in state.items()}
  known = {*arrays, *(f'sums/{name}' for name in step_metrics.NAMES)}
  for name in sorted(set(arrays) - set(state)):
    if not name.startswith('sums/'):
      raise ValueError(f'{name!r} is missing from the learner state.')
  for name in sorted(set(state) - known):
    raise ValueError(f'{name!r} is unknown to the learner state.')
  for name, variables in arrays.items():
    shape = _value(name, variables).shape
    if name in state and state[name].shape != shape:
      raise ValueError(f'learner state {name!r} must have shape {shape}, '
                       f'got {state[name].shape}.')
  for name, variables in arrays.items():
    _put_value(name, variables, state.get(name))


def _current(name: str) -> str:
  """The name that an array of an older version has now."""
  group, _, number = name.partition('/')
  if group == 'sums' and number.isdigit() and int(number) < len(_NUMBERED):
    return f'sums/{_NUMBERED[int(number)]}'
  return name


def _is_row(name: str) -> bool:
  """Whether an array is of many variables: an optimizer's moments."""
  group, _, number = name.partition('/')
  return group.endswith('_adam') and number != '0'


def _value(name: str, variables: Sequence[tf.Variable]) -> np.ndarray:
  if _is_row(name):
    return np.concatenate([v.numpy().ravel() for v in variables])
  return variables[0].numpy()


def _put_value(name: str, variables: Sequence[tf.Variable],
               value: Optional[np.ndarray]) -> None:
  """Assigns an array to its variables; None is zero."""
  if value is None:
    value = np.zeros_like(_value(name, variables))
  parts = [value]
  if _is_row(name):
    sizes = [int(np.prod(v.shape)) for v in variables]
    parts = np.split(value, np.cumsum(sizes)[:-1])
  for variable, part in zip(variables, parts):
    variable.assign(np.reshape(
        part, variable.shape).astype(variable.dtype.as_numpy_dtype))
