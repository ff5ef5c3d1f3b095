"""Trains MetaL: `bazel run //launchers:metal -- --domain=quadruped`."""

from launchers import main
from metal_tf import algorithm

if __name__ == '__main__':
  main.launch(algorithm.METAL)
