"""Shows a run or a sweep: `bazel run //launchers:watch -- --workdir=DIR`."""

from metal_tf.cli import programs

if __name__ == '__main__':
  programs.run('watch')
