"""Where a run comes from: versions of packages and of this code, and when."""

import datetime
from importlib import metadata
import os
import platform
import subprocess
from typing import Any, Dict

from metal_tf.system import threads

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
_PACKAGES = (
    'tensorflow', 'dm-sonnet', 'trfl', 'dm-reverb', 'dm-acme', 'dm-launchpad',
    'dm-control', 'mujoco', 'numpy', 'tensorflow-probability')


def versions() -> Dict[str, str]:
  """Returns the versions of Python and of the packages that decide a run."""
  found = {'python': platform.python_version()}
  for package in _PACKAGES:
    try:
      found[package] = metadata.version(package)
    except metadata.PackageNotFoundError:
      found[package] = 'not installed'
  return found


def commit() -> str:
  """Returns the commit of the checkout, `-dirty` behind it if it was changed.

  'unknown' outside a git checkout. `bazel run` names the checkout in
  BUILD_WORKSPACE_DIRECTORY, since the program itself runs elsewhere.
  """
  checkout = os.environ.get('BUILD_WORKSPACE_DIRECTORY', _ROOT)
  # Else git looks above: an installed package may lie in somebody's project.
  if not os.path.exists(os.path.join(checkout, '.git')):
    return 'unknown'
  try:
    return subprocess.run(
        ['git', '-C', checkout, 'describe', '--always', '--dirty',
         '--abbrev=40', '--exclude=*'],
        check=True, capture_output=True, text=True, timeout=10).stdout.strip()
  except (OSError, subprocess.SubprocessError):
    return 'unknown'


def session(episode: int) -> Dict[str, Any]:
  """Describes this start of a run, for the list in `config.json`.

  Args:
    episode: episodes done at the start; 0 for a new run.
  """
  return {
      'time': datetime.datetime.now(datetime.timezone.utc).isoformat(
          timespec='seconds'),
      'resumed_at_episode': episode,
      'versions': versions(),
      'commit': commit(),
      'cores': len(os.sched_getaffinity(0)),
      'threads': threads.in_use(),
  }
