"""The evaluator: episodes without noise, beside the training."""

from typing import Any, Callable

from metal_tf import config as config_lib
from metal_tf.distributed import coordinator as coordinator_lib
from metal_tf.distributed import leash as leash_lib
from metal_tf.environments import wrapper
from metal_tf.system import process
from metal_tf.training import evaluation

NAME = 'evaluator'

_PERIOD_SECONDS = 0.5


class EvaluatorWorker:
  """Evaluates once every so many training episodes, with its own seed."""

  def __init__(self, coordinator: Any, counter: Any, learner: Any, *,
               config: config_lib.Config,
               make_environment: Callable[
                   [int], wrapper.ConstrainedEnvironment]):
    """Takes what it needs; `run` makes the environment.

    Args:
      coordinator: client of it.
      counter: client of it.
      learner: client of it.
      config: the run's settings.
      make_environment: makes the environment from a seed.
    """
    process.adopt()  # Launchpad makes the object where it runs.
    self._coordinator = coordinator
    self._counter = counter
    self._learner = learner
    self._config = config
    self._make_environment = make_environment
    self._given_up = 0  # Episode after which the simulator gave up.

  def run(self) -> None:
    """Evaluates until the coordinator says stop, what is due then included."""
    leash = leash_lib.Leash(
        self._coordinator, NAME, coordinator_lib.Phase.STOP_ACTING)
    try:
      self._evaluate(leash)
    except leash_lib.Stopped:
      pass  # The learner or the counter is gone, so the run is ending.
    finally:
      leash.close()
    process.leave()

  def _evaluate(self, leash: leash_lib.Leash) -> None:
    evaluator = evaluation.Evaluator(
        self._make_environment,
        lambda: leash.ask(self._learner, 'get_weights'), self._config,
        self._coordinator.note)
    try:
      leash.doing = 'waiting for episodes'
      while not leash.wait(_PERIOD_SECONDS):
        self._catch_up(leash, evaluator, stop=lambda: leash.stopping)
      if not leash.hurried:  # The run's normal end.
        self._catch_up(leash, evaluator, stop=lambda: leash.hurried)
    finally:
      evaluator.close()

  def _catch_up(self, leash: leash_lib.Leash, evaluator: evaluation.Evaluator,
                stop: Callable[[], bool]) -> None:
    """Runs the evaluations that have become due.

    A late one has the weights of its own time; its row says how many learner
    steps these have seen.
    """
    period = self._config.evaluation_period
    if not period:
      return
    done = max(leash.ask(self._counter, 'last_evaluated'), self._given_up)
    first = done // period * period + period
    last = leash.ask(self._counter, 'num_episodes')
    for episode in range(first, last + 1, period):
      leash.doing = f'evaluating after episode {episode}'
      steps = leash.ask(self._learner, 'num_steps')
      result = evaluator.run(episode, stop)
      if result is None and stop():
        break
      if result is None:  # The simulator gave up, and would again.
        self._given_up = episode
        continue
      leash.count += 1
      leash.ask(self._counter, 'add_evaluation', episode, result, steps)
    leash.doing = 'waiting for episodes'
