"""What can be said of an environment and its constraints before a step."""

from typing import Any, Sequence, Tuple

from metal_tf.environments import constraint as constraint_lib

# What to use where an environment lacks what a constraint is a function of.
_INSTEAD = {
    constraint_lib.PHYSICS: 'Constraint.of_time_step',
    constraint_lib.INFO: 'Constraint.of_time_step, or from_gymnasium for a '
                         'Gymnasium environment',
}


def is_gymnasium(environment: Any) -> bool:
  """Whether something looks like a Gymnasium environment."""
  return all(hasattr(environment, name) for name in (
      'action_space', 'observation_space', 'reset', 'step'))


def check_interface(environment: Any) -> None:
  """Raises ValueError for something that is no dm_env environment."""
  for method in ('reset', 'step', 'observation_spec', 'action_spec'):
    if not callable(getattr(environment, method, None)):
      raise ValueError(
          f'{type(environment).__name__} is no dm_env environment: it has no '
          f'{method}()' + ('; a Gymnasium one goes through from_gymnasium'
                           if is_gymnasium(environment) else ''))


def checked_constraints(
    name: str, constraints: Any,
    environment: Any) -> Tuple[constraint_lib.Constraint, ...]:
  """Returns constraints that can go with an environment.

  Args:
    name: of the environment, for messages.
    constraints: what was given as such.
    environment: a dm_env one.

  Raises:
    ValueError: if they cannot.
  """
  if not isinstance(constraints, Sequence) or not all(
      isinstance(c, constraint_lib.Constraint) for c in constraints):
    raise ValueError(f'{name}: expected a list of Constraints, got '
                     f'{constraints!r}')
  if not constraints:
    raise ValueError(f'{name}: expected at least one constraint, got none')
  names = [c.name for c in constraints]
  repeated = sorted({n for n in names if names.count(n) > 1})
  if repeated:
    raise ValueError(f'{name}: constraint names must differ, repeated: '
                     f'{", ".join(repeated)}')
  for c in constraints:
    if c.source in _INSTEAD and not hasattr(environment, c.source):
      raise ValueError(
          f'{name}: constraint {c.name} is a function of the {c.source}, but '
          f'{type(environment).__name__} has no `{c.source}`; use '
          f'{_INSTEAD[c.source]}')
  return tuple(constraints)
