"""Tests of how worker processes end."""

import os
import subprocess
import sys

from absl.testing import absltest
from absl.testing import parameterized

from metal_tf.system import process

# Whoever leaves does not come to the interpreter's own end, which aborts here.
_CODE = ('import atexit, os; atexit.register(os.abort); '
         'from metal_tf.system import process; process.leave()')


class LeaveTest(parameterized.TestCase):

  def _status(self, **variables):
    environment = {name: value for name, value in os.environ.items()
                   if name not in (process.PARENT_VARIABLE, 'CLUSTER_SPEC')}
    return subprocess.run(
        [sys.executable, '-c', _CODE], check=False, stderr=subprocess.DEVNULL,
        env={**environment, **variables,
             'PYTHONPATH': os.pathsep.join(sys.path)}).returncode

  @parameterized.parameters(process.PARENT_VARIABLE, 'CLUSTER_SPEC')
  def test_a_worker_ends_without_destructors(self, variable):
    self.assertEqual(self._status(**{variable: '1'}), 0)

  def test_nobody_else_does(self):
    self.assertEqual(self._status(), -6)


if __name__ == '__main__':
  absltest.main()
