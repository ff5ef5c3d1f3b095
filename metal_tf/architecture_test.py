"""Holds the code to the import rules of docs/architecture.md."""

import ast
import os
import re
import subprocess
import sys
from typing import Dict, Iterator, List, Set, Tuple

from absl.testing import absltest

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_PACKAGE = os.path.join(_ROOT, 'metal_tf')
_OUTSIDE = ('baselines', 'launchers', 'tools')

# What starts at once: checks before a run, and what reads the files of runs.
_LIGHT = ('__init__', 'config', 'metrics', 'report', 'runs', 'sweep', 'types',
          'validation', 'watch')
_HEAVY = ('acme', 'dm_control', 'jax', 'launchpad', 'mujoco', 'reverb',
          'sonnet', 'tensorflow')
_IMPORTS = """
import importlib, sys
heavy = set(sys.argv[1].split(','))
for module in sys.argv[2:]:
  importlib.import_module(module)
  loaded = heavy & set(sys.modules)
  if loaded:
    print(module, *loaded)
    heavy -= loaded
"""


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


def _module(path: str) -> str:
  """The importable name of a file."""
  name = os.path.relpath(path, _ROOT)[:-len('.py')].replace(os.sep, '.')
  return name[:-len('.__init__')] if name.endswith('.__init__') else name


def _first_to_load_something_heavy(modules: List[str]) -> str:
  """Imports modules in a fresh interpreter, one after the other."""
  path = [_ROOT] + [path for path in sys.path if path != _PACKAGE]
  return subprocess.run(
      [sys.executable, '-c', _IMPORTS, ','.join(_HEAVY), *modules], check=True,
      env={**os.environ, 'PYTHONPATH': os.pathsep.join(path)},
      stdout=subprocess.PIPE, text=True).stdout


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

  def test_what_starts_at_once_loads_nothing_slow(self):
    modules = [_module(path) for path in _modules() if _room(path) in _LIGHT]
    self.assertContainsSubset({'metal_tf', 'metal_tf.validation'}, modules)
    self.assertEqual(_first_to_load_something_heavy(modules), '')
    self.assertIn('tensorflow', _first_to_load_something_heavy(
        ['metal_tf.training.testing']))

  def test_the_root_is_small(self):
    files = {file for file in os.listdir(_PACKAGE)
             if file.endswith('.py') and not file.endswith('_test.py')}
    self.assertEqual(files, {
        '__init__.py', 'config.py', 'metrics.py', 'plant.py', 'types.py',
        'validation.py'})


if __name__ == '__main__':
  absltest.main()
