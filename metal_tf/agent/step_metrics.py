"""What learner steps measure: its names, and means of its sums."""

from typing import Dict, Mapping, Set

import numpy as np

from metal_tf import config as config_lib
from metal_tf.agent import agents
from metal_tf.agent import theorem_check

_PER_CONSTRAINT = ('meta_gradient_direct', 'meta_gradient_weights',
                   'meta_gradient_direct_share', 'alpha_lambda_at_limit',
                   'td_error_times_penalty', 'validation_penalty')
# Every sum that some agent has.
NAMES = ('critic_loss', 'critic_gradient_norm', 'clipped_mass', 'policy_loss',
         'policy_gradient_norm', 'outer_loss', 'outer_critic_loss',
         'outer_actor_loss', 'shaping_scale', 'shaping_offset',
         'theorem_error', *_PER_CONSTRAINT)


def applicable(algorithm: agents.Algorithm,
               config: config_lib.Config) -> Set[str]:
  """Returns the names of what an agent measures.

  Args:
    algorithm: which agent.
    config: its settings.
  """
  names = {'critic_loss', 'critic_gradient_norm', 'clipped_mass', 'policy_loss',
           'policy_gradient_norm'}
  if algorithm.splits_batch:
    names.add('outer_loss')
    names.update(f'outer_{part}_loss' for part in config.outer_loss.split('_'))
  if algorithm.learns_meta_parameter:
    names.update(_PER_CONSTRAINT)
  if algorithm.learns_shaping:
    names.update(('shaping_scale', 'shaping_offset'))
  if theorem_check.applies(algorithm, config):
    names.add('theorem_error')
  return names


def zeros(algorithm: agents.Algorithm, config: config_lib.Config,
          num_constraints: int) -> Dict[str, np.ndarray]:
  """Returns sums of no steps, float64 `[]` or `[K]`, of what applies.

  Args:
    algorithm: which agent.
    config: its settings.
    num_constraints: K.
  """
  return {name: np.zeros(_shape(name, num_constraints))
          for name in NAMES if name in applicable(algorithm, config)}


def means(sums: Mapping[str, np.ndarray], summed: int, made: int,
          num_constraints: int) -> Dict[str, np.ndarray]:
  """Returns what is told of some steps, by name.

  Means, NaN where no step was made or where an agent has no such number; but
  `theorem_error`, the largest of the run so far; and `td_error_violating`, the
  TD error of validation transitions weighted by their penalties, in place of
  the two sums whose quotient it is.

  Args:
    sums: of the steps, by name.
    summed: how many steps.
    made: how many the run has made in all.
    num_constraints: K.
  """
  told = {}
  for name in NAMES:
    count = made if name == 'theorem_error' else summed
    if name in sums and count:
      told[name] = sums[name] / (1 if name == 'theorem_error' else count)
    else:
      told[name] = np.full(_shape(name, num_constraints), np.nan)
  weight = told.pop('validation_penalty')
  total = told.pop('td_error_times_penalty')
  told['td_error_violating'] = np.divide(
      total, weight, out=np.full_like(total, np.nan), where=weight != 0)
  return told


def _shape(name: str, num_constraints: int) -> tuple:
  return (num_constraints,) if name in _PER_CONSTRAINT else ()
