"""Makes a run's parts from its configuration; no part knows the config."""

from typing import Callable, Optional, Sequence

import numpy as np
import tensorflow as tf

from metal_tf import config as config_lib
from metal_tf import types
from metal_tf.acting import actor as actor_lib
from metal_tf.acting import numpy_policy
from metal_tf.agent import agents
from metal_tf.agent import learner as learner_lib
from metal_tf.replay import in_process
from metal_tf.replay import n_step
from metal_tf.replay import priorities
from metal_tf.replay import replay as replay_lib
from metal_tf.replay import reverb_replay
from metal_tf.system import threads
from metal_tf.training import records
from metal_tf.training import seeding

# Multiplications of a critic's forward pass from which on two threads pay: 1e8
# at the paper's sizes, where they do, 5e6 with the small preset, where they do
# not.
_LARGE_PRODUCTS = 2e7


def make_learner(spec: types.EnvironmentSpec,
                 algorithm: agents.Algorithm,
                 config: config_lib.Config) -> learner_lib.Learner:
  """Makes the learner, its networks initialised from the run's seed.

  Its step is in parts on two threads where there are two and the networks are
  large; else several steps are one call. The choice follows from settings and
  threads, which `config.json` has; docs/performance.md has what each costs.
  """
  tf.random.set_seed(seeding.seed_of('networks', config.seed))
  sizes = (spec.observation_size + spec.action_size,
           *config.critic_layer_sizes)
  products = config.batch_size * sum(
      m * n for m, n in zip(sizes, sizes[1:]))
  return learner_lib.Learner(
      spec, algorithm, config, two_threads=(
          threads.between() > 1 and products > _LARGE_PRODUCTS))


def make_replay(spec: types.EnvironmentSpec, config: config_lib.Config,
                scratch_directory: Optional[str] = None,
                saved: Optional[replay_lib.Saved] = None) -> replay_lib.Replay:
  """Makes the replay of a run in one process, empty.

  Args:
    spec: the environment's.
    config: the run's settings.
    scratch_directory: where Reverb may write while it saves.
    saved: what the run goes on with, which says who keeps it if the settings
      do not.
  """
  settings = replay_settings(config)
  began_with_reverb = isinstance(saved, str) and reverb_replay.holds(saved)
  if config.replay_store == 'reverb' or (
      config.replay_store == 'auto' and began_with_reverb):
    return reverb_replay.ReverbReplay(
        spec, settings, scratch_directory=scratch_directory)
  return in_process.InProcessReplay(
      spec, settings, seeding.seed_of('replay', config.seed))


def replay_settings(config: config_lib.Config) -> replay_lib.Settings:
  """What the configuration says of the replay."""
  return replay_lib.Settings(
      batch_size=config.batch_size,
      num_penalty_samples=config.penalty_samples,
      capacity=config.replay_capacity, min_size=config.min_replay_size,
      samples_per_insert=config.samples_per_insert,
      penalty_capacity=config.penalty_capacity,
      prioritization=make_prioritization(config))


def make_prioritization(
    config: config_lib.Config) -> Optional[priorities.Prioritization]:
  """How the replay uses priorities; None where it is uniform."""
  if config.replay == 'uniform':
    return None
  return priorities.Prioritization(
      config.priority_exponent, config.importance_exponent)


def learn(learner: learner_lib.Learner,
          sample: types.Sample) -> Optional[tf.Tensor]:
  """Does one learner step and returns new priorities, see `Learner.step`."""
  return learner.step(sample.transitions, sample.episode_penalties,
                      sample.importance_weights)


def make_actor(spec: types.EnvironmentSpec, learner: learner_lib.Learner,
               config: config_lib.Config) -> actor_lib.Actor:
  """Makes the exploring actor; it takes the learner's weights every episode."""
  weights = policy_weights(learner)
  return actor_lib.Actor(
      numpy_policy.NumpyPolicy(
          weights(), spec.action_minimum, spec.action_maximum),
      exploration_sigma=config.exploration_sigma,
      seed=seeding.seed_of('exploration', config.seed), spec=spec,
      weights_source=weights)


def policy_weights(
    learner: learner_lib.Learner) -> Callable[[], Sequence[np.ndarray]]:
  """Returns a function that gives the learner's present policy weights."""
  return lambda: numpy_policy.policy_weights(learner.networks.policy)


def report(learner: learner_lib.Learner) -> records.LearnerReport:
  """Reads what is told of the learner, and starts its means anew."""
  return records.LearnerReport(
      steps=learner.num_steps, skipped=learner.num_skipped,
      multiplier=learner.multiplier.numpy(),
      meta_parameter=learner.meta_parameter.numpy(),
      effective_rate=learner.effective_rate, means=learner.read_metrics(),
      skipped_in_a_row=learner.num_skipped_in_a_row)


def make_accumulator(config: config_lib.Config) -> n_step.NStepAccumulator:
  """Makes the n-step accumulator."""
  return n_step.NStepAccumulator(config.n_step, config.discount)
