"""What a run measures: the tables of its logs, and how to read them back.

`EPISODES` and `EVALUATIONS` are the only list of what is measured; headers,
TensorBoard names and the documentation's table come from it. A header is the
same for all algorithms with the same constraints; a number that an algorithm
does not have, or that there is not yet, is `nan`. Imports no TensorFlow, so
that a run can be looked at quickly.
"""

import csv
import gzip
import os
from typing import Dict, List, NamedTuple, Sequence, Tuple

import numpy as np


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
    Quantity('overshoot', 'constraint',
             'max(0, J_C - beta), in mean penalty per step'),
    # TensorBoard opens its first groups by name only, so the multiplier stands
    # with J_C and the threshold.
    Quantity('lambda', 'constraint', 'Lagrange multiplier, reward per penalty'),
    Quantity('alpha_lambda', 'constraint',
             'meta-parameter, log of a factor on the multiplier\'s rate'),
    Quantity('effective_rate', 'constraint',
             'alpha_1 exp(alpha_lambda), change of lambda per learner step and '
             'unit of J_C - beta; 0 where lambda is fixed'),
    Quantity('meta_gradient_direct', 'meta_gradient',
             'term of the meta-gradient through lambda in the validation '
             'target, mean over the episode\'s learner steps'),
    Quantity('meta_gradient_weights', 'meta_gradient',
             'term of the meta-gradient through the updated critic weights, '
             'mean over the episode\'s learner steps'),
    Quantity('meta_gradient_direct_share', 'meta_gradient',
             '|direct| / (|direct| + |weights|), 0 where both are 0, mean over '
             'the episode\'s learner steps'),
    Quantity('alpha_lambda_at_limit', 'multiplier',
             'share of the episode\'s learner steps that left alpha_lambda at '
             'plus or minus its limit'),
    Quantity('td_error_violating', 'meta_gradient',
             'TD error after the inner update (delta of Theorem 1) on '
             'validation transitions, weighted by their penalties, over the '
             'episode\'s learner steps; below 0 the critic lies above its '
             'target'),
)

_LEARNING = (
    Quantity('critic_loss', 'loss',
             'inner critic loss in nats (squared TD error of a scalar one), '
             'mean over the episode\'s learner steps'),
    Quantity('policy_loss', 'loss', 'D4PG policy loss, mean likewise'),
    Quantity('outer_loss', 'loss',
             'loss on the validation part after the update, the sum of its '
             'parts, mean likewise'),
    Quantity('critic_gradient_norm', 'gradient',
             'global norm before clipping, mean likewise'),
    Quantity('policy_gradient_norm', 'gradient',
             'global norm before clipping, mean likewise'),
    Quantity('clipped_mass', 'loss',
             'share of the target\'s mass beyond vmin and vmax, where the '
             'multiplier gets no gradient, mean likewise'),
    Quantity('skipped_updates', 'gradient',
             'learner steps dropped so far for a NaN or infinity'),
    Quantity('outer_critic_loss', 'loss',
             'the critic\'s part of the outer loss, in critic_loss\'s unit, '
             'mean likewise'),
    Quantity('outer_actor_loss', 'loss',
             'the actor\'s part of the outer loss, -Q, mean likewise'),
    Quantity('shaping_scale', 'shaping',
             'MeSh\'s scale of the shaped reward, mean over the training part, '
             'mean likewise'),
    Quantity('shaping_offset', 'shaping',
             'MeSh\'s offset of the shaped reward, mean likewise'),
    Quantity('theorem_error', 'meta_gradient',
             'largest error so far of the meta-gradient against the closed '
             'form of Theorem 1, relative to a bound on each term'),
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

  def tag(self, column: str, quantity: Quantity) -> str:
    """Returns TensorBoard's name of a column, '' for one without a plot."""
    return f'{self.prefix}{quantity.group}/{column}' if quantity.group else ''


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


def read(directory: str, table: Table = EPISODES) -> Dict[str, np.ndarray]:
  """Reads a log of a run: `<file>`, or `<file>.gz` where there is only that.

  Args:
    directory: of the run.
    table: which log.

  Returns:
    One float64 array per column, oldest episode first. A row that is still
    being written is left out.
  """
  path = os.path.join(directory, table.file)
  if not os.path.exists(path) and os.path.exists(f'{path}.gz'):
    opened = gzip.open(f'{path}.gz', 'rt', encoding='utf-8', newline='')
  else:
    opened = open(path, encoding='utf-8', newline='')
  with opened as stream:
    complete, _, _ = stream.read().rpartition('\n')
  header, *rows = list(csv.reader(complete.splitlines()))
  values = np.array(rows, np.float64).reshape(len(rows), len(header))
  return dict(zip(header, values.T))
