"""What is not loaded along with TensorFlow, in a new process."""

import os
import subprocess
import sys

from absl.testing import absltest

_PROGRAM = """
import sys
import metal_tf
import tensorflow as tf
assert 'jax' not in sys.modules
import jax
assert jax.numpy.zeros(1).shape == (1,)
try:
  tf.lite.TFLiteConverter.experimental_from_jax([len], [[]]).convert()
except ImportError as error:
  print(error)
"""


class LeanStartTest(absltest.TestCase):

  def test_jax_is_there_for_whoever_imports_it(self):
    ended = subprocess.run(
        [sys.executable, '-c', _PROGRAM], check=True, capture_output=True,
        text=True,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)})
    self.assertIn('jax', ended.stdout)


if __name__ == '__main__':
  absltest.main()
