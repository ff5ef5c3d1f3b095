"""Examines whether this machine can train: `bazel run //launchers:doctor`."""

from metal_tf.cli import programs

if __name__ == '__main__':
  programs.run('doctor')
