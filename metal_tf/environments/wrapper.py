"""`ConstrainedEnvironment`: any dm_env environment with K constraints."""

import math
import sys
from typing import Any, NamedTuple, Optional, Sequence, Tuple

import dm_env
from dm_env import specs
import numpy as np

from metal_tf import types
from metal_tf.environments import constraint as constraint_lib
from metal_tf.environments import errors
from metal_tf.environments import flatten

_FLOAT32_MAX = float(np.finfo(np.float32).max)


class TimeStep(NamedTuple):
  """One step of a constrained environment.

  Attributes:
    step_type: first, mid or last.
    reward: float, None on the first step.
    discount: float, None on the first step. A time limit ends an episode with
      1.0, so that the value of the last state is bootstrapped.
    observation: float32 `[O]`, an array of its own for each step.
    penalty: float32 `[K]` of the transition that led here, an array of its own
      for each step; None on the first step, where no transition has been made.
  """
  step_type: dm_env.StepType
  reward: Optional[float]
  discount: Optional[float]
  observation: np.ndarray
  penalty: Optional[np.ndarray]

  def first(self) -> bool:
    return self.step_type == dm_env.StepType.FIRST

  def mid(self) -> bool:
    return self.step_type == dm_env.StepType.MID

  def last(self) -> bool:
    return self.step_type == dm_env.StepType.LAST


