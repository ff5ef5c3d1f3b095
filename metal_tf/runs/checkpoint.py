"""Checkpoints: complete or not there at all, and verified when they are read.

    checkpoints/
      episode-00000120/  learner.npz, run.json, manifest.json
      episode-00000140/
      episode-00000160/  the three newest
      replay-00000140/   the replay's own files, manifest.json

Every folder is written under a temporary name, brought to disk and renamed; its
manifest has the checksums. Replay is much larger than the rest, so it is saved
less often: a checkpoint names the replay that was the newest when it was
written. Nothing is pickled.
"""

import io
import json
import os
import shutil
from typing import (
    Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple)

import numpy as np

from metal_tf.runs import manifest

_KEEP = 3
_PREFIX = 'episode-'
_REPLAY_PREFIX = 'replay-'
_TEMPORARY = 'incomplete'


class CheckpointError(Exception):
  """No checkpoint can be used; the message names the file."""


class Checkpoint(NamedTuple):
  """What a checkpoint holds.

  Attributes:
    path: its folder.
    learner: arrays by name, as of `Learner.get_state`.
    run: JSON values: counters, random states, sizes of logs.
    replay_directory: of the replay's own files, verified; None if they are
      damaged or were never saved.
    replay_episode: episodes done when the replay was saved, or None likewise.
    replay_problem: why there is no replay, or why it is not the one that the
      checkpoint names; '' if all is well.
  """
  path: str
  learner: Dict[str, np.ndarray]
  run: Dict[str, Any]
  replay_directory: Optional[str]
  replay_episode: Optional[int]
  replay_problem: str = ''


