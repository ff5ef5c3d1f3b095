"""A training run as a Launchpad program.

    actors --transitions, J_C--> replay --batches--> learner
      |  ^                                            |  |
      |  +------------------ weights -----------------+  +-- checkpoints
      |  +------------------ weights --> evaluator
      +--episodes--> counter <--evaluations--+
                       |
                  coordinator (says when everybody stops, and in which order)
"""

import dataclasses
import functools
import os
from typing import Any, Callable, Dict, List, Optional, Tuple

import launchpad as lp

from metal_tf import config as config_lib
from metal_tf import types
from metal_tf.agent import agents
from metal_tf.distributed import actor_worker
from metal_tf.distributed import coordinator as coordinator_lib
from metal_tf.distributed import counter as counter_lib
from metal_tf.distributed import evaluator_worker
from metal_tf.distributed import learner_service
from metal_tf.distributed import replay_node
from metal_tf.distributed import supervised_node
from metal_tf.environments import wrapper
from metal_tf.replay import rate_limits
from metal_tf.replay import reverb_dataset
from metal_tf.replay import tables
from metal_tf.runs import checkpoint as checkpoint_lib
from metal_tf.training import hints
from metal_tf.training import parts

# A call to the coordinator that takes longer means that nobody is there. The
# counter brings its logs to disk for the learner's checkpoint.
_CALL_TIMEOUT_SECONDS = 5
_SAVING_TIMEOUT_SECONDS = 60


@dataclasses.dataclass(frozen=True)
class Run:
  """What a program is made from.

  Attributes:
    algorithm: which agent.
    config: its settings.
    spec: the environment's.
    make_environment: makes the environment from a seed; has to be picklable by
      cloudpickle where actors are processes.
    directory: the run's folder, which all workers can reach.
    scratch_directory: for files that live no longer than the program.
    saved: the checkpoint to go on from, or None.
    saved_tables: the replay's tables to go on with, or None.
    loopback_only: whether all workers are on this machine.
  """
  algorithm: agents.Algorithm
  config: config_lib.Config
  spec: types.EnvironmentSpec
  make_environment: Callable[[int], wrapper.ConstrainedEnvironment]
  directory: str
  scratch_directory: str
  saved: Optional[checkpoint_lib.Checkpoint]
  saved_tables: Optional[str]
  loopback_only: bool

  @property
  def window(self) -> rate_limits.RateLimiterWindow:
    """How far the learner and all actors may run apart."""
    # One more than there are actors, for an episode that is cut.
    episodes = self.config.num_actors + 1
    return parts.replay_settings(self.config).window(
        prefetched_batches=reverb_dataset.IN_FLIGHT_BATCHES,
        first_inserts=episodes * hints.longest_episode(self.config, self.spec))

  @property
  def replay_settings(self) -> Dict[str, Any]:
    """What saved tables must share with this run."""
    return parts.replay_settings(self.config).saved(self.spec, self.window)

  @property
  def workers(self) -> List[Tuple[str, coordinator_lib.Phase]]:
    """Everybody but the coordinator, with the phase in which each stops."""
    phase = coordinator_lib.Phase
    return [
        (replay_node.NAME, phase.STOP_SERVING),
        (counter_lib.NAME, phase.STOP_SERVING),
        (learner_service.NAME, phase.STOP_LEARNING),
        (evaluator_worker.NAME, phase.STOP_ACTING),
    ] + [(actor_worker.name_of(index), phase.STOP_ACTING)
         for index in range(self.config.num_actors)]


def make_program(run: Run) -> Tuple[lp.Program, Dict[str, Any]]:
  """Wires a run.

  Args:
    run: what to wire.

  Returns:
    The program, and handles of 'coordinator' and 'counter' for the screen.
  """
  config, spec = run.config, run.spec
  program = lp.Program('metal_tf')
  common: Dict[str, Any] = dict(loopback_only=run.loopback_only)

  # Those that call each other have to be known to each other first.
  coordinator_node = lp.CourierNode(coordinator_lib.Coordinator)
  counter_node = lp.CourierNode(counter_lib.Counter)
  learner_node = lp.CourierNode(learner_service.LearnerService)
  coordinator = coordinator_node.create_handle()
  coordinator.set_client_kwargs(call_timeout=_CALL_TIMEOUT_SECONDS)
  counter = counter_node.create_handle()
  learner = learner_node.create_handle()

  with program.group('coordinator'):
    coordinator_node.configure(
        run.workers, config.num_episodes, config.stall_seconds,
        **common)
    program.add_node(coordinator_node)

  with program.group('replay'):
    replay = program.add_node(replay_node.ReplayNode(
        functools.partial(
            tables.make_tables, spec, capacity=config.replay_capacity,
            penalty_capacity=config.penalty_capacity, window=run.window,
            prioritization=parts.make_prioritization(config)),
        # A folder of its own: the server removes what else it finds there.
        coordinator,
        scratch_directory=os.path.join(run.scratch_directory, 'reverb'),
        saved_directory=run.saved_tables, **common))

  with program.group('counter'):
    counter_node.configure(
        coordinator, learner, algorithm_name=run.algorithm.name,
        directory=run.directory, spec=spec, num_episodes=config.num_episodes,
        saved=run.saved and run.saved._replace(learner={}), **common)
    program.add_node(counter_node)

  with program.group('learner'):
    saving_counter = counter_node.create_handle()
    saving_counter.set_client_kwargs(call_timeout=_SAVING_TIMEOUT_SECONDS)
    learner_node.configure(
        coordinator, saving_counter, replay, spec=spec, algorithm=run.algorithm,
        config=config, directory=run.directory, saved=run.saved,
        replay_settings=run.replay_settings, **common)
    program.add_node(learner_node)

  with program.group('actor'):
    start = run.saved.run['episode'] if run.saved else 0
    for index in range(config.num_actors):
      program.add_node(supervised_node.SupervisedNode(
          actor_worker.ActorWorker, coordinator, counter, learner, replay,
          index=index, start_episode=start, spec=spec, config=config,
          make_environment=run.make_environment))

  with program.group('evaluator'):
    program.add_node(lp.PyClassNode(
        evaluator_worker.EvaluatorWorker, coordinator, counter, learner,
        config=config, make_environment=run.make_environment))

  screen_counter = counter_node.create_handle()
  screen_counter.set_client_kwargs(call_timeout=_CALL_TIMEOUT_SECONDS)
  return program, dict(coordinator=coordinator, counter=screen_counter)
