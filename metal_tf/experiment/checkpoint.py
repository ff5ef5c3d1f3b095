"""Checkpoints: complete or not there at all.

One checkpoint is a folder `checkpoints/episode-<number>` with the learner's
arrays, the run's own state and the replay. It is written under a temporary name
and renamed. The three newest are kept; replay, the largest part, only in the
newest of them. Nothing is pickled.
"""

import json
import os
import shutil
from typing import Any, Dict, List, Mapping, NamedTuple, Optional

import numpy as np

from metal_tf.replay import replay as replay_lib

_KEEP = 3
_PREFIX = 'episode-'
_TEMPORARY = 'incomplete'


class CheckpointError(Exception):
  """A checkpoint that cannot be read; the message names the file."""


class Checkpoint(NamedTuple):
  """What a checkpoint holds.

  Attributes:
    path: its folder.
    learner: arrays by name, as of `Learner.get_state`.
    run: JSON values: counters, random states, sizes of logs.
    replay_directory: of the replay's own files, or None if it was not kept.
  """
  path: str
  learner: Dict[str, np.ndarray]
  run: Dict[str, Any]
  replay_directory: Optional[str]


def save(directory: str, episode: int, learner: Mapping[str, np.ndarray],
         run: Mapping[str, Any], replay: replay_lib.Replay) -> str:
  """Writes a checkpoint and removes what it supersedes.

  Args:
    directory: folder of all checkpoints of the run.
    episode: episodes done.
    learner: arrays by name.
    run: JSON values.
    replay: saves itself.

  Returns:
    The checkpoint's folder.

  Raises:
    OSError: if it cannot be written; those before are intact then.
  """
  temporary = os.path.join(directory, _TEMPORARY)
  shutil.rmtree(temporary, ignore_errors=True)
  os.makedirs(os.path.join(temporary, 'replay'))
  with open(os.path.join(temporary, 'learner.npz'), 'wb') as stream:
    np.savez(stream, **learner)
    stream.flush()
    os.fsync(stream.fileno())
  with open(os.path.join(temporary, 'run.json'), 'w',
            encoding='utf-8') as stream:
    json.dump(run, stream, indent=2)
    stream.flush()
    os.fsync(stream.fileno())
  replay.save(os.path.join(temporary, 'replay'))
  final = os.path.join(directory, f'{_PREFIX}{episode:08d}')
  shutil.rmtree(final, ignore_errors=True)
  os.rename(temporary, final)
  *old, _ = _all(directory)
  for path in old:
    shutil.rmtree(os.path.join(path, 'replay'), ignore_errors=True)
  for path in old[:-(_KEEP - 1)]:
    shutil.rmtree(path, ignore_errors=True)
  return final


def load_newest(directory: str) -> Optional[Checkpoint]:
  """Reads the newest checkpoint.

  Args:
    directory: folder of all checkpoints of the run.

  Returns:
    The checkpoint, or None if there is none.

  Raises:
    CheckpointError: if it cannot be read; there is no silent fresh start.
  """
  paths = _all(directory)
  if not paths:
    return None
  path = paths[-1]
  try:
    with np.load(os.path.join(path, 'learner.npz'),
                 allow_pickle=False) as arrays:
      learner = dict(arrays)
    with open(os.path.join(path, 'run.json'), encoding='utf-8') as stream:
      run = json.load(stream)
  except Exception as error:  # zipfile, zlib, OSError, JSON: all mean the same.
    way_out = ('remove that folder to fall back on the one before it'
               if len(paths) > 1 else 'it is the only one: remove the run\'s '
               'folder to start again')
    raise CheckpointError(
        f'checkpoint {path} cannot be read ({error}); {way_out}.') from error
  replay_directory = os.path.join(path, 'replay')
  return Checkpoint(path, learner, run, replay_directory if os.path.isdir(
      replay_directory) else None)


def _all(directory: str) -> List[str]:
  """Returns the complete checkpoints, oldest first."""
  if not os.path.isdir(directory):
    return []
  return [
      os.path.join(directory, name) for name in sorted(os.listdir(directory))
      if name.startswith(_PREFIX)
  ]
