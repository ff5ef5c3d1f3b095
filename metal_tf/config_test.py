"""Every setting has a documented, allowed default."""

import dataclasses

from absl.testing import absltest
from absl.testing import parameterized

from metal_tf import config


class ConfigTest(parameterized.TestCase):

  def test_every_field_is_documented(self):
    settings = config.Config.settings()
    self.assertLen(settings, len(dataclasses.fields(config.Config)))
    for field, setting in settings:
      with self.subTest(field.name):
        self.assertIn(setting.origin, config.ORIGINS)
        self.assertEndsWith(setting.help, '.')
        self.assertNotIn('  ', setting.help)

  def test_defaults_are_allowed(self):
    for field, setting in config.Config.settings():
      with self.subTest(field.name):
        default = field.default
        if setting.choices is not None:
          self.assertIn(default, setting.choices)
        values = default if isinstance(default, tuple) else (default,)
        for value in values:
          if setting.minimum is not None and value is not None:
            self.assertGreaterEqual(value, setting.minimum)
            self.assertFalse(setting.exclusive and value == setting.minimum)
          if setting.maximum is not None and value is not None:
            self.assertLessEqual(value, setting.maximum)
            self.assertFalse(setting.exclusive and value == setting.maximum)

  def test_defaults_have_the_annotated_type(self):
    for field in dataclasses.fields(config.Config):
      if field.type in (bool, int, float, str):
        self.assertIs(type(field.default), field.type, field.name)

  def test_defaults_agree_with_each_other(self):
    defaults = config.Config()
    self.assertLess(defaults.vmin, defaults.vmax)
    self.assertLess(defaults.batch_size, defaults.min_replay_size)
    self.assertLess(defaults.min_replay_size, defaults.replay_capacity)
    self.assertLessEqual(defaults.penalty_samples, defaults.penalty_capacity)

  @parameterized.parameters(
      (dict(), ''),
      (dict(minimum=0), '>= 0'),
      (dict(minimum=0, exclusive=True), '> 0'),
      (dict(maximum=1.5), '<= 1.5'),
      (dict(maximum=1.5, exclusive=True), '< 1.5'),
      (dict(minimum=0, maximum=1), 'in [0, 1]'),
      (dict(minimum=0, maximum=1, exclusive=True), 'in (0, 1)'),
      (dict(choices=('sgd', 'adam')), 'one of sgd, adam'))
  def test_allowed_in_words(self, details, expected):
    setting = config.Setting('Help.', 'paper', **details)
    self.assertEqual(setting.allowed, expected)

  @parameterized.parameters((256, 0.5, 128), (256, 0.25, 64), (7, 0.5, 4),
                            (10, 0.01, 0))
  def test_num_validation(self, batch_size, fraction, expected):
    settings = config.Config(
        batch_size=batch_size, validation_fraction=fraction)
    self.assertEqual(settings.num_validation, expected)

  def test_a_preset_is_made_of_settings(self):
    defaults = {field.name: field.default
                for field, _ in config.Config.settings()}
    [choices] = [setting.choices for field, setting in config.Config.settings()
                 if field.name == 'preset']
    self.assertEqual(choices, tuple(config.PRESETS))
    self.assertEmpty(config.PRESETS[defaults['preset']])
    for preset, settings in config.PRESETS.items():
      with self.subTest(preset):
        self.assertContainsSubset(settings, defaults)
        self.assertNotIn('preset', settings)
        made = config.Config.of_preset(preset)
        self.assertEqual(made.preset, preset)
        for name, value in settings.items():
          self.assertEqual(getattr(made, name), value)
          self.assertIs(type(value), type(defaults[name]))
          self.assertNotEqual(value, defaults[name])

  def test_changes_win_over_the_preset(self):
    self.assertEqual(
        config.Config.of_preset('small', batch_size=256, seed=3),
        config.Config(preset='small', policy_layer_sizes=(128, 128),
                      critic_layer_sizes=(256, 128), policy_lr=3e-4,
                      critic_lr=1e-3, seed=3))

  def test_is_frozen(self):
    with self.assertRaises(dataclasses.FrozenInstanceError):
      config.Config().seed = 1


if __name__ == '__main__':
  absltest.main()
