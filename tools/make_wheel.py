"""Makes the wheel of pyproject.toml: `bazel build //:wheel`.

    python tools/make_wheel.py FOLDER

The environment's own pip and setuptools do it, from a copy, so that nothing is
downloaded and the checkout stays as it is.
"""

import os
import shutil
import subprocess
import sys
import tempfile

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_PACKAGE = 'metal_tf'
_FILES = ('pyproject.toml', 'requirements.in', 'README.md')
# Tests, and the rooms whose programs belong to the checkout.
_LEFT_OUT = ('*_test.py', 'BUILD', '__pycache__', 'benchmarks', 'faults')


def make(folder: str) -> str:
  """Makes the wheel.

  Args:
    folder: where to.

  Returns:
    Its path.

  Raises:
    CalledProcessError: if pip fails; its output has been printed.
  """
  with tempfile.TemporaryDirectory() as copy:
    for name in _FILES:
      shutil.copy(os.path.join(_ROOT, name), copy)
    shutil.copytree(
        os.path.join(_ROOT, _PACKAGE), os.path.join(copy, _PACKAGE),
        ignore=shutil.ignore_patterns(*_LEFT_OUT))
    subprocess.run(
        [sys.executable, '-m', 'pip', 'wheel', '--quiet', '--no-deps',
         '--no-build-isolation', '--no-index', '--no-cache-dir',
         '--disable-pip-version-check', '--wheel-dir', folder, copy],
        # The same files make the same wheel, bit for bit.
        env={**os.environ, 'SOURCE_DATE_EPOCH': '315532800'}, check=True)
  [name] = [name for name in os.listdir(folder) if name.endswith('.whl')]
  return os.path.join(folder, name)


if __name__ == '__main__':
  make(os.path.abspath(sys.argv[1]))
