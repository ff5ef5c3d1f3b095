"""The start of a run in its folder: new, resumed, or refused."""

from typing import Any, Callable, Dict, NamedTuple, Optional

from metal_tf.agent import agents
from metal_tf import config as config_lib
from metal_tf.runs import checkpoint as checkpoint_lib
from metal_tf.runs import identity
from metal_tf.runs import workdir as workdir_lib
from metal_tf.system import provenance
from metal_tf import types
from metal_tf import validation


class Opened(NamedTuple):
  """A run's folder, ready to be gone on with.

  Attributes:
    checkpoints: writes and reads the run's checkpoints.
    saved: the one to go on from, or None.
  """
  checkpoints: checkpoint_lib.Checkpointer
  saved: Optional[checkpoint_lib.Checkpoint]


def open_run(workdir: workdir_lib.Workdir, algorithm: agents.Algorithm,
             config: config_lib.Config, spec: types.EnvironmentSpec,
             suite: str, note: Callable[[str], None]) -> Opened:
  """Finds out what the folder holds, and writes `config.json`.

  Args:
    workdir: the run's folder, locked.
    algorithm: which agent.
    config: its settings.
    spec: the environment's.
    suite: where the task comes from.
    note: takes lines for the user.

  Returns:
    Where to go on from.

  Raises:
    WorkdirError: if the folder holds a run with other settings.
    CheckpointError: if there are checkpoints and none is intact.
  """
  described = _describe(algorithm, config, spec, suite)
  before = workdir.read_json('config.json')
  if before is not None:
    # A setting that is younger than the run was not there: its default is what
    # the run did without it.
    before = {**before, 'config': {
        **validation.as_json(config_lib.Config()), **before['config']}}
    workdir_lib.check_same_run(before, described)
  checkpoints = checkpoint_lib.Checkpointer(
      workdir.file(workdir_lib.CHECKPOINTS), note)
  saved = checkpoints.load_newest()
  if saved is not None:
    episode = saved.run['episode']
    lag = ''
    if saved.replay_episode not in (None, episode):
      lag = f'; its replay is of episode {saved.replay_episode}'
    note(f'Resumed at episode {episode} (checkpoint {saved.path}{lag}).')
  elif before is not None:
    note('The run in this folder ended before its first checkpoint; starting '
         'again.')
  workdir.remove('summary.json')  # Of a shorter run, if there is one.
  workdir.write_json('config.json', {
      **described,
      'sessions': [
          *(before.get('sessions', []) if before else []),
          provenance.session(saved.run['episode'] if saved else 0)]})
  return Opened(checkpoints, saved)


def _describe(algorithm: agents.Algorithm, config: config_lib.Config,
              spec: types.EnvironmentSpec, suite: str) -> Dict[str, Any]:
  """The content of `config.json`, but for the sessions."""
  return {
      'algorithm': algorithm.name,
      'config': validation.as_json(config),
      **identity.describe(spec, suite),
  }