class ConstrainedEnvironment(dm_env.Environment):
  """Wraps a dm_env environment and adds a penalty `[K]` to each transition."""

  def __init__(self,
               environment: dm_env.Environment,
               constraints: Sequence[constraint_lib.Constraint],
               observation_keys: Optional[Sequence[str]] = None,
               include_penalties_in_observation: bool = False,
               episode_steps: Optional[int] = None,
               name: Optional[str] = None,
               suite: str = 'own'):
    """Wraps `environment`, which belongs to the wrapper from then on.

    Args:
      environment: any dm_env environment with a 1-d bounded action and a
        numeric observation (an array, or a nested mapping of arrays).
      constraints: K >= 1 constraints with different names.
      observation_keys: top-level entries of the observation to keep, in this
        order; all of them in the order of the observation spec if None.
      include_penalties_in_observation: appends the K penalties (1 = violated)
        of the last transition to the observation, zeros on the first step. The
        suite's own bits are their complement.
      episode_steps: steps of a full episode. Found out for dm_control's
        environments, otherwise 0 (unknown) if not given.
      name: for error messages; the class of the task if None.
      suite: where the task comes from, to be printed and recorded.

    Raises:
      ValueError: for no constraints, two with the same name, a constraint on
        the physics of an environment without one, or an action or observation
        that cannot be flat float32.
    """
    self._environment = environment
    self._constraints = tuple(constraints)
    self._name = name or _name_of(environment)
    self._suite = suite
    _check_constraints(self._name, self._constraints, environment)
    self._action_spec = environment.action_spec()
    _check_action_spec(self._name, self._action_spec)
    self._action_dtype = self._action_spec.dtype
    self._flatten = flatten.ObservationFlattener(
        environment.observation_spec(), observation_keys)
    self._include_penalties = include_penalties_in_observation
    # Split once: the loop over constraints runs in every step.
    self._functions = tuple(
        (c.function, c.source == constraint_lib.PHYSICS)
        for c in self._constraints)
    self._needs_physics = any(physics for _, physics in self._functions)
    extra = len(self._constraints) if include_penalties_in_observation else 0
    self._spec = types.EnvironmentSpec(
        observation_size=self._flatten.size + extra,
        action_minimum=_bound(self._action_spec, 'minimum'),
        action_maximum=_bound(self._action_spec, 'maximum'),
        constraint_names=tuple(c.name for c in self._constraints),
        # Not float32: J_C is compared with the number that was given.
        thresholds=np.array([c.threshold for c in self._constraints],
                            np.float64),
        episode_steps=(_episode_steps(environment) if episode_steps is None
                       else episode_steps),
        observation_entries=self._flatten.entries + (
            (('penalty', extra),) if extra else ()))
    self._step = 0
    self._reset_next_step = True

  @property
  def spec(self) -> types.EnvironmentSpec:
    """Sizes, bounds, names and thresholds, as learner and replay need them."""
    return self._spec

  @property
  def constraints(self) -> Tuple[constraint_lib.Constraint, ...]:
    """The K constraints, in the order of every `[K]` array."""
    return self._constraints

  @property
  def environment(self) -> dm_env.Environment:
    """The wrapped environment."""
    return self._environment

  @property
  def name(self) -> str:
    """What error messages call this environment."""
    return self._name

  @property
  def suite(self) -> str:
    """Where the task comes from, to be printed and recorded."""
    return self._suite

  def reseed(self, seed: int) -> bool:
    """Makes the next episodes follow from a seed, whatever was before.

    The wrapped environment's own method `reseed` or `seed` is called, or else
    the generator of its dm_control task is seeded.

    Args:
      seed: in [0, 2**32).

    Returns:
      Whether the environment could be seeded.
    """
    for name in ('reseed', 'seed'):
      method = getattr(self._environment, name, None)
      if callable(method):
        method(seed)
        return True
    generator = getattr(
        getattr(self._environment, 'task', None), 'random', None)
    if not isinstance(generator, np.random.RandomState):
      return False
    generator.seed(seed)
    return True

  def reset(self) -> TimeStep:
    """Starts an episode.

    Returns:
      The first step, without reward, discount and penalty.

    Raises:
      EpisodeCut: if the simulator fails.
      BadEnvironmentOutput: if the observation is not what the spec says.
    """
    self._step = 0
    self._reset_next_step = True
    try:
      time_step = self._environment.reset()
    except RuntimeError as error:
      raise self._translated(error)
    return self._first(time_step)

  def step(self, action: np.ndarray) -> TimeStep:
    """Makes one step, or starts an episode after a last step or an error.

    Args:
      action: `[A]`, passed on in the dtype of the wrapped environment's spec.

    Returns:
      The step, with the penalty `[K]` of this transition.

    Raises:
      ValueError: if the action has another shape than the spec.
      EpisodeCut: if the simulator's state diverged.
      BadEnvironmentOutput: if observation, reward, discount or penalty is NaN,
        infinite or misshapen.
    """
    if self._reset_next_step:
      return self.reset()
    action = np.asarray(action, self._action_dtype)
    if action.shape != self._spec.action_minimum.shape:
      raise ValueError(f'{self._name}: expected an action of shape '
                       f'{self._action_spec.shape}, got {action.shape}')
    self._step += 1
    # Whatever is raised below, the episode is over.
    self._reset_next_step = True
    try:
      time_step = self._environment.step(action)
    except RuntimeError as error:
      raise self._translated(error)
    if time_step.step_type == dm_env.StepType.FIRST:
      # The wrapped environment restarted on its own account.
      self._step = 0
      return self._first(time_step)
    penalty = self._penalty(time_step)
    result = TimeStep(
        step_type=time_step.step_type,
        reward=self._scalar('reward', time_step.reward),
        discount=self._scalar('discount', time_step.discount),
        observation=self._observation(time_step.observation, penalty),
        penalty=penalty)
    self._reset_next_step = time_step.step_type == dm_env.StepType.LAST
    return result

  def observation_spec(self) -> specs.Array:
    return specs.Array((self._spec.observation_size,), np.float32,
                       name='observation')

  def action_spec(self) -> specs.BoundedArray:
    return specs.BoundedArray(
        self._action_spec.shape, np.float32, self._spec.action_minimum,
        self._spec.action_maximum, name='action')

  def penalty_spec(self) -> specs.Array:
    return specs.Array((self._spec.num_constraints,), np.float32,
                       name='penalty')

  def close(self) -> None:
    self._environment.close()

  def _first(self, time_step: dm_env.TimeStep) -> TimeStep:
    observation = self._observation(time_step.observation, None)
    self._reset_next_step = False
    return TimeStep(dm_env.StepType.FIRST, None, None, observation, None)

  def _observation(self, observation: Any,
                   penalty: Optional[np.ndarray]) -> np.ndarray:
    flat = np.zeros(self._spec.observation_size, np.float32)
    try:
      self._flatten(observation, flat)
    except flatten.BadEntry as error:
      raise errors.BadEnvironmentOutput(
          self._name, f'observation {error.entry}'.rstrip(), self._step,
          error.detail) from None
    if self._include_penalties and penalty is not None:
      flat[self._flatten.size:] = penalty
    return flat

  def _penalty(self, time_step: dm_env.TimeStep) -> np.ndarray:
    penalty = np.empty(len(self._functions), np.float32)
    physics = self._environment.physics if self._needs_physics else None
    for k, (function, of_physics) in enumerate(self._functions):
      value = function(physics if of_physics else time_step)
      if value is True or value is False:
        penalty[k] = value
      else:
        penalty[k] = self._scalar(f'penalty {self._constraints[k].name!r}',
                                  value)
    return penalty

  def _scalar(self, field: str, value: Any) -> float:
    # Floats, numpy's float64 among them, are most of what comes: no np.ndim.
    if not isinstance(value, float):
      try:
        if np.ndim(value):
          raise TypeError
        value = float(value)
      except (TypeError, ValueError):
        raise errors.BadEnvironmentOutput(
            self._name, field, self._step,
            f'expected one number, got {value!r}') from None
    # Also False for NaN. Beyond this bound replay would store an infinity.
    if not abs(value) <= _FLOAT32_MAX:
      raise errors.BadEnvironmentOutput(
          self._name, field, self._step,
          f'expected a finite float32 number, got {value}')
    return float(value)

  def _translated(self, error: RuntimeError) -> RuntimeError:
    """The simulator's PhysicsError as an `EpisodeCut`, others unchanged."""
    # Looked up rather than imported, so that flags can be checked without
    # loading a simulator: whoever raises a PhysicsError has imported it.
    control = sys.modules.get('dm_control.rl.control')
    if control is not None and isinstance(error, control.PhysicsError):
      cut = errors.EpisodeCut(self._name, self._step, str(error))
      cut.__cause__ = error
      return cut
    return error


