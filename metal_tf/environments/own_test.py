"""Tests of environments by the name of a user's function."""

import os
import pickle
import subprocess
import sys

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from metal_tf.environments import own
from metal_tf.environments import own_testing


def _line(text):
  return 1 + own_testing.PLANT[:own_testing.PLANT.index(text)].count('\n')


class OwnTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.folder = self.create_tempdir().full_path
    own_testing.write_plant(self.folder)
    path, modules = list(sys.path), set(sys.modules)

    def restore():
      sys.path[:] = path
      for name in set(sys.modules) - modules:
        if name.startswith('own_') or name.partition('.')[0] == 'ownplants':
          del sys.modules[name]

    self.addCleanup(restore)

  def _write(self, name, text):
    path = os.path.join(self.folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w', encoding='utf-8') as stream:
      stream.write(text)

  def _package(self):
    self._write('ownplants/__init__.py', '')
    self._write('ownplants/parts.py', own_testing.PLANT)
    self._write('ownplants/push.py', 'from ownplants.parts import *')

  def test_names_do_not_depend_on_where_one_stands(self):
    self._package()
    above = os.path.dirname(self.folder)
    file = f'{self.folder}/push.py:make'
    module = f'{self.folder}/ownplants.push:make'
    for name, stands, expected in (
        ('push.py:make', self.folder, file),
        (f'{os.path.basename(self.folder)}/push.py:make', above, file),
        (file, '/', file),
        ('ownplants.push:make', self.folder, module),
        (module, '/', module),
        ('gymnasium.envs:make', self.folder, 'gymnasium.envs:make')):
      self.assertEqual(own.resolve(name, stands), expected)

  @parameterized.parameters(
      'push.py', 'make', '', ':make', 'push.py:', 'push.py:ma-ke', 'a b:make',
      'push:make:more')
  def test_other_forms_are_refused(self, name):
    with self.assertRaisesRegex(own.OwnEnvironmentError, 'not of that form'):
      own.resolve(name, self.folder)

  @parameterized.parameters('push.py:make', 'ownplants.push:make')
  def test_it_makes_the_environment_in_any_process(self, name):
    self._package()
    name = own.resolve(name, self.folder)
    make = own.Own(name, '{"mass": 2.5}')
    with_seed = make(7)
    self.assertEqual(with_seed.spec.constraint_names, ('energy',))
    np.testing.assert_array_equal(with_seed.reset().observation, [7, 7])
    step = with_seed.step(np.full(1, 0.5))
    self.assertEqual((step.reward, step.penalty.tolist()), (2.5, [0.25]))
    program = ('import pickle, sys; print(pickle.loads(bytes.fromhex('
               'sys.argv[1]))(3).reset().observation[0])')
    ended = subprocess.run(
        [sys.executable, '-c', program, pickle.dumps(make).hex()], check=True,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(
            path for path in sys.path if path != self.folder)},
        capture_output=True, text=True, cwd='/')
    self.assertEqual(ended.stdout, '3.0\n')

  def test_importing_writes_nothing(self):
    self._package()
    before = sorted(os.walk(self.folder))
    for name in ('push.py:make', 'ownplants.push:make'):
      own.Own(own.resolve(name, self.folder))(0)
    self.assertEqual(sorted(os.walk(self.folder)), before)

  def test_files_of_one_name_are_kept_apart(self):
    self._write('other/push.py', 'def make(seed): return 1 / 0')
    own.Own(own.resolve('push.py:make', self.folder))(0)
    with self.assertRaisesRegex(own.OwnEnvironmentError, 'ZeroDivisionError'):
      own.Own(own.resolve('other/push.py:make', self.folder))(0)

  @parameterized.parameters(
      ('mak', "has no function 'mak'; did you mean make"),
      ('number', "has no function 'number'"),
      ('fails', r"fails\(0\) raised KeyError: .*key' \(.*push.py:"
       rf'{_line("raise KeyError")}\)$'),
      ('leaves', r'leaves\(0\) raised SystemExit: no licence \(.*push.py:'
       rf'{_line("raise SystemExit")}\)$'),
      ('gives', r'gives\(0\) returned what cannot be trained on: expected a '
       r'ConstrainedEnvironment.* got dict$'))
  def test_what_is_wrong_is_one_sentence(self, function, message):
    make = own.Own(own.resolve(f'push.py:{function}', self.folder))
    with self.assertRaisesRegex(own.OwnEnvironmentError, message):
      make(0)

  @parameterized.parameters(
      ('def make(seed:', r'raised SyntaxError: .*\(.*broken.py:1\)$'),
      ('\nimport no_such_thing', r'ModuleNotFoundError: .*broken.py:2\)$'))
  def test_a_file_that_cannot_be_imported(self, text, message):
    self._write('broken.py', text)
    make = own.Own(own.resolve('broken.py:make', self.folder))
    for _ in range(2):  # It is not taken for imported the second time.
      with self.assertRaisesRegex(own.OwnEnvironmentError, message):
        make(0)

  def test_files_and_packages_that_are_not_there(self):
    with self.assertRaisesRegex(own.OwnEnvironmentError, 'there is no file /'):
      own.resolve('no.py:make', self.folder)
    with self.assertRaisesRegex(own.OwnEnvironmentError,
                                "No module named 'no_such_package'$"):
      own.Own('no_such_package.plant:make')(0)

  def test_settings_are_checked_against_the_function(self):
    name = own.resolve('push.py:make', self.folder)
    own.check_settings(name, '{"mass": 2}')
    with self.assertRaisesRegex(
        ValueError, r"'mas': it is called as make\(seed, mass=1.0, "):
      own.check_settings(name, '{"mas": 2}')
    for text, message in (('{mass: 2}', 'is not JSON'), ('[2]', 'no JSON obj')):
      with self.assertRaisesRegex(ValueError, message):
        own.settings(text)

  def test_a_changed_source_is_told(self):
    self._package()
    for name in ('push.py:make', 'ownplants.parts:make'):
      name = own.resolve(name, self.folder)
      before = own.describe_source(name)
      self.assertEqual(own.changed(before, own.describe_source(name)), '')
      with open(before['file'], 'a', encoding='utf-8') as stream:
        stream.write('# more\n')
      self.assertRegex(own.changed(before, own.describe_source(name)),
                       f'{before["file"]}, has changed since the run')
    self.assertIsNone(own.describe_source(''))
    self.assertEqual(own.changed(None, before), '')


if __name__ == '__main__':
  absltest.main()
