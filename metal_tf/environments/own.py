"""An environment of a user's own, by the name of the function that makes it.

    FILE.py:function             /home/me/tank.py:make
    package.module:function      plants.tank:make
    FOLDER/package.module:function, which is the same with the folder that the
                                 package is in

The function takes a seed, and settings by name; `adapting.adapt` says what it
may return. An `Own` is a few strings, so it can be sent to another process,
which imports the file anew.
"""

import contextlib
import dataclasses
import difflib
import hashlib
import importlib
import importlib.util
import inspect
import json
import os
import sys
import traceback
from types import ModuleType
from typing import Any, Callable, Dict, Iterator, Mapping, Optional

from metal_tf.environments import adapting
from metal_tf.environments import wrapper

_IMPORTLIB = os.path.dirname(importlib.__file__)

FORMS = 'FILE.py:function or package.module:function'


class OwnEnvironmentError(ValueError):
  """A user's function gives no environment; the message says why."""


@dataclasses.dataclass(frozen=True)
class Own:
  """Makes a user's environment from a seed.

  Attributes:
    name: of the function, as `resolve` returned it.
    kwargs: its settings as JSON, or ''.
  """
  name: str
  kwargs: str = ''

  def __call__(self, seed: int) -> wrapper.ConstrainedEnvironment:
    """Makes the environment.

    Args:
      seed: in [0, 2**32).

    Raises:
      OwnEnvironmentError: if the file cannot be imported, or the function is
        missing, raises or returns something else.
    """
    function = load(self.name)
    call = f'{self.name.rpartition(":")[2]}({seed})'
    with _told(call, source(self.name)):
      made = function(seed, **settings(self.kwargs))
      try:
        return adapting.adapt(made)
      except ValueError as error:
        raise OwnEnvironmentError(
            f'{call} returned what cannot be trained on: {error}') from error


def settings(text: str) -> Dict[str, Any]:
  """Reads the function's settings.

  Args:
    text: a JSON object, or ''.

  Raises:
    ValueError: if it is none.
  """
  try:
    values = json.loads(text or '{}')
  except json.JSONDecodeError as error:
    raise ValueError(f'{text!r} is not JSON: {error}') from error
  if not isinstance(values, dict):
    raise ValueError(f'{text!r} is no JSON object, like {{"mass": 2.0}}')
  return values


def resolve(name: str, folder: str) -> str:
  """Makes a function's name independent of where the user stands.

  Args:
    name: in one of the forms above.
    folder: absolute path of where the user stands.

  Returns:
    The name with an absolute path, without one for an installed package.

  Raises:
    OwnEnvironmentError: for another form, or a file that is not there.
  """
  target, _, function = name.rpartition(':')
  where, module = os.path.split(os.path.expanduser(target))
  is_file = module.endswith('.py')
  parts = [] if is_file else module.split('.')
  if not module or not all(map(str.isidentifier, [*parts, function])):
    raise OwnEnvironmentError(f'{name!r} is not of that form')
  path = os.path.join(folder, where)
  if is_file:
    file = os.path.abspath(os.path.join(path, module))
    if not os.path.isfile(file):
      raise OwnEnvironmentError(f'there is no file {file}')
    return f'{file}:{function}'
  if where or _is_in(path, parts[0]):
    return f'{os.path.join(os.path.abspath(path), module)}:{function}'
  return name


def load(name: str) -> Callable[..., Any]:
  """Imports a user's function.

  Args:
    name: as `resolve` returned it.

  Raises:
    OwnEnvironmentError: if that cannot be done.
  """
  target, _, function = name.rpartition(':')
  module = _import(target)
  if not callable(getattr(module, function, None)):
    known = [key for key, value in vars(module).items()
             if callable(value) and not key.startswith('_')]
    near = difflib.get_close_matches(function, known, n=1)
    raise OwnEnvironmentError(
        f'{target} has no function {function!r}'
        + (f'; did you mean {near[0]}?' if near else ''))
  made: Callable[..., Any] = getattr(module, function)
  return made


def check_settings(name: str, kwargs: str) -> None:
  """Checks that a function takes its settings.

  Args:
    name: as `resolve` returned it.
    kwargs: JSON, or ''.

  Raises:
    OwnEnvironmentError: if the function cannot be imported.
    ValueError: if it does not take them.
  """
  function = load(name)
  try:
    signature = inspect.signature(function)
  except (TypeError, ValueError):  # Written in C: calling it will tell.
    return
  try:
    signature.bind(0, **settings(kwargs))
  except TypeError as error:
    raise ValueError(
        f'{error}: it is called as {name.rpartition(":")[2]}{signature}, with '
        'the seed first') from error


