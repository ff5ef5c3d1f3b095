"""Seeds an environment that takes its noise from numpy's global generator."""

import contextlib
import threading
from typing import Any, Callable, Dict, Iterator

import dm_env
import numpy as np

# There is one global generator in a process, and actors may be its threads.
_GLOBAL_GENERATOR = threading.Lock()


class SeededNoise(dm_env.Environment):
  """Lends the global generator to an environment while that is at work.

  Before every call of the wrapped environment the generator is set to a state
  of this object's own, and behind it to what it was before: so its draws follow
  from the seed, and nobody else's are changed by them. This copies the
  generator's 2.5 kB four times a step.

  With `episodes_apart` the environment is loaded anew at every `reseed`, so
  that what it carries from one episode into the next (delayed observations and
  actions, values that are still stuck) does not come between a seed and its
  episode. Without, only its generators are seeded.
  """

  def __init__(self, load: Callable[[int], dm_env.Environment], seed: int,
               episodes_apart: bool):
    """Loads the environment, once more to try it out.

    Args:
      load: makes a dm_control environment from the seed of its task.
      seed: of the task and of the noise.
      episodes_apart: whether to load it anew at every `reseed`.

    Raises:
      ValueError: if it cannot be loaded or makes no step.
    """
    self._load = load
    self._episodes_apart = episodes_apart
    self._state = _first_state(seed)
    try:
      with self._own_noise():
        # A spec is an observation there, so looking at it draws noise and fills
        # delays.
        tried = load(seed)
        self._observation_spec = tried.observation_spec()
        self._action_spec = tried.action_spec()
        tried.reset()
        tried.step(self._action_spec.generate_value())
        tried.close()
    except Exception as error:
      raise ValueError(
          f'the suite cannot run with this ({type(error).__name__}: {error})'
      ) from error
    self._begin(seed)

  def reseed(self, seed: int) -> None:
    """Makes the next episodes follow from a seed."""
    if self._episodes_apart:
      self._environment.close()
      self._begin(seed)
    else:
      self._state = _first_state(seed)
      self._environment.task.random.seed(seed)

  def reset(self) -> dm_env.TimeStep:
    with self._own_noise():
      return self._environment.reset()

  def step(self, action: np.ndarray) -> dm_env.TimeStep:
    with self._own_noise():
      # Dropped values are set to zero in the array itself.
      return self._environment.step(np.array(action))

  def observation_spec(self) -> Any:
    return self._observation_spec

  def action_spec(self) -> Any:
    return self._action_spec

  def close(self) -> None:
    self._environment.close()

  def __getattr__(self, name: str) -> Any:
    # `physics`, `task` and what else tells something about the environment.
    if name == '_environment':  # Not there yet.
      raise AttributeError(name)
    return getattr(self._environment, name)

  def _begin(self, seed: int) -> None:
    self._state = _first_state(seed)
    with self._own_noise():
      self._environment = self._load(seed)

  @contextlib.contextmanager
  def _own_noise(self) -> Iterator[None]:
    with _GLOBAL_GENERATOR:
      others = np.random.get_state(legacy=False)
      np.random.set_state(self._state)
      try:
        yield
      finally:
        self._state = np.random.get_state(legacy=False)
        np.random.set_state(others)


def _first_state(seed: int) -> Dict[str, Any]:
  # Another sequence than the task's own, which has the seed alone.
  return np.random.RandomState([seed, 1]).get_state(legacy=False)
