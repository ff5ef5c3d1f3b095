"""Tests for versions."""

import pathlib
import re
import subprocess
import sys

from absl.testing import absltest
from absl.testing import parameterized

from metal_tf.system import versions

_RIGHT = {
    'tensorflow': versions.TENSORFLOW,
    **versions.COMPILED_FOR_TENSORFLOW,
}


def _locked_versions():
  lock = pathlib.Path(__file__).parents[2] / 'requirements.txt'
  return dict(re.findall(r'^([\w.-]+)==([^\s;]+)', lock.read_text(), re.M))


class VersionsTest(parameterized.TestCase):

  def test_are_those_of_the_lock(self):
    locked = _locked_versions()
    self.assertEqual(_RIGHT, {name: locked[name] for name in _RIGHT})

  def test_the_environment_is_the_locked_one(self):
    locked = _locked_versions()
    self.assertEqual(
        locked, {name: versions.installed_version(name) for name in locked}
    )

  @parameterized.parameters(
      ({},),
      ({'dm-reverb': '0.7.0'},),
      ({'tensorflow': '2.8.0'},),
      ({'dm-reverb': None},),
      ({'tensorflow': None},),
      ({'tensorflow': '2.15.0', 'dm-reverb': None, 'dm-launchpad': None},),
  )
  def test_accepts(self, change):
    versions.check({**_RIGHT, **change}.get, (3, 10))

  @parameterized.parameters(
      ({'tensorflow': '2.12.1'}, (3, 10), 'tensorflow 2.12.1: '),
      ({'dm-reverb': '0.11.0'}, (3, 10), 'dm-reverb 0.11.0: '),
      (
          {'dm-launchpad': '0.6.0', 'dm-reverb': None},
          (3, 10),
          'dm-launchpad 0.6.0: ',
      ),
      ({}, (3, 9), 'Python 3.9: '),
  )
  def test_refuses_in_a_sentence(self, change, python, start):
    with self.assertRaises(versions.IncompatibleVersionsError) as context:
      versions.check({**_RIGHT, **change}.get, python)
    message = str(context.exception)
    self.assertStartsWith(message, start)
    for name, version in _RIGHT.items():
      self.assertIn(f'{name} {version}', message)

  def test_importing_the_package_checks_and_stays_light(self):
    program = (
        'import sys; from metal_tf import versions; versions.TENSORFLOW;'
        'heavy = {"tensorflow", "reverb", "launchpad", "numpy"};'
        'sys.exit(bool(heavy & set(sys.modules)))'
    )
    subprocess.run([sys.executable, '-c', program], check=True)


if __name__ == '__main__':
  absltest.main()
