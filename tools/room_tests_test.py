"""Tests for room_tests."""

import os
import subprocess
import sys

from absl.testing import absltest

from tools import room_tests
from tools import test_summary

_PASSES = """
import os
from absl.testing import absltest

class First(absltest.TestCase):
  def test_alone(self):
    self.assertNotIn('LEFT_BEHIND', os.environ)
    os.environ['LEFT_BEHIND'] = '1'

  def test_too(self):
    pass
"""
_FAILS = """
from absl.testing import absltest

class Wrong(absltest.TestCase):
  def test_wrong(self):
    self.assertEqual(1, 2)

  def test_right(self):
    pass
"""
_DIES = """
import os, signal
from absl.testing import absltest

class Dies(absltest.TestCase):
  def test_dies(self):
    os.kill(os.getpid(), signal.SIGKILL)
"""


class RoomTestsTest(absltest.TestCase):

  def _run(self, *names, **modules):
    """Runs modules; returns the process and what the results count."""
    folder = self.create_tempdir()
    for name, code in modules.items():
      folder.create_file(f'{name}.py', content=code)
    self.xml = os.path.join(folder.full_path, 'test.xml')
    ended = subprocess.run(
        [sys.executable, room_tests.__file__, *(names or modules)],
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(
            [folder.full_path, *sys.path]), 'XML_OUTPUT_FILE': self.xml},
        capture_output=True, text=True, check=False)
    if not os.path.exists(self.xml):
      return ended, {}
    with open(self.xml, encoding='utf-8') as stream:
      return ended, dict(test_summary.count_cases(stream.read()))

  def test_counts_all_cases_and_no_module_sees_what_another_did(self):
    ended, counts = self._run(one=_PASSES, two=_PASSES)
    self.assertEqual(ended.returncode, 0, ended.stderr)
    self.assertEqual(counts, {'passed': 4})

  def test_names_the_module_that_fails_and_runs_the_others(self):
    ended, counts = self._run(one=_FAILS, two=_PASSES)
    self.assertEqual(ended.returncode, 1)
    self.assertEqual(ended.stderr.strip().splitlines()[-1],
                     'FAILED: one: ended with status 1')
    self.assertIn('AssertionError: 1 != 2', ended.stderr)
    self.assertEqual(counts, {'passed': 3, 'failed': 1})

  def test_a_module_that_dies_or_cannot_be_imported_is_a_failed_case(self):
    ended, counts = self._run(
        one=_DIES, two='import no_such_module', three='1 +', four=_PASSES)
    self.assertEqual(ended.returncode, 1)
    self.assertIn('FAILED: one: ended with status -9', ended.stderr)
    self.assertIn("FAILED: two: ModuleNotFoundError: No module named 'no_such",
                  ended.stderr)
    self.assertIn('FAILED: three: SyntaxError', ended.stderr)
    self.assertEqual(counts, {'passed': 2, 'failed': 3})
    with open(self.xml, encoding='utf-8') as stream:
      self.assertIn('name="two"', stream.read())

  def test_nothing_to_run_is_an_error(self):
    folder = self.create_tempdir().full_path
    ended = subprocess.run(
        [sys.executable, room_tests.__file__], cwd=folder, text=True,
        capture_output=True, check=False)
    self.assertEqual(ended.returncode, 1)
    self.assertIn('name the modules', ended.stderr)


if __name__ == '__main__':
  absltest.main()
