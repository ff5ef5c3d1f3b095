"""Exports a policy: `bazel run //launchers:export -- --workdir=DIR`."""

from metal_tf.cli import programs

if __name__ == '__main__':
  programs.run('export')
