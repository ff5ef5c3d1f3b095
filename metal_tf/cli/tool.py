"""What the programs beside the agents' share: flags, errors, exit status."""

import os
import sys
from typing import Callable, NoReturn

from absl import app
from absl import flags

from metal_tf import environments
from metal_tf.policy import description
from metal_tf.runs import checkpoint
from metal_tf.runs import workdir
from metal_tf import validation

_RUN_ERROR, _USAGE_ERROR, _INTERRUPTED = 1, 2, 130

# What a user can mend, in one sentence.
_USER_ERRORS = (
    flags.Error, validation.ConfigError, workdir.WorkdirError,
    checkpoint.CheckpointError, description.PolicyError)
_RUN_ERRORS = (
    OSError, environments.BadEnvironmentOutput, environments.EpisodeCut,
    environments.OwnEnvironmentError)


def run(body: Callable[[], None]) -> NoReturn:
  """Parses the flags, runs a program and ends the process.

  Args:
    body: the program, with the flags parsed. A user's mistake that it raises
      ends in one sentence and status 2; so does what a disk or a simulator
      does, with status 1.
  """
  app.define_help_flags()
  try:
    _, *unexpected = flags.FLAGS(sys.argv)
    if unexpected:
      raise flags.Error(f'unexpected argument {unexpected[0]!r}.')
    body()
  except _USER_ERRORS as error:
    _fail(str(error), _USAGE_ERROR)
  except _RUN_ERRORS as error:
    _fail(f'{type(error).__name__}: {error}', _RUN_ERROR)
  except KeyboardInterrupt:
    _fail('stopped; nothing was written.', _INTERRUPTED)
  sys.exit(0)


def _fail(message: str, status: int) -> NoReturn:
  name = os.path.splitext(os.path.basename(sys.argv[0]))[0]
  print(f'{name}: {message}', file=sys.stderr, flush=True)
  sys.exit(status)