def source(name: str) -> str:
  """The file that a function's module is in, '' where there is none.

  Args:
    name: as `resolve` returned it.

  Raises:
    OwnEnvironmentError: if the module cannot be imported.
  """
  target = name.rpartition(':')[0]
  return target if target.endswith('.py') else (
      getattr(_import(target), '__file__', None) or '')


def describe_source(name: str) -> Optional[Dict[str, str]]:
  """What tells one version of a user's file from another.

  Args:
    name: as `resolve` returned it, or '' for none.

  Returns:
    `file` and `sha256` of its content; None without a file.
  """
  try:
    file = name and source(name)
    if not file:
      return None
    with open(file, 'rb') as stream:
      return {'file': file, 'sha256': hashlib.sha256(stream.read()).hexdigest()}
  except (OwnEnvironmentError, OSError):
    return None


def changed(before: Optional[Mapping[str, str]],
            now: Optional[Mapping[str, str]]) -> str:
  """Says in a sentence that a user's file is not what it was, else ''.

  Args:
    before: as `describe_source` gave it for the run; None where it is unknown.
    now: likewise.
  """
  if not before or not now or before['sha256'] == now['sha256']:
    return ''
  moved = ('' if before['file'] == now['file'] else
           f' (before: {before["file"]})')
  return (f'The source of the environment, {now["file"]}{moved}, has changed '
          f'since the run: its SHA-256 is {now["sha256"][:12]}..., it was '
          f'{before["sha256"][:12]}....')


def label(name: str) -> str:
  """A short name for folders: tank.make for /home/me/tank.py:make."""
  module, _, function = os.path.basename(name).rpartition(':')
  return f'{module[:-3] if module.endswith(".py") else module}.{function}'


def _import(target: str) -> ModuleType:
  folder, module = os.path.split(target)
  if folder and folder not in sys.path:
    sys.path.insert(0, folder)  # As for a program that is started there.
  is_file = module.endswith('.py')
  if is_file:
    # Under a name that no package has.
    digest = hashlib.sha256(target.encode()).hexdigest()[:12]
    module = f'own_{digest}_{module[:-3]}'
  if module in sys.modules:
    return sys.modules[module]
  with _told(f'importing {target}', target if is_file else folder):
    if not is_file:
      with _nothing_written():
        return importlib.import_module(module)
    if not os.path.isfile(target):  # It was there when its name was given.
      raise OwnEnvironmentError(f'there is no file {target}')
    spec = importlib.util.spec_from_file_location(module, target)
    assert spec is not None and spec.loader is not None, target
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[module] = loaded  # Dataclasses look their module up there.
    try:
      with _nothing_written():
        spec.loader.exec_module(loaded)
    except BaseException:
      del sys.modules[module]
      raise
    return loaded


def _is_in(folder: str, name: str) -> bool:
  path = os.path.join(folder, name)
  return os.path.isfile(f'{path}.py') or os.path.isdir(path)


@contextlib.contextmanager
def _nothing_written() -> Iterator[None]:
  """A run writes nothing outside of its folder, no compiled file either."""
  before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
  try:
    yield
  finally:
    sys.dont_write_bytecode = before


@contextlib.contextmanager
def _told(doing: str, where: str) -> Iterator[None]:
  """Makes one sentence of whatever a user's code raises.

  Args:
    doing: what was done.
    where: the user's file, or the folder of the package; the innermost line in
      it is named, or else the innermost line of all.
  """
  try:
    yield
  except OwnEnvironmentError:
    raise
  except (Exception, SystemExit) as error:  # pylint: disable=broad-except
    message = ' '.join(str(error).split())
    if isinstance(error, SyntaxError) and error.filename:
      at = f'{error.filename}:{error.lineno}'
    else:
      at = _line(error, where)
    raise OwnEnvironmentError(
        f'{doing} raised {type(error).__name__}: {message}'
        + (f' ({at})' if at else '')) from error


def _line(error: BaseException, where: str) -> str:
  here = os.path.dirname(os.path.abspath(__file__))
  frames = [frame for frame in traceback.extract_tb(error.__traceback__)
            if not frame.filename.startswith((here, '<'))]
  mine = [frame for frame in frames
          if where and frame.filename.startswith(where)]
  # Importing itself fails within Python's library, which is no help.
  other = [frame for frame in frames
           if os.path.dirname(frame.filename) != _IMPORTLIB]
  return next((f'{frame.filename}:{frame.lineno}'
               for frame in reversed(mine or other)), '')