def _name_of(environment: dm_env.Environment) -> str:
  return type(getattr(environment, 'task', environment)).__name__


def _bound(spec: specs.BoundedArray, which: str) -> np.ndarray:
  bound = np.broadcast_to(getattr(spec, which), spec.shape)
  return np.array(bound, np.float32)


def _episode_steps(environment: dm_env.Environment) -> int:
  # dm_control says the length of an episode nowhere else. It ends an episode
  # at the first step count >= this limit.
  limit = getattr(environment, '_step_limit', math.inf)
  return math.ceil(limit) if math.isfinite(limit) else 0


def _check_constraints(
    name: str, constraints: Sequence[constraint_lib.Constraint],
    environment: dm_env.Environment) -> None:
  """Raises ValueError if these constraints cannot go with the environment."""
  if not constraints:
    raise ValueError(f'{name}: expected at least one constraint, got none')
  names = [c.name for c in constraints]
  repeated = sorted({n for n in names if names.count(n) > 1})
  if repeated:
    raise ValueError(f'{name}: constraint names must differ, repeated: '
                     f'{", ".join(repeated)}')
  of_physics = [c.name for c in constraints
                if c.source == constraint_lib.PHYSICS]
  if of_physics and not hasattr(environment, 'physics'):
    raise ValueError(
        f'{name}: constraint {of_physics[0]} is a function of the physics, but '
        f'{type(environment).__name__} has no `physics`; use '
        'Constraint.of_time_step')


def _check_action_spec(name: str, spec: Any) -> None:
  """Raises ValueError unless actions are a finitely bounded float vector."""
  if not isinstance(spec, specs.BoundedArray) or len(spec.shape) != 1 or (
      np.dtype(spec.dtype).kind != 'f'):
    raise ValueError(f'{name}: expected a bounded 1-d float action, got '
                     f'{spec!r}')
  if not (np.isfinite(spec.minimum).all() and np.isfinite(spec.maximum).all()):
    raise ValueError(f'{name}: expected finite action bounds, got minimum '
                     f'{spec.minimum}, maximum {spec.maximum}')
