"""An assessment as a table for people and as JSON for programs."""

import math
from typing import Any, Dict, List

import numpy as np
import pandas as pd

from metal_tf import plant as plant_lib
from metal_tf import validation
from metal_tf.assessment import intervals
from metal_tf.assessment import measure


def table(assessment: pd.DataFrame, measured: measure.Measured,
          plant: plant_lib.Plant) -> str:
  """The paper's metrics, one a line, with their intervals.

  Args:
    assessment: of the episodes, see `intervals.assess`.
    measured: the episodes.
    plant: what they were run on.
  """
  num = len(measured.episode_return)
  verdicts = {intervals.penalty(constraint.name): _verdict(
      assessment.loc[intervals.penalty(constraint.name)], constraint)
              for constraint in plant.constraints}
  width = max(map(len, assessment.index))
  lines = [f'{num} episode{"s" * (num > 1)} without noise'
           + (f', {measured.cut_episodes} more cut by the simulator'
              if measured.cut_episodes else ''),
           f'  {"":{width}}  {"mean":>10}  {"sd":>9}  95 % interval']
  for name, row in assessment.iterrows():
    sd = '' if math.isnan(row.sd) else f'{row.sd:.4f}'
    ends = '' if math.isnan(row.low) else f'[{row.low:.4f}, {row.high:.4f}]'
    lines.append(f'  {name:{width}}  {row.value:10.4f}  {sd:>9}  {ends:24}'
                 f'{verdicts.get(name, "")}'.rstrip())
  if num < 2:
    lines.append('  One episode has no interval: raise --episodes.')
  return '\n'.join(lines)


def as_json(assessment: pd.DataFrame, measured: measure.Measured,
            plant: plant_lib.Plant) -> Dict[str, Any]:
  """The same with every episode; the arguments are `table`'s."""

  def estimate(name: str) -> Dict[str, Any]:
    value, sd, *ends = (float(x) if math.isfinite(x) else None  # No NaN there.
                        for x in assessment.loc[name])
    return {'value': value, 'sd': sd, 'interval_95': ends}

  def by_constraint(values: np.ndarray) -> Dict[str, List[float]]:
    """Columns of `[E, K]`."""
    return {constraint.name: column.tolist()
            for constraint, column in zip(plant.constraints, values.T)}

  def constraint_entry(k: int) -> Dict[str, Any]:
    constraint = plant.constraints[k]
    penalty = estimate(intervals.penalty(constraint.name))
    return {
        'name': constraint.name,
        'threshold': constraint.threshold,
        'threshold_origin': constraint.origin,
        'penalty': penalty,
        'overshoot': estimate(intervals.overshoot(constraint.name)),
        'discounted_penalty': estimate(
            intervals.discounted_penalty(constraint.name)),
        'satisfied': penalty['value'] <= constraint.threshold,
        'satisfied_episodes': int(
            (measured.penalty[:, k] <= constraint.threshold).sum())}

  return {
      'episodes': len(measured.episode_return),
      'cut_episodes': measured.cut_episodes,
      'return': estimate(intervals.RETURN),
      'penalized_return': estimate(intervals.PENALIZED_RETURN),
      'discounted_return': estimate(intervals.DISCOUNTED_RETURN),
      'constraints': [*map(constraint_entry, range(len(plant.constraints)))],
      'each_episode': {
          'return': measured.episode_return.tolist(),
          'penalty': by_constraint(measured.penalty),
          'discounted_return': measured.discounted_return.tolist(),
          'discounted_penalty': by_constraint(measured.discounted_penalty),
          'steps': measured.steps.tolist(),
      },
  }


def _verdict(penalty: pd.Series, constraint: validation.TaskConstraint) -> str:
  """Satisfied or not, and whether the interval leaves that open."""
  relation, word = (('<=', 'satisfied') if penalty.value <= constraint.threshold
                    else ('>', 'not satisfied'))
  text = f'{relation} {constraint.threshold:g} [{constraint.origin}]: {word}'
  # Low and high have to fall on the same side. False for NaN, too.
  if (penalty.low <= constraint.threshold) != (
      penalty.high <= constraint.threshold):
    text += ' (but the threshold is within the interval)'
  return text
