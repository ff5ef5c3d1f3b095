"""Tests of what `import metal_tf` offers."""

import subprocess
import sys

from absl.testing import absltest

import metal_tf

_NAMES = ('Config', 'ConstrainedEnvironment', 'Constraint', 'D4PG', 'MESH',
          'METAL', 'RC_D4PG', 'RS_D4PG', 'export', 'from_gymnasium',
          'load_policy', 'train')


class PackageTest(absltest.TestCase):

  def test_everything_that_a_program_needs(self):
    for name in _NAMES:
      self.assertTrue(callable(getattr(metal_tf, name)) or
                      getattr(metal_tf, name).title, name)
    self.assertContainsSubset(_NAMES, dir(metal_tf))
    self.assertEqual(metal_tf.METAL.name, 'metal')
    self.assertFalse(hasattr(metal_tf, 'no_such_thing'))

  def test_nothing_is_loaded_before_it_is_used(self):
    code = ('import sys, metal_tf; heavy = {"tensorflow", "dm_control", '
            '"mujoco", "gymnasium", "numpy"} & set(sys.modules); '
            'metal_tf.Constraint, metal_tf.METAL, metal_tf.Config; '
            'heavy |= {"tensorflow", "dm_control"} & set(sys.modules); '
            'sys.exit(str(heavy) if heavy else 0)')
    # Without this file's folder, whose `types` would hide Python's own.
    path = ':'.join(sys.path[1:])
    subprocess.run([sys.executable, '-c', code], check=True,
                   env={'PYTHONPATH': path, 'PATH': ''})


if __name__ == '__main__':
  absltest.main()
