"""Checkpoints: complete or not there at all, and verified when they are read.

    checkpoints/
      episode-00000120/  learner.npz, run.json, manifest.json; of a replay of
      episode-00000140/  this process also replay.npz and replay.json
      episode-00000160/  the three newest
      replay/            the segments that they refer to, see `segments`
      replay-00000140/   where Reverb keeps the replay: its files, manifest.json

Every folder is written under a temporary name, brought to disk and renamed; its
manifest has the checksums. Nothing is pickled.

A replay of this process is in every checkpoint: what does not change any more
is in segments, which are written once, before the checkpoint that refers to
them. That of Reverb is written as a whole and less often: a checkpoint names
the one that was the newest when it was written.
"""

import io
import json
import os
import shutil
from typing import (
  Any,
  Callable,
  Dict,
  List,
  Mapping,
  NamedTuple,
  Optional,
  Set,
  Tuple,
  Union,
)

import numpy as np

from metal_tf import types
from metal_tf.runs import manifest
from metal_tf.runs import segments as segments_lib

_KEEP = 3
_PREFIX = 'episode-'
_REPLAY_PREFIX = 'replay-'
_SEGMENTS = 'replay'
_REPLAY_FILES = _REPLAY_STATE, _REPLAY_ARRAYS = 'replay.json', 'replay.npz'
_TEMPORARY = 'incomplete'


class CheckpointError(Exception):
  """No checkpoint can be used; the message names the file."""


