"""Installs the wheel into a fresh environment and trains there."""

from importlib import metadata
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile

from absl.testing import absltest

from tools import make_wheel

_SMALL = ('--policy_layer_sizes=8,8', '--critic_layer_sizes=8,8', '--noxla',
          '--batch_size=32', '--samples_per_insert=1', '--suite=builtin')


class WheelTest(absltest.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    folder = tempfile.mkdtemp()
    cls.addClassCleanup(shutil.rmtree, folder)
    cls.wheel = make_wheel.make(folder)

  def test_it_holds_the_package_without_tests(self):
    with zipfile.ZipFile(self.wheel) as archive:
      names = archive.namelist()
    self.assertContainsSubset(
        {'metal_tf/cli/programs.py', 'metal_tf/agent/learner.py',
         'metal_tf/report/paper_table1.csv'}, names)
    for name in names:
      self.assertRegex(name, r'^metal_tf(/|-[\d.]+\.dist-info/)')
      self.assertNotRegex(name, r'_test\.py$|/BUILD$|/faults/|/benchmarks/')

  def test_it_requires_what_is_installed_here(self):
    [described] = [
        distribution for distribution in metadata.distributions(
            path=[self.wheel]) if distribution.metadata['Name'] == 'metal_tf']
    self.assertContainsSubset({'tensorflow', 'dm-reverb', 'gymnasium'}, {
        pin.partition('==')[0] for pin in described.requires})
    for pin in described.requires:
      name, version = re.fullmatch(r'([\w.-]+)==([\w.]+)', pin).groups()
      self.assertEqual(metadata.version(name), version)

  def test_a_fresh_environment_trains_with_it(self):
    folder = self.create_tempdir().full_path
    python = self._install(f'{folder}/venv')

    def run(*command):
      ended = subprocess.run(
          command, cwd=folder, check=False, capture_output=True, text=True,
          env={name: value for name, value in os.environ.items()
               if name not in ('PYTHONPATH', 'BUILD_WORKING_DIRECTORY')})
      self.assertEqual(ended.returncode, 0, ended.stderr)
      return ended.stdout

    where = run(python, '-c', 'import metal_tf; print(metal_tf.__file__)')
    self.assertStartsWith(where, f'{folder}/venv/')
    metal = f'{folder}/venv/bin/metal'
    self.assertIn(f'-{run(metal, "--version").strip()}-', self.wheel)
    out = run(metal, 'train', '--num_episodes=2', *_SMALL)
    self.assertIn('MetaL on cartpole/realworld_swingup', out)
    [run_folder] = os.listdir(f'{folder}/runs')
    with open(f'{folder}/runs/{run_folder}/summary.json',
              encoding='utf-8') as stream:
      summary = json.load(stream)
    self.assertEqual(summary['episodes'], 2)
    self.assertGreater(summary['learner_steps'], 0)
    self.assertIn('finished  episode 2 of 2', run(
        metal, 'watch', '--once', f'--workdir=runs/{run_folder}'))

  def _install(self, venv):
    """Makes an environment that sees the locked packages; returns its Python.

    The packages themselves are 2.6 GB, so they are lent rather than installed.
    """
    subprocess.run([sys.executable, '-m', 'venv', '--without-pip', venv],
                   check=True)
    python = f'{venv}/bin/python'
    with open(f'{venv}/lib/python3.10/site-packages/locked.pth', 'w',
              encoding='utf-8') as stream:
      stream.write(sysconfig.get_path('purelib') + '\n')
    subprocess.run(
        [python, '-m', 'pip', 'install', '--quiet', '--no-deps', '--no-index',
         '--disable-pip-version-check', self.wheel], check=True,
        env={name: value for name, value in os.environ.items()
             if name != 'PYTHONPATH'})
    return python


if __name__ == '__main__':
  absltest.main()
