"""Runs episodes without exploration noise and takes their measure."""

import contextlib
from typing import Any, Callable, NamedTuple, Optional

import numpy as np

from metal_tf import config as config_lib
from metal_tf.acting import actor as actor_lib
from metal_tf.acting import episode as episode_lib
from metal_tf.environments import errors
from metal_tf.environments import wrapper
from metal_tf.training import hints
from metal_tf.training import seeding

# Called behind every step: (episode from 1, number of the step from 1,
# environment, the step). An episode that was cut begins anew at step 1.
Watcher = Callable[
    [int, int, wrapper.ConstrainedEnvironment, episode_lib.Step], None]


class Measured(NamedTuple):
  """What E episodes came to.

  Attributes:
    episode_return: `[E]`.
    penalty: J_C of each episode, `[E, K]`.
    steps: of each episode, `[E]`.
    cut_episodes: episodes that the simulator gave up; others ran instead.
  """
  episode_return: np.ndarray
  penalty: np.ndarray
  steps: np.ndarray
  cut_episodes: int


def measure(policy: Callable[[np.ndarray], np.ndarray],
            make_environment: seeding.EnvironmentFactory,
            config: config_lib.Config, num_episodes: int,
            watch: Optional[Watcher] = None) -> Measured:
  """Runs episodes.

  Their starts follow from the seed and are none of training's.

  Args:
    policy: observation `[O]` to action `[A]`, for instance of
      `metal_tf.load_policy`.
    make_environment: makes the environment from a seed.
    config: the run's settings, of which `seed` and `max_episode_steps` count.
    num_episodes: E >= 1.
    watch: called behind every step.

  Raises:
    BadEnvironmentOutput: if the environment delivers NaN or a wrong shape.
    EpisodeCut: if the simulator gives up 10 times in a row.
  """
  seeded = seeding.SeededEnvironment(make_environment, 'evaluation', config)
  with contextlib.closing(seeded):
    actor = actor_lib.Actor(
        policy, exploration_sigma=0.0, seed=0, spec=seeded.spec)
    results, cuts = [], 0
    for number in range(1, num_episodes + 1):
      result, cuts_before = _run_one(
          seeded, actor, number, watch,
          hints.max_episode_steps(config, seeded.spec))
      results.append(result)
      cuts += cuts_before
  return Measured(
      np.array([result.episode_return for result in results]),
      np.stack([result.episode_penalty for result in results]),
      np.array([result.steps for result in results]), cuts)


def _run_one(seeded: seeding.SeededEnvironment, actor: actor_lib.Actor,
             number: int, watch: Optional[Watcher], max_steps: int) -> Any:
  """One whole episode, and how many were cut before."""
  for attempt in range(episode_lib.MAX_CUTS_IN_A_ROW):
    environment = seeded.begin(number, attempt)
    episode = episode_lib.Episode(environment, actor, max_steps)
    try:
      for count, step in enumerate(episode, 1):
        if watch is not None:
          watch(number, count, environment, step)
      return episode.result, attempt
    except errors.EpisodeCut as error:
      cut = error
  raise cut
