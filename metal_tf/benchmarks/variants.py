"""How fast the agents' variants and the forms of a run train.

    ./bazelw run //metal_tf/benchmarks:variants
    ./bazelw run //metal_tf/benchmarks:variants -- 'metal --critic=scalar' d4pg

Each is a run from a launcher, as a user would start it, and its speed the
median over the episodes in its log after learning has begun. The runs come one
after the other, so compare large differences only.
"""

import os
import shlex
import subprocess
import sys
import tempfile
from typing import List

from absl import app
from absl import flags

from metal_tf.runs import rates
from metal_tf.runs import run_folder

_EPISODES = flags.DEFINE_integer(
    'episodes', 5, 'Episodes of each run.', lower_bound=3)
_DOMAIN = flags.DEFINE_string('domain', 'cartpole', 'Domain.')

_RUNS = (
    'd4pg',
    'rc_d4pg',
    'rs_d4pg --lagrange_multiplier=0.1',
    'mesh',
    'metal',
    'metal --outer_divergence=kl',
    'metal --outer_loss=actor',
    'metal --outer_loss=actor_critic',
    'metal --meta_optimizer=sgd',
    'metal --multiplier_projection=straight_through',
    'metal --critic=scalar --inner_optimizer=sgd',
    'metal --replay=prioritized',
    *(f'd4pg --lp_launch_type={launch_type} --num_actors={actors}'
      for launch_type in ('local_mt', 'local_mp') for actors in (1, 2, 4)),
)


def measure(run: str) -> str:
  """Makes one run, and returns its row of the table.

  Args:
    run: agent and flags.
  """
  with tempfile.TemporaryDirectory() as directory:
    ended = subprocess.run(
        [sys.executable, '-m', 'metal_tf.cli.agent', *shlex.split(run),
         f'--domain={_DOMAIN.value}', f'--num_episodes={_EPISODES.value}',
         f'--workdir={directory}', '--evaluation_period=0',
         '--feasibility_episodes=0'],
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
        check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        encoding='utf-8')
    if ended.returncode:
      raise RuntimeError(f'{run} ended with exit status {ended.returncode}:\n'
                         f'{ended.stdout}')
    speed = rates.of(run_folder.read(directory))
  return f'| {run} | {speed.learner_steps:.1f} | {speed.actor_steps:.0f} |'


def main(argv: List[str]) -> None:
  print(f'{os.cpu_count()} cores, load before: {os.getloadavg()[0]:.1f}; '
        f'{_EPISODES.value} episodes of {_DOMAIN.value} each\n')
  print('| run | learner steps/s | actor steps/s |\n| --- | --- | --- |')
  for run in argv[1:] or _RUNS:
    print(measure(run), flush=True)


if __name__ == '__main__':
  app.run(main)
