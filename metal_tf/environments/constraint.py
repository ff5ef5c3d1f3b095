"""A constraint: a named penalty per step and the threshold of its mean."""

import dataclasses
import math
import re
from typing import Any, Callable

import dm_env

# A name becomes a column of episodes.csv and a part of --constraints.
_NAME = re.compile(r'[A-Za-z][A-Za-z0-9_]*\Z')

PHYSICS = 'physics'
TIME_STEP = 'time_step'


@dataclasses.dataclass(frozen=True)
class Constraint:
  """A named function that gives a penalty per step, and its threshold.

  Build one with `of_physics` or `of_time_step`. The constraint of the
  optimisation problem is `J_C <= threshold`, with J_C the mean penalty per step
  over an episode (paper, section 2; `docs/architecture.md`).

  Attributes:
    name: letters, digits and underscores.
    threshold: beta, in mean penalty per step; finite and >= 0. For penalties in
      {0, 1} it is a share of violated steps, so 1 and above never binds.
    source: what `function` is called with, `'physics'` or `'time_step'`.
    function: gives the penalty of one step, a bool (True = violated) or a
      finite number.
    description: limit and unit in words, for the table at the start of a run.
  """
  name: str
  threshold: float
  source: str
  function: Callable[[Any], Any]
  description: str = ''

  def __post_init__(self):
    if not isinstance(self.name, str) or not _NAME.match(self.name):
      raise ValueError(
          'a constraint name must start with a letter and consist of letters, '
          f'digits and underscores, got {self.name!r}')
    if self.source not in (PHYSICS, TIME_STEP):
      raise ValueError(f'constraint {self.name}: source must be {PHYSICS!r} or '
                       f'{TIME_STEP!r}, got {self.source!r}')
    if not callable(self.function):
      raise ValueError(f'constraint {self.name}: expected a function of the '
                       f'{self.source}, got {self.function!r}')
    try:
      threshold = float(self.threshold)
    except (TypeError, ValueError):
      threshold = math.nan
    if not (math.isfinite(threshold) and threshold >= 0.0):
      raise ValueError(f'constraint {self.name}: threshold must be a finite '
                       f'number >= 0, got {self.threshold!r}')
    object.__setattr__(self, 'threshold', threshold)

  @classmethod
  def of_physics(cls, name: str, function: Callable[[Any], Any],
                 threshold: float, description: str = '') -> 'Constraint':
    """A constraint on the simulator's state after the step.

    Args:
      name: letters, digits and underscores.
      function: called with the wrapped environment's `physics`.
      threshold: beta, in mean penalty per step.
      description: limit and unit in words.

    Returns:
      The constraint.

    Raises:
      ValueError: for a bad name, function or threshold.
    """
    return cls(name, threshold, PHYSICS, function, description)

  @classmethod
  def of_time_step(cls, name: str, function: Callable[[dm_env.TimeStep], Any],
                   threshold: float, description: str = '') -> 'Constraint':
    """A constraint on what the wrapped environment's step returned.

    Args:
      name: letters, digits and underscores.
      function: called with the wrapped environment's own `dm_env.TimeStep`.
      threshold: beta, in mean penalty per step.
      description: limit and unit in words.

    Returns:
      The constraint.

    Raises:
      ValueError: for a bad name, function or threshold.
    """
    return cls(name, threshold, TIME_STEP, function, description)
