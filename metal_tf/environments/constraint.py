"""A constraint: a named penalty per step and the threshold of its mean."""

import dataclasses
import functools
import math
import re
from typing import Any, Callable, Mapping, Optional

import dm_env

from metal_tf.environments import errors

# A name becomes a column of episodes.csv and a part of --constraints.
_NAME = re.compile(r'[A-Za-z][A-Za-z0-9_]*\Z')

PHYSICS = 'physics'
TIME_STEP = 'time_step'
INFO = 'info'
_SOURCES = (PHYSICS, TIME_STEP, INFO)


@dataclasses.dataclass(frozen=True)
class Constraint:
  """A named function that gives a penalty per step, and its threshold.

  Build one with `of_physics`, `of_time_step` or `of_info`. The constraint of
  the optimisation problem is `J_C <= threshold`, with J_C the mean penalty per
  step over an episode (paper, section 2; `docs/architecture.md`). The mean is
  over the steps that were made, so an episode that ends early has the J_C of
  its shorter length: a cost of 10 in 200 steps is 0.05, twice a budget of 25
  per 1000 steps.

  A penalty may be a bool, where True is 1, or any finite number. A negative one
  is a credit: it lowers J_C, and adds to the reward where lambda weighs it.

  Attributes:
    name: letters, digits and underscores.
    threshold: beta, in mean penalty per step; finite and >= 0. For penalties in
      {0, 1} it is a share of violated steps, so 1 and above never binds.
    source: what `function` is called with, `'physics'`, `'time_step'` or
      `'info'`.
    function: gives the penalty of one step, a bool (True = violated) or a
      finite number.
    description: limit and unit in words, for the table at the start of a run.
  """
  name: str
  threshold: float
  source: str
  function: Callable[[Any], Any]
  description: str = ''

  def __post_init__(self) -> None:
    if not isinstance(self.name, str) or not _NAME.match(self.name):
      raise ValueError(
          'a constraint name must start with a letter and consist of letters, '
          f'digits and underscores, got {self.name!r}')
    if self.source not in _SOURCES:
      raise ValueError(f'constraint {self.name}: source must be one of '
                       f'{", ".join(_SOURCES)}, got {self.source!r}')
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
                 threshold: Optional[float] = None, description: str = '', *,
                 budget: Optional[float] = None,
                 per_steps: Optional[float] = None) -> 'Constraint':
    """A constraint on the simulator's state after the step.

    Args:
      name: letters, digits and underscores.
      function: called with the wrapped environment's `physics`.
      threshold: beta, in mean penalty per step.
      description: limit and unit in words.
      budget: instead of a threshold, the sum of the penalties that is allowed
        in `per_steps` steps.
      per_steps: the steps that a budget is for, e.g. 1000.

    Returns:
      The constraint.

    Raises:
      ValueError: for a bad name or function, a threshold that is none, or one
        beside a budget.
    """
    return cls(name, _threshold(name, threshold, budget, per_steps), PHYSICS,
               function, description)

  @classmethod
  def of_time_step(cls, name: str, function: Callable[[dm_env.TimeStep], Any],
                   threshold: Optional[float] = None, description: str = '', *,
                   budget: Optional[float] = None,
                   per_steps: Optional[float] = None) -> 'Constraint':
    """A constraint on what the wrapped environment's step returned.

    Args:
      name: letters, digits and underscores.
      function: called with the wrapped environment's own `dm_env.TimeStep`.
      threshold: beta, in mean penalty per step.
      description: limit and unit in words.
      budget: as for `of_physics`.
      per_steps: likewise.

    Returns:
      The constraint.

    Raises:
      ValueError: as for `of_physics`.
    """
    return cls(name, _threshold(name, threshold, budget, per_steps), TIME_STEP,
               function, description)

  @classmethod
  def of_info(cls, name: str, key: str, threshold: Optional[float] = None,
              description: str = '', *, budget: Optional[float] = None,
              per_steps: Optional[float] = None) -> 'Constraint':
    """A constraint on an entry of a Gymnasium environment's `info`.

    A step whose `info` lacks the entry is an error; the `info` of a reset is
    not read, since no transition has been made.

    Args:
      name: letters, digits and underscores.
      key: of the entry, whose value is the penalty of the step.
      threshold: beta, in mean penalty per step.
      description: limit and unit in words.
      budget: as for `of_physics`.
      per_steps: likewise.

    Returns:
      The constraint.

    Raises:
      ValueError: as for `of_physics`.
    """
    return cls(name, _threshold(name, threshold, budget, per_steps), INFO,
               functools.partial(_entry, key), description)


def _entry(key: str, info: Mapping[str, Any]) -> Any:
  try:
    return info[key]
  except KeyError:
    raise errors.NoPenalty(
        f'expected info[{key!r}], but info has '
        + (', '.join(map(repr, info)) or 'no entries')) from None


def _threshold(name: str, threshold: Any, budget: Any, per_steps: Any) -> Any:
  """Turns a budget into a mean per step; a threshold is checked later."""
  if budget is None and per_steps is None:
    return threshold
  if threshold is not None:
    raise ValueError(f'constraint {name}: expected a threshold (mean penalty '
                     'per step) or a budget, got both')
  for what, value, positive in (('budget', budget, False),
                                ('per_steps', per_steps, True)):
    try:
      number = float(value)
    except (TypeError, ValueError):
      number = math.nan
    if not (math.isfinite(number) and (
        number > 0 if positive else number >= 0)):
      raise ValueError(
          f'constraint {name}: a budget is a sum of penalties in so many steps '
          f'(budget=25, per_steps=1000); {what} must be a finite number '
          f'{">" if positive else ">="} 0, got {value!r}')
  return budget / per_steps
