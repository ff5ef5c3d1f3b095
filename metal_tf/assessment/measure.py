"""Runs episodes without exploration noise and takes their measure."""

import contextlib
from typing import Callable, NamedTuple, Optional

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
    discounted_return: sum of the rewards as the agent weighs them at the
      start, the first one with 1 and each later one with the weight before
      times `config.discount` and the environment's own discount, `[E]`. It ends
      with the episode, where an agent that learns may bootstrap.
    discounted_penalty: the penalties' sums likewise, `[E, K]`. An agent with
      the multipliers lambda maximises the mean of `discounted_return - lambda .
      discounted_penalty`, and the like from every other state.
    steps: of each episode, `[E]`.
    cut_episodes: episodes that the simulator gave up; others ran instead.
  """
  episode_return: np.ndarray
  penalty: np.ndarray
  discounted_return: np.ndarray
  discounted_penalty: np.ndarray
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
    config: the run's settings, of which `seed`, `discount` and
      `max_episode_steps` count.
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
    max_steps = hints.max_episode_steps(config, seeded.spec)
    outcomes = [
        _run_one(seeded, actor, number, watch, max_steps, config.discount)
        for number in range(1, num_episodes + 1)]
  return Measured(
      np.array([outcome.result.episode_return for outcome in outcomes]),
      np.stack([outcome.result.episode_penalty for outcome in outcomes]),
      np.array([outcome.discounted_return for outcome in outcomes]),
      np.stack([outcome.discounted_penalty for outcome in outcomes]),
      np.array([outcome.result.steps for outcome in outcomes]),
      sum(outcome.cuts_before for outcome in outcomes))


class _Outcome(NamedTuple):
  """Of one whole episode, with how many were cut before."""
  result: episode_lib.EpisodeResult
  discounted_return: float
  discounted_penalty: np.ndarray
  cuts_before: int


def _run_one(seeded: seeding.SeededEnvironment, actor: actor_lib.Actor,
             number: int, watch: Optional[Watcher], max_steps: int,
             discount: float) -> _Outcome:
  """Runs one whole episode; the arguments are `measure`'s."""
  for attempt in range(episode_lib.MAX_CUTS_IN_A_ROW):
    environment = seeded.begin(number, attempt)
    episode = episode_lib.Episode(environment, actor, max_steps)
    weight, discounted_return = 1., 0.
    discounted_penalty = np.zeros(seeded.spec.num_constraints)
    try:
      for count, step in enumerate(episode, 1):
        discounted_return += weight * step.reward
        discounted_penalty += weight * step.penalty
        weight *= discount * step.discount
        if watch is not None:
          watch(number, count, environment, step)
      return _Outcome(
          episode.result, discounted_return, discounted_penalty, attempt)
    except errors.EpisodeCut as error:
      cut = error
  raise cut
