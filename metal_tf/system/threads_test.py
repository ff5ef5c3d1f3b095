"""Sizes of thread pools: the flag, the environment, the cores."""

import os
import subprocess
import sys
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized

from metal_tf.system import threads

_NAMES = ('TF_NUM_INTRAOP_THREADS', 'TF_NUM_INTEROP_THREADS')


class ThreadsTest(parameterized.TestCase):

  @parameterized.parameters((1, 1, 1), (2, 1, 2), (4, 2, 2), (7, 3, 2))
  def test_choose(self, number, within, between):
    self.assertEqual(threads.choose(number), (within, between))

  @parameterized.parameters(
      (0, {}, ('1', '2')),  # Two cores.
      (0, {'TF_NUM_INTEROP_THREADS': '7'}, ('1', '7')),
      (1, {'TF_NUM_INTEROP_THREADS': '7'}, ('1', '1')),
      (4, {}, ('2', '2')))
  def test_set_up(self, number, environment, expected):
    with mock.patch.dict(os.environ, environment), mock.patch.object(
        os, 'sched_getaffinity', return_value={0, 1}):
      for name in set(_NAMES) - set(environment):
        os.environ.pop(name, None)
      threads.set_up(number)
      self.assertEqual(threads.in_use(), dict(zip(_NAMES, expected)))

  def test_tensorflow_follows(self):
    code = ('from metal_tf.system import threads; threads.set_up(3); '
            'import tensorflow as tf; tf.constant(0); '
            'import os; print(len(os.listdir("/proc/self/task")))')
    counts = [
        int(subprocess.run(
            [sys.executable, '-c', code.replace('(3)', f'({number})')],
            check=True, capture_output=True, text=True,
            env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path),
                 'TF_CPP_MIN_LOG_LEVEL': '2'}).stdout)
        for number in (2, 40)]
    self.assertGreater(counts[1] - counts[0], 15)


if __name__ == '__main__':
  absltest.main()
