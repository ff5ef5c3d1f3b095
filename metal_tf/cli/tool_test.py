"""Tests of how programs end, whatever their body does."""

import contextlib
import io
import os
import subprocess
import sys
from unittest import mock

from absl import flags
from absl.testing import absltest
from absl.testing import parameterized

from metal_tf import validation
from metal_tf.cli import tool
from metal_tf.report import errors
from metal_tf.runs import run_folder
from metal_tf.runs import workdir

_ONE, _TWO = (flags.DEFINE_string(f'tool_test_{name}', '', 'A folder.')
              for name in ('one', 'two'))


class ToolTest(parameterized.TestCase):

  def test_a_command_is_that_of_bazel_the_checkout_or_the_wheel(self):
    with mock.patch.dict(os.environ, BUILD_WORKING_DIRECTORY='/x'):
      self.assertEqual(tool.command('watch', '--workdir=a b'),
                       "./bazelw run //launchers:watch -- '--workdir=a b'")
      del os.environ['BUILD_WORKING_DIRECTORY']
      with mock.patch.object(os.path, 'exists', return_value=True):
        self.assertRegex(tool.command('watch', '--workdir=a b'),
                         "tools/python -m metal_tf.cli watch '--workdir=a b'$")
      with mock.patch.object(os.path, 'exists', return_value=False):
        self.assertEqual(tool.command('watch', '--workdir=a b'),
                         "metal watch '--workdir=a b'")

  def test_signals_until_the_process_is_gone_keep_the_first_ones_status(self):
    script = """
import os, signal
from metal_tf.cli import tool

def again(kill=os.kill, pid=os.getpid(), number=signal.SIGTERM):
  kill(pid, number)

class AtTheVeryEnd:
  def __del__(self, again=again):
    again()

os.at_the_very_end = AtTheVeryEnd()
tool.exit_on_sigterm()
try:
  again()
finally:
  again()  # While the first one's exception is on its way.
"""
    ended = subprocess.run(
        [sys.executable, '-c', script], check=False, stderr=subprocess.PIPE,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)})
    self.assertEqual((ended.returncode, ended.stderr), (143, b''))

  def _end(self, body, *arguments):
    """Returns the exit status and what was said of it."""
    said = io.StringIO()
    with mock.patch.object(sys, 'argv', ['/x/program.py', *arguments]):
      with contextlib.redirect_stderr(said):
        with self.assertRaises(SystemExit) as ended:
          tool.run(body)
    return ended.exception.code, said.getvalue()

  @parameterized.parameters(
      (flags.Error('no'), 2), (errors.ReportError('no'), 2),
      (workdir.WorkdirError('no'), 2), (run_folder.RunFolderError('no'), 2),
      (validation.ConfigError('seed', -1, '>= 0'), 2), (OSError('full'), 1),
      (KeyboardInterrupt(), 130))
  def test_what_was_to_be_expected_is_one_sentence(self, error, expected):
    status, said = self._end(mock.Mock(side_effect=error))
    self.assertEqual(status, expected)
    self.assertRegex(said, f'^program: .*{error}.*\n$')

  def test_a_mistake_of_ours_is_not_hidden(self):
    with self.assertRaises(TypeError):
      self._end(mock.Mock(side_effect=TypeError()))

  @parameterized.parameters((None, None), (0, 0), (1, 1))
  def test_the_status_is_the_bodys(self, returned, expected):
    self.assertEqual(self._end(lambda: returned), (expected, ''))

  def test_folders_have_to_be_given(self):
    status, said = self._end(lambda: tool.folders(_ONE, _TWO),
                             '--tool_test_one=a')
    self.assertEqual(status, 2)
    self.assertIn('give --tool_test_one=DIR and --tool_test_two=DIR', said)
    self.assertEqual(self._end(lambda: 3, 'more')[0], 2)


if __name__ == '__main__':
  absltest.main()
