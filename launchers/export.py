"""Exports a run's policy: `bazel run //launchers:export -- --workdir=DIR`."""

from absl import flags

import metal_tf
from metal_tf.cli import flags as launcher_flags
from metal_tf.cli import main
from metal_tf.cli import tool

_WORKDIR = flags.DEFINE_string(
    'workdir', None, "The run's folder; the run may still be training. "
    'Relative to where you stand.', required=True)
_OUTPUT = flags.DEFINE_string(
    'output', '', 'Folder to be made, or an export to be replaced; empty means '
    '`export` in the run\'s folder.')


def _export() -> None:
  main.quiet_start_up()
  output = _OUTPUT.value and launcher_flags.user_path(_OUTPUT.value)
  directory = metal_tf.export(
      launcher_flags.user_path(_WORKDIR.value), output or None)
  print(f'{directory}: metal_tf.load_policy({directory!r}) loads it.')


if __name__ == '__main__':
  tool.run(_export)
