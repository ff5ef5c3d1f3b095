"""A Gymnasium environment as one of dm_env.

Gymnasium is imported here and nowhere else, when the first such environment is
adapted.
"""

from typing import Any, Dict, Mapping, Optional

import dm_env
from dm_env import specs
from gymnasium import spaces
import numpy as np

from metal_tf.environments import errors


class GymnasiumEnvironment(dm_env.Environment):
  """Speaks dm_env to one side and Gymnasium to the other.

  `terminated` becomes the discount 0, `truncated` alone the discount 1, so that
  the value of the last state is bootstrapped where only the time is over. An
  episode that is both is terminated.
  """

  def __init__(self, environment: Any, name: str):
    """Wraps an environment, which belongs to the adapter from then on.

    Args:
      environment: follows `gymnasium.Env`. Those of Safety-Gymnasium, whose
        step returns a cost as a sixth value, have it in `info['cost']` here.
      name: of the environment, for messages.

    Raises:
      ValueError: for a space that a flat float vector cannot stand for.
    """
    self._environment = environment
    self._name = name
    self._observation_spec = _observation_spec(
        name, environment.observation_space)
    self._action_spec = _action_spec(name, environment.action_space)
    self._seed: Optional[int] = None
    self._info: Mapping[str, Any] = {}
    self._step = 0

  @property
  def info(self) -> Mapping[str, Any]:
    """What came with the newest step, for `Constraint.of_info`."""
    return self._info

  @property
  def gymnasium(self) -> Any:
    """The wrapped environment."""
    return self._environment

  @property
  def episode_steps(self) -> int:
    """The limit on an episode's steps that it is registered with, or 0."""
    spec = getattr(self._environment, 'spec', None)
    return getattr(spec, 'max_episode_steps', None) or 0

  def reseed(self, seed: int) -> None:
    """Has the next reset seed the environment."""
    self._seed = int(seed)

  def reset(self) -> dm_env.TimeStep:
    seed, self._seed = self._seed, None
    self._step = 0
    result = self._environment.reset(seed=seed)
    if not isinstance(result, tuple) or len(result) != 2:
      raise self._bad('reset', 'expected (observation, info), as of gymnasium '
                      f'0.26, got {type(result).__name__}')
    observation, self._info = result
    return dm_env.restart(observation)

  def step(self, action: np.ndarray) -> dm_env.TimeStep:
    self._step += 1
    result = self._environment.step(action)
    if isinstance(result, tuple) and len(result) == 6:
      observation, reward, cost, terminated, truncated, info = result
      info = {**info, 'cost': cost}
    elif isinstance(result, tuple) and len(result) == 5:
      observation, reward, terminated, truncated, info = result
    else:
      raise self._bad('step', 'expected (observation, reward, terminated, '
                      'truncated, info), as of gymnasium 0.26, got '
                      f'{type(result).__name__}'
                      + (f' of {len(result)}' if isinstance(result, tuple)
                         else ''))
    self._info = info
    if terminated:
      return dm_env.termination(reward, observation)
    if truncated:
      return dm_env.truncation(reward, observation, discount=1.0)
    return dm_env.transition(reward, observation, discount=1.0)

  def observation_spec(self) -> Any:
    return self._observation_spec

  def action_spec(self) -> specs.BoundedArray:
    return self._action_spec

  def render(self) -> Any:
    """A picture, where the environment was made with such a render mode."""
    return self._environment.render()

  def close(self) -> None:
    self._environment.close()

  def _bad(self, field: str, detail: str) -> errors.BadEnvironmentOutput:
    return errors.BadEnvironmentOutput(self._name, field, self._step, detail)


def _action_spec(name: str, space: Any) -> specs.BoundedArray:
  if isinstance(space, (spaces.Discrete, spaces.MultiDiscrete,
                        spaces.MultiBinary)):
    raise ValueError(
        f'{name}: expected continuous actions (Box), got {space}; the agents '
        'here have no discrete actions: use a continuous version of the task')
  if not isinstance(space, spaces.Box):
    raise ValueError(
        f'{name}: expected one Box of actions, got {space}; put them together '
        'into one vector with gymnasium.wrappers.TransformAction')
  if np.dtype(space.dtype).kind != 'f' or len(space.shape) != 1:
    raise ValueError(
        f'{name}: expected a vector of floats as action, got {space}; reshape '
        'it with gymnasium.wrappers.TransformAction')
  if not (np.isfinite(space.low).all() and np.isfinite(space.high).all()):
    raise ValueError(
        f'{name}: expected finite bounds of actions, got {space}; give them '
        'the range in which the plant is to be driven, with gymnasium.wrappers.'
        'TransformAction(env, lambda action: action, Box(low, high))')
  return specs.BoundedArray(
      space.shape, space.dtype, space.low, space.high, name='action')


def _observation_spec(name: str, space: Any, path: str = '') -> Any:
  if isinstance(space, spaces.Box):
    return specs.Array(space.shape, space.dtype, name=path or 'observation')
  if isinstance(space, spaces.Dict):
    entries: Dict[str, Any] = {
        key: _observation_spec(name, entry, f'{path}/{key}'.lstrip('/'))
        for key, entry in space.spaces.items()}
    return entries
  where = f'observation {path!r}' if path else 'observation'
  raise ValueError(
      f'{name}: expected a Box or a Dict of them as {where}, got {space}; '
      'gymnasium.wrappers.FlattenObservation makes one vector of anything, '
      'with discrete parts as one-hot vectors')
