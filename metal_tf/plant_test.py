"""Tests of the one place where a run's environment is decided."""

import pickle
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized

from metal_tf import config as config_lib
from metal_tf import environments
from metal_tf import plant
from metal_tf import validation
from metal_tf.environments import own_testing


class SuiteTest(parameterized.TestCase):

  def test_it_is_looked_up_and_made_when_it_is_needed(self):
    config = config_lib.Config(domain='walker', suite='builtin', threshold=0.2)
    found = plant.resolve(config)
    self.assertEqual((found.name, found.suite, found.episode_steps),
                     ('walker/realworld_walk', 'builtin', 1000))
    environment = pickle.loads(pickle.dumps(found.make))(3)
    self.addCleanup(environment.close)
    self.assertEqual(environment.name, found.name)
    self.assertEqual(list(environment.spec.thresholds), [0.2])
    self.assertEqual(environment.spec.constraint_names,
                     tuple(c.name for c in found.constraints))

  @parameterized.parameters(
      ({'domain': 'walkr'}, 'Did you mean walker'),
      ({'constraints': ('slider',)}, 'Did you mean slider_pos'),
      ({'suite': 'builtin', 'rwrl_spec': '{"combined_challenge": "easy"}'},
       'nothing with the builtin suite'))
  def test_refuses(self, settings, message):
    with self.assertRaisesRegex(validation.ConfigError, message):
      plant.resolve(config_lib.Config(**settings))

  def _asked(self, **settings):
    """What the suite is asked for, by the settings' names."""
    config = config_lib.Config(**{'suite': 'builtin', **settings})
    with mock.patch.object(environments, 'make') as make, \
        mock.patch.object(environments, 'resolve_suite', lambda suite: suite), \
        mock.patch.object(validation, 'check_rwrl_spec'):
      plant.resolve(config).make(0)
    (domain, task), asked = make.call_args
    [(constraint, threshold)] = asked['constraints']
    return dict(
        domain=domain, task=task, constraints=constraint, threshold=threshold,
        safety_coeff=asked['safety_coeff'], suite=asked['suite'],
        rwrl_spec=asked['rwrl_spec'])

  def test_every_setting_of_a_task_is_at_work(self):
    # For each setting another value, and what is to be asked for then.
    cases = dict(
        domain=('walker', dict(domain='walker', task='realworld_walk',
                               constraints='joint_velocity')),
        safety_coeff=(0.07, dict(safety_coeff=0.07)),
        constraints=(('balance_velocity',), dict(
            constraints='balance_velocity')),
        threshold=(0.08, dict(threshold=0.08)),
        suite=('realworldrl', dict(suite='realworldrl')),
        rwrl_spec=('{"noise_spec": {}}', dict(
            rwrl_spec='{"noise_spec": {}}')))
    before = self._asked()
    for name, (value, changes) in cases.items():
      with self.subTest(name):
        asked = self._asked(**{name: value})
        asked.pop('threshold' if name in ('domain', 'constraints') else '', 0)
        self.assertEqual(asked, {
            **{key: before[key] for key in asked}, **changes})
    # A domain has one task, so another one is refused.
    with self.assertRaisesRegex(validation.ConfigError, '^--task: got .walk.'):
      self._asked(task='walk')
    elsewhere = {'environment', 'environment_kwargs',  # Below.
                 'preset'}  # In config_test: it stands for other settings.
    self.assertEqual(
        {*cases, 'task', *elsewhere},
        {*config_lib.Config.names(role='task'), 'suite'})


class OwnTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.path = own_testing.write_plant(self.create_tempdir().full_path)

  def _config(self, function='make', **settings):
    return config_lib.Config(environment=f'{self.path}:{function}', **settings)

  def test_it_is_made_by_the_users_function(self):
    found = plant.resolve(self._config(environment_kwargs='{"mass": 2.5}'))
    self.assertEqual((found.name, found.suite, found.task),
                     ('Push', 'own', None))
    [constraint] = found.constraints
    self.assertEqual((constraint.name, constraint.threshold, constraint.origin),
                     ('energy', 0.3, 'own'))
    self.assertEqual((found.spec.observation_size, found.spec.action_size),
                     (2, 1))
    made = pickle.loads(pickle.dumps(found.make))(4)
    self.assertEqual(made.reset().observation.tolist(), [4, 4])
    self.assertEqual(made.step([0.]).reward, 2.5)

  @parameterized.parameters(
      ('mak', '', r'--environment: .*push.py:mak.*did you mean make\?$'),
      ('fails', '', r'KeyError: .*push.py:\d+\)\.$'),
      ('gives', '', 'got dict.$'),
      ('make', '{"mas": 2}', r'--environment_kwargs: .*make\(seed, mass=1.0'))
  def test_what_is_wrong_is_one_sentence(self, function, kwargs, message):
    with self.assertRaisesRegex(validation.ConfigError, message) as context:
      plant.resolve(self._config(function, environment_kwargs=kwargs))
    self.assertNotIn('\n', str(context.exception))

  def test_folders_are_named_by_it(self):
    self.assertEqual(plant.folder_parts(config_lib.Config(safety_coeff=0.1)),
                     ['cartpole', '0.1'])
    config = self._config(environment_kwargs='{"mass": 2.5, "mode": "a/b"}')
    self.assertEqual(plant.folder_parts(config),
                     ['push.make', 'mass=2.5', 'mode=a%2Fb'])
    self.assertLess(len(plant.quoted('long ' * 100)), 64)


if __name__ == '__main__':
  absltest.main()
