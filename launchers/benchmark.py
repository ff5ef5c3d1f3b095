"""Measures speed beside Acme: `bazel run //launchers:benchmark`."""

from metal_tf.benchmarks import benchmark

if __name__ == '__main__':
  benchmark.launch()
