"""An actor: it acts, fills the replay and reports its episodes."""

import contextlib
from typing import Any, Callable

import reverb

from metal_tf import config as config_lib
from metal_tf import types
from metal_tf.acting import actor as actor_lib
from metal_tf.acting import episode as episode_lib
from metal_tf.acting import numpy_policy
from metal_tf.distributed import coordinator as coordinator_lib
from metal_tf.distributed import leash as leash_lib
from metal_tf.environments import errors
from metal_tf.environments import wrapper
from metal_tf.replay import n_step
from metal_tf.replay import reverb_writer
from metal_tf.system import process
from metal_tf.training import hints
from metal_tf.training import seeding


def name_of(index: int) -> str:
  """What the actor with that index is called."""
  return f'actor {index}'


class ActorWorker:
  """One of several actors; it needs nothing that another could not have."""

  def __init__(self, coordinator: Any, counter: Any, learner: Any,
               replay: reverb.Client, *, index: int, start_episode: int,
               spec: types.EnvironmentSpec, config: config_lib.Config,
               make_environment: Callable[
                   [int], wrapper.ConstrainedEnvironment]):
    """Takes what it needs; `run` makes the environment.

    Args:
      coordinator: client of it.
      counter: client of it.
      learner: client of it.
      replay: client of the server.
      index: of this actor, from 0.
      start_episode: episodes that the run had done when it was started.
      spec: the environment's.
      config: the run's settings.
      make_environment: makes the environment from a seed.
    """
    process.adopt()  # Launchpad makes the object where it runs.
    self._coordinator = coordinator
    self._counter = counter
    self._learner = learner
    self._replay = replay
    self._index = index
    self._start_episode = start_episode
    self._spec = spec
    self._config = config
    self._make_environment = make_environment
    self._cuts_in_a_row = 0

  def run(self) -> None:
    """Acts until the coordinator says stop."""
    name = name_of(self._index)
    leash = leash_lib.Leash(
        self._coordinator, name, coordinator_lib.Phase.STOP_ACTING)

    numbers = self._start_episode, self._index, leash.starts_before
    environment = seeding.SeededEnvironment(
        self._make_environment, 'environment', self._config, *numbers)
    with contextlib.ExitStack() as stack:
      stack.callback(leash.close)
      stack.callback(environment.close)
      try:
        writer = reverb_writer.ReverbWriter(
            self._replay, self._spec, timeout_seconds=1.0,
            keep_waiting=lambda: not leash.stopping)
        stack.callback(writer.close)
        actor = self._make_actor(leash, seeding.seed_of(
            'exploration', self._config.seed, *numbers))
        episode = 0
        while not leash.stopping:
          episode += 1
          self._run_episode(leash, environment.begin(episode), actor, writer)
      except leash_lib.Stopped:
        pass  # The learner or the counter is gone, so the run is ending.
      except reverb_writer.HeldBack:
        if not leash.stopping:  # Else the replay is, and answers no more.
          raise
    process.leave()

  def _make_actor(self, leash: leash_lib.Leash, seed: int) -> actor_lib.Actor:
    weights = lambda: leash.ask(self._learner, 'get_weights')
    policy = numpy_policy.NumpyPolicy(
        weights(), self._spec.action_minimum, self._spec.action_maximum)
    return actor_lib.Actor(
        policy, exploration_sigma=self._config.exploration_sigma, seed=seed,
        spec=self._spec, weights_source=weights)

  def _run_episode(self, leash: leash_lib.Leash,
                   environment: wrapper.ConstrainedEnvironment,
                   actor: actor_lib.Actor,
                   writer: reverb_writer.ReverbWriter) -> None:
    """One episode into the replay; its result to the counter."""
    accumulator = n_step.NStepAccumulator(
        self._config.n_step, self._config.discount)
    if self._config.replay == 'prioritized':  # Only the learner knows it.
      writer.priority = leash.ask(self._learner, 'largest_priority')
    episode = episode_lib.Episode(
        environment, actor,
        hints.max_episode_steps(self._config, self._spec))
    leash.doing = 'acting'
    steps = 0
    try:
      for steps, step in enumerate(episode, 1):  # noqa: B007 (for a cut)
        for transition in accumulator.append(*step):
          writer.insert(transition)
        leash.count += 1
        if leash.stopping:
          leash.ask(self._counter, 'drop')
          return
      writer.insert_episode_penalty(episode.result.episode_penalty)
    except errors.EpisodeCut as cut:
      self._count_cut(leash, cut, steps)
      return
    except reverb_writer.HeldBack:
      if leash.stopping:  # The learner takes no more, so the limiter is shut.
        leash.ask(self._counter, 'drop')
        return
      raise
    self._cuts_in_a_row = 0
    leash.ask(self._counter, 'add_episode', episode.result)

  def _count_cut(self, leash: leash_lib.Leash, cut: errors.EpisodeCut,
                 steps: int) -> None:
    """Tolerates a diverged simulation now and then, but not for ever."""
    self._cuts_in_a_row += 1
    leash.ask(self._counter, 'add_cut', steps,
              f'{name_of(self._index)}: {cut}')
    if self._cuts_in_a_row >= episode_lib.MAX_CUTS_IN_A_ROW:
      raise cut