class Checkpointer:
  """Writes and reads the checkpoints of one run."""

  def __init__(self, directory: str, warn: Callable[[str], None]):
    """Does nothing yet.

    Args:
      directory: folder of all checkpoints of the run.
      warn: takes one line for each damaged checkpoint.
    """
    self._directory = directory
    self._warn = warn
    # The replay that the next checkpoint without one of its own refers to:
    # (folder, episode). One that was not verified is not referred to.
    self._replay: Optional[Tuple[str, int]] = None

  def save(self, episode: int, learner: Mapping[str, np.ndarray],
           run: Mapping[str, Any],
           save_replay: Optional[Callable[[str], None]]) -> str:
    """Writes a checkpoint and removes what it supersedes.

    Args:
      episode: episodes done.
      learner: arrays by name.
      run: JSON values.
      save_replay: writes the replay's files into the empty folder it is given.
        None: the checkpoint refers to the replay that was loaded or saved
        last, if there is one.

    Returns:
      The checkpoint's folder.

    Raises:
      OSError: if it cannot be written; those before are intact then.
    """
    os.makedirs(self._directory, exist_ok=True)
    final = self._free(f'{_PREFIX}{episode:08d}')
    replay = self._replay
    try:
      if save_replay is not None:
        replay = (self._save_replay(episode, save_replay), episode)
      self._save_rest(final, episode, learner, run, replay)
    except OSError:
      # Room for the logs, where the disk is full.
      self._remove_failed()
      raise
    self._replay = replay
    self._remove_superseded(final)
    return final

  def newest(self) -> Optional[str]:
    """Returns the newest checkpoint's folder, unverified, or None."""
    paths = self._all(_PREFIX)
    return paths[-1] if paths else None

  def load_newest(self, with_replay: bool = True) -> Optional[Checkpoint]:
    """Reads the newest checkpoint that is intact.

    Args:
      with_replay: whether to look for the replay, whose files are large, too.

    Returns:
      The checkpoint, or None if none was ever completed.

    Raises:
      CheckpointError: if all are damaged, there is no silent fresh start; or if
        a newer version of this program wrote the newest.
    """
    paths = self._all(_PREFIX)
    for path in reversed(paths):
      try:
        loaded = self._load(path, with_replay)
      except manifest.NewerFormatError as error:
        raise CheckpointError(f'checkpoint {error}.') from error
      except manifest.DamagedError as error:
        problem = str(error)
        self._warn(f'Warning: damaged checkpoint: {problem}.')
        continue
      self.go_on_from(loaded)
      return loaded
    if not paths:
      return None
    raise CheckpointError(
        f'no checkpoint in {self._directory} is intact ({problem}); remove the '
        'run\'s folder to start again.')

  def go_on_from(self, saved: Checkpoint) -> None:
    """Lets later checkpoints refer to its replay until there is a newer one."""
    if saved.replay_directory is not None:
      self._replay = (saved.replay_directory, saved.replay_episode)

  # --- Writing ---------------------------------------------------------------

  def _save_rest(self, final: str, episode: int,
                 learner: Mapping[str, np.ndarray], run: Mapping[str, Any],
                 replay: Optional[Tuple[str, int]]) -> None:
    """Writes the checkpoint's own folder, which refers to the replay's."""
    temporary = self._begin()
    # In memory first: on a full disk an unfinished zip file prints a traceback.
    arrays = io.BytesIO()
    np.savez(arrays, **learner)
    with open(os.path.join(temporary, 'learner.npz'), 'wb') as stream:
      stream.write(arrays.getbuffer())
    with open(os.path.join(temporary, 'run.json'), 'w',
              encoding='utf-8') as stream:
      json.dump(run, stream, indent=2)
    manifest.seal(temporary, {
        'episode': episode,
        'replay': os.path.basename(replay[0]) if replay else None,
        'replay_lag_episodes': episode - replay[1] if replay else None,
    })
    self._finish(temporary, final)

  def _save_replay(self, episode: int,
                   save_replay: Callable[[str], None]) -> str:
    """Writes the replay beside the one before; returns its folder."""
    temporary = self._begin()
    save_replay(temporary)
    manifest.seal(temporary, {'episode': episode})
    final = self._free(f'{_REPLAY_PREFIX}{episode:08d}')
    self._finish(temporary, final)
    return final

  def _free(self, name: str) -> str:
    """A path for a folder of that name; one that is there stays until then."""
    path = os.path.join(self._directory, name)
    while os.path.exists(path):
      path += '-again'
    return path

  def _begin(self) -> str:
    temporary = os.path.join(self._directory, _TEMPORARY)
    shutil.rmtree(temporary, ignore_errors=True)
    os.makedirs(temporary)
    return temporary

  def _finish(self, temporary: str, final: str) -> None:
    os.rename(temporary, final)
    manifest.sync_folder(self._directory)

  def _remove_superseded(self, newest: str) -> None:
    """Removes what is not needed once `newest` is in place."""
    paths = self._all(_PREFIX)
    # Any with a higher number were passed over as damaged when the run resumed.
    position = paths.index(newest) + 1
    for path in paths[:max(0, position - _KEEP)] + paths[position:]:
      shutil.rmtree(path, ignore_errors=True)
    self._remove_other_replays()

  def _remove_failed(self) -> None:
    """Removes what a failed save has written."""
    shutil.rmtree(os.path.join(self._directory, _TEMPORARY),
                  ignore_errors=True)
    self._remove_other_replays()

  def _remove_other_replays(self) -> None:
    if self._replay is None:
      return  # Nothing is known to be better than what is there.
    for path in self._all(_REPLAY_PREFIX):
      if path != self._replay[0]:
        shutil.rmtree(path, ignore_errors=True)

  # --- Reading ---------------------------------------------------------------

  def _load(self, path: str, with_replay: bool) -> Checkpoint:
    """Reads one checkpoint; raises DamagedError if it is not intact."""
    content = manifest.verify(path)
    with np.load(os.path.join(path, 'learner.npz'),
                 allow_pickle=False) as arrays:
      learner = dict(arrays)
    with open(os.path.join(path, 'run.json'), encoding='utf-8') as stream:
      run = json.load(stream)
    if not with_replay:
      return Checkpoint(path, learner, run, None, None, 'it was not asked for')
    return Checkpoint(path, learner, run, *self._find_replay(content['replay']))

  def _find_replay(
      self, name: Optional[str]) -> Tuple[Optional[str], Optional[int], str]:
    """Finds intact replay files: those named, else the newest that there are.

    Others than those named do no harm, because the learner takes transitions
    of any age, and are better than none.

    Args:
      name: folder that the checkpoint names, or None.

    Returns:
      Folder and episode, or None and None; and what is wrong, if anything.
    """
    paths = self._all(_REPLAY_PREFIX)[::-1]
    problem = 'it was not saved'
    if name is not None:
      named = os.path.join(self._directory, name)
      paths = [named] + [path for path in paths if path != named]
      problem = ''
    for path in paths:
      try:
        return path, manifest.verify(path)['episode'], problem
      except (manifest.DamagedError, manifest.NewerFormatError) as error:
        problem = problem or str(error)
    return None, None, problem

  def _all(self, prefix: str) -> List[str]:
    """Returns the complete folders of a kind, oldest first."""
    if not os.path.isdir(self._directory):
      return []
    return [os.path.join(self._directory, name)
            for name in sorted(os.listdir(self._directory))
            if name.startswith(prefix)]