class Checkpoint(NamedTuple):
  """What a checkpoint holds.

  Attributes:
    path: its folder.
    learner: arrays by name, as of `Learner.get_state`.
    run: JSON values: counters, random states, sizes of logs.
    replay: the parts of a replay of the run's process, or the folder with the
      files of another one, verified; None if it is damaged or was never saved.
    replay_episode: episodes done when the replay was saved, or None likewise.
    replay_problem: why there is no replay, or why it is not the one that the
      checkpoint names; '' if all is well.
  """
  path: str
  learner: Dict[str, np.ndarray]
  run: Dict[str, Any]
  replay: Union[types.ReplaySnapshot, str, None]
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
    self._segments = segments_lib.SegmentFolder(
        os.path.join(directory, _SEGMENTS))
    # The replay that the next checkpoint without one of its own refers to:
    # (folder, episode). One that was not verified is not referred to.
    self._replay: Optional[Tuple[str, int]] = None

  def save(self, episode: int, learner: Mapping[str, np.ndarray],
           run: Mapping[str, Any],
           replay: Union[types.ReplaySnapshot, Callable[[str], None], None]
          ) -> str:
    """Writes a checkpoint and removes what it supersedes.

    Args:
      episode: episodes done.
      learner: arrays by name.
      run: JSON values.
      replay: its parts, or a function that writes its files into the empty
        folder it is given. None: the checkpoint refers to the folder that was
        loaded or written last, if there is one.

    Returns:
      The checkpoint's folder.

    Raises:
      OSError: if it cannot be written; those before are intact then.
    """
    os.makedirs(self._directory, exist_ok=True)
    final = self._free(f'{_PREFIX}{episode:08d}')
    folder, snapshot, entries = self._replay, None, []
    try:
      if isinstance(replay, types.ReplaySnapshot):
        folder, snapshot = None, replay
        entries = self._segments.write(snapshot.segments)
      elif replay is not None:
        folder = (self._save_replay(episode, replay), episode)
      content: Dict[str, Any] = {
          'episode': episode,
          'replay': os.path.basename(folder[0]) if folder else None,
          'replay_lag_episodes': episode - folder[1] if folder else None,
      }
      if snapshot is not None:
        content['segments'] = entries
      self._save_rest(final, learner, run, snapshot, content)
    except OSError:
      # Room for the logs, where the disk is full.
      self._remove_failed()
      raise
    self._replay = folder
    self._segments.go_on_from(entries)
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
      The checkpoint, or None if none was ever completed. One whose replay is
      damaged is given only if there is none before it that is whole.

    Raises:
      CheckpointError: if all are damaged, there is no silent fresh start; or if
        a newer version of this program wrote the newest.
    """
    paths = self._all(_PREFIX)
    without_replay: Optional[Checkpoint] = None
    for path in reversed(paths):
      try:
        loaded, segments = self._load(path, with_replay)
      except manifest.NewerFormatError as error:
        raise CheckpointError(f'checkpoint {error}.') from error
      except manifest.DamagedError as error:
        problem = str(error)
        self._warn(f'Warning: damaged checkpoint: {problem}.')
        continue
      if segments is None:
        self._warn('Warning: damaged replay of a checkpoint: '
                   f'{loaded.replay_problem}.')
        without_replay = without_replay or loaded
        continue
      self.go_on_from(loaded)
      self._segments.go_on_from(segments)
      return loaded
    if without_replay is not None or not paths:
      return without_replay
    raise CheckpointError(
        f'no checkpoint in {self._directory} is intact ({problem}); remove the '
        'run\'s folder to start again.')

  def go_on_from(self, saved: Checkpoint) -> None:
    """Lets later checkpoints refer to its folder of a replay."""
    if isinstance(saved.replay, str):
      self._replay = (saved.replay, saved.replay_episode or 0)

  def forget_replay(self) -> None:
    """Lets later checkpoints refer to nothing of the one that was loaded."""
    self._replay = None
    self._segments.go_on_from([])

  # --- Writing ---------------------------------------------------------------

  def _save_rest(self, final: str, learner: Mapping[str, np.ndarray],
                 run: Mapping[str, Any],
                 snapshot: Optional[types.ReplaySnapshot],
                 content: Mapping[str, Any]) -> None:
    """Writes the checkpoint's own folder, which refers to the replay's."""
    temporary = self._begin()
    _write_arrays(os.path.join(temporary, 'learner.npz'), learner)
    _write_json(os.path.join(temporary, 'run.json'), run)
    if snapshot is not None:
      _write_arrays(os.path.join(temporary, _REPLAY_ARRAYS), snapshot.arrays)
      _write_json(os.path.join(temporary, _REPLAY_STATE), snapshot.state)
    manifest.seal(temporary, content)
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
    self._remove_unneeded()

  def _remove_failed(self) -> None:
    """Removes what a failed save has written."""
    shutil.rmtree(os.path.join(self._directory, _TEMPORARY),
                  ignore_errors=True)
    self._remove_unneeded()

  def _remove_unneeded(self) -> None:
    """Removes segments and folders of replays that nothing refers to."""
    folders: Set[Optional[str]] = set()
    files: Set[str] = set()
    in_parts = False
    for path in self._all(_PREFIX):
      try:
        content = manifest.read(path)
      except manifest.DamagedError:
        continue  # Nobody will ask for it.
      except manifest.NewerFormatError:
        return
      in_parts |= 'segments' in content
      folders.add(content.get('replay'))
      files.update(entry['name'] for entry in content.get('segments', ()))
    self._segments.remove_all_but(files)
    if self._replay is not None:  # One of any age is as good, and one enough.
      folders = {os.path.basename(self._replay[0])}
    elif not in_parts:
      return  # Nothing is known to be better than what is there.
    for path in self._all(_REPLAY_PREFIX):
      if os.path.basename(path) not in folders:
        shutil.rmtree(path, ignore_errors=True)

  # --- Reading ---------------------------------------------------------------

  def _load(
      self, path: str, with_replay: bool
  ) -> Tuple[Checkpoint, Optional[List[segments_lib.Entry]]]:
    """Reads one checkpoint; raises DamagedError if it is not intact.

    Returns:
      The checkpoint, and its segments; None for these if the replay, which was
      in this process, is damaged.
    """
    content = manifest.read(path)
    manifest.verify_files(path, content, without=_REPLAY_FILES)
    learner = _read_arrays(os.path.join(path, 'learner.npz'))
    run = _read_json(os.path.join(path, 'run.json'))
    if not with_replay:
      return Checkpoint(
          path, learner, run, None, None, 'it was not asked for'), []
    entries = content.get('segments')
    if entries is None:
      return Checkpoint(
          path, learner, run, *self._find_replay(content['replay'])), []
    try:
      manifest.verify_files(path, content)
      self._segments.verify(entries)
    except manifest.DamagedError as error:
      return Checkpoint(path, learner, run, None, None, str(error)), None
    snapshot = types.ReplaySnapshot(
        _read_json(os.path.join(path, _REPLAY_STATE)),
        _read_arrays(os.path.join(path, _REPLAY_ARRAYS)),
        self._segments.read(entries))
    return Checkpoint(
        path, learner, run, snapshot, content['episode']), entries

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


def _write_arrays(path: str, arrays: Mapping[str, np.ndarray]) -> None:
  # In memory first: on a full disk an unfinished zip file prints a traceback.
  content = io.BytesIO()
  np.savez(content, **arrays)
  with open(path, 'wb') as stream:
    stream.write(content.getbuffer())


def _read_arrays(path: str) -> Dict[str, np.ndarray]:
  with np.load(path, allow_pickle=False) as arrays:
    return dict(arrays)


def _write_json(path: str, content: Mapping[str, Any]) -> None:
  with open(path, 'w', encoding='utf-8') as stream:
    json.dump(content, stream, indent=2)


def _read_json(path: str) -> Dict[str, Any]:
  with open(path, encoding='utf-8') as stream:
    return json.load(stream)
