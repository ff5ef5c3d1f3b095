"""RS-D4PG: reward shaping with a fixed multiplier (paper, section 5).

The critic learns `r - lambda . c` with a lambda that the user chooses by
`--lagrange_multiplier` (0.1, 1, 10 and 100 in the paper) and nothing updates.

    bazel run //launchers:rs_d4pg -- --domain=cartpole --lagrange_multiplier=0.1
"""

from metal_tf.agent import agents
from metal_tf.cli import main

if __name__ == '__main__':
  main.launch(agents.RS_D4PG)
