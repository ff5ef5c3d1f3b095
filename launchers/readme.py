"""Writes README's results: `bazel run //launchers:readme -- --runs=DIR`."""

from metal_tf.cli import programs

if __name__ == '__main__':
  programs.run('readme')
