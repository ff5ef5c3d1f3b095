"""What the programs that read folders of runs share: flags, errors, status."""

import os
import sys
import time
from typing import Callable, NoReturn

from absl import app
from absl import flags as absl_flags
from absl import logging

from metal_tf.cli import flags

Say = Callable[[str], None]


def run(body: Callable[[Say], int], *needed: str) -> NoReturn:
  """Parses the flags, runs a program and ends the process.

  Args:
    body: the program, with the flags parsed; takes what prints a line of
      progress, returns the exit status. A ReportError ends in one sentence and
      status 2.
    *needed: names of the folders that have to be given.
  """
  app.define_help_flags()
  try:
    _, *unexpected = absl_flags.FLAGS(sys.argv)
  except absl_flags.Error as error:
    _refuse(str(error))
  if unexpected:
    _refuse(f'unexpected {unexpected[0]!r}; see --help.')
  if not all(absl_flags.FLAGS[name].value for name in needed):
    _refuse('give ' + ' and '.join(f'--{name}=DIR' for name in needed) +
            '; see --help.')
  # rliable says every step of it at this level.
  logging.set_verbosity(logging.WARNING)
  # After the flags, so that a wrong one is told at once.
  from metal_tf.report import collect  # pylint: disable=g-import-not-at-top
  started = time.monotonic()

  def say(line: str) -> None:
    print(f'[{time.monotonic() - started:5.1f} s] {line}', flush=True)

  try:
    status = body(say)
  except collect.ReportError as error:
    _refuse(str(error))
  except KeyboardInterrupt:
    sys.exit(130)
  sys.exit(status)


def folder(flag: absl_flags.FlagHolder) -> str:
  """Returns a folder that was given, as an absolute path."""
  return flags.user_path(flag.value)


def _refuse(message: str) -> NoReturn:
  name = os.path.splitext(os.path.basename(sys.argv[0]))[0]
  print(f'{name}: {message}', file=sys.stderr, flush=True)
  sys.exit(2)
