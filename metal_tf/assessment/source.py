"""Where a policy comes from: a run's newest checkpoint, or an export."""

import os
from typing import Any, Callable, Dict, Mapping, NamedTuple, Optional, Tuple

import numpy as np

from metal_tf import config as config_lib
from metal_tf import plant as plant_lib
from metal_tf import validation
from metal_tf.environments import own
from metal_tf.policy import description as description_lib
from metal_tf.runs import identity
from metal_tf.runs import saved_run

Policy = Callable[[np.ndarray], np.ndarray]


class Source(NamedTuple):
  """A policy that is not loaded yet, and what it was trained on.

  Attributes:
    path: the folder of the run or of the export.
    algorithm: name of the agent.
    config: the run's settings.
    suite: where the task came from.
    observation_size: O.
    action_size: A.
    environment_source: of an own environment, see `own.describe_source`.
    load: loads the policy, which needs TensorFlow, and says how many training
      episodes it has seen.
  """
  path: str
  algorithm: str
  config: config_lib.Config
  suite: str
  observation_size: int
  action_size: int
  environment_source: Optional[Dict[str, str]]
  load: Callable[[], Tuple[Policy, int]]


def of_run(workdir: str, warn: Callable[[str], None]) -> Source:
  """The newest intact checkpoint of a run, which may still be training.

  Args:
    workdir: the run's folder.
    warn: takes one line for each damaged checkpoint.

  Raises:
    WorkdirError: if it is no run's folder, or of another version.
  """
  run = saved_run.read(workdir)

  def load() -> Tuple[Policy, int]:
    from metal_tf.acting import numpy_policy
    from metal_tf.training import export
    saved = run.newest_checkpoint(warn)
    weights = numpy_policy.policy_weights(export.restore_policy(run, saved))
    return numpy_policy.NumpyPolicy(
        weights, run.spec.action_minimum,
        run.spec.action_maximum), saved.run['episode']

  return Source(
      run.path, run.description['algorithm'], run.config,
      run.description['suite'], run.spec.observation_size,
      run.spec.action_size, run.description.get('environment_source'), load)


def of_export(directory: str) -> Source:
  """An exported policy.

  Args:
    directory: of the export.

  Raises:
    PolicyError: if it is none, or damaged.
    WorkdirError: for settings of a newer version.
  """
  content = description_lib.read(directory)

  def load() -> Tuple[Policy, int]:
    from metal_tf.policy import load as load_lib
    return load_lib.load_policy(directory), content['training']['episodes']

  return Source(
      os.path.abspath(directory), content['algorithm'],
      saved_run.config_from_json(content['config']), content['suite'],
      content['observation']['size'], content['action']['size'],
      content.get('environment_source'), load)


def resolve(source: Source, changes: Mapping[str, Any]
           ) -> Tuple[config_lib.Config, plant_lib.Plant]:
  """What a policy was trained on, with what is to be different.

  Args:
    source: of the policy.
    changes: settings by name that replace the run's. A threshold is for all
      constraints without one of their own among the `constraints` here.

  Returns:
    The run's settings with the changes, and the plant they describe.

  Raises:
    ConfigError: for something that the task does not have, or if the policy
      was trained on an environment that its program alone can make.
  """
  config = source.config
  if (identity.is_own(source.suite) and not config.environment
      and 'environment' not in changes):
    raise validation.ConfigError(
        'environment', '', 'FILE.py:function, for a run that was not started '
        'with it', "The program that made this one's environment did not name "
        'a function that makes it again (or use '
        'metal_tf.assessment.measure.measure there).')
  changes = dict(changes)
  if 'environment' in changes:
    # A suite's task gives way to it, with all that describes it.
    changes = {**{name: getattr(config_lib.Config(), name)
                  for name in validation.SUITE_SETTINGS}, **changes}
  elif 'threshold' in changes and 'constraints' not in changes:
    # The run's own thresholds stand in the way of the one asked for.
    changes['constraints'] = tuple(
        text.partition(':')[0] for text in config.constraints)
  config = config.replace(**changes)
  validation.check_ranges(config)
  validation.check_own_environment(config, list(changes) if config.environment
                                   and 'environment' not in changes else ())
  plant = plant_lib.resolve(config)
  _check_sizes(source, plant)
  return config, plant


def changed_source(source: Source, config: config_lib.Config) -> str:
  """Says that the file of an own environment is not what it was, or ''.

  Args:
    source: of the policy.
    config: with the environment that it is to be evaluated on.
  """
  return own.changed(source.environment_source,
                     own.describe_source(config.environment))


def _check_sizes(source: Source, plant: plant_lib.Plant) -> None:
  """Refuses an environment that the policy does not fit."""
  if plant.spec is None:
    return
  for what, size, expected in (
      ('observation', plant.spec.observation_size, source.observation_size),
      ('action', plant.spec.action_size, source.action_size)):
    if size != expected:
      raise validation.ConfigError(
          'environment', plant.name, f'one with {expected} numbers as {what}, '
          'as the policy has', f'There are {size}.')
