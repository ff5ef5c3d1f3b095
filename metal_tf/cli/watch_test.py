"""Runs the watch as a user does."""

import os
import subprocess
import sys

from absl.testing import absltest
from absl.testing import parameterized

from metal_tf.sweep import testing

# Says at the end whether TensorFlow came along.
_CHECKED = '''
import atexit, runpy, sys
atexit.register(lambda: print('tensorflow' in sys.modules))
runpy.run_module('metal_tf.cli', run_name='__main__')
'''


def _watch(*arguments, directory='.'):
  ended = subprocess.run(
      [sys.executable, '-c', _CHECKED, 'watch', *arguments], check=False,
      capture_output=True, text=True,
      env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path),
           'BUILD_WORKING_DIRECTORY': directory})
  return ended.returncode, ended.stdout, ended.stderr


class WatchTest(parameterized.TestCase):

  def test_one_frame_of_plain_text_without_tensorflow(self):
    root = self.create_tempdir().full_path
    testing.write_run(os.path.join(root, 'a'), 4, [1, 2], 'ab')
    before = sorted(os.walk(root))
    status, out, err = _watch('--workdir=a', '--once', directory=root)
    self.assertEqual((status, err), (0, ''))
    self.assertIn('stopped  episode 2 of 4', out)
    self.assertNotIn('\x1b', out)
    self.assertEndsWith(out, 'False\n')
    self.assertEqual(sorted(os.walk(root)), before)

  @parameterized.parameters(
      (['--workdir=/nowhere'], '/nowhere is no folder.'),
      ([], "--workdir: got '', allowed: a folder"),
      (['--workdir=.', '--period=0'], '--period: got 0.0, allowed: > 0'),
      (['--workdr=.'], "'workdr'. Did you mean: workdir"),
      (['runs'], "unexpected argument 'runs'"))
  def test_one_sentence_and_status_2(self, arguments, message):
    status, _, err = _watch(*arguments)
    self.assertEqual(status, 2)
    self.assertIn(message, err)
    self.assertNotIn('Traceback', err)


if __name__ == '__main__':
  absltest.main()
