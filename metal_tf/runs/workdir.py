"""The run's folder: one owner at a time, one configuration for ever."""

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
from typing import Any, Dict, Mapping, Optional, Union

from metal_tf import config as config_lib
from metal_tf.runs import identity
from metal_tf.runs import time_scales

# The folder of all checkpoints, within the run's.
CHECKPOINTS = 'checkpoints'

_NUMBER = (int, float)
# Entries of `summary.json` that whoever reads it needs, and their types.
_SUMMARY = {
    'episodes': int, 'seconds': _NUMBER, 'actor_steps': _NUMBER,
    'learner_steps': _NUMBER, 'return': _NUMBER, 'constraints': list}
_SUMMARY_CONSTRAINT = {
    'name': str, 'penalty': _NUMBER, 'threshold': _NUMBER, 'lambda': _NUMBER,
    'alpha_lambda': _NUMBER}


class WorkdirError(Exception):
  """The folder cannot be used; the message says why in one sentence."""


def absolute(path: Union[str, 'os.PathLike[str]']) -> str:
  """Makes a user's path absolute, `~` included."""
  return os.path.abspath(os.path.expanduser(path))


class Workdir:
  """A run's folder, locked for this process while the object is open.

  The lock is the kernel's (`flock`), so that it goes with the process however
  that ends: there are no stale locks to remove.

  Attributes:
    path: absolute path of the folder.
  """

  def __init__(self, path: str):
    """Creates the folder if need be, and locks it.

    Args:
      path: where everything of the run goes.

    Raises:
      WorkdirError: if it cannot be written to or another run holds it.
    """
    self.path = path
    try:
      os.makedirs(path, exist_ok=True)
      self._lock = open(self.file('lock'), 'a+', encoding='utf-8')
    except OSError as error:
      raise WorkdirError(
          f'--workdir: cannot write to {path}: {error.strerror}.') from error
    try:
      fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
      self._lock.seek(0)
      owner = self._lock.read().strip() or 'unknown'
      self._lock.close()
      raise WorkdirError(
          f'--workdir: {path} is in use by a live run (process {owner}); wait '
          'for it, or choose another folder.') from error
    except OSError as error:
      self._lock.close()
      raise WorkdirError(
          f'--workdir: {path} cannot be locked ({error.strerror}); choose a '
          'folder on another file system.') from error
    self._lock.seek(0)
    self._lock.truncate()
    self._lock.write(f'{os.getpid()}\n')
    self._lock.flush()

  def close(self) -> None:
    """Gives the folder free."""
    self._lock.close()

  def file(self, name: str) -> str:
    """Returns the path of a file in the folder."""
    return os.path.join(self.path, name)

  def remove(self, name: str) -> None:
    """Removes a file, if it is there."""
    with contextlib.suppress(FileNotFoundError):
      os.remove(self.file(name))

  def remove_leftovers(self, prefix: str) -> None:
    """Removes scratch folders that a killed run could not remove itself."""
    for name in os.listdir(self.path):
      if name.startswith(prefix) and os.path.isdir(self.file(name)):
        shutil.rmtree(self.file(name), ignore_errors=True)

  def read_json(self, name: str) -> Optional[Dict[str, Any]]:
    """Returns a JSON file's content, or None if there is no such file."""
    return read_json(self.file(name))

  def write_json(self, name: str, content: Mapping[str, Any]) -> None:
    """Writes a JSON file, complete or not at all."""
    write_atomically(
        self.file(name), (json.dumps(content, indent=2) + '\n').encode())


def read_json(path: str) -> Optional[Dict[str, Any]]:
  """Returns the content of a run's JSON file, or None if there is none.

  Raises:
    WorkdirError: for a file that is no JSON, or no table of names.
  """
  try:
    return load_json(path)
  except ValueError as error:
    raise _named(os.path.dirname(path), error) from error


def read_summary(path: str) -> Optional[Dict[str, Any]]:
  """Returns the content of a run's `summary.json`, or None if there is none.

  Args:
    path: the run's folder.

  Raises:
    WorkdirError: for a file that no run has written.
  """
  try:
    return load_summary(path)
  except ValueError as error:
    raise _named(path, error) from error


def load_json(path: str) -> Optional[Dict[str, Any]]:
  """As `read_json`, for those who read a run from outside.

  Raises:
    ValueError: likewise.
  """
  name = os.path.basename(path)
  try:
    with open(path, encoding='utf-8') as stream:
      content = json.load(stream)
  except (FileNotFoundError, NotADirectoryError):
    return None
  except ValueError as error:  # No JSON, or not even text.
    raise ValueError(f'{name} is not valid JSON ({error})') from error
  if not isinstance(content, dict):
    raise ValueError(f'{name} is no JSON object')
  return content


