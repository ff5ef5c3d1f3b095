"""The run's measurements: one record per episode, as CSV and TensorBoard.

`SCALARS` and `PER_CONSTRAINT` are the only list of what is measured; header,
TensorBoard names and the documentation's table come from it. The header is the
same for all algorithms with the same constraints; a number that an algorithm
does not have, or that there is not yet, is `nan`.
"""

import csv
import io
import os
from typing import Dict, List, Mapping, NamedTuple, Sequence, Tuple

import numpy as np
import tensorflow as tf


class Quantity(NamedTuple):
  """One column of `episodes.csv`.

  Attributes:
    name: column; per-constraint ones get `/<constraint>` behind it.
    group: TensorBoard's heading, or '' where a plot would say nothing.
    meaning: what it is, with its unit.
  """
  name: str
  group: str
  meaning: str


SCALARS = (
    Quantity('episode', '', 'number of the training episode, from 1'),
    Quantity('actor_steps', 'progress', 'environment steps so far'),
    Quantity('learner_steps', 'progress', 'learner steps so far'),
    Quantity('seconds', 'progress', 'seconds of training so far'),
    Quantity('episode_return', 'return',
             'sum of the task rewards of the episode, exploration included'),
    Quantity('penalized_return', 'return',
             'episode_return - 1000 * sum of the overshoots'),
)

PER_CONSTRAINT = (
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

LEARNING = (
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


def columns(constraint_names: Sequence[str]) -> List[str]:
  """Returns the header for the given constraints."""
  return ([q.name for q in SCALARS] +
          [f'{q.name}/{constraint}' for constraint in constraint_names
           for q in PER_CONSTRAINT] + [q.name for q in LEARNING])


class EpisodeLog:
  """Appends records to `episodes.csv` and TensorBoard, both flushed."""

  def __init__(self, directory: str, constraint_names: Sequence[str],
               size: int = 0):
    """Opens the files.

    Args:
      directory: of the run.
      constraint_names: K names.
      size: bytes of `episodes.csv` to keep when resuming, as `sync` gave them;
        later rows belong to episodes that will be run again. 0 starts anew.

    Raises:
      ValueError: if the file is shorter than that.
    """
    self.columns = columns(constraint_names)
    self._path = os.path.join(directory, 'episodes.csv')
    self._plotted = {
        name: q for name, q in self._quantities(constraint_names) if q.group
    }
    # Cut to what the checkpoint knows of, or to nothing.
    # pylint: disable-next=consider-using-with
    self._stream = open(self._path, 'a', encoding='utf-8', newline='')
    if self._stream.tell() < size:
      raise ValueError(f'{self._path} must have at least {size} bytes, got '
                       f'{self._stream.tell()}.')
    self._stream.truncate(size)
    if not size:
      self._write_row(self.columns)
    self._tensorboard = tf.summary.create_file_writer(
        os.path.join(directory, 'tensorboard'))

  @staticmethod
  def _quantities(
      constraint_names: Sequence[str]) -> List[Tuple[str, Quantity]]:
    return ([(q.name, q) for q in SCALARS + LEARNING] +
            [(f'{q.name}/{constraint}', q) for constraint in constraint_names
             for q in PER_CONSTRAINT])

  def _write_row(self, row: Sequence[str]) -> None:
    text = io.StringIO(newline='')
    csv.writer(text, lineterminator='\n').writerow(row)
    self._stream.write(text.getvalue())
    self._stream.flush()

  def write(self, record: Mapping[str, float]) -> None:
    """Writes one episode.

    Args:
      record: a number for each of `columns`.

    Raises:
      ValueError: if a column is missing or unknown.
    """
    if set(record) != set(self.columns):
      raise ValueError('a record must have exactly the columns of the log; '
                       f'different: {sorted(set(record) ^ set(self.columns))}')
    self._write_row([_text(record[name]) for name in self.columns])
    with self._tensorboard.as_default(step=int(record['episode'])):
      for name, quantity in self._plotted.items():
        if np.isfinite(record[name]):
          tf.summary.scalar(
              f'{quantity.group}/{name}', record[name],
              description=quantity.meaning)
    self._tensorboard.flush()

  def sync(self) -> int:
    """Makes sure that all rows are on disk; returns the bytes they take."""
    self._stream.flush()
    os.fsync(self._stream.fileno())
    return os.path.getsize(self._path)

  def close(self) -> None:
    self._stream.close()
    self._tensorboard.close()


def _text(value: float) -> str:
  """Whole numbers as such, others with the digits that tell floats apart."""
  value = float(value)
  return str(int(value)) if value.is_integer() else f'{value:.9g}'


def read(directory: str) -> Dict[str, np.ndarray]:
  """Reads a run's `episodes.csv`.

  Args:
    directory: of the run.

  Returns:
    One float64 array per column, oldest episode first. A row that is still
    being written is left out.
  """
  path = os.path.join(directory, 'episodes.csv')
  with open(path, encoding='utf-8', newline='') as stream:
    complete, _, _ = stream.read().rpartition('\n')
  header, *rows = list(csv.reader(complete.splitlines()))
  values = np.array(rows, np.float64).reshape(len(rows), len(header))
  return dict(zip(header, values.T))
