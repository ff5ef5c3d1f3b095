"""Contestants that only learn: batches come from memory and cost nothing."""

from acme import types as acme_types
import numpy as np
import tensorflow as tf

from metal_tf import types
from metal_tf.agent import agents
from metal_tf.agent.testing import fixtures
from metal_tf.benchmarks import acme_peer
from metal_tf.benchmarks import flops
from metal_tf.benchmarks import tasks
from metal_tf.benchmarks import turns as turns_lib
from metal_tf.training import parts

# Steps before the first measurement: compilation, and a copy to the targets.
_WARM_UP_STEPS = 16


def ours(turns: turns_lib.Turns, *, algorithm: str, domain: str,
         preset: str = 'paper') -> None:
  """One of our learners; measures learner steps.

  Says how many floating-point operations D4PG's products have in one.
  """
  config = tasks.make_config(domain, preset)
  spec = tasks.make_spec(config)
  learner = parts.make_learner(spec, agents.ALGORITHMS[algorithm], config)
  # As many episodes above the threshold as below, so that lambda moves.
  batches, penalties = tf.nest.map_structure(
      lambda x: np.repeat(
          x[None].astype(np.float32), learner.steps_per_call, axis=0),
      (fixtures.random_batch(
          np.random.RandomState(0), spec, config.batch_size),
       np.linspace(0, 2 * spec.thresholds, config.penalty_samples)))

  def measure(steps: int) -> None:
    for made in range(0, steps, learner.steps_per_call):
      left = steps - made
      learner.steps(types.Transition(*(x[:left] for x in batches)),
                    penalties[:left])
    learner.read_metrics()  # Waits for the last one.

  measure(_WARM_UP_STEPS)
  turns.serve(measure, ready=flops.d4pg_step(
      config.batch_size, spec.observation_size, spec.action_size,
      config.policy_layer_sizes, config.critic_layer_sizes, config.num_atoms))


def acme(turns: turns_lib.Turns, *, domain: str,
         preset: str = 'paper') -> None:
  """Acme's D4PG learner; measures learner steps."""
  config = tasks.make_config(domain, preset)
  spec = tasks.make_spec(config)
  batch = fixtures.random_batch(
      np.random.RandomState(0), spec, config.batch_size)
  sample = acme_peer.Sample(acme_types.Transition(
      batch.o_tm1, batch.a_tm1, batch.r_t, np.ones_like(batch.discount_t),
      batch.o_t))
  learner = acme_peer.make_learner(
      spec, config, iter(tf.data.Dataset.from_tensors(sample).repeat()))

  def measure(steps: int) -> None:
    for _ in range(steps):
      learner.step()
    learner.get_variables(['policy'])  # Waits for the last one.

  measure(_WARM_UP_STEPS)
  turns.serve(measure)
