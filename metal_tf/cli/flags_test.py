"""Tests of the flags made from the config."""

import copy
import os
from unittest import mock

from absl import flags as absl_flags
from absl.testing import absltest
from absl.testing import parameterized

from metal_tf import config as config_lib
from metal_tf import validation
from metal_tf.cli import flags
from metal_tf.distributed import needs


class FlagsTest(parameterized.TestCase):

  def _read(self, *arguments):
    values = absl_flags.FlagValues()
    flags.define(values)
    values(['program', *arguments])
    return flags.read(values)

  def test_no_flags_give_the_defaults(self):
    self.assertEqual(self._read(), config_lib.Config())

  def test_every_kind_of_flag(self):
    config = self._read(
        '--domain=walker', '--seed=3', '--safety_coeff=0.05', '--threshold=0.2',
        '--constraints=joint_velocity:0.1,torso_upright', '--noxla',
        '--policy_layer_sizes=64,32')
    self.assertEqual(config, config_lib.Config(
        domain='walker', seed=3, safety_coeff=0.05, threshold=0.2,
        constraints=('joint_velocity:0.1', 'torso_upright'), xla=False,
        policy_layer_sizes=(64, 32)))

  def test_help_has_unit_range_and_origin(self):
    values = absl_flags.FlagValues()
    flags.define(values)
    self.assertIn('>= 1; unit: episodes; origin of the default: paper',
                  values['num_episodes'].help)
    for field, setting in config_lib.Config.settings():
      self.assertIn(setting.origin, values[field.name].help)

  def test_a_list_of_numbers_refuses_words(self):
    with self.assertRaisesRegex(ValueError, '--critic_layer_sizes: got 64,big'):
      self._read('--critic_layer_sizes=64,big')

  def test_a_spec_for_the_suite_is_its_content(self):
    directory = self.create_tempdir()
    directory.create_file('spec.json', content='{"b": 1,\n"a": 2}')
    directory.create_file('bad.json', content='{"b": 1,\n"a" 2}')
    with mock.patch.dict(
        os.environ, BUILD_WORKING_DIRECTORY=directory.full_path):
      for value in ('spec.json', ' {"a": 2, "b": 1}'):
        self.assertEqual(self._read(f'--rwrl_spec={value}').rwrl_spec,
                         '{"a": 2, "b": 1}')
      with self.assertRaisesRegex(
          ValueError, '^--rwrl_spec: /.*bad.json is not JSON: .* line 2, col'):
        self._read('--rwrl_spec=bad.json')
      with self.assertRaisesRegex(ValueError, '--rwrl_spec: /.*: No such file'):
        self._read('--rwrl_spec=no.json')

  def test_an_own_environment_is_named_by_its_place(self):
    directory = self.create_tempdir()
    directory.create_file('plant.py')
    with mock.patch.dict(
        os.environ, BUILD_WORKING_DIRECTORY=directory.full_path):
      config = self._read('--environment=plant.py:make',
                          '--environment_kwargs={"b":1, "a": [2]}')
      for name, message in (('plant.py', 'not of that form'),
                            ('other.py:make', 'no file /.*/other.py')):
        with self.assertRaisesRegex(validation.ConfigError, message):
          self._read(f'--environment={name}')
    self.assertEqual(config.environment, f'{directory.full_path}/plant.py:make')
    self.assertEqual(config.environment_kwargs, '{"a": [2], "b": 1}')
    self.assertEqual(self._read(*flags.as_arguments(config)), config)

  @parameterized.parameters(
      '--domain=cartpole', '--task=', '--safety_coeff=0.3', '--constraints=a',
      '--threshold=0.1', '--suite=auto', '--rwrl_spec=')
  def test_the_suites_settings_are_refused_beside_it(self, flag):
    name = flag[2:].partition('=')[0]
    with self.assertRaisesRegex(
        validation.ConfigError, f'^--{name}: .*unset with --environment'):
      self._read('--environment=installed.package:make', flag)

  def test_settings_of_an_own_environment_are_a_json_object(self):
    own = '--environment=installed.package:make'
    for text, message in (('{a: 1}', 'is not JSON'), ('3', 'no JSON object')):
      with self.assertRaisesRegex(validation.ConfigError, message):
        self._read(own, f'--environment_kwargs={text}')
    with self.assertRaisesRegex(
        validation.ConfigError, 'unset without --environment'):
      self._read('--environment_kwargs={}')

  def test_arguments_make_the_same_settings_again(self):
    config = config_lib.Config(
        domain='walker', threshold=0.2, constraints=('a:0.1', 'b'), xla=False,
        replay_store='own', policy_layer_sizes=(64, 32), critic_lr=1e-7)
    arguments = flags.as_arguments(config, always=('seed',))
    self.assertEqual(self._read(*arguments), config)
    self.assertIn('--seed=0', arguments)
    self.assertLen(arguments, 8)
    self.assertEmpty(flags.as_arguments(config_lib.Config()))

  def test_flags_that_are_given_win_over_the_preset(self):
    self.assertEqual(self._read('--preset=small', '--seed=3'),
                     config_lib.Config.of_preset('small', seed=3))
    # Also one that is the default without the preset.
    self.assertEqual(
        self._read('--batch_size=256', '--preset=small',
                   '--policy_layer_sizes=64').replace(seed=1),
        config_lib.Config.of_preset(
            'small', batch_size=256, policy_layer_sizes=(64,), seed=1))
    self.assertEqual(self._read('--preset=paper'), config_lib.Config())
    # Validation says what is wrong with it.
    self.assertEqual(self._read('--preset=tiny').preset, 'tiny')

  def test_arguments_of_a_preset(self):
    for config, expected in (
        (config_lib.Config.of_preset('small'), ['--preset=small']),
        (config_lib.Config.of_preset('small', batch_size=256),
         ['--preset=small', '--batch_size=256']),
        (config_lib.Config(batch_size=128), ['--batch_size=128'])):
      self.assertEqual(flags.as_arguments(config), expected)
      self.assertEqual(self._read(*expected), config)

  def test_single_settings_are_read_as_their_flags_would(self):
    self.assertEqual(
        flags.read_settings({'batch_size': '512', 'xla': 'false',
                             'constraints': 'a:0.1,b', 'threshold': '0.2'}),
        {'batch_size': 512, 'xla': False, 'constraints': ('a:0.1', 'b'),
         'threshold': 0.2})
    with self.assertRaises(absl_flags.Error):
      flags.read_settings({'batch_size': 'many'})

  def test_fields_can_be_left_out(self):
    values = absl_flags.FlagValues()
    flags.define(values, without=('domain', 'seed'))
    self.assertNotIn('seed', values)
    values(['program', '--n_step=3'])
    self.assertEqual(flags.read(values), config_lib.Config(n_step=3))

  def test_a_relative_path_belongs_to_where_the_user_stands(self):
    with mock.patch.dict(os.environ, BUILD_WORKING_DIRECTORY='/somewhere'):
      self.assertEqual(flags.user_path('runs/a'), '/somewhere/runs/a')
      self.assertEqual(flags.user_path('/other'), '/other')
    self.assertEqual(flags.user_path('~'), os.path.expanduser('~'))


