"""Acme 0.4.0's D4PG with this project's sizes and settings, as it comes."""

from typing import Iterator, NamedTuple, Optional

from acme import specs
from acme import types as acme_types
from acme import wrappers
from acme.agents.tf import d4pg
from acme.agents.tf.d4pg import learning
from acme.tf import networks as acme_networks
from acme.utils import loggers
import dm_env
import numpy as np
import sonnet as snt
import tensorflow as tf

from metal_tf import config as config_lib
from metal_tf import environments
from metal_tf import types
from metal_tf.agent import networks


class Sample(NamedTuple):
  """What Acme's learner takes from its dataset; Reverb's has more fields."""
  data: acme_types.Transition


def make_critic(config: config_lib.Config) -> snt.Module:
  """Returns the critic of Acme's own control agent; no variables yet."""
  return snt.Sequential([
      acme_networks.CriticMultiplexer(),
      acme_networks.LayerNormMLP(
          config.critic_layer_sizes, activate_final=True),
      acme_networks.DiscreteValuedHead(
          config.vmin, config.vmax, config.num_atoms)])


def make_learner(spec: types.EnvironmentSpec, config: config_lib.Config,
                 samples: Iterator[Sample],
                 logger: Optional[loggers.Logger] = None
                ) -> learning.D4PGLearner:
  """Makes Acme's learner; nothing is saved, and logged only where asked for.

  Args:
    spec: the environment's.
    config: sizes and settings; Acme multiplies by `discount ** n_step` what
      ours stores as one product.
    samples: one batch per step.
    logger: takes the losses of every step; None: nobody does.
  """
  nets = []
  for _ in range(2):
    policy = networks.make_policy(spec, config.policy_layer_sizes)
    critic = make_critic(config)
    observation = tf.zeros([1, spec.observation_size])
    critic(observation, policy(observation))
    nets.extend([policy, critic])
  return learning.D4PGLearner(
      *nets, discount=config.discount**config.n_step,
      target_update_period=config.target_update_period,
      dataset_iterator=samples, logger=logger or loggers.NoOpLogger(),
      checkpoint=False)


def make_agent(environment: dm_env.Environment, spec: types.EnvironmentSpec,
               config: config_lib.Config) -> d4pg.D4PG:
  """Makes Acme's agent of one process, without logs and checkpoints.

  Args:
    environment: what it will act in.
    spec: of the same.
    config: sizes and settings.
  """
  return d4pg.D4PG(
      specs.make_environment_spec(environment),
      networks.make_policy(spec, config.policy_layer_sizes),
      make_critic(config), discount=config.discount,
      batch_size=config.batch_size,
      target_update_period=config.target_update_period,
      min_replay_size=config.min_replay_size,
      max_replay_size=config.replay_capacity,
      samples_per_insert=config.samples_per_insert, n_step=config.n_step,
      sigma=config.exploration_sigma, logger=loggers.NoOpLogger(),
      checkpoint=False)


class AcmeEnvironment(wrappers.EnvironmentWrapper):
  """A constrained environment as Acme wants it: float32, and no penalties."""

  def reset(self) -> dm_env.TimeStep:
    return _time_step(self._environment.reset())

  def step(self, action: np.ndarray) -> dm_env.TimeStep:
    return _time_step(self._environment.step(action))

  def reward_spec(self) -> dm_env.specs.Array:
    return dm_env.specs.Array((), np.float32, 'reward')

  def discount_spec(self) -> dm_env.specs.BoundedArray:
    return dm_env.specs.BoundedArray((), np.float32, 0.0, 1.0, 'discount')


def _time_step(step: environments.TimeStep) -> dm_env.TimeStep:
  if step.reward is None:
    return dm_env.TimeStep(step.step_type, None, None, step.observation)
  return dm_env.TimeStep(step.step_type, np.float32(step.reward),
                         np.float32(step.discount), step.observation)
