"""Shows a run or a sweep live: `bazel run //launchers:watch -- --workdir=DIR`.

Reads files only; TensorFlow is not loaded.
"""

from typing import NoReturn

from absl import flags
from rich import console as console_lib

from metal_tf import validation
from metal_tf.cli import flags as cli_flags
from metal_tf.cli import tool
from metal_tf.watch import watch

_WORKDIR = flags.DEFINE_string(
    'workdir', '', 'Folder of a run or of a sweep, or any folder with runs '
    'somewhere below. Relative to where you stand.')
_PERIOD = flags.DEFINE_float(
    'period', 2.0, 'Time between two frames (> 0; unit: s). Frames take at '
    'most a twentieth of the time.')
_ONCE = flags.DEFINE_bool('once', False, 'Shows one frame and ends.')


def _watch() -> None:
  if not _WORKDIR.value:
    raise validation.ConfigError('workdir', '', 'a folder of a run or of a '
                                 'sweep')
  if not _PERIOD.value > 0:
    raise validation.ConfigError('period', _PERIOD.value, '> 0')
  watch.watch(cli_flags.user_path(_WORKDIR.value), _PERIOD.value, _ONCE.value,
              console_lib.Console(highlight=False))


def main() -> NoReturn:
  """Watches until Ctrl-C; see `tool.run` for its errors."""
  tool.run(_watch)
