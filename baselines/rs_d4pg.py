"""RS-D4PG: reward shaping with a fixed multiplier (paper, section 5).

The critic learns `r - lambda . c` with a lambda that the user chooses by
`--lagrange_multiplier` (0.1, 1, 10 and 100 in the paper) and nothing updates.
"""

from metal_tf import algorithm

RS_D4PG = algorithm.Algorithm(
    name='rs_d4pg', title='RS-D4PG', learns_multiplier=False,
    learns_meta_parameter=False)
