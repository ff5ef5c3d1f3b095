"""What a run is likely to do other than meant, said at its start."""

import math
from typing import Callable, Optional

import numpy as np

from metal_tf import config as config_lib
from metal_tf import types
from metal_tf.runs import time_scales

# Cut episodes are bootstrapped, so a limit that comes too early costs little.
DEFAULT_EPISODE_STEPS = 10_000


def max_episode_steps(config: config_lib.Config,
                      spec: types.EnvironmentSpec) -> int:
  """After how many steps an episode is cut that has not ended by itself.

  Args:
    config: the run's settings.
    spec: the environment's.
  """
  if config.max_episode_steps is not None:
    return config.max_episode_steps
  return max(DEFAULT_EPISODE_STEPS, spec.episode_steps)


def longest_episode(config: config_lib.Config,
                    spec: types.EnvironmentSpec) -> int:
  """How many steps no episode exceeds.

  Args:
    config: the run's settings.
    spec: the environment's.
  """
  limit = max_episode_steps(config, spec)
  return min(spec.episode_steps or limit, limit)


def tell(config: config_lib.Config, spec: types.EnvironmentSpec,
         note: Callable[[str], None]) -> None:
  """Says what is known before the first step.

  Args:
    config: the run's settings.
    spec: the environment's.
    note: takes lines for the user.
  """
  limit = max_episode_steps(config, spec)
  if not spec.episode_steps:
    note('The environment does not say how long its episodes are: one that has '
         f'not ended after {limit} steps is cut (--max_episode_steps).')
  elif limit < spec.episode_steps:
    note(f'Episodes are cut after {limit} of their {spec.episode_steps} steps '
         '(--max_episode_steps).')
  if config.exploration_sigma >= 1:
    share = math.erfc(1 / config.exploration_sigma / math.sqrt(2))
    note(f'The exploration noise is wide: --exploration_sigma='
         f'{config.exploration_sigma:g} is in units of half the range of an '
         f'action, so {share:.0%} of the actions around its middle lie on a '
         'bound.')
  if not config.feasibility_episodes:
    tell_units(config, spec, None, note)


def tell_units(config: config_lib.Config, spec: types.EnvironmentSpec,
               largest: Optional[np.ndarray],
               note: Callable[[str], None]) -> None:
  """Says which thresholds look like a sum per episode.

  Args:
    config: the run's settings.
    spec: the environment's.
    largest: the largest penalty of a step that was measured, `[K]`; None where
      nothing was.
    note: takes lines for the user.
  """
  steps = time_scales.episode_length(config, spec.episode_steps)
  for k, (name, threshold) in enumerate(zip(
      spec.constraint_names, spec.thresholds)):
    if threshold < 1 or (largest is not None and largest[k] > threshold):
      continue
    seen = ('' if largest is None else
            f', and the largest one measured is {largest[k]:g}')
    note(f'The threshold {threshold:g} of {name} is a mean penalty per step: '
         f'it binds only if a step costs more than that{seen}. Did you mean '
         f'{threshold:g} per episode of {steps} steps: {threshold / steps:g}?')
