"""Reads a run's folder, finished or still training, without touching it."""

import os
from typing import Any, Callable, Dict, NamedTuple, Optional, Union

import numpy as np

from metal_tf import config as config_lib
from metal_tf import types
from metal_tf.runs import checkpoint as checkpoint_lib
from metal_tf.runs import workdir as workdir_lib


class SavedRun(NamedTuple):
  """What `config.json` says of a run.

  Attributes:
    path: absolute path of the folder.
    description: the content of `config.json`.
    config: its settings.
    spec: the environment's.
  """
  path: str
  description: Dict[str, Any]
  config: config_lib.Config
  spec: types.EnvironmentSpec

  def newest_checkpoint(
      self, warn: Callable[[str], None]) -> checkpoint_lib.Checkpoint:
    """Reads the newest intact checkpoint, without its replay.

    Args:
      warn: takes one line for each damaged checkpoint.

    Raises:
      CheckpointError: if there is none that is intact.
    """
    directory = os.path.join(self.path, workdir_lib.CHECKPOINTS)
    saved = checkpoint_lib.Checkpointer(directory, warn).load_newest(
        with_replay=False)
    if saved is None:
      raise checkpoint_lib.CheckpointError(
          f'the run in {self.path} has no checkpoint yet.')
    return saved

  def summary(self) -> Optional[Dict[str, Any]]:
    """The content of `summary.json`; None before the end of the run."""
    return workdir_lib.read_summary(self.path)


def read(path: Union[str, 'os.PathLike[str]']) -> SavedRun:
  """Reads what a run's folder says of the run.

  Args:
    path: the run's `--workdir`.

  Raises:
    WorkdirError: if it is no run's folder, or of another version.
  """
  path = workdir_lib.absolute(path)
  description = workdir_lib.read_json(os.path.join(path, 'config.json'))
  if description is None:
    raise workdir_lib.WorkdirError(
        f'--workdir: {path} is no folder of a run: there is no config.json in '
        'it.')
  if 'interface' not in description:
    raise workdir_lib.WorkdirError(
        f'--workdir: the run in {path} was written by an older version, which '
        'did not record the bounds of actions; give its training command once '
        'more, which adds them.')
  return SavedRun(path, description, config_from_json(description['config']),
                  _spec(description))


def config_from_json(values: Dict[str, Any]) -> config_lib.Config:
  """The settings that `validation.as_json` wrote.

  Those that are younger than the run have their defaults; retired ones are
  left out.

  Raises:
    WorkdirError: for a setting that this version does not have.
  """
  known = {field.name for field, _ in config_lib.Config.settings()}
  unknown = sorted(set(values) - known - set(config_lib.RETIRED))
  if unknown:
    raise workdir_lib.WorkdirError(
        f'--workdir: the run has the setting {unknown[0]!r}, which this '
        'version of metal_tf does not know; use the version that wrote it.')
  given: Dict[str, Any] = {
      name: tuple(value) if isinstance(value, list) else value
      for name, value in values.items() if name in known}
  return config_lib.Config(**given)


def _spec(description: Dict[str, Any]) -> types.EnvironmentSpec:
  interface, constraints = description['interface'], description['constraints']
  return types.EnvironmentSpec(
      observation_size=description['environment']['observation_size'],
      action_minimum=np.array(interface['action_minimum'], np.float32),
      action_maximum=np.array(interface['action_maximum'], np.float32),
      constraint_names=tuple(c['name'] for c in constraints),
      thresholds=np.array([c['threshold'] for c in constraints], np.float64),
      episode_steps=description['environment']['episode_steps'],
      observation_entries=tuple(
          (entry['name'], entry['size'])
          for entry in interface['observation']),
      name=description['environment'].get('name', ''))
