"""Exports a run's policy: `bazel run //launchers:export -- --workdir=DIR`."""

from typing import NoReturn

from absl import flags

from metal_tf.cli import flags as cli_flags
from metal_tf.cli import main as main_lib
from metal_tf.cli import tool

_WORKDIR = flags.DEFINE_string(
    'workdir', None, "The run's folder; the run may still be training. "
    'Relative to where you stand.', required=True)
_OUTPUT = flags.DEFINE_string(
    'output', '', 'Folder to be made, or an export to be replaced; empty means '
    '`export` in the run\'s folder.')
_TFLITE = flags.DEFINE_bool(
    'tflite', False, 'Writes policy.tflite beside the SavedModel, for a '
    'controller that has TensorFlow Lite only: float32 [1, O] to [1, A].')


def _export() -> None:
  main_lib.quiet_start_up()
  # Loads TensorFlow. pylint: disable-next=g-import-not-at-top
  from metal_tf.training import export
  output = _OUTPUT.value and cli_flags.user_path(_OUTPUT.value)
  directory = export.export(
      cli_flags.user_path(_WORKDIR.value), output or None,
      tflite=_TFLITE.value)
  print(f'{directory}: metal_tf.load_policy({directory!r}) loads it'
        + (', and TensorFlow Lite its policy.tflite.' if _TFLITE.value else
           '.'))


def main() -> NoReturn:
  """Runs the program; see `tool.run` for its errors."""
  tool.run(_export)
