"""Exports the policy of a run's newest checkpoint."""

import os
from typing import Any, Callable, Dict, Optional, Union

import sonnet as snt
import tensorflow as tf

from metal_tf.agent import networks
from metal_tf.policy import save
from metal_tf.runs import checkpoint as checkpoint_lib
from metal_tf.runs import saved_run
from metal_tf.runs import workdir as workdir_lib
from metal_tf.system import provenance

NAME = 'export'  # Within the run's folder.

Path = Union[str, 'os.PathLike[str]']


def export(workdir: Path, output: Optional[Path] = None,
           warn: Callable[[str], None] = print, tflite: bool = False) -> str:
  """Exports the policy of a run, which may still be training.

  Args:
    workdir: the run's folder.
    output: where to; `<workdir>/export` if None. An export that is there is
      replaced.
    warn: takes one line for each damaged checkpoint.
    tflite: whether to write `policy.tflite` as well, for controllers without
      TensorFlow: one observation `[1, O]` to one action `[1, A]`, float32.

  Returns:
    The export's folder, for `metal_tf.load_policy`.

  Raises:
    WorkdirError: if it is no run's folder, or of another version.
    CheckpointError: if there is no intact checkpoint.
    PolicyError: if something else than an export is in that place.
    OSError: if it cannot be written.
  """
  run = saved_run.read(workdir)
  saved = run.newest_checkpoint(warn)
  directory = workdir_lib.absolute(output or os.path.join(run.path, NAME))
  save.save(directory, restore_policy(run, saved), _describe(run, saved),
            tflite)
  return directory


def export_at_end(workdir: str, note: Callable[[str], None]) -> None:
  """Exports the policy of a run that has come to its end.

  The run is complete by then, so whatever goes wrong costs a warning.

  Args:
    workdir: the run's folder.
    note: takes lines for the user.
  """
  try:
    note(f'The policy is exported to {export(workdir, warn=note)}')
  except Exception as error:  # noqa: BLE001 (the run itself is complete)
    note(f'Warning: the policy was not exported ({error}); the run itself is '
         'complete, and metal_tf.export does it later.')


def restore_policy(run: saved_run.SavedRun,
                   saved: checkpoint_lib.Checkpoint) -> snt.Module:
  """Makes the policy network `[B, O]` to `[B, A]` with a checkpoint's weights.

  Args:
    run: it belongs to.
    saved: a checkpoint of it.

  Raises:
    CheckpointError: if the weights do not fit the run's settings.
  """
  network = networks.make_policy(run.spec, run.config.policy_layer_sizes)
  network(tf.zeros([1, run.spec.observation_size]))
  for i, variable in enumerate(network.trainable_variables):
    weights = saved.learner.get(f'policy/{i}')
    if weights is None or weights.shape != tuple(variable.shape):
      raise checkpoint_lib.CheckpointError(
          f'{saved.path} does not fit the settings in config.json: policy/{i} '
          f'has {"no values" if weights is None else weights.shape}, expected '
          f'is {tuple(variable.shape)}.')
    variable.assign(weights)
  return network


def _describe(run: saved_run.SavedRun,
              saved: checkpoint_lib.Checkpoint) -> Dict[str, Any]:
  """The content of `policy.json`, but for its format."""
  episode, summary = saved.run['episode'], run.summary()
  if summary is not None and summary['episodes'] != episode:
    summary = None  # Of other weights: the last checkpoint is missing.
  spec, described = run.spec, run.description
  return {
      'observation': {
          'size': spec.observation_size,
          'dtype': 'float32',
          'entries': described['interface']['observation'],
      },
      'action': {
          'size': spec.action_size,
          'dtype': 'float32',
          'minimum': described['interface']['action_minimum'],
          'maximum': described['interface']['action_maximum'],
      },
      'constraints': described['constraints'],
      'algorithm': described['algorithm'],
      'training': {'episodes': episode, 'summary': summary},
      # What it was trained on, for whoever evaluates it.
      'suite': described['suite'],
      'environment_source': described.get('environment_source'),
      'environment': described['environment'],
      'config': described['config'],
      'versions': provenance.versions(),
      'commit': provenance.commit(),
  }
