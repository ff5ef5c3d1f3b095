"""Holds all Python code to the rules of pyproject.toml's `tool.ruff`."""

import os
import subprocess
import sys
from typing import Iterator

from absl.testing import absltest

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_FOLDERS = ('baselines', 'launchers', 'metal_tf', 'tools')


def _files() -> Iterator[str]:
  """All files of the folders; Bazel has them as links, which ruff skips."""
  for folder in _FOLDERS:
    for where, _, names in os.walk(os.path.join(_ROOT, folder)):
      yield from (os.path.relpath(os.path.join(where, name), _ROOT)
                  for name in names if name.endswith('.py'))


class LintTest(absltest.TestCase):

  def test_all_code(self):
    files = sorted(_files())
    self.assertContainsSubset(
        {'baselines/d4pg.py', 'launchers/metal.py', 'metal_tf/config.py',
         'metal_tf/faults/harness.py', 'tools/lint_test.py'}, files)
    ended = subprocess.run(
        [sys.executable, '-m', 'ruff', 'check', '--no-cache',
         '--output-format=concise', '--config=pyproject.toml', *files],
        cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False)
    self.assertEqual(ended.returncode, 0, ended.stdout)


if __name__ == '__main__':
  absltest.main()
