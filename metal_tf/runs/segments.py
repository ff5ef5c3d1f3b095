"""Segments of a replay as files: written once, shared by checkpoints.

    replay/
      000000000000-000000026214-9f86d081884c7d65  float32, transitions one after
      000000026214-000000052428-60303ae22b998861  another, little-endian

A name has the numbers of insertions before and behind the transitions, and the
beginning of the file's SHA-256. Files appear under their names when they are
complete and on disk, and are never changed. Who needs which is in the manifests
of the checkpoints, with sizes and checksums.
"""

import contextlib
import functools
import hashlib
import os
from typing import Any, Dict, List, Mapping, Sequence, Set, Tuple

import numpy as np

from metal_tf import types
from metal_tf.runs import manifest

# What a manifest says of a file: name, first, end, size, sha256.
Entry = Dict[str, Any]

_TEMPORARY = 'incomplete'


class SegmentFolder:
  """Writes, checks and removes the segments of one run."""

  def __init__(self, directory: str):
    """Does nothing yet.

    Args:
      directory: of the segments.
    """
    self._directory = directory
    self._known: Dict[int, Entry] = {}  # By the end of the segment.

  def write(self, segments: Sequence[types.ReplaySegment]) -> List[Entry]:
    """Brings those to disk that are not there yet.

    Args:
      segments: of the replay as it is.

    Returns:
      What a manifest needs to have, in the same order.

    Raises:
      OSError: if one cannot be written.
    """
    entries = []
    for segment in segments:
      known = self._known.get(segment.end)
      # What was written earlier may begin before what is still held.
      if known is None or known['first'] > segment.first:
        known = self._write(segment)
      entries.append(known)
    if entries:
      manifest.sync_folder(self._directory)
    return entries

  def go_on_from(self, entries: Sequence[Entry]) -> None:
    """Takes note of what need not be written again, and of nothing else."""
    self._known = {entry['end']: entry for entry in entries}

  def verify(self, entries: Sequence[Entry]) -> None:
    """Raises DamagedError, naming the file, unless all are as written."""
    for entry in entries:
      manifest.verify_file(self._path(entry), entry)

  def read(self,
           entries: Sequence[Entry]) -> Tuple[types.ReplaySegment, ...]:
    """Returns segments whose files are read when they are asked for."""
    return tuple(
        types.ReplaySegment(entry['first'], entry['end'],
                            functools.partial(self._read, entry))
        for entry in entries)

  def remove_all_but(self, names: Set[str]) -> None:
    """Removes files that no checkpoint needs."""
    if not os.path.isdir(self._directory):
      return
    for name in os.listdir(self._directory):
      if name not in names:
        with contextlib.suppress(OSError):
          os.remove(os.path.join(self._directory, name))

  def _write(self, segment: types.ReplaySegment) -> Entry:
    content = memoryview(np.ascontiguousarray(
        segment.read(), '<f4').data).cast('B')
    digest = hashlib.sha256(content).hexdigest()
    name = f'{segment.first:012d}-{segment.end:012d}-{digest[:16]}'
    entry = dict(name=name, first=segment.first, end=segment.end,
                 size=len(content), sha256=digest)
    os.makedirs(self._directory, exist_ok=True)
    temporary = os.path.join(self._directory, _TEMPORARY)
    with open(temporary, 'wb') as stream:
      stream.write(content)
      stream.flush()
      os.fsync(stream.fileno())
    os.replace(temporary, self._path(entry))
    return entry

  def _read(self, entry: Entry) -> np.ndarray:
    rows = np.fromfile(self._path(entry), '<f4')
    return rows.reshape(entry['end'] - entry['first'], -1)

  def _path(self, entry: Mapping[str, Any]) -> str:
    return os.path.join(self._directory, entry['name'])
