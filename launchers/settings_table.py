"""Writes docs/settings.md from the config: every default with its origin.

Run by hand after a change of a default:

    ./bazelw run //launchers:settings_table -- $PWD/docs/settings.md
"""

import sys
from typing import Any

from metal_tf import config as config_lib

_HEAD = """\
# Settings

Every field of `metal_tf.config.Config`. Each is a flag of the launchers, which
have one more, `--lp_launch_type` ([distributed.md](distributed.md)). Made by
`launchers/settings_table.py`; a test holds it against the code.

Where a default comes from: **paper**, in the paper's main text; **checked**, in
public source code or a sister paper; **recalled**, recalled from the paper's
appendix, which could not be opened: a good default, never a citation; **our
choice**, unknown and chosen for this project.

| flag | default | allowed | unit | origin | meaning |
| --- | --- | --- | --- | --- | --- |
"""


def _shown(value: Any) -> str:
  if isinstance(value, tuple):
    value = ','.join(str(item) for item in value)
  return f'`{value}`' if value not in ('', None) else ''


def table() -> str:
  """Returns the whole page."""
  rows = [
      f'| `--{field.name}` | {_shown(field.default)} | {setting.allowed} | '
      f'{setting.unit} | {setting.origin} | {setting.help} |'
      for field, setting in config_lib.Config.settings()
  ]
  return _HEAD + '\n'.join(rows) + '\n'


if __name__ == '__main__':
  with open(sys.argv[1], 'w', encoding='utf-8') as stream:
    stream.write(table())
