"""Trains RS-D4PG, whose multiplier is constant.

`bazel run //launchers:rs_d4pg -- --domain=cartpole --lagrange_multiplier=0.1`.
"""

from baselines import rs_d4pg
from launchers import main

if __name__ == '__main__':
  main.launch(rs_d4pg.RS_D4PG)
