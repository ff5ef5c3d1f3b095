"""Contestants that are parts of a run: simulation, insertion, memory, products.

Libraries are imported where they are used: none of these needs all of them.
"""

import functools
from typing import Any, Callable, Iterator, Tuple

import numpy as np

from metal_tf.benchmarks import tasks
from metal_tf.benchmarks import worker
from metal_tf import config as config_lib
from metal_tf import types

# The largest of the paper's observations.
_DOMAIN = 'quadruped'
_WARM_UP_INSERTS = 2000
_MATRIX_SIZE = 2048


def environment(turns: worker.Turns, *, domain: str, suite: str) -> None:
  """Random actions in a task; measures environment steps, resets included.

  Args:
    turns: when to measure.
    domain: of the task.
    suite: 'builtin', with everything that a run of ours has around it, or
      'realworldrl': the suite's own environment, its safety bits switched on
      and nothing of ours around it.
  """
  made = tasks.make_environment(
      config_lib.Config(domain=domain, suite=suite), seed=0)
  spec: types.EnvironmentSpec = made.spec
  simulated: Any = made if suite == 'builtin' else made.environment
  actions = np.random.default_rng(0).uniform(
      spec.action_minimum, spec.action_maximum, [1000, spec.action_size])

  def measure(steps: int) -> None:
    step = simulated.step
    for i in range(steps):
      step(actions[i % 1000])  # After an episode's end, this is its reset.

  simulated.reset()
  measure(200)
  turns.serve(measure)


def insert(turns: worker.Turns, *, address: str = '') -> None:
  """An actor's way from a step to the replay; measures steps.

  N-step accumulation, insertion of the transition, and J_C once an episode.

  Args:
    turns: when to measure.
    address: of a server of the Launchpad program; '' for the replay that a run
      of one process has by default.
  """
  config = config_lib.Config(domain=_DOMAIN)
  spec = tasks.spec_of(_DOMAIN)
  from metal_tf.training import parts  # pylint: disable=g-import-not-at-top
  if address:
    # pylint: disable=g-import-not-at-top
    import reverb
    from metal_tf.replay import reverb_writer
    # pylint: enable=g-import-not-at-top
    target: Any = reverb_writer.ReverbWriter(
        reverb.Client(address), spec, timeout_seconds=60.0)
  else:
    target = parts.make_replay(spec, config)
  accumulator = parts.make_accumulator(config)
  steps = _steps(spec)

  def measure(amount: int) -> None:
    for _ in range(amount):
      step, last = next(steps)
      for transition in accumulator.append(*step, last):
        target.insert(transition)
      if last:
        target.insert_episode_penalty(step[3])

  measure(_WARM_UP_INSERTS)
  turns.serve(measure)


def server(turns: worker.Turns) -> None:
  """The replay's server of the Launchpad program; only says its address."""
  # pylint: disable=g-import-not-at-top
  import reverb
  from metal_tf.system import loopback
  from metal_tf.replay import rate_limits
  from metal_tf.replay import tables
  # pylint: enable=g-import-not-at-top
  config = config_lib.Config(domain=_DOMAIN)
  served = reverb.Server(tables.make_tables(
      tasks.spec_of(_DOMAIN), capacity=config.replay_capacity,
      penalty_capacity=config.penalty_capacity,
      # Insertion never waits for a learner, since there is none.
      window=rate_limits.rate_limiter_window(
          samples_per_insert=config.samples_per_insert,
          min_size=config.min_replay_size, capacity=config.replay_capacity,
          batch_size=config.batch_size, prefetched_batches=0,
          first_inserts=0)))
  loopback.restrict_to_loopback(served.port)
  turns.answer(address=f'localhost:{served.port}')
  turns.wait()


def memory(turns: worker.Turns) -> None:
  """Resident memory that transitions take in the replay of one process.

  Args:
    turns: says how many to insert, once.
  """
  import psutil  # pylint: disable=g-import-not-at-top
  from metal_tf.training import parts  # pylint: disable=g-import-not-at-top
  from metal_tf.replay import layout  # pylint: disable=g-import-not-at-top
  config = config_lib.Config(domain=_DOMAIN)
  spec = tasks.spec_of(_DOMAIN)
  resident = lambda: psutil.Process().memory_info().rss
  steps = _steps(spec)
  accumulator = parts.make_accumulator(config)
  # Measured first: making the store may well be what takes the memory.
  turns.answer()
  amount = turns.wait()
  before = resident()
  replay = parts.make_replay(spec, config)
  while replay.num_transitions < amount:
    step, last = next(steps)
    for transition in accumulator.append(*step, last):
      replay.insert(transition)
  turns.answer(
      transitions=replay.num_transitions, bytes=resident() - before,
      content=4 * sum(layout.transition_sizes(spec)) * replay.num_transitions)
  turns.wait()


def sgemm(turns: worker.Turns, *, library: str) -> None:
  """Large float32 matrix products; measures products.

  Args:
    turns: when to measure.
    library: 'numpy' or 'tensorflow'.
  """
  shape = [_MATRIX_SIZE, _MATRIX_SIZE]
  first, second = (np.random.default_rng(seed).standard_normal(
      shape, np.float32) for seed in range(2))
  multiply: Callable[[], Any] = functools.partial(
      np.matmul, first, second, out=np.empty(shape, np.float32))
  if library == 'tensorflow':
    import tensorflow as tf  # pylint: disable=g-import-not-at-top
    multiply = functools.partial(
        tf.linalg.matmul, tf.constant(first), tf.constant(second))

  def measure(products: int) -> None:
    for _ in range(products):
      multiply()

  measure(2)
  turns.serve(measure, flops=2 * _MATRIX_SIZE**3)


def _steps(
    spec: types.EnvironmentSpec) -> Iterator[Tuple[Tuple[Any, ...], bool]]:
  """Yields arguments of `NStepAccumulator.append` without end, and `last`.

  Random numbers: nothing that a store could compress. Drawn ahead, so that
  drawing them is not measured.
  """
  rng = np.random.default_rng(0)
  observations = rng.standard_normal(
      [5000, spec.observation_size]).astype(np.float32)
  action = rng.uniform(spec.action_minimum, spec.action_maximum).astype(
      np.float32)
  penalty = np.ones(spec.num_constraints, np.float32)
  t = 0
  while True:
    t += 1
    last = t % spec.episode_steps == 0
    yield (observations[(t - 1) % 5000], action, 0.5, penalty, 1.0,
           observations[t % 5000]), last
