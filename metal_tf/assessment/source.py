"""Where a policy comes from: a run's newest checkpoint, or an export."""

import os
from typing import Any, Callable, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from metal_tf import config as config_lib
from metal_tf.policy import description as description_lib
from metal_tf.runs import identity
from metal_tf.runs import saved_run
from metal_tf import validation

Policy = Callable[[np.ndarray], np.ndarray]


class Source(NamedTuple):
  """A policy that is not loaded yet, and what it was trained on.

  Attributes:
    path: the folder of the run or of the export.
    algorithm: name of the agent.
    config: the run's settings.
    suite: where the task came from.
    load: loads the policy, which needs TensorFlow, and says how many training
      episodes it has seen.
  """
  path: str
  algorithm: str
  config: config_lib.Config
  suite: str
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
      run.description['suite'], load)


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
      saved_run.config_from_json(content['config']), content['suite'], load)


def resolve(source: Source, *, safety_coeff: Optional[float] = None,
            threshold: Optional[float] = None,
            constraints: Optional[Sequence[str]] = None,
            seed: Optional[int] = None, suite: Optional[str] = None
           ) -> Tuple[config_lib.Config, validation.Task]:
  """The task that a policy was trained on, with what is to be different.

  Args:
    source: of the policy.
    safety_coeff: another coefficient.
    threshold: another threshold, for all constraints without one of their own
      in `constraints`.
    constraints: other constraints, as in `Config`.
    seed: another seed of the episodes' starts.
    suite: another simulator of the same tasks.

  Returns:
    The run's settings with the changes, and the task they describe.

  Raises:
    ConfigError: for something that the task does not have, or if the policy
      was trained on an environment of somebody's own.
  """
  if identity.is_own(source.suite):
    raise validation.ConfigError(
        'workdir', source.path, 'a run on one of the paper\'s tasks',
        'Only the program that made this one\'s environment can make it again: '
        'use metal_tf.assessment.measure.measure there.')
  changes: Any = dict(
      safety_coeff=safety_coeff, threshold=threshold, seed=seed, suite=suite,
      constraints=None if constraints is None else tuple(constraints))
  if threshold is not None and constraints is None:
    # The run's own thresholds stand in the way of the one asked for.
    changes['constraints'] = tuple(
        text.partition(':')[0] for text in source.config.constraints)
  config = source.config.replace(
      **{name: value for name, value in changes.items() if value is not None})
  validation.check_ranges(config)
  return config, validation.resolve_task(config)
