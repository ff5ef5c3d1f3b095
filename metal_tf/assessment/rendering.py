"""Finds a rendering back end that works without a display.

    python -m metal_tf.assessment.rendering   says which ones do

dm_control reads MUJOCO_GL when it is first imported, and a broken EGL can abort
a process. So each back end is tried in a process of its own.
"""

import os
import subprocess
import sys
from typing import Callable, Dict, Sequence, Tuple

BACKENDS = ('egl', 'osmesa')  # In this order.

# Debian's, for the sentence that a user gets.
_PACKAGES = {'egl': 'libegl1 libgl1-mesa-dri', 'osmesa': 'libosmesa6'}
_SECONDS = 120  # Time for a slow machine to import dm_control.
_PROGRAM = """
from dm_control import mujoco
physics = mujoco.Physics.from_xml_string('''
    <mujoco><worldbody>
      <light pos="0 0 3"/><geom type="sphere" size="1"/>
    </worldbody></mujoco>''')
if not physics.render(32, 32).any():
  raise RuntimeError('it renders black pictures')
"""


class NoRendererError(Exception):
  """No back end works; the message names the packages to install."""


def try_backend(backend: str) -> str:
  """Renders a picture in another process.

  Args:
    backend: a value of MUJOCO_GL.

  Returns:
    '' if it works, else why not, in one line.
  """
  try:
    ended = subprocess.run(
        [sys.executable, '-c', _PROGRAM], check=False, capture_output=True,
        text=True, timeout=_SECONDS, errors='replace', env={
            **os.environ, 'MUJOCO_GL': backend,
            'PYTHONPATH': os.pathsep.join(sys.path)})
  except subprocess.TimeoutExpired:
    return f'no picture within {_SECONDS} s'
  if ended.returncode == 0:
    return ''
  lines = ended.stderr.strip().splitlines()
  return lines[-1][:200] if lines else f'ended with status {ended.returncode}'


def choose(attempt: Callable[[str], str] = try_backend) -> str:
  """Chooses the first back end that works.

  One that the user names in MUJOCO_GL is the only one tried; 'disable', which
  metal_tf sets itself, names none.

  Args:
    attempt: tries one, see `try_backend`.

  Returns:
    The value for MUJOCO_GL.

  Raises:
    NoRendererError: naming what was tried and what to install.
  """
  asked = os.environ.get('MUJOCO_GL', '').lower()
  backends: Sequence[str] = BACKENDS
  if asked not in ('', 'disable', 'disabled', 'off', 'false', '0'):
    backends = (asked,)
  problems: Dict[str, str] = {}
  for backend in backends:
    problems[backend] = attempt(backend)
    if not problems[backend]:
      return backend
  raise NoRendererError(advice(problems))


def advice(problems: Dict[str, str]) -> str:
  """One sentence: what is wrong with which back end, and what to install.

  Args:
    problems: what `try_backend` said, by back end.
  """
  tried = '; '.join(f'{name}: {text}' for name, text in problems.items())
  packages = ' or '.join(
      f'apt-get install {_PACKAGES[name]} ({name})' for name in BACKENDS)
  return (f'nothing can be rendered here ({tried}): install a software '
          f'renderer, on Debian as root {packages}.')


def survey(attempt: Callable[[str], str] = try_backend
           ) -> Tuple[Sequence[str], str]:
  """Tries all back ends.

  Returns:
    Those that work, and `advice` if there are none.
  """
  problems = {backend: attempt(backend) for backend in BACKENDS}
  working = [name for name, problem in problems.items() if not problem]
  return working, '' if working else advice(problems)


if __name__ == '__main__':
  found, text = survey()
  print(', '.join(found) or text)
  sys.exit(0 if found else 1)
