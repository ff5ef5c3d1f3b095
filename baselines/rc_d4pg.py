"""RC-D4PG: reward-constrained D4PG (paper, section 3, Algorithm 3).

Lambda follows the projected gradient of the Lagrange loss with a fixed learning
rate; alpha_lambda stays 0, so `alpha_1 exp(alpha_lambda)` is `alpha_1`.

    bazel run //launchers:rc_d4pg -- --domain=cartpole
"""

from metal_tf.agent import agents
from metal_tf.cli import main

if __name__ == '__main__':
  main.launch(agents.RC_D4PG)
