"""Reads what a finished run has left: read_run.py RUN."""

import os
import sys

import numpy as np

import metal_tf
from metal_tf.runs import run_folder


def main(path: str) -> None:
  """Prints what a run came to, and what its policy does."""
  run = run_folder.read(path)
  print(f'{run.algorithm}: {run.num_episodes} episodes, {run.status}')
  returns = run.episodes['episode_return']  # Every column of docs/metrics.md.
  print(f'return: {returns[0]:.1f} at first, {returns[-1]:.1f} at last')
  for name, beta in zip(run.constraint_names, run.thresholds):
    j_c, multiplier = (run.episodes[f'{column}/{name}'][-1]
                       for column in ('penalty', 'lambda'))
    print(f'{name}: J_C {j_c:.3f}, beta {beta:g}, lambda {multiplier:.4f}')
  policy = metal_tf.load_policy(os.path.join(run.path, 'export'))
  action = policy(np.zeros(policy.observation_size))
  print(f'action where the observation is zero: {action}')


if __name__ == '__main__':
  main(sys.argv[1])
