"""The run's measurements: one record per episode, as CSV and TensorBoard.

Both are flushed with each record. `log_tables` says what is measured.
"""

import csv
import io
import os
from typing import Any, Dict, Mapping, Optional, Sequence

import numpy as np

from metal_tf.runs import log_tables
from metal_tf.training import plots


class EpisodeLog:
  """Appends records to a CSV file and to TensorBoard, both flushed."""

  def __init__(self, directory: str, table: log_tables.Table,
               constraint_names: Sequence[str],
               position: Optional[Mapping[str, int]] = None):
    """Opens the files.

    Args:
      directory: of the run.
      table: which log.
      constraint_names: K names.
      position: what to keep when resuming, as `position()` gave it; what came
        later belongs to episodes that will be run again. None starts anew. A
      CSV file keeps the header it has: what is measured since a later version
      goes to TensorBoard alone.

    Raises:
      ValueError: if the CSV file is shorter than that, or has columns that are
        unknown here.
    """
    self._directory = directory
    self._table = table
    self._quantities = table.quantities(constraint_names)
    self._path = os.path.join(directory, table.file)
    position = position or {}
    self._cut(position.get(table.file, 0))
    # Unbuffered: rows that the disk does not take wait in `_waiting`.
    self._stream = open(self._path, 'ab', buffering=0)
    self._waiting = b''
    self._columns: Sequence[str] = list(self._quantities)
    if self._stream.tell():
      self._columns = self._read_header()
    else:
      self._waiting = _line(self._columns)
      self._write_waiting()
    self._plots = plots.Plots(os.path.join(directory, table.folder), {
        os.path.basename(name): size for name, size in position.items()
        if os.path.dirname(name) == table.folder})

  def write(self, record: Mapping[str, float]) -> None:
    """Writes one record.

    Args:
      record: a number for each column.

    Raises:
      ValueError: if a column is missing or unknown.
      OSError: if it is not on disk; it waits in memory for the next try.
    """
    if set(record) != set(self._quantities):
      different = sorted(set(record) ^ set(self._quantities))
      raise ValueError('a record must have exactly the columns of the log; '
                       f'different: {different}')
    self._waiting += _line(_text(record[name]) for name in self._columns)
    scalars = [
        plots.Scalar(self._table.tag(name, quantity), record[name],
                     quantity.meaning)
        for name, quantity in self._quantities.items()
        if quantity.group and np.isfinite(record[name])]
    try:
      self._write_waiting()
    finally:
      self._plots.add(int(record['episode']), scalars)

  def position(self) -> Dict[str, int]:
    """Brings everything to disk; returns the bytes of each file of the log.

    Raises:
      OSError: if it cannot.
    """
    self._write_waiting()
    self._plots.flush()
    sizes = {
        self._table.file: os.path.getsize(self._path),
        **{os.path.join(self._table.folder, name): size
           for name, size in self._plots.sizes().items()}}
    for name in sizes:
      with open(os.path.join(self._directory, name), 'rb') as stream:
        os.fsync(stream.fileno())
    return sizes

  def close(self) -> None:
    """Writes what waits.

    Raises:
      OSError: if the disk does not take it.
    """
    try:
      self._write_waiting()
    finally:
      self._stream.close()
      self._plots.close()

  def _cut(self, size: int) -> None:
    """Cuts the CSV file to what a checkpoint knows of, or to nothing."""
    got = os.path.getsize(self._path) if os.path.exists(self._path) else 0
    if got < size:
      raise ValueError(
          f'{self._path} must have at least {size} bytes, got {got}.')
    if got > size:
      os.truncate(self._path, size)

  def _read_header(self) -> Sequence[str]:
    """Returns the columns of a file that is gone on with."""
    with open(self._path, encoding='utf-8', newline='') as stream:
      header = next(csv.reader(stream))
    unknown = sorted(set(header) - set(self._quantities))
    if unknown:
      self._stream.close()
      raise ValueError(f'{self._path} has columns that this version does not '
                       f'know: {unknown}.')
    return header

  def _write_waiting(self) -> None:
    while self._waiting:
      written = self._stream.write(self._waiting)
      self._waiting = self._waiting[written:]


def _line(row: Any) -> bytes:
  text = io.StringIO(newline='')
  csv.writer(text, lineterminator='\n').writerow(row)
  return text.getvalue().encode()


def _text(value: float) -> str:
  """Whole numbers as such, others with the digits that tell floats apart."""
  value = float(value)
  return str(int(value)) if value.is_integer() else f'{value:.9g}'
