"""The start of a run in its folder: new, resumed, or refused."""

import os
from typing import Any, Callable, Dict, Mapping, NamedTuple, Optional

from metal_tf import config as config_lib
from metal_tf import types
from metal_tf import validation
from metal_tf.agent import agents
from metal_tf.environments import own
from metal_tf.runs import checkpoint as checkpoint_lib
from metal_tf.runs import identity
from metal_tf.runs import saved_run
from metal_tf.runs import time_scales
from metal_tf.runs import workdir as workdir_lib
from metal_tf.system import provenance


class Opened(NamedTuple):
  """A run's folder, ready to be gone on with.

  Attributes:
    checkpoints: writes and reads the run's checkpoints.
    saved: the one to go on from, or None.
    config: the run's settings, with numbers for `lagrange_lr` and `meta_lr`.
  """
  checkpoints: checkpoint_lib.Checkpointer
  saved: Optional[checkpoint_lib.Checkpoint]
  config: config_lib.Config


def open_run(workdir: workdir_lib.Workdir, algorithm: agents.Algorithm,
             config: config_lib.Config, spec: types.EnvironmentSpec,
             suite: str, note: Callable[[str], None]) -> Opened:
  """Finds out what the folder holds, and writes `config.json`.

  Args:
    workdir: the run's folder, locked.
    algorithm: which agent.
    config: its settings, as they are given.
    spec: the environment's.
    suite: where the task comes from.
    note: takes lines for the user.

  Returns:
    Where to go on from.

  Raises:
    WorkdirError: if the folder holds a run with other settings, or a finished
      one without checkpoints.
    CheckpointError: if there are checkpoints and none is intact.
  """
  before = workdir.read_json('config.json')
  if before is not None:
    before = {**before, 'config': time_scales.saved_settings(before)}
    config = _as_begun(before, config, note)
  described = _describe(algorithm, config, spec, suite)
  if before is not None:
    workdir_lib.check_same_run(before, described)
    told = own.changed(before.get('environment_source'),
                       described['environment_source'])
    if told:
      note(f'Warning: {told}')
  checkpoints = checkpoint_lib.Checkpointer(
      workdir.file(workdir_lib.CHECKPOINTS), note)
  saved = checkpoints.load_newest()
  if saved is not None:
    episode = saved.run['episode']
    lag = ''
    if saved.replay_episode not in (None, episode):
      lag = f'; its replay is of episode {saved.replay_episode}'
    note(f'Resumed at episode {episode} (checkpoint {saved.path}{lag}).')
  elif os.path.exists(workdir.file('summary.json')):
    raise workdir_lib.WorkdirError(
        f'--workdir: the run in {workdir.path} has finished and has no '
        'checkpoint to go on from; starting again would delete its logs. '
        'Choose another folder, or remove that one.')
  elif before is not None:
    note('The run in this folder ended before its first checkpoint; starting '
         'again.')
  kept = before if saved is not None else None
  resolved = _resolve(algorithm, config, spec, kept, note)
  if before is None or not time_scales.is_earlier(before):
    described['resolved'] = {
        name: getattr(resolved, name) for name in time_scales.RATES}
  workdir.remove('summary.json')  # Of a shorter run, if there is one.
  workdir.write_json('config.json', {
      **described,
      'sessions': [
          *(before.get('sessions', []) if before else []),
          provenance.session(saved.run['episode'] if saved else 0)]})
  return Opened(checkpoints, saved, resolved)


def _as_begun(before: Mapping[str, Any], config: config_lib.Config,
              note: Callable[[str], None]) -> config_lib.Config:
  """The settings, with the defaults of the time when the run began."""
  given = validation.as_json(config)
  begun = time_scales.resumed_settings(before, given)
  taken = [f'{name}={value}' for name, value in begun.items()
           if value != given[name]]
  if taken:
    note('Defaults have changed since this run began; it keeps '
         f'{", ".join(taken)}.')
  return saved_run.config_from_json(begun)


def _resolve(algorithm: agents.Algorithm, config: config_lib.Config,
             spec: types.EnvironmentSpec, before: Optional[Mapping[str, Any]],
             note: Callable[[str], None]) -> config_lib.Config:
  """Makes the rates numbers, and says which and why.

  Args:
    algorithm: which agent.
    config: its settings, as they are given.
    spec: the environment's.
    before: content of the `config.json` of the run that goes on, or None.
    note: takes lines for the user.
  """
  kept = before.get('resolved', {}) if before else {}
  if kept:
    try:
      workdir_lib.check_entries(
          kept, dict.fromkeys(time_scales.RATES, (int, float)),
          "'resolved' in config.json")
    except ValueError as error:
      raise workdir_lib.WorkdirError(
          f'--workdir: {error}; nobody but a run should write it.') from error
    kept = {name: kept[name] for name in time_scales.RATES}
  resolved = time_scales.resolve(config.replace(**kept), spec.episode_steps)
  if algorithm.learns_multiplier:
    for line in time_scales.describe(
        config, resolved, spec.episode_steps, prolonged=bool(kept),
        meta=algorithm.learns_meta_parameter):
      note(line)
  return resolved


def _describe(algorithm: agents.Algorithm, config: config_lib.Config,
              spec: types.EnvironmentSpec, suite: str) -> Dict[str, Any]:
  """The content of `config.json`, but for the sessions."""
  return {
      'algorithm': algorithm.name,
      'config': validation.as_json(config),
      **identity.describe(spec, suite),
      'environment_source': own.describe_source(config.environment),
  }
