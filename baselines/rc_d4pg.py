"""RC-D4PG: reward-constrained D4PG (paper, section 3, Algorithm 3).

Lambda follows the projected gradient of the Lagrange loss with a fixed learning
rate; alpha_lambda stays 0, so `alpha_1 exp(alpha_lambda)` is `alpha_1`.
"""

from metal_tf import algorithm

RC_D4PG = algorithm.Algorithm(
    name='rc_d4pg', title='RC-D4PG', learns_multiplier=True,
    learns_meta_parameter=False)
