"""Holds the code to the import rules of docs/architecture.md."""

import ast
import os
import re
from typing import Dict, Iterator, Set, Tuple

from absl.testing import absltest

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_PACKAGE = os.path.join(_ROOT, 'metal_tf')
_OUTSIDE = ('baselines', 'launchers', 'tools')


def _rules() -> Dict[str, Set[str]]:
  """What each room may import, by the table of rooms."""
  with open(os.path.join(_ROOT, 'docs', 'architecture.md'),
            encoding='utf-8') as stream:
    table = stream.read().split('| room |')[1].split('\n\n')[0]
  rules = {}
  for row in table.splitlines()[2:]:
    rooms, _, allowed = [cell.strip() for cell in row.strip('|').split('|')]
    for room in re.findall(r'`(\w+)`', rooms):
      rules[room] = {name for name in allowed.split(', ') if name}
  return rules


def _room(path: str) -> str:
  """The room of a file: its folder, or its own name if it has none."""
  return os.path.relpath(path, _PACKAGE).split(os.sep)[0].replace('.py', '')


def _imports(path: str) -> Iterator[Tuple[int, str]]:
  """Each import of this project in a file: line, and what is imported."""
  with open(path, encoding='utf-8') as stream:
    tree = ast.parse(stream.read())
  for node in ast.walk(tree):
    if isinstance(node, ast.Import):
      names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module:
      names = [f'{node.module}.{alias.name}' for alias in node.names]
    else:
      continue
    for name in names:
      if name.split('.')[0] in ('metal_tf', *_OUTSIDE):
        yield node.lineno, name


def _modules() -> Iterator[str]:
  """Every module of the package that is no test and no test's helper."""
  for folder, _, files in os.walk(_PACKAGE):
    for file in sorted(files):
      path = os.path.join(folder, file)
      if file.endswith('.py') and not file.endswith(
          ('_test.py', 'testing.py')) and not folder.endswith('testing'):
        yield path


class ArchitectureTest(absltest.TestCase):

  def test_the_table_has_every_room(self):
    rooms = {_room(path) for path in _modules()} - {'__init__'}
    self.assertEqual(rooms, set(_rules()))

  def test_the_table_has_no_circle(self):
    rules, order = _rules(), []
    while len(order) < len(rules):
      free = [room for room, below in rules.items()
              if room not in order and below <= set(order)]
      self.assertNotEmpty(free, f'a circle among {set(rules) - set(order)}')
      order += free

  def test_rooms_import_what_the_table_says(self):
    rules, broken = _rules(), []
    for path in _modules():
      room = _room(path)
      if room == '__init__':
        continue
      for line, name in _imports(path):
        target = name.split('.')[1] if name.startswith('metal_tf.') else name
        if target not in (room, '__version__') and target not in rules[room]:
          broken.append(f'{os.path.relpath(path, _ROOT)}:{line} {name}')
    self.assertEmpty(broken, 'not allowed by docs/architecture.md')

  def test_nothing_in_the_package_imports_programs(self):
    broken = [f'{path}:{line}' for path in _modules()
              for line, name in _imports(path) if name.startswith(_OUTSIDE)]
    self.assertEmpty(broken)

  def test_the_root_is_small(self):
    files = {file for file in os.listdir(_PACKAGE)
             if file.endswith('.py') and not file.endswith('_test.py')}
    self.assertEqual(files, {
        '__init__.py', 'config.py', 'metrics.py', 'plant.py', 'types.py',
        'validation.py'})


if __name__ == '__main__':
  absltest.main()
