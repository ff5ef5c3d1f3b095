"""Shows a run or a sweep live: `bazel run //launchers:watch -- --workdir=DIR`.

Reads files only; TensorFlow is not loaded.
"""

import sys
from typing import NoReturn

from absl import app
from absl import flags
from rich import console as console_lib

from metal_tf.cli import flags as cli_flags
from metal_tf.runs import run_folder
from metal_tf.runs import workdir as workdir_lib
from metal_tf.watch import watch

_WORKDIR = flags.DEFINE_string(
    'workdir', '', 'Folder of a run or of a sweep, or any folder with runs '
    'somewhere below. Relative to where you stand.')
_PERIOD = flags.DEFINE_float(
    'period', 2.0, 'Time between two frames (> 0; unit: s). Frames take at '
    'most a twentieth of the time.')
_ONCE = flags.DEFINE_bool('once', False, 'Shows one frame and ends.')


def main() -> NoReturn:
  """Watches to the end or Ctrl-C; a mistake is one sentence and status 2."""
  app.define_help_flags()
  try:
    _, *unexpected = flags.FLAGS(sys.argv)
    if unexpected:
      raise ValueError(f'unexpected argument {unexpected[0]!r}; give '
                       '--workdir=DIR.')
    if not _WORKDIR.value:
      raise ValueError("--workdir: got '', allowed: a folder of a run or of a "
                       'sweep.')
    if not _PERIOD.value > 0:
      raise ValueError(f'--period: got {_PERIOD.value}, allowed: > 0.')
    watch.watch(cli_flags.user_path(_WORKDIR.value), _PERIOD.value,
                _ONCE.value, console_lib.Console(highlight=False))
  except (flags.Error, ValueError, run_folder.RunFolderError,
          workdir_lib.WorkdirError, OSError) as error:
    print(f'watch: {error}', file=sys.stderr, flush=True)
    sys.exit(2)
  except KeyboardInterrupt:
    sys.exit(130)
  sys.exit(0)
