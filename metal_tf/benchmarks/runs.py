"""Contestants that act and learn as whole runs, one episode at a time."""

import tempfile
import time
from typing import Any

from metal_tf import environments
from metal_tf.benchmarks import tasks
from metal_tf.benchmarks import turns as turns_lib

# The first fills the replay, in the second the learner is compiled.
_WARM_UP_EPISODES = 2


class _Gate:
  """Lets an environment's episodes begin when it is this contestant's turn.

  So a whole run is measured from the outside, with everything that it does
  between two resets: acting, insertion, sampling, learning, logs. Turns are
  answered with the seconds of an environment step.
  """

  def __init__(self, environment: environments.ConstrainedEnvironment,
               turns: turns_lib.Turns):
    """Remembers the environment's methods; turns begin after the warm-up."""
    self._reset, self._step = environment.reset, environment.step
    self._turns = turns
    self._warm_up = _WARM_UP_EPISODES
    self._episodes_left = self._steps = 0
    self._started = 0.0

  def reset(self) -> environments.TimeStep:
    """Starts an episode, after waiting for the turn to do so."""
    if self._warm_up:
      self._warm_up -= 1
    elif self._episodes_left:
      self._episodes_left -= 1
    else:
      seconds = time.perf_counter() - self._started
      self._episodes_left = self._turns.next(
          seconds / self._steps if self._started else None) - 1
      self._started, self._steps = time.perf_counter(), 0
    return self._reset()

  def step(self, action: Any) -> environments.TimeStep:
    self._steps += 1
    return self._step(action)


def gate(environment: environments.ConstrainedEnvironment,
         turns: turns_lib.Turns) -> environments.ConstrainedEnvironment:
  """Returns the environment, whose episodes wait for their turns from now on.

  Args:
    environment: the contestant's, in which two methods are replaced; a wrapper
      around it would not be the kind of environment that a run takes.
    turns: of the contestant.
  """
  gated = _Gate(environment, turns)
  environment.reset = gated.reset  # type: ignore[method-assign]
  environment.step = gated.step  # type: ignore[method-assign]
  return environment


def ours(turns: turns_lib.Turns, *, algorithm: str, domain: str,
         preset: str = 'paper') -> None:
  """One of our runs as a launcher makes it; measures environment steps.

  Without checkpoints and evaluations, since the peer has none.
  """
  from metal_tf.agent import agents
  from metal_tf.training import run
  config = tasks.make_config(
      domain, preset, workdir=tempfile.mkdtemp(), evaluation_period=0,
      feasibility_episodes=0, checkpoint_seconds=1e6)

  def make(seed: int) -> environments.ConstrainedEnvironment:
    return gate(tasks.make_environment(config, seed), turns)

  run.train(agents.ALGORITHMS[algorithm], config, make)


def acme(turns: turns_lib.Turns, *, domain: str,
         preset: str = 'paper') -> None:
  """Acme's agent in Acme's loop; measures environment steps."""
  import acme as acme_lib
  from acme.utils import loggers

  from metal_tf.benchmarks import acme_peer
  config = tasks.make_config(domain, preset)
  environment = tasks.make_environment(config, seed=0)
  adapted = acme_peer.AcmeEnvironment(gate(environment, turns))
  acme_lib.EnvironmentLoop(
      adapted, acme_peer.make_agent(adapted, environment.spec, config),
      logger=loggers.NoOpLogger()).run()
