"""D4PG: the unconstrained agent (paper, section 2).

Lambda is 0 and stays there, so the shaped reward is the task's reward. The
penalties are still stored and reported.
"""

from metal_tf import algorithm

D4PG = algorithm.Algorithm(
    name='d4pg', title='D4PG', learns_multiplier=False,
    learns_meta_parameter=False)
