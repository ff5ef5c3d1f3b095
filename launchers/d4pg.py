"""Trains D4PG: `bazel run //launchers:d4pg -- --domain=cartpole`."""

from baselines import d4pg
from launchers import main

if __name__ == '__main__':
  main.launch(d4pg.D4PG)
