"""Runs the examples as their readers do."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import matplotlib
import numpy as np

# Before absl's main, see metal_tf/cli/main.py.
import tensorflow as tf  # noqa: F401

from metal_tf.environments import contract
from metal_tf.environments import own
from metal_tf.runs import run_folder

_HERE = os.path.dirname(os.path.abspath(__file__))
_SMALL = ('--policy_layer_sizes=8,8', '--critic_layer_sizes=8,8', '--noxla',
          '--batch_size=32', '--samples_per_insert=1', '--min_replay_size=100',
          '--num_episodes=2')


def _run(*command):
  ended = subprocess.run(
      [sys.executable, *command], capture_output=True, text=True, check=False,
      env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)})
  if ended.returncode:
    raise AssertionError(ended.stderr)
  return ended.stdout


class HoistTest(contract.ConstrainedEnvironmentTestMixin, absltest.TestCase):

  def make_environment(self):
    return own.Own(os.path.join(_HERE, 'hoist.py:make'))(0)


class PendulumTest(contract.ConstrainedEnvironmentTestMixin, absltest.TestCase):

  def make_environment(self):
    environment = own.Own(os.path.join(_HERE, 'pendulum_budget.py:make'))(0)
    environment.reseed(0)  # As before each episode of a run.
    return environment


class ProgramsTest(parameterized.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.folder = tempfile.mkdtemp()
    cls.addClassCleanup(shutil.rmtree, cls.folder)

  @parameterized.parameters(
      ('hoist', '{"mass": 1.5}', {'energy': 0.15, 'speed': 0.1}),
      ('pendulum_budget', '{"budget": 50}', {'energy': 0.25}))
  def test_trains_and_is_read(self, name, kwargs, thresholds):
    workdir = os.path.join(self.folder, name)
    _run('-m', 'metal_tf.cli', 'train',
         f'--environment={_HERE}/{name}.py:make', f'--workdir={workdir}',
         f'--environment_kwargs={kwargs}', '--vmin=-1700', *_SMALL)
    run = run_folder.read(workdir)
    self.assertEqual(
        dict(zip(run.constraint_names, run.thresholds)), thresholds)
    self.assertGreater(run.summary['learner_steps'], 0)
    out = _run(os.path.join(_HERE, 'read_run.py'), workdir)
    self.assertIn('metal: 2 episodes, finished\n', out)
    for constraint, beta in thresholds.items():
      self.assertRegex(out, rf'(?m)^{constraint}: J_C [\d.]+, beta {beta:g}, ')
    self.assertRegex(out, r'action where the observation is zero: \[.*\]\n$')


class NotebookTest(absltest.TestCase):

  def test_its_cells_run_one_after_the_other(self):
    with open(os.path.join(_HERE, 'metal_small.ipynb'),
              encoding='utf-8') as stream:
      notebook = json.load(stream)
    cells = [''.join(cell['source']) for cell in notebook['cells']
             if cell['cell_type'] == 'code']
    self.assertLen(cells, 5)
    self.addCleanup(os.chdir, os.getcwd())
    os.chdir(self.create_tempdir().full_path)
    matplotlib.use('Agg')
    names = {}
    with mock.patch.dict(os.environ, METAL_TF_NOTEBOOK_EPISODES='2'):
      for cell in cells:
        exec(cell, names)  # pylint: disable=exec-used
    self.assertEqual(names['score'].episodes, 2)
    self.assertGreater(names['run'].summary['learner_steps'], 0)
    for axis, label in zip(names['axes'], names['curves']):
      self.assertEqual(axis.get_ylabel(), label)
      np.testing.assert_array_equal(
          axis.lines[0].get_ydata(), names['curves'][label])


if __name__ == '__main__':
  absltest.main()
