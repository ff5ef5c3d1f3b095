"""Environments of a user's own, in whatever form they come."""

from typing import Any, Optional, Sequence

from metal_tf.environments import checks
from metal_tf.environments import constraint as constraint_lib
from metal_tf.environments import wrapper


def adapt(made: Any,
          name: Optional[str] = None) -> wrapper.ConstrainedEnvironment:
  """Makes a constrained environment of what a user's function returned.

  Args:
    made: a `ConstrainedEnvironment`, which is returned as it is, or a pair of
      an environment, of dm_env or Gymnasium, and its list of constraints.
    name: what the task is called; the environment's own name if None.

  Raises:
    ValueError: for anything else, or an environment that cannot be adapted.
  """
  if isinstance(made, wrapper.ConstrainedEnvironment):
    return made
  if not isinstance(made, (tuple, list)) or len(made) != 2:
    known = checks.is_gymnasium(made) or callable(
        getattr(made, 'action_spec', None))
    raise ValueError(
        'expected a ConstrainedEnvironment, or (environment, [Constraint, ...])'
        f' of dm_env or Gymnasium, got {type(made).__name__}'
        + (' without constraints' if known else ''))
  environment, constraints = made
  if checks.is_gymnasium(environment):
    return from_gymnasium(environment, constraints, name=name)
  return wrapper.ConstrainedEnvironment(environment, constraints, name=name)


def simulator(environment: wrapper.ConstrainedEnvironment) -> Any:
  """The user's own object, within what this package put around it."""
  return getattr(environment.environment, 'gymnasium', environment.environment)


def from_gymnasium(environment: Any,
                   constraints: Sequence[constraint_lib.Constraint],
                   observation_keys: Optional[Sequence[str]] = None,
                   include_penalties_in_observation: bool = False,
                   episode_steps: Optional[int] = None,
                   name: Optional[str] = None
                  ) -> wrapper.ConstrainedEnvironment:
  """Constrains a Gymnasium environment.

  `terminated` becomes the discount 0, `truncated` alone the discount 1 (both at
  once: terminated). Seeds reach `reset(seed=...)`. Constraints are functions of
  `info` (`Constraint.of_info`) or of the step (`Constraint.of_time_step`).

  Args:
    environment: follows `gymnasium.Env`, with a Box or a (nested) Dict of Box
      observations and a Box of actions; belongs to the wrapper from then on.
      One of Safety-Gymnasium does, too, whose cost stands in `info['cost']`.
    constraints: K >= 1 constraints with different names.
    observation_keys: as for `ConstrainedEnvironment`.
    include_penalties_in_observation: likewise.
    episode_steps: steps of a full episode; what the environment is registered
      with if None, 0 (unknown) where it is not.
    name: what the task is called; the environment's id if None, and where it
      has none, its class.

  Raises:
    ValueError: for discrete actions, infinite bounds, other spaces, or
      constraints that cannot be used; says what to do.
    ImportError: if gymnasium is not installed.
  """
  # Nothing else needs it. pylint: disable-next=g-import-not-at-top
  from metal_tf.environments import gymnasium_environment
  if not checks.is_gymnasium(environment):
    raise ValueError(
        'expected a Gymnasium environment (gymnasium.make(...)), got '
        f'{type(environment).__name__}')
  name = name or _name_of(environment)
  adapted = gymnasium_environment.GymnasiumEnvironment(environment, name)
  return wrapper.ConstrainedEnvironment(
      adapted, constraints, observation_keys=observation_keys,
      include_penalties_in_observation=include_penalties_in_observation,
      episode_steps=(adapted.episode_steps if episode_steps is None
                     else episode_steps), name=name)


def _name_of(environment: Any) -> str:
  spec = getattr(environment, 'spec', None)
  inner = getattr(environment, 'unwrapped', environment)
  return getattr(spec, 'id', None) or type(inner).__name__
