"""Examines whether this machine can train: `bazel run //launchers:doctor`.

Every line is OK, note (training works all the same) or problem, and says what
to do. The exit status is 1 if there is a problem, else 0.

Flags are argparse's, since absl may be what is broken.
"""

import argparse
import os
import shutil
import sys
import textwrap
from typing import NoReturn

from metal_tf.cli import doctor_checks


def _user_path(path: str) -> str:
  """Relative to where the user stands, which `bazel run` names."""
  base = os.environ.get('BUILD_WORKING_DIRECTORY', os.getcwd())
  return os.path.abspath(os.path.join(base, os.path.expanduser(path)))


def _cache() -> str:
  """As tools/common.sh has it."""
  home = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
  return os.environ.get('METAL_TF_CACHE') or os.path.join(home, 'metal_tf')


def main() -> NoReturn:
  """Prints what is found; the exit status says whether there is a problem."""
  parser = argparse.ArgumentParser(
      description=__doc__.partition('\n')[0], prog='doctor')
  parser.add_argument(
      '--workdir', default='runs', help='where runs are to go, relative to '
      'where you stand (default: %(default)s)')
  workdir = _user_path(parser.parse_args().workdir)
  width = shutil.get_terminal_size().columns
  print('Examining this machine; the training at the end takes 10 seconds or '
        'more.', flush=True)
  problems = 0
  for finding in doctor_checks.all_checks(workdir, _cache()):
    problems += finding.status == doctor_checks.PROBLEM
    text = f'{finding.subject}: {finding.text}'
    if finding.advice:
      text += f' -> {finding.advice}'
    print(textwrap.fill(
        f'{finding.status:8}{text}', max(width, 40), subsequent_indent=' ' * 8,
        break_long_words=False, break_on_hyphens=False), flush=True)
  print(f'{problems} problem{"s" * (problems != 1)}.' if problems else
        'Training works here.')
  sys.exit(1 if problems else 0)
