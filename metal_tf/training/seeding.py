"""An environment whose episodes follow from the run's seed and their number.

So a resumed run meets the same starting states as one that was never stopped,
without any state of the simulator in the checkpoint.
"""

from typing import Callable

import numpy as np

from metal_tf import config as config_lib
from metal_tf import types
from metal_tf.environments import wrapper

# Their places are part of the seeds: append only.
_ROLES = ('networks', 'environment', 'exploration', 'replay', 'evaluation',
          'feasibility')

EnvironmentFactory = Callable[[int], wrapper.ConstrainedEnvironment]


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


class SeededEnvironment:
  """Seeds an environment before each episode.

  One that can only be seeded when it is made is made anew for every episode,
  which may take long.
  """

  def __init__(self, make_environment: EnvironmentFactory, role: str,
               config: config_lib.Config):
    """Makes the environment.

    Args:
      make_environment: makes it from a seed.
      role: 'environment', 'evaluation' or 'feasibility'.
      config: the run's settings.
    """
    self._make = make_environment
    self._role = role
    self._seed = config.seed
    self._made_for = self._seed_of(1, 0)
    self._environment = make_environment(self._made_for)

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
      self._environment.close()
      self._environment = self._make(seed)
      self._made_for = seed
    return self._environment

  def close(self) -> None:
    self._environment.close()

  def _seed_of(self, episode: int, attempt: int) -> int:
    return seed_of(self._role, self._seed, episode, attempt)
