"""D4PG: the unconstrained agent (paper, section 2).

Lambda is 0 and stays there, so the shaped reward is the task's reward. The
penalties are still stored and reported.

    bazel run //launchers:d4pg -- --domain=cartpole
"""

from metal_tf.agent import agents
from metal_tf.cli import main

if __name__ == '__main__':
  main.launch(agents.D4PG)
