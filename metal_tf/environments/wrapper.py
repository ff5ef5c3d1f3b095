"""`ConstrainedEnvironment`: any dm_env environment with K constraints."""

import contextlib
import math
import sys
from typing import Any, NamedTuple, Optional, Sequence, Tuple

import dm_env
from dm_env import specs
import numpy as np

from metal_tf import types
from metal_tf.environments import actions
from metal_tf.environments import checks
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
  """Wraps a dm_env environment and adds a penalty `[K]` to each transition.

  No array is shared across it, either way: the environment may change what it
  is handed, and reuse what it handed over.
  """

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
        numeric observation (an array, or a nested mapping or tuple of arrays).
      constraints: K >= 1 constraints with different names.
      observation_keys: top-level entries of the observation to keep, in this
        order; all of them in the order of the observation spec if None.
      include_penalties_in_observation: appends the K penalties (1 = violated)
        of the last transition to the observation, zeros on the first step. The
        suite's own bits are their complement.
      episode_steps: steps of a full episode. Found out for dm_control's
        environments, otherwise 0 (unknown) if not given.
      name: what the task is called: in messages, and where runs are told
        apart; the class of the task if None.
      suite: where the task comes from, to be printed and recorded.

    Raises:
      ValueError: for something that is no dm_env environment, no constraints,
        two with the same name, a constraint on the physics or the info of an
        environment without one, or an action or observation that cannot be
        flat float32.
    """
    checks.check_interface(environment)
    self._environment = environment
    self._name = name or _name_of(environment)
    self._constraints = checks.checked_constraints(
        self._name, constraints, environment)
    self._suite = suite
    self._gate = actions.ActionGate(self._name, environment.action_spec())
    self._flatten = flatten.ObservationFlattener(
        environment.observation_spec(), observation_keys)
    self._include_penalties = include_penalties_in_observation
    # Split once: the loop over constraints runs in every step.
    self._functions = tuple(
        (c.function, c.source) for c in self._constraints)
    self._attributes = tuple(
        {c.source for c in self._constraints} - {constraint_lib.TIME_STEP})
    extra = len(self._constraints) if include_penalties_in_observation else 0
    self._spec = types.EnvironmentSpec(
        observation_size=self._flatten.size + extra,
        action_minimum=self._gate.minimum,
        action_maximum=self._gate.maximum,
        constraint_names=tuple(c.name for c in self._constraints),
        # Not float32: J_C is compared with the number that was given.
        thresholds=np.array([c.threshold for c in self._constraints],
                            np.float64),
        episode_steps=(_episode_steps(environment) if episode_steps is None
                       else episode_steps),
        observation_entries=self._flatten.entries + (
            (('penalty', extra),) if extra else ()),
        name=self._name)
    self._step = 0
    self._reset_next_step = True
    self._closed = False

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
    """What this task is called, in messages and where runs are told apart."""
    return self._name

  @property
  def suite(self) -> str:
    """Where the task comes from, to be printed and recorded."""
    return self._suite

  def reseed(self, seed: int) -> bool:
    """Makes the next episodes follow from a seed, whatever was before.

    The wrapped environment's own method `reseed` or `seed` is called, or else
    the generator of its dm_control task, or its own `random_state`, is seeded.

    Args:
      seed: in [0, 2**32).

    Returns:
      Whether the environment could be seeded.

    Raises:
      BadEnvironmentOutput: if its method raises anything but
        NotImplementedError, which says that it cannot be seeded.
    """
    for name in ('reseed', 'seed'):
      method = getattr(self._environment, name, None)
      if not callable(method):
        continue
      try:
        method(seed)
        return True
      except NotImplementedError:
        continue
      except Exception as error:
        raise errors.BadEnvironmentOutput(
            self._name, 'seeding', 0, f'{name}({seed}) raised '
            f'{type(error).__name__}: {error}') from error
    for owner, name in ((getattr(self._environment, 'task', None), 'random'),
                        (self._environment, 'random_state')):
      generator = getattr(owner, name, None)
      if isinstance(generator, np.random.RandomState):
        generator.seed(seed)
        return True
    return False

  def reset(self) -> TimeStep:
    """Starts an episode.

    Returns:
      The first step, without reward, discount and penalty.

    Raises:
      EpisodeCut: if the simulator fails.
      BadEnvironmentOutput: if this is no first step, or the observation is not
        what the spec says.
    """
    self._step = 0
    self._reset_next_step = True
    try:
      time_step = self._environment.reset()
    except (RuntimeError, OSError) as error:
      raise self._translated(error)  # noqa: B904 (says what it comes from)
    if self._step_type(time_step) != dm_env.StepType.FIRST:
      raise errors.BadEnvironmentOutput(
          self._name, 'step type', 0, 'expected a first step from reset(), got '
          f'{time_step.step_type!r}')
    observation = self._observation(time_step.observation)
    self._reset_next_step = False
    return TimeStep(dm_env.StepType.FIRST, None, None, observation, None)

  def step(self, action: np.ndarray) -> TimeStep:
    """Makes one step, or starts an episode after a last step or an error.

    Args:
      action: `[A]`, passed on as a copy in the dtype of the wrapped
        environment's spec; what is beyond its bounds is moved to them.

    Returns:
      The step, with the penalty `[K]` of this transition.

    Raises:
      ValueError: if the action has another shape than the spec.
      EpisodeCut: if the simulator's state diverged.
      BadEnvironmentOutput: if observation, reward, discount or penalty is NaN,
        infinite or misshapen, the discount is not in [0, 1], or the environment
        restarted within an episode.
    """
    if self._reset_next_step:
      return self.reset()
    action = self._gate(action)
    self._step += 1
    # Whatever is raised below, the episode is over.
    self._reset_next_step = True
    try:
      time_step = self._environment.step(action)
    except (RuntimeError, OSError) as error:
      raise self._translated(error)  # noqa: B904 (says what it comes from)
    if self._step_type(time_step) == dm_env.StepType.FIRST:
      raise errors.BadEnvironmentOutput(
          self._name, 'step type', self._step, 'expected a mid or a last step, '
          'got a first one: the environment restarted by itself; an episode '
          'has to end with a last step, which has the discount 1 where only '
          'the time is over')
    # Before the penalties, whose functions are the user's and get the arrays.
    observation = self._observation(time_step.observation)
    reward = self._scalar('reward', time_step.reward)
    discount = self._scalar('discount', time_step.discount)
    if not 0.0 <= discount <= 1.0:
      raise errors.BadEnvironmentOutput(
          self._name, 'discount', self._step,
          f'expected a number in [0, 1], got {discount:g}')
    try:
      penalty = self._penalty(time_step)
    except OSError as error:
      raise self._translated(error)  # noqa: B904 (says what it comes from)
    if self._include_penalties:
      observation[self._flatten.size:] = penalty
    result = TimeStep(
        step_type=time_step.step_type, reward=reward, discount=discount,
        observation=observation, penalty=penalty)
    self._reset_next_step = time_step.step_type == dm_env.StepType.LAST
    return result

  def observation_spec(self) -> specs.Array:
    return specs.Array((self._spec.observation_size,), np.float32,
                       name='observation')

  def action_spec(self) -> specs.BoundedArray:
    return specs.BoundedArray(
        self._spec.action_minimum.shape, np.float32,
        self._spec.action_minimum, self._spec.action_maximum, name='action')

  def penalty_spec(self) -> specs.Array:
    return specs.Array((self._spec.num_constraints,), np.float32,
                       name='penalty')

  @property
  def closed(self) -> bool:
    """Whether `close` has been called."""
    return self._closed

  def close(self) -> None:
    self._closed = True
    # Of a lost connection, which has been told already.
    with contextlib.suppress(OSError):
      self._environment.close()

  def _step_type(self, time_step: Any) -> dm_env.StepType:
    try:
      return time_step.step_type
    except AttributeError:
      raise errors.BadEnvironmentOutput(
          self._name, 'step', self._step, 'expected a dm_env.TimeStep, got '
          f'{type(time_step).__name__}') from None

  def _observation(self, observation: Any) -> np.ndarray:
    """A new array; without the penalties, which stand behind."""
    flat = np.zeros(self._spec.observation_size, np.float32)
    try:
      self._flatten(observation, flat)
    except flatten.BadEntry as error:
      raise errors.BadEnvironmentOutput(
          self._name, f'observation {error.entry}'.rstrip(), self._step,
          error.detail) from None
    return flat

  def _penalty(self, time_step: dm_env.TimeStep) -> np.ndarray:
    penalty = np.empty(len(self._functions), np.float32)
    sources = {constraint_lib.TIME_STEP: time_step}
    for name in self._attributes:
      sources[name] = getattr(self._environment, name)
    for k, (function, source) in enumerate(self._functions):
      try:
        value = function(sources[source])
      except errors.NoPenalty as error:
        raise errors.BadEnvironmentOutput(
            self._name, f'penalty {self._constraints[k].name!r}', self._step,
            str(error)) from None
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
        if np.ndim(value) or isinstance(value, (str, bytes)):
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

  def _translated(self, error: Exception) -> Exception:
    """What a runner can tell apart for what a simulator raises.

    A PhysicsError becomes an `EpisodeCut`. A lost connection or a missing file
    becomes a `BadEnvironmentOutput`, so that nobody takes it for an error of
    the run's own files. Other errors are unchanged.
    """
    if isinstance(error, OSError):
      bad = errors.BadEnvironmentOutput(
          self._name, 'simulator', self._step,
          f'it raised {type(error).__name__}: {error}')
      bad.__cause__ = error
      return bad
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


def _episode_steps(environment: dm_env.Environment) -> int:
  # dm_control says the length of an episode nowhere else. It ends an episode
  # at the first step count >= this limit.
  limit = getattr(environment, '_step_limit', math.inf)
  return math.ceil(limit) if math.isfinite(limit) else 0
