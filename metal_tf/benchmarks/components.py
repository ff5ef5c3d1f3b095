"""Contestants that are parts of a run: simulation, replay, saving, products.

Each takes its turns first. Libraries are imported where they are used, since
none of these needs all of them.
"""

import functools
import itertools
import tempfile
import time
from typing import Any, Iterator, Tuple

import numpy as np

from metal_tf import config as config_lib
from metal_tf import types
from metal_tf.benchmarks import tasks
from metal_tf.benchmarks import turns as turns_lib

_MATRIX_SIZE = 2048


def environment(turns: turns_lib.Turns, *, domain: str, suite: str) -> None:
  """Random actions in a task; measures environment steps, resets included.

  The suite is 'builtin', with everything that a run of ours has around it, or
  'realworldrl': the suite's own environment, its safety bits switched on and
  nothing of ours around it.
  """
  made = tasks.make_environment(tasks.make_config(domain, suite=suite), seed=0)
  simulated: Any = made if suite == 'builtin' else made.environment
  spec = made.spec
  actions = np.random.default_rng(0).uniform(
      spec.action_minimum, spec.action_maximum, [1000, spec.action_size])

  def measure(steps: int) -> None:
    for i in range(steps):
      simulated.step(actions[i % 1000])  # After an episode's end: its reset.

  simulated.reset()
  measure(200)
  turns.serve(measure)


def insert(turns: turns_lib.Turns, *, domain: str, address: str) -> None:
  """An actor's way from a step to the replay; measures environment steps.

  The replay is the server's at this address, as in the Launchpad program, or
  with '' the one that a run of one process has by default.
  """
  from metal_tf.training import parts
  config = tasks.make_config(domain)
  spec = tasks.make_spec(config)
  if address:
    import reverb

    from metal_tf.replay import reverb_writer
    target: Any = reverb_writer.ReverbWriter(
        reverb.Client(address), spec, timeout_seconds=60.0)
  else:
    target = parts.make_replay(spec, config)
  measure = functools.partial(_insert, target, _transitions(spec, config))
  measure(2000)
  turns.serve(measure)


def server(turns: turns_lib.Turns, *, domain: str) -> None:
  """The replay's server of the Launchpad program; says its address."""
  import reverb

  from metal_tf.replay import rate_limits
  from metal_tf.replay import tables
  from metal_tf.system import loopback
  config = tasks.make_config(domain)
  served = reverb.Server(tables.make_tables(
      tasks.make_spec(config), capacity=config.replay_capacity,
      penalty_capacity=config.penalty_capacity,
      # Insertion never waits for a learner, since there is none.
      window=rate_limits.rate_limiter_window(
          samples_per_insert=config.samples_per_insert,
          min_size=config.min_replay_size, capacity=config.replay_capacity,
          batch_size=config.batch_size, prefetched_batches=0,
          first_inserts=0)))
  loopback.restrict_to_loopback(served.port)
  turns.next(f'localhost:{served.port}')


def memory(turns: turns_lib.Turns, *, domain: str) -> None:
  """Memory of the replay that a run of one process has by default.

  Inserts what comes of so many environment steps, once. Answers with the growth
  of the process's resident memory, from before the replay is made, over the
  transitions' float32 content.
  """
  import psutil

  from metal_tf.replay import layout
  from metal_tf.training import parts
  config = tasks.make_config(domain)
  spec = tasks.make_spec(config)
  transitions = _transitions(spec, config)
  steps = turns.next()
  before = psutil.Process().memory_info().rss
  replay = parts.make_replay(spec, config)
  _insert(replay, transitions, steps)
  content = 4 * sum(layout.transition_sizes(spec)) * replay.num_transitions
  turns.next((psutil.Process().memory_info().rss - before) / content)


def checkpoint(turns: turns_lib.Turns, *, domain: str, preset: str) -> None:
  """A run's checkpoint with a full replay; measures the seconds of one.

  Before it come the transitions of as many environment steps as the turn says.
  """
  from metal_tf.agent import agents
  from metal_tf.runs import checkpoint as checkpoint_lib
  from metal_tf.training import parts
  config = tasks.make_config(domain, preset)
  spec = tasks.make_spec(config)
  learner = parts.make_learner(spec, agents.D4PG, config)
  replay = parts.make_replay(spec, config, tempfile.mkdtemp())
  checkpoints = checkpoint_lib.Checkpointer(tempfile.mkdtemp(), print)
  transitions = _transitions(spec, config)

  def save(steps: int) -> float:
    _insert(replay, transitions, steps)
    started = time.perf_counter()
    checkpoints.save(
        next(episodes), learner.get_state(), {}, replay.to_save())
    return time.perf_counter() - started

  episodes = itertools.count(1)
  save(config.replay_capacity)  # All of it is new this once: not measured.
  steps = turns.next()
  while True:
    steps = turns.next(save(steps))


def products(turns: turns_lib.Turns, *, library: str) -> None:
  """Large float32 products by numpy or tensorflow; measures products.

  Says how many floating-point operations one has.
  """
  shape = [_MATRIX_SIZE, _MATRIX_SIZE]
  first, second = (np.random.default_rng(seed).standard_normal(
      shape, np.float32) for seed in range(2))
  multiply = functools.partial(
      np.matmul, first, second, out=np.empty(shape, np.float32))
  if library == 'tensorflow':
    import tensorflow as tf
    multiply = functools.partial(
        tf.linalg.matmul, tf.constant(first), tf.constant(second))

  def measure(number: int) -> None:
    for _ in range(number):
      multiply()

  measure(2)
  turns.serve(measure, ready=2 * _MATRIX_SIZE**3)


def _insert(target: Any, transitions: Iterator[Tuple[Any, Any]],
            steps: int) -> None:
  """Inserts what comes of so many environment steps."""
  for inserts, episode_penalty in itertools.islice(transitions, steps):
    for transition in inserts:
      target.insert(transition)
    if episode_penalty is not None:
      target.insert_episode_penalty(episode_penalty)


def _transitions(spec: types.EnvironmentSpec, config: config_lib.Config
                 ) -> Iterator[Tuple[Any, Any]]:
  """Yields the transitions of each environment step, and J_C or None, for ever.

  Random numbers: nothing that a store could compress. They are drawn ahead, so
  that drawing them is not measured; the n-step sums are.
  """
  from metal_tf.training import parts
  accumulator = parts.make_accumulator(config)
  observations = np.random.default_rng(0).standard_normal(
      [5000, spec.observation_size], np.float32)
  action = spec.action_maximum.astype(np.float32)
  penalty = np.ones(spec.num_constraints, np.float32)
  for t in itertools.count(1):
    last = t % spec.episode_steps == 0
    yield accumulator.append(
        observations[(t - 1) % 5000], action, 0.5, penalty, 1.0,
        observations[t % 5000], last), penalty if last else None
