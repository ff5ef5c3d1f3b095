"""A folder's list of its own files, by which damage is found.

`manifest.json` has the size and SHA-256 of every other file below the folder,
a format number, and a checksum of itself. It is written last.
"""

import hashlib
import json
import os
from typing import Any, Collection, Dict, Iterator, Mapping

FORMAT = 1  # Raised when an older program could no longer read the files.

_NAME = 'manifest.json'
_CHUNK = 1 << 20


class DamagedError(Exception):
  """Files are not as they were written; the message names the file."""


class NewerFormatError(Exception):
  """A newer version of this program wrote the folder; the message names it."""


def seal(directory: str, content: Mapping[str, Any]) -> None:
  """Writes the manifest of a folder and brings everything in it to disk.

  Args:
    directory: all its files are written and closed.
    content: JSON values to keep in the manifest.

  Raises:
    OSError: if something cannot be read or written.
  """
  files = {}
  for name in _files(directory):
    path = os.path.join(directory, name)
    files[name] = {'size': os.path.getsize(path), 'sha256': _hash(path)}
    _sync(path)
  body = {'format': FORMAT, **content, 'files': files}
  path = os.path.join(directory, _NAME)
  with open(path, 'w', encoding='utf-8') as stream:
    json.dump({**body, 'checksum': _checksum(body)}, stream, indent=1)
  _sync(path)
  for folder, _, _ in os.walk(directory):
    _sync(folder)


def read(directory: str) -> Dict[str, Any]:
  """Reads a folder's manifest.

  Args:
    directory: a folder that `seal` finished.

  Returns:
    The content given to `seal`, with `format` and `files`.

  Raises:
    DamagedError: if the manifest itself is missing or changed.
    NewerFormatError: if a newer version of this program wrote it.
  """
  path = os.path.join(directory, _NAME)
  try:
    with open(path, encoding='utf-8') as stream:
      body = json.load(stream)
    checksum = body.pop('checksum')
  except FileNotFoundError as error:
    raise DamagedError(f'{path} is missing') from error
  # A flipped byte can spoil the text's encoding, its syntax or its structure.
  except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
    raise DamagedError(f'{path} cannot be read ({error})') from error
  if checksum != _checksum(body):
    raise DamagedError(f'{path} was changed: its own checksum does not fit')
  if body['format'] > FORMAT:
    raise NewerFormatError(
        f'{directory} has format {body["format"]}, this version of metal_tf '
        f'reads formats up to {FORMAT}; use the version that wrote it')
  return body


def verify(directory: str) -> Dict[str, Any]:
  """As `read`, and holds every file against the manifest.

  Raises:
    DamagedError: also if a file is missing, truncated or changed.
    NewerFormatError: likewise.
  """
  body = read(directory)
  verify_files(directory, body)
  return body


def verify_files(directory: str, body: Mapping[str, Any],
                 without: Collection[str] = ()) -> None:
  """Holds the files of a folder against its manifest.

  Args:
    directory: the folder.
    body: what `read` returned.
    without: names of files that are left out.

  Raises:
    DamagedError: if one is missing, truncated or changed.
  """
  for name, expected in body['files'].items():
    if name not in without:
      verify_file(os.path.join(directory, name), expected)


def sync_folder(directory: str) -> None:
  """Brings a folder's list of names to disk, so that a rename lasts."""
  _sync(directory)


def verify_file(path: str, expected: Mapping[str, Any]) -> None:
  """Holds one file against its `size` and `sha256`.

  Raises:
    DamagedError: if it is missing, truncated or changed.
  """
  try:
    size = os.path.getsize(path)
    if size != expected['size']:
      raise DamagedError(
          f'{path} has {size} bytes, written were {expected["size"]}')
    if _hash(path) != expected['sha256']:
      raise DamagedError(f'{path} was changed: its checksum does not fit')
  except FileNotFoundError as error:
    raise DamagedError(f'{path} is missing') from error
  except OSError as error:
    raise DamagedError(f'{path} cannot be read ({error})') from error


def _files(directory: str) -> Iterator[str]:
  """All files below a folder but its manifest, by relative path."""
  for folder, _, names in os.walk(directory):
    for name in sorted(names):
      relative = os.path.relpath(os.path.join(folder, name), directory)
      if relative != _NAME:
        yield relative


def _hash(path: str) -> str:
  digest = hashlib.sha256()
  with open(path, 'rb') as stream:
    while chunk := stream.read(_CHUNK):
      digest.update(chunk)
  return digest.hexdigest()


def _checksum(body: Mapping[str, Any]) -> str:
  return hashlib.sha256(
      json.dumps(body, sort_keys=True).encode()).hexdigest()


def _sync(path: str) -> None:
  handle = os.open(path, os.O_RDONLY)
  try:
    os.fsync(handle)
  finally:
    os.close(handle)
