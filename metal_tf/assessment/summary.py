"""An assessment as a table for people and as JSON for programs."""

import math
from typing import Any, Dict

from metal_tf import plant as plant_lib
from metal_tf import validation
from metal_tf.assessment import intervals
from metal_tf.assessment import measure


def table(assessment: intervals.Assessment, measured: measure.Measured,
          plant: plant_lib.Plant) -> str:
  """The paper's metrics, one a line, with their intervals.

  Args:
    assessment: of the episodes.
    measured: the episodes.
    plant: what they were run on.
  """
  num = len(measured.episode_return)
  lines = [f'{num} episode{"s" * (num > 1)} without noise'
           + (f', {measured.cut_episodes} more cut by the simulator'
              if measured.cut_episodes else '')]
  rows = [('return', assessment.episode_return, ''),
          ('penalized return', assessment.penalized_return, '')]
  for k, constraint in enumerate(plant.constraints):
    rows.append((f'{constraint.name} J_C', assessment.penalty[k],
                 _verdict(assessment, k, constraint)))
    rows.append((f'{constraint.name} overshoot', assessment.overshoot[k], ''))
  width = max(len(name) for name, _, _ in rows)
  lines.append(f'  {"":{width}}  {"mean":>10}  {"sd":>9}  95 % interval')
  for name, estimate, remark in rows:
    lines.append(
        f'  {name:{width}}  {estimate.value:10.4f}  {_number(estimate.sd):>9}  '
        + f'{_interval(estimate):24}{remark}'.rstrip())
  if num < 2:
    lines.append('  One episode has no interval: raise --episodes.')
  return '\n'.join(lines)


def as_json(assessment: intervals.Assessment, measured: measure.Measured,
            plant: plant_lib.Plant) -> Dict[str, Any]:
  """The same with every episode; the arguments are `table`'s."""
  satisfied = [
      int((measured.penalty[:, k] <= constraint.threshold).sum())
      for k, constraint in enumerate(plant.constraints)]
  return {
      'episodes': len(measured.episode_return),
      'cut_episodes': measured.cut_episodes,
      'return': assessment.episode_return.as_json(),
      'penalized_return': assessment.penalized_return.as_json(),
      'constraints': [{
          'name': constraint.name,
          'threshold': constraint.threshold,
          'threshold_origin': constraint.origin,
          'penalty': assessment.penalty[k].as_json(),
          'overshoot': assessment.overshoot[k].as_json(),
          'satisfied': assessment.satisfied[k],
          'satisfied_episodes': satisfied[k],
      } for k, constraint in enumerate(plant.constraints)],
      'each_episode': {
          'return': measured.episode_return.tolist(),
          'penalty': {
              constraint.name: measured.penalty[:, k].tolist()
              for k, constraint in enumerate(plant.constraints)},
          'steps': measured.steps.tolist(),
      },
  }


def _verdict(assessment: intervals.Assessment, k: int,
             constraint: validation.TaskConstraint) -> str:
  """Satisfied or not, and whether the interval leaves that open."""
  penalty = assessment.penalty[k]
  word = 'satisfied' if assessment.satisfied[k] else 'not satisfied'
  relation = '<=' if assessment.satisfied[k] else '>'
  text = f'{relation} {constraint.threshold:g} [{constraint.origin}]: {word}'
  # Low and high have to fall on the same side. False for NaN, too.
  if (penalty.low <= constraint.threshold) != (
      penalty.high <= constraint.threshold):
    text += ' (but the threshold is within the interval)'
  return text


def _number(value: float) -> str:
  return '' if math.isnan(value) else f'{value:.4f}'


def _interval(estimate: intervals.Estimate) -> str:
  if math.isnan(estimate.low):
    return ''
  return f'[{estimate.low:.4f}, {estimate.high:.4f}]'
