"""Episodes without exploration, in an environment of their own."""

from typing import Callable, Optional

from metal_tf import config as config_lib
from metal_tf.acting import actor as actor_lib
from metal_tf.acting import episode as episode_lib
from metal_tf.acting import numpy_policy
from metal_tf.environments import errors
from metal_tf.training import hints
from metal_tf.training import seeding


class Evaluator:
  """Runs the policy as it is, without noise.

  It shares no random numbers with training, so that training is the same
  whether and how often it is evaluated.
  """

  def __init__(self, make_environment: seeding.EnvironmentFactory,
               weights: actor_lib.WeightsSource, config: config_lib.Config,
               warn: Callable[[str], None]):
    """Makes the environment and the actor.

    Args:
      make_environment: makes the environment from a seed.
      weights: gives the policy's present weights.
      config: the run's settings.
      warn: takes one line.
    """
    self._period = config.evaluation_period
    self._warn = warn
    self._environment = seeding.SeededEnvironment(
        make_environment, 'evaluation', config)
    spec = self._environment.spec
    self._max_steps = hints.max_episode_steps(config, spec)
    self._actor = actor_lib.Actor(
        numpy_policy.NumpyPolicy(
            weights(), spec.action_minimum, spec.action_maximum),
        exploration_sigma=0.0, seed=0, spec=spec, weights_source=weights)

  def due(self, episode: int, last: int) -> bool:
    """Whether to evaluate now.

    Args:
      episode: training episodes done.
      last: the same when the last evaluation was made, 0 if none was.
    """
    return bool(self._period) and episode > last and (
        episode % self._period == 0)

  def run(self, episode: int,
          stop: Callable[[], bool] = lambda: False
         ) -> Optional[episode_lib.EpisodeResult]:
    """Runs one episode with the present weights.

    Args:
      episode: training episodes done; the episode's start follows from it.
      stop: asked at every step.

    Returns:
      The episode, or None if it was stopped or the simulator gave up.

    Raises:
      BadEnvironmentOutput: if the environment delivers NaN or a wrong shape.
    """
    running = episode_lib.Episode(
        self._environment.begin(episode), self._actor, self._max_steps)
    try:
      for _ in running:
        if stop():
          return None
    except errors.EpisodeCut as cut:
      self._warn(f'No evaluation at episode {episode}: {cut}')
      return None
    return running.result

  def close(self) -> None:
    self._environment.close()

