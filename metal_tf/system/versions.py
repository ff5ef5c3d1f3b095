"""Refuses a set of TensorFlow, Reverb and Launchpad that cannot load together.

A Reverb or a Launchpad wheel works with one TensorFlow minor version; with
another, importing it ends in `undefined symbol`. This module looks at the
installed versions before that, without importing any of them.
"""

from importlib import metadata
import sys
from typing import Callable, Iterator, Mapping, Optional, Tuple

# As in requirements.txt, which `versions_test` compares.
PYTHON = (3, 10)
TENSORFLOW = '2.8.4'
COMPILED_FOR_TENSORFLOW = {'dm-reverb': '0.7.3', 'dm-launchpad': '0.5.0'}


class IncompatibleVersionsError(ImportError):
  """The installed packages cannot be loaded in one process."""


def installed_version(package: str) -> Optional[str]:
  """Returns the version of a package, None where it is not installed."""
  try:
    return metadata.version(package)
  except metadata.PackageNotFoundError:
    return None


def _release(version: str) -> Tuple[str, ...]:
  """Returns major and minor version: patch levels go together."""
  return tuple(version.split('.')[:2])


def _mismatches(found: Mapping[str, str],
                python: Tuple[int, int]) -> Iterator[str]:
  """Yields what does not fit, in words."""
  wanted = {'tensorflow': TENSORFLOW, **COMPILED_FOR_TENSORFLOW}
  for package, version in found.items():
    if _release(version) != _release(wanted[package]):
      yield f'{package} {version}'
  if python != PYTHON:
    yield 'Python {}.{}'.format(*python)


def check(
    installed: Callable[[str], Optional[str]] = installed_version,
    python: Tuple[int, int] = sys.version_info[:2],
) -> None:
  """Checks the installed set.

  Nothing is wrong where neither Reverb nor Launchpad is installed: an exported
  policy runs on any TensorFlow.

  Args:
    installed: Gives the version of a package, None where it is missing.
    python: Major and minor version of the interpreter.

  Raises:
    IncompatibleVersionsError: The set cannot be loaded.
  """
  names = ('tensorflow', *COMPILED_FOR_TENSORFLOW)
  versions = ((name, installed(name)) for name in names)
  found = {name: version for name, version in versions if version}
  if not set(found) & set(COMPILED_FOR_TENSORFLOW):
    return
  mismatches = ', '.join(_mismatches(found, python))
  if mismatches:
    compiled = ' and '.join(
        f'{name} {version}' for name, version in COMPILED_FOR_TENSORFLOW.items()
    )
    raise IncompatibleVersionsError(
        f'{mismatches}: {compiled} load only together with tensorflow '
        f'{TENSORFLOW} on Python {PYTHON[0]}.{PYTHON[1]}; start with ./bazelw, '
        'or install requirements.txt into an environment of its own.'
    )
