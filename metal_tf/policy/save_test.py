"""Tests for `save` and `load`, in one process."""

import os
import subprocess
import sys

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from metal_tf.acting import numpy_policy
from metal_tf.policy import description
from metal_tf.policy import load
from metal_tf.policy import save
from metal_tf.policy import testing

_OBSERVATIONS = np.random.default_rng(1).normal(size=(7, 5)).astype(np.float32)


class SaveTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.directory = os.path.join(self.create_tempdir().full_path, 'export')
    self.network, self.content = testing.make_policy()

  def _save(self):
    save.save(self.directory, self.network, self.content)

  def test_equals_the_sonnet_and_the_numpy_policy(self):
    self._save()
    policy = load.load_policy(self.directory)
    batch = policy(_OBSERVATIONS)
    self.assertEqual(batch.dtype, np.float32)
    self.assertEqual(batch.shape, (7, 2))
    self.assertGreater(np.ptp(batch, axis=0).min(), 0.05)  # It reacts.
    np.testing.assert_allclose(
        batch, self.network(tf.constant(_OBSERVATIONS)), rtol=0, atol=1e-6)
    in_numpy = numpy_policy.NumpyPolicy(
        numpy_policy.policy_weights(self.network), testing.SPEC.action_minimum,
        testing.SPEC.action_maximum)
    for observation, action in zip(_OBSERVATIONS, batch):
      single = policy(observation)
      self.assertEqual(single.shape, (2,))
      np.testing.assert_allclose(single, action, rtol=0, atol=1e-6)
      np.testing.assert_allclose(
          single, in_numpy(observation), rtol=0, atol=1e-6)
    self.assertEqual(policy(np.zeros([0, 5])).shape, (0, 2))

  def test_tensorflow_lite_has_the_same_actions(self):
    save.save(self.directory, self.network, self.content, tflite=True)
    interpreter = tf.lite.Interpreter(
        model_path=os.path.join(self.directory, 'policy.tflite'))
    interpreter.allocate_tensors()
    [given], [result] = (
        interpreter.get_input_details(), interpreter.get_output_details())
    self.assertEqual(given['shape'].tolist(), [1, 5])
    policy = load.load_policy(self.directory)  # Verifies all files.
    for observation in _OBSERVATIONS:
      interpreter.set_tensor(given['index'], observation[None])
      interpreter.invoke()
      np.testing.assert_allclose(
          interpreter.get_tensor(result['index'])[0], policy(observation),
          rtol=0, atol=1e-5)
    # The next export, which is not asked for it, has none that is older.
    self._save()
    self.assertNotIn('policy.tflite', os.listdir(self.directory))

  def test_the_signature_is_for_other_programs(self):
    self._save()
    signature = tf.saved_model.load(
        self.directory).signatures['serving_default']
    actions = signature(observation=tf.constant(_OBSERVATIONS))['action']
    np.testing.assert_allclose(
        actions, self.network(tf.constant(_OBSERVATIONS)), rtol=0, atol=1e-6)

  @parameterized.parameters(
      ((4,), '(4,)'), ((), '()'), ((2, 4), '(2, 4)'), ((1, 2, 5), '(1, 2, 5)'))
  def test_wrong_shapes(self, shape, got):
    self._save()
    with self.assertRaises(ValueError) as context:
      load.load_policy(self.directory)(np.zeros(shape))
    self.assertEqual(
        str(context.exception), 'observation: expected shape (5,) or (batch, '
        f'5), got {got}')

  def test_replaces_an_export(self):
    self._save()
    self.network, _ = testing.make_policy(seed=1)
    self._save()
    np.testing.assert_allclose(
        load.load_policy(self.directory)(_OBSERVATIONS),
        self.network(tf.constant(_OBSERVATIONS)), rtol=0, atol=1e-6)
    self.assertEqual(os.listdir(os.path.dirname(self.directory)), ['export'])

  def test_leaves_nothing_elsewhere(self):
    scratch = self.create_tempdir().full_path
    program = (
        'import os, sys; from metal_tf.policy import save, testing;'
        'save.save(sys.argv[1], *testing.make_policy()); os._exit(0)')
    subprocess.run(
        [sys.executable, '-c', program, self.directory], check=True, env={
            **os.environ, 'TMPDIR': scratch,
            'PYTHONPATH': os.pathsep.join(sys.path)})
    self.assertTrue(description.is_policy(self.directory))
    self.assertEmpty(os.listdir(scratch))

  def test_killed_between_the_renames(self):
    self._save()
    folder, name = os.path.split(self.directory)
    os.rename(self.directory, os.path.join(folder, f'.{name}.replaced'))
    os.makedirs(os.path.join(folder, f'.{name}.incomplete'))
    self.content['observation'] = {}  # Fails, so the old one is what is left.
    with self.assertRaises(KeyError):
      self._save()
    self.assertEqual(os.listdir(os.path.dirname(self.directory)), ['export'])
    self.assertEqual(load.load_policy(self.directory).observation_size, 5)

  def test_nothing_else_is_replaced(self):
    os.makedirs(self.directory)
    self._save()  # An empty folder may be.
    other = os.path.join(os.path.dirname(self.directory), 'other')
    os.makedirs(os.path.join(other, 'thesis'))
    with self.assertRaisesRegex(description.PolicyError, 'no exported policy'):
      save.save(other, self.network, self.content)
    self.assertTrue(os.path.isdir(os.path.join(other, 'thesis')))

  def test_what_cannot_be_written_is_an_os_error(self):
    blocking = self.create_tempfile().full_path
    with self.assertRaises(OSError):
      save.save(os.path.join(blocking, 'export'), self.network, self.content)

  def test_damage_is_named(self):
    self._save()
    path = os.path.join(self.directory, 'variables',
                        'variables.data-00000-of-00001')
    with open(path, 'r+b') as stream:
      stream.truncate(10)
    with self.assertRaisesRegex(description.PolicyError, 'variables.data.* has '
                                '10 bytes'):
      load.load_policy(self.directory)

  def test_no_export(self):
    with self.assertRaisesRegex(description.PolicyError, 'no policy.json'):
      load.load_policy(self.create_tempdir().full_path)

  def test_a_newer_format(self):
    self.content['format'] = description.FORMAT + 1
    self._save()
    with self.assertRaisesRegex(description.PolicyError, 'reads formats up to'):
      load.load_policy(self.directory)


if __name__ == '__main__':
  absltest.main()
