"""Trains the agent of a name: `python -m metal_tf.cli.agent metal --seed=1`.

The programs in launchers/ and baselines/ do the same for one agent each.
"""

import sys

from metal_tf.agent import agents
from metal_tf.cli import main

if __name__ == '__main__':
  if len(sys.argv) < 2 or sys.argv[1] not in agents.ALGORITHMS:
    sys.exit(f'expected an agent as the first argument, one of '
             f'{", ".join(agents.ALGORITHMS)}; got {sys.argv[1:2] or "none"}.')
  main.launch(agents.ALGORITHMS[sys.argv.pop(1)])