class LaunchTypeTest(parameterized.TestCase):

  def _values(self, *arguments):
    values = absl_flags.FlagValues()
    # Launchpad defines its flag when it is imported, in the global values.
    values[flags.LAUNCH_TYPE] = copy.deepcopy(
        absl_flags.FLAGS[flags.LAUNCH_TYPE])
    flags.define(values)
    flags.describe_launch_type(values)
    values(['program', *arguments])
    return values

  def _launch_type(self, *arguments):
    values = self._values(*arguments)
    return flags.launch_type(flags.read(values), values)

  @parameterized.parameters(
      ((), None),
      (('--num_actors=1',), None),
      (('--num_actors=2',), 'local_mp'),
      (('--lp_launch_type=local_mp',), 'local_mp'),
      (('--lp_launch_type=local_mt',), 'local_mt'),
      (('--lp_launch_type=local_mp', '--num_actors=1'), 'local_mp'),
      (('--lp_launch_type=local_mt', '--num_actors=4'), 'local_mt'),
      (('--lp_launch_type=local_mp', '--num_actors=4'), 'local_mp'),
      (('--replay_store=own',), None),
      (('--replay_store=reverb', '--num_actors=1'), None),
      (('--replay_store=reverb', '--num_actors=2'), 'local_mp'),
  )
  def test_given_or_several_actors(self, arguments, expected):
    self.assertEqual(self._launch_type(*arguments), expected)

  def test_the_cluster_is_for_those_who_have_xmanager(self):
    with mock.patch.object(needs, 'check_xmanager') as check:
      self.assertEqual(
          self._launch_type('--lp_launch_type=vertex_ai'), 'vertex_ai')
      self.assertIsNone(self._launch_type())
    check.assert_called_once()
    with mock.patch.object(needs, 'check_xmanager',
                           side_effect=validation.ConfigError('x', 1, '2')):
      with self.assertRaises(validation.ConfigError):
        self._launch_type('--lp_launch_type=vertex_ai')

  @parameterized.parameters('test_mt', 'test_mp', 'local_docker')
  def test_what_is_not_for_users_is_refused(self, launch_type):
    with self.assertRaisesRegex(
        validation.ConfigError, f'--lp_launch_type: got .*{launch_type}.*'
        'local_mp, local_mt, vertex_ai'):
      self._launch_type(f'--lp_launch_type={launch_type}')

  def test_a_word_that_is_no_launch_type_is_refused_by_absl(self):
    with self.assertRaises(absl_flags.Error):
      self._values('--lp_launch_type=threads')

  @parameterized.parameters(
      ('--num_actors=2',), ('--lp_launch_type=local_mp',),
      ('--lp_launch_type=local_mt', '--num_actors=3'))
  def test_the_own_store_is_for_one_process(self, *arguments):
    with self.assertRaisesRegex(
        validation.ConfigError, "--replay_store: got 'own'.*auto or reverb "
        'with --lp_launch_type or --num_actors above 1'):
      self._launch_type('--replay_store=own', *arguments)

  @parameterized.parameters(
      '--deterministic', '--deterministic=true', '--nodeterministic')
  def test_a_retired_flag_is_told_of(self, argument):
    values = absl_flags.FlagValues()
    flags.define(values)
    with self.assertRaisesRegex(
        ValueError, '--deterministic is gone: every run of one process can be '
        r'repeated .*--replay_store'):
      flags.parse(['metal', argument], values)
    with self.assertRaisesRegex(absl_flags.Error, 'seeed'):
      flags.parse(['metal', '--seeed=1'], values)

  def test_the_help_has_the_rule(self):
    text = self._values()[flags.LAUNCH_TYPE].help
    self.assertIn('Given, or with --num_actors above 1: the Launchpad program; '
                  'otherwise one process', text)
    for launch_type in ('local_mp', 'local_mt', 'vertex_ai'):
      self.assertIn(f'{launch_type}: ', text)
    [setting] = [setting for field, setting in config_lib.Config.settings()
                 if field.name == 'num_actors']
    self.assertIn('More than one, or --lp_launch_type, runs the Launchpad '
                  'program', setting.help)


if __name__ == '__main__':
  absltest.main()
