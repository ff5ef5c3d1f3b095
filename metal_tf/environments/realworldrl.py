"""The paper's tasks through the real realworldrl_suite, behind our interface.

Only for machines where google-research/realworldrl_suite is installed; it is on
no package index. `builtin.py` gives the same tasks without it.
"""

import copy
import importlib.metadata
import json
import os
import subprocess
from typing import Any, Callable, List, Mapping, Optional, Sequence, Tuple

import dm_env
import realworldrl_suite
import realworldrl_suite.environments as rwrl

from metal_tf.environments import constraint as constraint_lib
from metal_tf.environments import rwrl_spec
from metal_tf.environments import seeded_noise
from metal_tf.environments import tasks

_PACKAGE = 'realworldrl_suite'


def version() -> str:
  """What is running, to be printed and recorded."""
  commit = _installed_commit() or _checked_out_commit()
  return f'realworldrl ({_PACKAGE} {commit or "of unknown commit"})'


def make_environment(info: tasks.TaskInfo, safety_coeff: float, seed: int,
                     spec: Mapping[str, Any]) -> dm_env.Environment:
  """Loads the task with all of its constraint bits.

  Args:
    info: one of the paper's tasks.
    safety_coeff: in [0, 1].
    seed: of the initial states, and of the noise where there is some.
    spec: delays, noise and so on, as `rwrl_spec.parse` returned it.

  Returns:
    The suite's environment; its observation has the bits as 'constraints'.

  Raises:
    ValueError: if the suite cannot run with the spec.
  """

  def load(seed: int) -> dm_env.Environment:
    # Dicts of their own for each environment: the suite writes the limits into
    # this one, and a second environment from it would keep the first one's.
    safety_spec = {
        'enable': True,
        'observations': True,
        'safety_coeff': safety_coeff,
    }
    return rwrl.load(info.domain, info.task, random=seed,
                     safety_spec=safety_spec, **copy.deepcopy(dict(spec)))

  if not spec:
    return load(seed)
  return seeded_noise.SeededNoise(
      load, seed, episodes_apart=not rwrl_spec.walks(spec))


def make_constraints(
    environment: dm_env.Environment, info: tasks.TaskInfo,
    safety_coeff: float,
    chosen: Sequence[Tuple[tasks.ConstraintInfo, float]]
) -> List[constraint_lib.Constraint]:
  """Reads the penalties of the chosen constraints off the suite's bits.

  Args:
    environment: as `make_environment` returned it.
    info: one of the paper's tasks.
    safety_coeff: in [0, 1], for the descriptions.
    chosen: constraints of this task, each with its threshold.

  Returns:
    The constraints, in the order of `chosen`.

  Raises:
    RuntimeError: if the suite's constraints are not those we know.
  """
  expected = [f'{name}_constraint' for name in info.constraint_names]
  got = list(environment.task.constraints)
  if got != expected:
    raise RuntimeError(f'{info.domain}: expected the constraints {expected} of '
                       f'{_PACKAGE} {tasks.SUITE_COMMIT[:7]}, the installed '
                       f'one has {got}')
  return [
      constraint_lib.Constraint.of_time_step(
          constraint.name,
          _violated(info.constraint_names.index(constraint.name)),
          threshold, constraint.describe(safety_coeff))
      for constraint, threshold in chosen
  ]


def _violated(index: int) -> Callable[[Any], bool]:
  # Read at once: the suite changes this array in place with every step.
  return lambda time_step: not time_step.observation['constraints'][index]


def _installed_commit() -> Optional[str]:
  """The commit that pip installed, if it came from a repository."""
  try:
    text = importlib.metadata.distribution(_PACKAGE).read_text(
        'direct_url.json')
  except importlib.metadata.PackageNotFoundError:
    return None
  return json.loads(text or '{}').get('vcs_info', {}).get('commit_id')


def _checked_out_commit() -> Optional[str]:
  """The commit of the checkout that is on the path, if it is one."""
  root = os.path.dirname(os.path.dirname(
      os.path.realpath(realworldrl_suite.__file__)))
  # A package installed below some other repository must not get its commit.
  if not os.path.exists(os.path.join(root, '.git')):
    return None
  try:
    return subprocess.run(
        ['git', '-C', root, 'rev-parse', 'HEAD'], check=True, text=True,
        capture_output=True).stdout.strip()
  except (OSError, subprocess.CalledProcessError):
    return None
