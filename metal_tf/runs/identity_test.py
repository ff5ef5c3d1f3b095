"""Tests of what tells one task from another."""

import json

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from metal_tf import types
from metal_tf.runs import identity


def _described(suite='own', **changes):
  spec = types.EnvironmentSpec(
      observation_size=3, action_minimum=np.array([-1], np.float32),
      action_maximum=np.array([1], np.float32), constraint_names=('slow',),
      thresholds=np.array([0.1]), episode_steps=40,
      observation_entries=(('position', 3),), name='slope')
  described = identity.describe(spec._replace(**changes), suite)
  return json.loads(json.dumps(described))


class IdentityTest(parameterized.TestCase):

  @parameterized.parameters(
      ({'name': 'reactor'}, [('environment', 'slope', 'reactor')]),
      ({'action_maximum': np.array([5], np.float32)},
       [('action_maximum', [1.0], [5.0])]),
      ({'observation_entries': (('place', 3),)},
       [('observation', [{'name': 'position', 'size': 3}],
         [{'name': 'place', 'size': 3}])]),
      ({'thresholds': np.array([0.2])},
       [('constrained', [{'name': 'slow', 'threshold': 0.1}],
         [{'name': 'slow', 'threshold': 0.2}])]),
      ({'suite': 'builtin'}, [('simulator', 'own', 'builtin')]),
      ({'episode_steps': 50}, [('episode_steps', 40, 50)]))
  def test_differences(self, changes, expected):
    self.assertEqual(list(identity.differences(
        _described(), _described(**changes))), expected)

  def test_the_same_is_the_same(self):
    self.assertEmpty(list(identity.differences(_described(), _described())))

  def test_entries_that_an_older_version_did_not_write(self):
    older = _described()
    del older['interface']
    del older['environment']['name']
    self.assertEmpty(list(identity.differences(
        older, _described(name='reactor', action_maximum=np.ones(1) * 5))))
    self.assertEqual(identity.own_task(older), 'own task')

  def test_own_tasks_have_names_of_their_own(self):
    names = {identity.own_task(_described(**changes)) for changes in (
        {}, {'name': 'reactor'}, {'action_maximum': np.array([5], np.float32)},
        {'observation_entries': (('place', 3),)})}
    self.assertLen(names, 4)
    self.assertEqual(identity.own_task(_described()),
                     identity.own_task(_described(episode_steps=50)))
    self.assertRegex(identity.own_task(_described()),
                     r'slope \(interface \w{6}\)')

  def test_their_settings_tell_them_apart(self):
    heavy = {**_described(), 'config': {'environment_kwargs': '{"mass": 2}'}}
    self.assertStartsWith(identity.own_task(heavy), 'slope {"mass": 2} (inter')

  def test_so_does_the_function_that_makes_them_wherever_its_file_is(self):
    easy, moved, hard = (
        identity.own_task({**_described(), 'config': {'environment': name}})
        for name in ('/home/me/slope.py:make', 'slope.py:make',
                     '/home/me/slope.py:make_hard'))
    self.assertStartsWith(easy, 'slope (slope.py:make, interface ')
    self.assertEqual(easy, moved)
    self.assertNotEqual(easy, hard)

  @parameterized.parameters('builtin (dm-control 1)', 'realworldrl abc')
  def test_the_papers_tasks_have_none(self, suite):
    self.assertEqual(identity.own_task(_described(suite=suite)), '')
    self.assertFalse(identity.is_own(suite))


if __name__ == '__main__':
  absltest.main()
