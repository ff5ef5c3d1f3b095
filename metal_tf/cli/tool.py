"""How programs start and end: flags, errors in one sentence, exit status."""

import os
import shlex
import signal
import sys
import time
from typing import Any, Callable, List, NoReturn, Optional

from absl import app
from absl import flags
from absl import logging

from metal_tf import environments
from metal_tf import validation
from metal_tf.cli import flags as cli_flags
from metal_tf.policy import description
from metal_tf.report import errors
from metal_tf.runs import checkpoint
from metal_tf.runs import run_folder
from metal_tf.runs import workdir

RUN_ERROR, USAGE_ERROR, INTERRUPTED = 1, 2, 130

flags.disclaim_key_flags()  # What is defined here is its caller's.

# What a user can mend, in one sentence.
USER_ERRORS = (
    flags.Error, validation.ConfigError, workdir.WorkdirError,
    checkpoint.CheckpointError, description.PolicyError, errors.ReportError,
    run_folder.RunFolderError)
RUN_ERRORS = (
    OSError, environments.BadEnvironmentOutput, environments.EpisodeCut,
    environments.OwnEnvironmentError)


def run(body: Callable[[], Optional[int]]) -> NoReturn:
  """Parses the flags, runs a program and ends the process.

  Args:
    body: the program, with the flags parsed; returns the exit status, None for
      0. A user's mistake that it raises ends in one sentence and status 2; so
      does what a disk or a simulator does, with status 1.
  """
  app.define_help_flags()
  try:
    try:
      _, *unexpected = cli_flags.parse(sys.argv)
    except ValueError as error:
      raise flags.Error(str(error)) from error
    if unexpected:
      raise flags.Error(f'unexpected argument {unexpected[0]!r}; settings are '
                        'flags, like --name=value: see --help.')
    status = body()
  except USER_ERRORS as error:
    fail(str(error), USAGE_ERROR)
  except BrokenPipeError:  # `| head` has seen enough.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    status = 0
  except RUN_ERRORS as error:
    fail(f'{type(error).__name__}: {error}', RUN_ERROR)
  except KeyboardInterrupt:
    fail('stopped.', INTERRUPTED)
  sys.exit(status)


def fail(message: str, status: int, name: str = '') -> NoReturn:
  """Says what is wrong and ends the process.

  Args:
    message: one sentence.
    status: of the process.
    name: of the program; '' for that of the file.
  """
  name = name or os.path.splitext(os.path.basename(sys.argv[0]))[0]
  print(f'{name}: {message}', file=sys.stderr, flush=True)
  sys.exit(status)


def command(program: str, *arguments: str) -> str:
  """How to start another program from where this one runs.

  Args:
    program: its name.
    *arguments: for it.

  Returns:
    A line for a shell: Bazel's, or that of the checkout or of the wheel.
  """
  script = os.path.join(root(), 'tools', 'python')
  if 'BUILD_WORKING_DIRECTORY' in os.environ:
    start = ['./bazelw', 'run', f'//launchers:{program}', '--']
  elif os.path.exists(script):
    start = [os.path.relpath(script), '-m', 'metal_tf.cli', program]
  else:
    start = ['metal', program]
  return shlex.join([*start, *arguments])


def root() -> str:
  """The folder that the packages are in: the checkout, or Bazel's runfiles."""
  return os.path.dirname(os.path.dirname(os.path.dirname(
      os.path.abspath(__file__))))


def exit_on_sigterm() -> None:
  """Lets SIGTERM end the process by an exception, with status 143."""
  def leave(number: int, frame: Any) -> NoReturn:
    del frame
    # The next one would end what this one's exception still has to do, and
    # the interpreter puts the default in place of any handler when it ends.
    keep_status()
    sys.exit(128 + number)

  signal.signal(signal.SIGTERM, leave)


def keep_status() -> None:
  """Lets the process end as it is about to, whichever signal still comes."""
  for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)


def define_folders(output: str) -> List[flags.FlagHolder]:
  """Defines --runs and --output as flags of the module that calls it.

  Args:
    output: help for the second.
  """
  return [
      flags.DEFINE_multi_string(
          'runs', [], 'Folder at or below which the runs are (relative to '
          'where you stand): the --workdir of a sweep, or of a run. May be '
          'given several times.'),
      flags.DEFINE_string('output', '', output)]


def folders(*given: flags.FlagHolder) -> List[str]:
  """Returns folders that have to be given, as absolute paths, in one list."""
  values = [[flag.value] if isinstance(flag.value, str) else flag.value
            for flag in given]
  if not all(paths and all(paths) for paths in values):
    raise flags.Error('give ' + ' and '.join(
        f'--{flag.name}=DIR' for flag in given) + '; see --help.')
  return [cli_flags.user_path(path) for paths in values for path in paths]


def progress() -> Callable[[str], None]:
  """Returns what prints lines of progress with the seconds since now."""
  # rliable says every step of it at this level.
  logging.set_verbosity(logging.WARNING)
  started = time.monotonic()
  return lambda line: print(
      f'[{time.monotonic() - started:5.1f} s] {line}', flush=True)
