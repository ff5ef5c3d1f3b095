"""`python -m metal_tf.cli PROGRAM` is the command `metal PROGRAM`."""

from metal_tf.cli import programs

if __name__ == '__main__':
  programs.main()
