"""Settings and environments that the contestants share."""

from typing import Any

from metal_tf import config as config_lib
from metal_tf import environments
from metal_tf import plant
from metal_tf import types


def make_config(domain: str, preset: str = 'paper',
                **settings: Any) -> config_lib.Config:
  """Returns the settings of a contestant, with fixed rates.

  Rates make no difference to the time, and a learner without a run around it
  needs them as numbers.

  Args:
    domain: of the task.
    preset: 'paper' or 'small', the sizes of networks and batches.
    **settings: what else differs from the defaults.
  """
  return config_lib.Config.of_preset(preset, **{
      'domain': domain, 'suite': 'builtin', 'lagrange_lr': 1e-4,
      'meta_lr': 1e-3, **settings})


def make_environment(config: config_lib.Config,
                     seed: int) -> environments.ConstrainedEnvironment:
  """Makes the environment of a run with these settings.

  Args:
    config: says the task and who simulates it.
    seed: of the environment.
  """
  return plant.resolve(config).make(seed)


def make_spec(config: config_lib.Config) -> types.EnvironmentSpec:
  """Returns the spec of the task with these settings."""
  environment = make_environment(config, seed=0)
  environment.close()
  return environment.spec
