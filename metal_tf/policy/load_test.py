"""Loads an export where nothing but TensorFlow and numpy can be imported."""

import json
import os
import subprocess
import sys

from absl.testing import absltest
import numpy as np
import tensorflow as tf

from metal_tf.policy import save
from metal_tf.policy import testing

_PROGRAM = """
import importlib, json, sys

MISSING = ('acme', 'dm_control', 'dm_env', 'gym', 'jax', 'launchpad', 'mujoco',
           'realworldrl_suite', 'reverb', 'sonnet', 'tensorflow_probability',
           'tree', 'trfl')

class Missing:
  def find_spec(self, name, path=None, target=None):
    if name.partition('.')[0] in MISSING:
      raise ModuleNotFoundError(f'No module named {name!r}')

sys.meta_path.insert(0, Missing())
for name in MISSING:
  try:
    importlib.import_module(name)
  except ModuleNotFoundError:
    continue
  sys.exit(f'{name} can be imported')

import metal_tf
if 'tensorflow' in sys.modules:
  sys.exit('metal_tf loads TensorFlow')
policy = metal_tf.load_policy(sys.argv[1])
print(json.dumps({
    'action': policy(json.loads(sys.argv[2])).tolist(),
    'constraints': policy.description['constraints'],
    'loaded': [name for name in MISSING if name in sys.modules]}))
"""


class LoadTest(absltest.TestCase):

  def test_needs_tensorflow_only(self):
    network, content = testing.make_policy()
    directory = os.path.join(self.create_tempdir().full_path, 'export')
    save.save(directory, network, content)
    observation = np.linspace(-1, 1, 5, dtype=np.float32)
    ended = subprocess.run(
        [sys.executable, '-c', _PROGRAM, directory,
         json.dumps(observation.tolist())],
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
        cwd=self.create_tempdir().full_path, capture_output=True, text=True,
        check=False)
    self.assertEqual(ended.returncode, 0, ended.stderr)
    result = json.loads(ended.stdout)
    self.assertEmpty(result['loaded'])
    self.assertEqual(
        result['constraints'], [{'name': 'left', 'threshold': 0.25}])
    np.testing.assert_allclose(
        result['action'], network(tf.constant(observation[None]))[0], rtol=0,
        atol=1e-6)


if __name__ == '__main__':
  absltest.main()
