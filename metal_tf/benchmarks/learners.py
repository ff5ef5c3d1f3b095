"""Contestants that only learn: batches come from memory and cost nothing."""

from acme import types as acme_types
import numpy as np
import tensorflow as tf

from metal_tf.agent import agents
from metal_tf.agent import learner as learner_lib
from metal_tf.benchmarks import acme_peer
from metal_tf.benchmarks import flops
from metal_tf.benchmarks import tasks
from metal_tf.benchmarks import worker
from metal_tf import config as config_lib
from metal_tf.runs import time_scales
from metal_tf import types

# Steps before the first measurement: compilation, and a copy to the targets.
_WARM_UP_STEPS = 10


def ours(turns: worker.Turns, *, algorithm: str, domain: str) -> None:
  """One of our learners, with default settings; measures learner steps.

  Args:
    turns: when to measure.
    algorithm: of the registry.
    domain: whose sizes the networks have.
  """
  spec = tasks.spec_of(domain)
  config = time_scales.resolve(
      config_lib.Config(domain=domain), spec.episode_steps)
  learner = learner_lib.Learner(spec, agents.ALGORITHMS[algorithm], config)
  batch = types.Transition(*map(tf.constant, _batch(spec, config)))
  # As many episodes above the threshold as below, so that lambda moves.
  penalties = tf.constant(np.linspace(
      0, 2 * spec.thresholds, config.penalty_samples), tf.float32)

  def measure(steps: int) -> None:
    for _ in range(steps):
      learner.step(batch, penalties)
    learner.read_metrics()  # Waits for the last one.

  measure(_WARM_UP_STEPS)
  turns.serve(measure, flops=flops.d4pg_step(
      config.batch_size, spec.observation_size, spec.action_size,
      config.policy_layer_sizes, config.critic_layer_sizes, config.num_atoms))


def acme(turns: worker.Turns, *, domain: str) -> None:
  """Acme's D4PG learner; measures learner steps.

  Args:
    turns: when to measure.
    domain: whose sizes the networks have.
  """
  spec, config = tasks.spec_of(domain), config_lib.Config(domain=domain)
  batch = _batch(spec, config)
  sample = acme_peer.Sample(acme_types.Transition(
      batch.o_tm1, batch.a_tm1, batch.r_t, np.ones_like(batch.discount_t),
      batch.o_t))
  learner = acme_peer.make_learner(
      spec, config, iter(tf.data.Dataset.from_tensors(sample).repeat()))
  weights = learner.get_variables

  def measure(steps: int) -> None:
    for _ in range(steps):
      learner.step()
    weights(['policy'])  # Waits for the last one.

  measure(_WARM_UP_STEPS)
  turns.serve(measure)


def _batch(spec: types.EnvironmentSpec,
           config: config_lib.Config) -> types.Transition:
  """Draws a batch of the kind that a run has: `[B, ...]`, float32."""
  rng = np.random.default_rng(0)
  size = config.batch_size
  batch = types.Transition(
      o_tm1=rng.standard_normal([size, spec.observation_size]),
      a_tm1=rng.uniform(spec.action_minimum, spec.action_maximum,
                        [size, spec.action_size]),
      r_t=rng.uniform(0, config.n_step, [size]),
      c_t=rng.uniform(0, config.n_step, [size, spec.num_constraints]),
      discount_t=np.full([size], config.discount**config.n_step),
      o_t=rng.standard_normal([size, spec.observation_size]))
  return types.Transition(*(x.astype(np.float32) for x in batch))
