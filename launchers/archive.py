"""Keeps runs: `bazel run //launchers:archive -- --runs=DIR --output=DIR`."""

from metal_tf.cli import programs

if __name__ == '__main__':
  programs.run('archive')
