"""Trains MetaL: `bazel run //launchers:metal -- --domain=quadruped`."""

from metal_tf.agent import agents
from metal_tf.cli import main

if __name__ == '__main__':
  main.launch(agents.METAL)