def load_summary(path: str) -> Optional[Dict[str, Any]]:
  """As `read_summary`, likewise.

  Raises:
    ValueError: likewise.
  """
  name = 'summary.json'
  summary = load_json(os.path.join(path, name))
  if summary is not None:
    check_entries(summary, _SUMMARY, name)
    for constraint in summary['constraints']:
      check_entries(constraint, _SUMMARY_CONSTRAINT, f'a constraint in {name}')
  return summary


def check_entries(content: Any, kinds: Mapping[str, Any], what: str) -> None:
  """Checks a JSON object, which somebody may have edited by hand.

  Args:
    content: the object.
    kinds: the type, or a tuple of types, of each entry that it must have.
    what: its name in messages.

  Raises:
    ValueError: if it is no object, lacks an entry or has one of another type.
  """
  if not isinstance(content, dict):
    raise ValueError(f'{what} is no JSON object')
  for name, kind in kinds.items():
    if name not in content:
      raise ValueError(f'{what} has no {name!r}')
    if not isinstance(content[name], kind):
      raise ValueError(f'{name!r} of {what} is {content[name]!r}')


def _named(folder: str, error: ValueError) -> WorkdirError:
  return WorkdirError(f'--workdir: {folder} is damaged: {error}.')


def write_atomically(path: str, content: bytes) -> None:
  """Writes a file under a temporary name, then gives it its own."""
  handle, temporary = tempfile.mkstemp(
      dir=os.path.dirname(path), prefix='.' + os.path.basename(path))
  try:
    with os.fdopen(handle, 'wb') as stream:
      stream.write(content)
      stream.flush()
      os.fsync(stream.fileno())
    os.chmod(temporary, 0o644)
    os.replace(temporary, path)
  except BaseException:
    os.unlink(temporary)
    raise


def check_same_run(saved: Mapping[str, Any], given: Mapping[str, Any]) -> None:
  """Refuses to resume a run as another one.

  Args:
    saved: content of the folder's `config.json`.
    given: the same of this run.

  Raises:
    WorkdirError: naming the first field that differs, with both values; if
      `saved` describes no run.
  """
  try:
    before, now = _settings(saved), _settings(given)
    differences = [
        (name, before.get(name), value) for name, value in now.items()
        if before.get(name) != value]
    differences += identity.differences(saved, given)
  except KeyError as error:
    raise WorkdirError('--workdir: the config.json there is of no run: it has '
                       f'no {error}.') from error
  for name, there, here in differences:
    raise WorkdirError(
        f'--workdir: the run there has {name}={there!r}, this one '
        f'{name}={here!r}; give the same settings to resume it, or choose '
        'another folder.')


def check_same_settings(
    saved: Mapping[str, Any], algorithm: str,
    settings: Mapping[str, Any]) -> None:
  """As `check_same_run`, by what is known before there is an environment.

  Args:
    saved: content of the folder's `config.json`.
    algorithm: name of this run's agent.
    settings: of this run, as JSON has them.

  Raises:
    WorkdirError: likewise.
  """
  if not isinstance(saved.get('config'), dict):
    raise WorkdirError('--workdir: the config.json there is of no run: it has '
                       'no settings.')
  saved = {**saved, 'config': time_scales.saved_settings(saved)}
  check_same_run(saved, {
      **saved, 'algorithm': algorithm,
      'config': time_scales.resumed_settings(saved, settings)})


def _settings(description: Mapping[str, Any]) -> Dict[str, Any]:
  """The settings that a resumed run must share with the saved one, by name.

  The length may be raised, checkpoints may come at another pace, and the folder
  may have been moved. Evaluations may, too: they have an environment and random
  numbers of their own, so training is the same without them, and their log says
  which episode each belongs to; so may the measurement before training. So may
  the number of actors, since what they fill is the replay, and where that is
  kept. What it is trained on is compared as the environment says it, not only
  as flags do.
  """
  settings = {name: value for name, value in description['config'].items()
              if name not in config_lib.Config.names(changeable=True)}
  if settings.get('environment'):  # The file may have been moved as well.
    settings['environment'] = os.path.basename(settings['environment'])
  return dict(settings, algorithm=description['algorithm'])
