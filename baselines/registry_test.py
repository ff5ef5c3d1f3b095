"""Tests of the list of agents."""

import os

from absl.testing import absltest

from baselines import registry
from metal_tf import config

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class RegistryTest(absltest.TestCase):

  def test_every_launcher_of_an_agent_is_listed_and_the_other_way_round(self):
    launchers = set()
    folder = os.path.join(_ROOT, 'launchers')
    for name in os.listdir(folder):
      if name.endswith('.py') and not name.endswith('_test.py'):
        with open(os.path.join(folder, name), encoding='utf-8') as stream:
          if '  main.launch(' in stream.read():
            launchers.add(name[:-len('.py')])
    self.assertEqual(launchers, set(registry.ALGORITHMS))

  def test_names_are_the_agents_own(self):
    for name, algorithm in registry.ALGORITHMS.items():
      self.assertEqual(name, algorithm.name)

  def test_main_settings_are_settings(self):
    known = {field.name for field, _ in config.Config.settings()}
    for name, setting in registry.MAIN_SETTING.items():
      self.assertIn(name, registry.ALGORITHMS)
      self.assertIn(setting, known)


if __name__ == '__main__':
  absltest.main()
