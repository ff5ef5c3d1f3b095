"""Runs a grid of runs: `bazel run //launchers:sweep -- --workdir=DIR`."""

from metal_tf.cli import programs

if __name__ == '__main__':
  programs.run('sweep')
