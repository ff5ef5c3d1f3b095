"""Checks the types of metal_tf by pyproject.toml's `tool.mypy`."""

import os
import subprocess
import sys

from absl.testing import absltest

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class TypesTest(absltest.TestCase):

  def test_the_package(self):
    ended = subprocess.run(
        [sys.executable, '-m', 'mypy',
         f'--cache-dir={self.create_tempdir().full_path}'],
        cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False)
    self.assertEqual(ended.returncode, 0, ended.stdout)
    self.assertRegex(ended.stdout, r'no issues found in \d{3} source files')


if __name__ == '__main__':
  absltest.main()
