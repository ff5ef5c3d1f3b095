"""Records the golden trajectories from the real realworldrl_suite. By hand.

  python -m metal_tf.environments.record_golden testdata/golden_trajectories

with realworldrl_suite at `tasks.SUITE_COMMIT` on the path. Nothing but the
suite's own environment is stepped here: what our tasks are compared with must
not come from them. Each file holds one episode's first 50 steps as float64
arrays and, as JSON in `meta`, where they come from.
"""

import importlib.metadata
import json
import os
import sys
from typing import Mapping

import numpy as np
import realworldrl_suite.environments as rwrl

from metal_tf.environments import realworldrl
from metal_tf.environments import tasks

STEPS = 50
SAFETY_COEFFICIENTS = (0.1, 0.3)
_SEED = 20210
_ACTION_SEED = 7


def record(info: tasks.TaskInfo, safety_coeff: float, path: str) -> None:
  """Writes one trajectory to `path`, an .npz file."""
  environment = rwrl.load(
      info.domain, info.task, random=_SEED,
      safety_spec={'enable': True, 'safety_coeff': safety_coeff})
  spec = environment.action_spec()
  random = np.random.RandomState(_ACTION_SEED)
  actions = random.uniform(spec.minimum, spec.maximum, (STEPS,) + spec.shape)
  time_steps = [environment.reset()]
  observations = [_flat(time_steps[0].observation)]
  bits = []
  for action in actions:
    time_steps.append(environment.step(action))
    observations.append(_flat(time_steps[-1].observation))
    bits.append(time_steps[-1].observation['constraints'].copy())
  meta = dict(
      source='https://github.com/google-research/realworldrl_suite',
      commit=tasks.SUITE_COMMIT, domain=info.domain, task=info.task,
      safety_coeff=safety_coeff, seed=_SEED,
      constraints=list(environment.task.constraints),
      versions={name: importlib.metadata.version(name)
                for name in ('dm-control', 'mujoco', 'numpy')})
  np.savez_compressed(
      path, meta=json.dumps(meta), actions=actions, observations=observations,
      rewards=[float(t.reward) for t in time_steps[1:]],
      discounts=[t.discount for t in time_steps[1:]],
      step_types=[int(t.step_type) for t in time_steps], bits=bits)


def _flat(observation: Mapping[str, np.ndarray]) -> np.ndarray:
  return np.concatenate([np.ravel(value) for key, value in observation.items()
                         if key != 'constraints'])


def main() -> None:
  """Records all tasks into the folder that the argument names."""
  if len(sys.argv) != 2:
    sys.exit('usage: record_golden DIRECTORY')
  if tasks.SUITE_COMMIT not in realworldrl.version():
    sys.exit(f'expected realworldrl_suite {tasks.SUITE_COMMIT}, got '
             f'{realworldrl.version()}')
  for info in tasks.TASKS.values():
    for safety_coeff in SAFETY_COEFFICIENTS:
      path = os.path.join(sys.argv[1], f'{info.domain}_{safety_coeff}.npz')
      record(info, safety_coeff, path)
      print(path)


if __name__ == '__main__':
  main()
