"""Contestants that act and learn as whole runs, one episode at a time."""

import os
import sys
import tempfile
import time
from typing import Any, Optional

from metal_tf.agent import agents
from metal_tf.benchmarks import tasks
from metal_tf.benchmarks import worker
from metal_tf import config as config_lib
from metal_tf.environments import wrapper
from metal_tf import types

# The first fills the replay, in the second the learner is compiled.
_WARM_UP_EPISODES = 2


class GatedEnvironment:
  """An environment whose episodes begin when it is this worker's turn.

  So a whole run is measured from the outside, with everything that it does
  between two resets: acting, insertion, sampling, learning, logs.
  """

  def __init__(self, environment: wrapper.ConstrainedEnvironment,
               turns: worker.Turns):
    """Wraps an environment; the first episodes are warm-up.

    Args:
      environment: what the run acts in.
      turns: when to measure, and how many episodes.
    """
    self._environment = environment
    self._turns = turns
    self._episodes_left = _WARM_UP_EPISODES
    self._steps = 0
    self._started: Optional[float] = None  # None while warming up.

  def reset(self) -> wrapper.TimeStep:
    """Starts an episode, after waiting for the turn to do so."""
    if not self._episodes_left:
      if self._started is None:
        self._turns.answer()
      else:
        self._turns.answer(count=self._steps,
                           seconds=time.perf_counter() - self._started)
      self._episodes_left, self._steps = self._turns.wait(), 0
      self._started = time.perf_counter()
    self._episodes_left -= 1
    return self._environment.reset()

  def step(self, action: Any) -> wrapper.TimeStep:
    self._steps += 1
    return self._environment.step(action)

  def __getattr__(self, name: str) -> Any:
    return getattr(self._environment, name)


def ours(turns: worker.Turns, *, algorithm: str, domain: str) -> None:
  """One of our runs as a launcher makes it; measures environment steps.

  Without checkpoints and evaluations, since the peer has none.

  Args:
    turns: when to go on.
    algorithm: of the registry.
    domain: of the task.
  """
  from metal_tf.training import run  # pylint: disable=g-import-not-at-top
  config = config_lib.Config(
      domain=domain, suite='builtin', workdir=tempfile.mkdtemp(),
      evaluation_period=0, feasibility_episodes=0, checkpoint_seconds=1e6)
  run.train(
      agents.ALGORITHMS[algorithm], config,
      lambda seed: GatedEnvironment(
          tasks.make_environment(config, seed), turns))


def acme(turns: worker.Turns, *, domain: str) -> None:
  """Acme's agent in Acme's loop; measures environment steps.

  Args:
    turns: when to go on.
    domain: of the task.
  """
  # pylint: disable=g-import-not-at-top
  import acme as acme_lib
  from acme.utils import loggers
  from metal_tf.benchmarks import acme_peer
  # pylint: enable=g-import-not-at-top
  config = config_lib.Config(domain=domain, suite='builtin')
  environment = tasks.make_environment(config, seed=0)
  spec: types.EnvironmentSpec = environment.spec
  adapted = acme_peer.AcmeEnvironment(GatedEnvironment(environment, turns))
  loop = acme_lib.EnvironmentLoop(
      adapted, acme_peer.make_agent(adapted, spec, config),
      logger=loggers.NoOpLogger())
  loop.run()


def first_step(turns: worker.Turns) -> None:
  """Is ready when a run of MetaL has made its first learner step.

  It is the launcher's own program with its default settings.

  Args:
    turns: gets the word.
  """
  # pylint: disable=g-import-not-at-top
  from metal_tf.cli import main
  from metal_tf.agent import agents
  main.quiet_start_up()
  from metal_tf.agent import learner
  # pylint: enable=g-import-not-at-top
  step = learner.Learner.step

  def first(self: learner.Learner, *args: Any) -> None:
    step(self, *args)
    turns.answer(steps=self.num_steps)
    turns.wait()  # For the end: nothing else is measured.

  learner.Learner.step = first
  sys.argv = [os.path.abspath(main.__file__),
              f'--workdir={tempfile.mkdtemp()}']
  main.launch(agents.METAL)
