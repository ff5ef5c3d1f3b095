"""TensorBoard's files of one log, without holes after a full disk or a kill."""

import os
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import tensorflow as tf


class Scalar(NamedTuple):
  """One number to plot: its tag, value and what it means."""
  tag: str
  value: float
  description: str


class Plots:
  """Writes scalars into a folder of their own."""

  def __init__(self, directory: str, sizes: Mapping[str, int]):
    """Cuts what is there; files appear with the first numbers.

    Args:
      directory: the folder; files of other kinds must not be in it.
      sizes: bytes to keep by file name, as `sizes()` gave them; other files
        are removed.
    """
    self._directory = directory
    # What is on disk for good. TensorBoard reads no further than half a record.
    self._good = dict(sizes)
    self._cut()
    self._waiting: List[Tuple[int, Sequence[Scalar]]] = []
    self._writer: Optional[tf.summary.SummaryWriter] = None

  def add(self, step: int, scalars: Sequence[Scalar]) -> None:
    """Writes the numbers of a step.

    Raises:
      OSError: if they are not on disk; they wait in memory for the next try.
    """
    self._waiting.append((step, scalars))
    self.flush()

  def flush(self) -> None:
    """Writes what waits; raises OSError if the disk does not take it."""
    if not self._waiting:
      return
    try:
      if self._writer is None:
        self._writer = tf.summary.create_file_writer(self._directory)
      for step, scalars in self._waiting:
        # As arrays: TensorFlow keeps every Python number it has seen.
        with self._writer.as_default(step=np.array(step, np.int64)):
          for scalar in scalars:
            tf.summary.scalar(
                scalar.tag, np.array(scalar.value, np.float32),
                description=scalar.description)
      self._writer.flush()
    except tf.errors.OpError as error:
      self._drop_writer()
      self._cut()
      raise OSError(f'TensorBoard\'s file: {error.message}') from error
    self._waiting.clear()
    self._good = self.sizes()

  def sizes(self) -> Dict[str, int]:
    """Bytes of each file, by name."""
    if not os.path.isdir(self._directory):
      return {}
    return {
        name: os.path.getsize(os.path.join(self._directory, name))
        for name in sorted(os.listdir(self._directory))
        if os.path.isfile(os.path.join(self._directory, name))}

  def close(self) -> None:
    """Writes what waits; raises OSError if the disk does not take it."""
    try:
      self.flush()
    finally:
      self._drop_writer()

  def _drop_writer(self) -> None:
    """Ends the writer, which after an error could write the same again."""
    try:
      if self._writer is not None:
        self._writer.close()
    except tf.errors.OpError:
      pass  # What it could not write waits here as well.
    self._writer = None

  def _cut(self) -> None:
    """Cuts every file to what is known to be good."""
    for name, size in self.sizes().items():
      path = os.path.join(self._directory, name)
      if name not in self._good:
        os.remove(path)
      elif size > self._good[name]:
        os.truncate(path, self._good[name])
