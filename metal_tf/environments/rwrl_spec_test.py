"""Tests of the checks of what is asked of the real suite."""

import json
import os

from absl.testing import absltest
from absl.testing import parameterized

from metal_tf.environments import rwrl_spec
from metal_tf.environments import tasks

_GOOD = {
    'delay_spec': {'enable': True, 'actions': 2, 'observations': 0},
    'noise_spec': {
        'gaussian': {'enable': True, 'actions': 0.1},
        'stuck': {'enable': False, 'observations_prob': 1},
        'repetition': {'enable': True, 'actions_prob': 1.0,
                       'actions_steps': 2}},
    'perturb_spec': {'enable': True, 'param': 'pole_mass',
                     'scheduler': 'uniform', 'min': 0.1, 'max': 1},
    'dimensionality_spec': {'enable': True, 'num_random_state_observations': 3},
    'multiobj_spec': {'enable': True, 'objective': 'safety', 'reward': True,
                      'coeff': 0.5, 'observed': True},
}


class ReadTest(parameterized.TestCase):

  def _file(self, text):
    return self.create_tempfile(content=text).full_path

  def test_one_form_for_a_file_and_its_text_however_written(self):
    one = rwrl_spec.read('{"b": {"d": 1,\n "c": 2}, "a": 3}')
    self.assertEqual(one, '{"a": 3, "b": {"c": 2, "d": 1}}')
    path = self._file('\n{"a":3,\n"b":{"c":2,"d":1}}')
    self.assertEqual(rwrl_spec.read(path), one)
    self.assertEqual(rwrl_spec.read(''), '')
    self.assertEqual(rwrl_spec.read(self._file('{}')), '')

  def test_no_such_file(self):
    path = os.path.join(self.create_tempdir().full_path, 'spec.json')
    with self.assertRaisesRegex(ValueError, f'{path}: No such file'):
      rwrl_spec.read(path)

  @parameterized.parameters(
      ('{"a": 1,\n "b" 2}',
       "is not JSON: Expecting ':' .* at line 2, column 6"),
      ('', 'is not JSON: Expecting value at line 1, column 1'),
      ('[1]', r'must hold a JSON object, got \[1\]'),
      ('{"a": {"b": 1, "b": 2}}', "has 'b' twice"))
  def test_says_where_a_file_is_no_json_object(self, text, message):
    path = self._file(text)
    with self.assertRaisesRegex(ValueError, f'^{path} {message}'):
      rwrl_spec.read(path)


class ParseTest(parameterized.TestCase):

  def test_what_is_good_comes_back(self):
    self.assertEqual(
        rwrl_spec.parse(rwrl_spec.read(json.dumps(_GOOD)), 'cartpole'), _GOOD)
    self.assertEqual(rwrl_spec.parse('', 'walker'), {})
    for domain in tasks.TASKS:
      rwrl_spec.parse('{"combined_challenge": "hard"}', domain)

  @parameterized.parameters(
      ({'delay_specs': {}},
       "unknown key: 'delay_specs'.*did you mean delay_spec"),
      ({'delay_spec': {'enable': True, 'action': 2}},
       "key of delay_spec: 'action'.*did you mean actions"),
      ({'noise_spec': {'dropped': {'enable': True, 'action_prob': 0.1}}},
       "key of noise_spec.dropped: 'action_prob'.*did you mean actions_prob"),
      ({'delay_spec': {'actions': 2}},
       'delay_spec has no "enable": true, without which the suite ignores it'),
      ({'noise_spec': {'stuck': {}}}, 'noise_spec.stuck has no "enable"'),
      ({'noise_spec': 0.1}, 'noise_spec: got 0.1, expected an object .*gauss'),
      ({'delay_spec': {'enable': True, 'actions': -1}},
       'delay_spec.actions: got -1, allowed: a whole number >= 0'),
      ({'delay_spec': {'enable': True, 'actions': 1.5}},
       'got 1.5, allowed: a whole number'),
      ({'delay_spec': {'enable': 1}}, 'got 1, allowed: true or false'),
      ({'noise_spec': {'gaussian': {'enable': True, 'actions': True}}},
       'got true, allowed: a number >= 0'),
      ({'noise_spec': {'gaussian': {'enable': True, 'actions': float('nan')}}},
       'got NaN, allowed: a number >= 0'),
      ({'noise_spec': {'stuck': {'enable': True, 'actions_prob': 1.1}}},
       r'allowed: a number in \[0, 1\]'),
      ({'perturb_spec': {'enable': True, 'param': 'torso_length'}},
       'perturb_spec.param: .*pole_length, pole_mass'),
      ({'perturb_spec': {'enable': True, 'scheduler': 'walk'}},
       'random_walk, drift_pos'),
      ({'multiobj_spec': {'enable': True}}, 'needs an "objective"'),
      ({'combined_challenge': 'nasty'}, 'one of easy, medium, hard'),
      ({'combined_challenge': 'easy', 'delay_spec': {'enable': False}},
       'combined_challenge sets delay_spec itself'),
      ({'safety_spec': {'enable': True}},
       'safety_spec is set by --safety_coeff and --constraints'),
  )
  def test_refuses(self, spec, message):
    with self.assertRaisesRegex(ValueError, message):
      rwrl_spec.parse(json.dumps(spec), 'cartpole')

  @parameterized.parameters(
      ({}, False), ({'delay_spec': {'enable': True, 'actions': 3}}, False),
      ({'perturb_spec': {'enable': True}}, False),  # 'constant'.
      ({'perturb_spec': {'enable': True, 'scheduler': 'uniform'}}, False),
      ({'perturb_spec': {'enable': True, 'scheduler': 'uniform', 'period': 2}},
       True),
      ({'perturb_spec': {'enable': True, 'scheduler': 'drift_pos'}}, True),
      ({'perturb_spec': {'enable': False, 'scheduler': 'drift_pos'}}, False))
  def test_which_perturbations_remember(self, spec, expected):
    self.assertEqual(rwrl_spec.walks(spec), expected)


if __name__ == '__main__':
  absltest.main()
