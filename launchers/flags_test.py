"""Tests of the flags made from the config."""

import os
from unittest import mock

from absl import flags as absl_flags
from absl.testing import absltest

from launchers import flags
from metal_tf import config as config_lib


class FlagsTest(absltest.TestCase):

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

  def test_a_relative_path_belongs_to_where_the_user_stands(self):
    with mock.patch.dict(os.environ, BUILD_WORKING_DIRECTORY='/somewhere'):
      self.assertEqual(flags.user_path('runs/a'), '/somewhere/runs/a')
      self.assertEqual(flags.user_path('/other'), '/other')
    self.assertEqual(flags.user_path('~'), os.path.expanduser('~'))


if __name__ == '__main__':
  absltest.main()
