"""The run's measurements: one record per episode, as CSV and TensorBoard.

`EPISODES` and `EVALUATIONS` are the only list of what is measured; headers,
TensorBoard names and the documentation's table come from it. A header is the
same for all algorithms with the same constraints; a number that an algorithm
does not have, or that there is not yet, is `nan`.
"""

import csv
import io
import os
from typing import (
    Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple)

import numpy as np

from metal_tf.experiment import plots


class Quantity(NamedTuple):
  """One column of a log.

  Attributes:
    name: column; per-constraint ones get `/<constraint>` behind it.
    group: TensorBoard's heading, or '' where a plot would say nothing.
    meaning: what it is, with its unit.
  """
  name: str
  group: str
  meaning: str


_SCALARS = (
    Quantity('episode', '', 'number of the training episode, from 1'),
    Quantity('actor_steps', 'progress', 'environment steps so far'),
    Quantity('learner_steps', 'progress', 'learner steps so far'),
    Quantity('seconds', 'progress', 'seconds of training so far'),
    Quantity('episode_return', 'return',
             'sum of the task rewards of the episode, exploration included'),
    Quantity('penalized_return', 'return',
             'episode_return - 1000 * sum of the overshoots'),
)

_PER_CONSTRAINT = (
    Quantity('penalty', 'constraint',
             'J_C, mean penalty per step of the episode'),
    Quantity('threshold', 'constraint', 'beta, in mean penalty per step'),
    Quantity('overshoot', 'constraint', 'max(0, J_C - beta)'),
    Quantity('lambda', 'multiplier', 'Lagrange multiplier, reward per penalty'),
    Quantity('alpha_lambda', 'multiplier',
             'meta-parameter, log of a factor on the multiplier\'s rate'),
    Quantity('effective_rate', 'multiplier',
             'alpha_1 exp(alpha_lambda); 0 where lambda is fixed'),
    Quantity('meta_gradient_direct', 'meta_gradient',
             'term of the meta-gradient through lambda in the validation '
             'target, mean over the episode\'s learner steps'),
    Quantity('meta_gradient_weights', 'meta_gradient',
             'term of the meta-gradient through the updated critic weights, '
             'mean over the episode\'s learner steps'),
)

_LEARNING = (
    Quantity('critic_loss', 'loss',
             'inner critic loss in nats, mean over the episode\'s learner '
             'steps'),
    Quantity('policy_loss', 'loss', 'D4PG policy loss, mean likewise'),
    Quantity('outer_loss', 'loss',
             'critic loss in nats on the validation part, after the update, '
             'mean likewise'),
    Quantity('critic_gradient_norm', 'gradient',
             'global norm before clipping, mean likewise'),
    Quantity('policy_gradient_norm', 'gradient',
             'global norm before clipping, mean likewise'),
    Quantity('clipped_mass', 'loss',
             'share of the target\'s mass beyond vmin and vmax, where the '
             'multiplier gets no gradient, mean likewise'),
    Quantity('skipped_updates', 'gradient',
             'learner steps dropped so far for a NaN or infinity'),
)


class Table(NamedTuple):
  """One log.

  Attributes:
    file: name of the CSV file.
    folder: of the TensorBoard files below the run's folder. One folder per log:
      TensorBoard follows only the newest file of a folder.
    prefix: in front of TensorBoard's headings.
    scalars: columns before those of the constraints.
    per_constraint: columns that there are once per constraint.
    learning: columns behind them.
  """
  file: str
  folder: str
  prefix: str
  scalars: Tuple[Quantity, ...]
  per_constraint: Tuple[Quantity, ...]
  learning: Tuple[Quantity, ...] = ()

  def columns(self, constraint_names: Sequence[str]) -> List[str]:
    """Returns the header for the given constraints."""
    return list(self.quantities(constraint_names))

  def quantities(self, constraint_names: Sequence[str]) -> Dict[str, Quantity]:
    """Returns what each column is, in the order of the header."""
    return {
        **{q.name: q for q in self.scalars},
        **{f'{q.name}/{constraint}': q for constraint in constraint_names
           for q in self.per_constraint},
        **{q.name: q for q in self.learning}}


EPISODES = Table('episodes.csv', 'tensorboard', '', _SCALARS, _PER_CONSTRAINT,
                 _LEARNING)

EVALUATIONS = Table(
    'evaluations.csv', os.path.join('tensorboard', 'evaluation'), 'evaluation/',
    (Quantity('episode', '', 'training episodes done'),
     Quantity('learner_steps', 'progress', 'learner steps done'),
     Quantity('seconds', 'progress', 'seconds of training done'),
     Quantity('episode_return', 'return',
              'sum of the task rewards of an episode without exploration'),
     Quantity('penalized_return', 'return',
              'episode_return - 1000 * sum of the overshoots')),
    _PER_CONSTRAINT[:3])


class EpisodeLog:
  """Appends records to a CSV file and to TensorBoard, both flushed."""

  def __init__(self, directory: str, table: Table,
               constraint_names: Sequence[str],
               position: Optional[Mapping[str, int]] = None):
    """Opens the files.

    Args:
      directory: of the run.
      table: which log.
      constraint_names: K names.
      position: what to keep when resuming, as `position()` gave it; what came
        later belongs to episodes that will be run again. None starts anew.

    Raises:
      ValueError: if the CSV file is shorter than that.
    """
    self._directory = directory
    self._table = table
    self._quantities = table.quantities(constraint_names)
    self._path = os.path.join(directory, table.file)
    position = position or {}
    self._cut(position.get(table.file, 0))
    # Unbuffered: rows that the disk does not take wait in `_waiting`.
    # pylint: disable-next=consider-using-with
    self._stream = open(self._path, 'ab', buffering=0)
    self._waiting = b''
    if not self._stream.tell():
      self._waiting = _line(self._quantities)
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
    self._waiting += _line(_text(record[name]) for name in self._quantities)
    scalars = [
        plots.Scalar(f'{self._table.prefix}{quantity.group}/{name}',
                     record[name], quantity.meaning)
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


def read(directory: str, table: Table = EPISODES) -> Dict[str, np.ndarray]:
  """Reads a log of a run.

  Args:
    directory: of the run.
    table: which log.

  Returns:
    One float64 array per column, oldest episode first. A row that is still
    being written is left out.
  """
  path = os.path.join(directory, table.file)
  with open(path, encoding='utf-8', newline='') as stream:
    complete, _, _ = stream.read().rpartition('\n')
  header, *rows = list(csv.reader(complete.splitlines()))
  values = np.array(rows, np.float64).reshape(len(rows), len(header))
  return dict(zip(header, values.T))
