"""Tests for `export` and `saved_run`."""

import contextlib
import io
import json
import os
import unittest.mock

from absl.testing import absltest
import numpy as np
import tensorflow as tf

import metal_tf
from metal_tf.acting import numpy_policy
from metal_tf.agent import agents
from metal_tf.policy import save
from metal_tf.runs import checkpoint
from metal_tf.runs import workdir as workdir_lib
from metal_tf.training import export
from metal_tf.training import parts
from metal_tf.training import run
from metal_tf.training import testing

_OBSERVATIONS = np.linspace(-1, 1, 15, dtype=np.float32).reshape(5, 3)


class ExportTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.workdir = self.create_tempdir().full_path

  def _train(self, num_episodes=2):
    run.train(agents.METAL, testing.small_config(
        self.workdir, num_episodes=num_episodes, evaluation_period=0),
              testing.make_environment)

  def _actions(self, directory):
    return metal_tf.load_policy(directory)(_OBSERVATIONS)

  def test_the_end_of_a_run_exports_the_learners_policy(self):
    learners = []

    def make_learner(*arguments):
      learners.append(make(*arguments))
      return learners[0]

    make = parts.make_learner
    with unittest.mock.patch.object(parts, 'make_learner', make_learner):
      self._train()
    directory = os.path.join(self.workdir, export.NAME)
    policy = learners[0].networks.policy
    np.testing.assert_allclose(
        self._actions(directory), policy(tf.constant(_OBSERVATIONS)), rtol=0,
        atol=1e-6)
    in_numpy = numpy_policy.NumpyPolicy(
        numpy_policy.policy_weights(policy), -np.ones(1), np.ones(1))
    np.testing.assert_allclose(
        self._actions(directory), [in_numpy(x) for x in _OBSERVATIONS], rtol=0,
        atol=1e-6)

    content = metal_tf.load_policy(directory).description
    self.assertEqual(content['observation'], {
        'size': 3, 'dtype': 'float32',
        'entries': [{'name': 'observation', 'size': 3}]})
    self.assertEqual(content['action'], {
        'size': 1, 'dtype': 'float32', 'minimum': [-1.], 'maximum': [1.]})
    self.assertEqual(content['constraints'], [
        {'name': 'left_half', 'threshold': 0.25},
        {'name': 'far_away', 'threshold': 0.5}])
    self.assertEqual(content['algorithm'], 'metal')
    with open(os.path.join(self.workdir, 'summary.json'),
              encoding='utf-8') as stream:
      self.assertEqual(content['training'],
                       {'episodes': 2, 'summary': json.load(stream)})
    self.assertIn('tensorflow', content['versions'])

  def test_a_resumed_run_replaces_it(self):
    self._train()
    directory = os.path.join(self.workdir, export.NAME)
    before = self._actions(directory)
    self._train(num_episodes=4)
    after = self._actions(directory)
    self.assertTrue((before != after).any())
    # By hand, elsewhere, the same.
    elsewhere = os.path.join(self.create_tempdir().full_path, 'mine')
    self.assertEqual(metal_tf.export(self.workdir, elsewhere), elsewhere)
    np.testing.assert_array_equal(self._actions(elsewhere), after)

  def test_a_failure_at_the_end_is_a_warning(self):
    with unittest.mock.patch.object(
        save, 'save', side_effect=OSError('No space left on device')):
      with contextlib.redirect_stdout(io.StringIO()) as shown:
        self._train()
    self.assertIn('Warning: the policy was not exported (No space left',
                  shown.getvalue())
    self.assertTrue(os.path.exists(os.path.join(self.workdir, 'summary.json')))
    self.assertFalse(os.path.exists(os.path.join(self.workdir, export.NAME)))

  def test_folders_without_a_policy(self):
    with self.assertRaisesRegex(workdir_lib.WorkdirError, 'no folder of a run'):
      metal_tf.export(self.workdir)
    self._train()
    path = os.path.join(self.workdir, 'config.json')
    with open(path, encoding='utf-8') as stream:
      content = json.load(stream)
    os.rename(os.path.join(self.workdir, 'checkpoints'),
              os.path.join(self.workdir, 'gone'))
    with self.assertRaisesRegex(checkpoint.CheckpointError,
                                'no checkpoint yet'):
      metal_tf.export(self.workdir)
    for changed, message in (
        ({**content, 'config': {**content['config'], 'later': 1}}, "'later'"),
        ({k: v for k, v in content.items() if k != 'interface'},
         'written by an older version')):
      with open(path, 'w', encoding='utf-8') as stream:
        json.dump(changed, stream)
      with self.assertRaisesRegex(workdir_lib.WorkdirError, message):
        metal_tf.export(self.workdir)


if __name__ == '__main__':
  absltest.main()
