"""Evaluates a policy: `bazel run //launchers:evaluate -- --workdir=DIR`."""

from metal_tf.cli import programs

if __name__ == '__main__':
  programs.run('evaluate')
