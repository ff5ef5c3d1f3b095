"""Trains RC-D4PG: `bazel run //launchers:rc_d4pg -- --domain=cartpole`."""

from baselines import rc_d4pg
from launchers import main

if __name__ == '__main__':
  main.launch(rc_d4pg.RC_D4PG)
