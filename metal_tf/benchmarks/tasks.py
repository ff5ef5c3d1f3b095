"""The environments that the contestants share."""

from metal_tf import config as config_lib
from metal_tf import environments
from metal_tf import plant
from metal_tf import types


def make_environment(config: config_lib.Config,
                     seed: int) -> environments.ConstrainedEnvironment:
  """Makes the environment of a run with these settings.

  Args:
    config: says the task and who simulates it.
    seed: of the environment.
  """
  return plant.resolve(config).make(seed)


def spec_of(domain: str) -> types.EnvironmentSpec:
  """Returns the spec of a domain's task with its default constraint."""
  config = config_lib.Config(domain=domain, suite='builtin')
  environment = make_environment(config, seed=0)
  environment.close()
  return environment.spec
