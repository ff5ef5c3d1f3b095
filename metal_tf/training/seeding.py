"""An environment whose episodes follow from the run's seed and their number.

So a resumed run meets the same starting states as one that was never stopped,
without any state of the simulator in the checkpoint.
"""

import threading
from typing import Any, Callable, Dict, List

import numpy as np

from metal_tf import config as config_lib
from metal_tf import types
from metal_tf.environments import adapting
from metal_tf.environments import own
from metal_tf.environments import wrapper

# Their places are part of the seeds: append only.
_ROLES = ('networks', 'environment', 'exploration', 'replay', 'evaluation',
          'feasibility')

# Makes an environment from a seed: a `ConstrainedEnvironment`, or what else
# `adapting.adapt` takes.
EnvironmentFactory = Callable[[int], Any]

# The simulators in use, by their ids, one entry for each part of a run. One of
# which a process can have only one is the same for all of them: they take
# turns, and each episode begins with a reset.
_in_use: Dict[int, List[Any]] = {}
_lock = threading.Lock()  # Of that; workers may be threads.


def seed_of(role: str, seed: int, *numbers: int) -> int:
  """Derives the seed of one part of a run from the run's seed.

  Args:
    role: 'networks', 'environment', 'exploration', 'replay', 'evaluation' or
      'feasibility'.
    seed: of the run.
    *numbers: whatever else tells this part apart: of an episode, of the tries
      at it, of an actor.

  Returns:
    A number in [0, 2**32).
  """
  sequence = np.random.SeedSequence(
      [seed, _ROLES.index(role), *numbers])
  return int(sequence.generate_state(1)[0])


def adapted(make_environment: EnvironmentFactory) -> Callable[
    [int], wrapper.ConstrainedEnvironment]:
  """The same function, whatever it returns that `adapting.adapt` takes."""
  return lambda seed: adapting.adapt(make_environment(seed))


class SeededEnvironment:
  """Seeds an environment before each episode.

  One that can only be seeded when it is made is made anew for every episode,
  which may take long.

  A function that always returns one and the same environment, for a simulator
  of which a process can have only one, is served: it is shared, and closed by
  the last part of the run that has it.
  """

  def __init__(self, make_environment: EnvironmentFactory, role: str,
               config: config_lib.Config, *numbers: int):
    """Makes the environment.

    Args:
      make_environment: makes it from a seed.
      role: 'environment', 'evaluation' or 'feasibility'.
      config: the run's settings.
      *numbers: what tells this one from others of its role.

    Raises:
      ValueError: if the function returns something else than an environment,
        or (`OwnEnvironmentError`) one that is closed.
    """
    self._make = make_environment
    self._role = role
    self._seed = config.seed
    self._numbers = numbers
    self._made_for = self._seed_of(1, 0)
    self._environment = self._take(self._made_for)
    self._closed = False

  @property
  def spec(self) -> types.EnvironmentSpec:
    """The environment's."""
    return self._environment.spec

  @property
  def suite(self) -> str:
    """Where the task comes from."""
    return self._environment.suite

  def begin(self, episode: int,
            attempt: int = 0) -> wrapper.ConstrainedEnvironment:
    """Returns the environment, ready for the reset of an episode.

    Args:
      episode: its number, from 1.
      attempt: how often it has been cut before.
    """
    seed = self._seed_of(episode, attempt)
    if not self._environment.reseed(seed) and seed != self._made_for:
      before = self._environment
      # Before the other is given back: it may be one and the same.
      self._environment = self._take(seed)
      _give_back(before)
      self._made_for = seed
    return self._environment

  def close(self) -> None:
    """Gives the environment back; its simulator's last user closes it."""
    if self._closed:
      return
    self._closed = True
    _give_back(self._environment)

  def _take(self, seed: int) -> wrapper.ConstrainedEnvironment:
    environment = adapting.adapt(self._make(seed))
    if environment.closed:
      raise own.OwnEnvironmentError(
          f'{environment.name}: the function that makes environments returned '
          'one that it had returned before and that is closed by now; it has '
          'to make a new one, or the environment has to be one that can be '
          'seeded')
    simulator = adapting.simulator(environment)
    with _lock:
      _in_use.setdefault(id(simulator), []).append(simulator)
    return environment

  def _seed_of(self, episode: int, attempt: int) -> int:
    return seed_of(self._role, self._seed, *self._numbers, episode, attempt)


def _give_back(environment: wrapper.ConstrainedEnvironment) -> None:
  """Closes an environment unless others have its simulator."""
  key = id(adapting.simulator(environment))
  with _lock:
    _in_use[key].pop()
    if _in_use[key]:
      return
    del _in_use[key]
  environment.close()
