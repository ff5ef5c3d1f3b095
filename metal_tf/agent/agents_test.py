"""Tests of the list of agents."""

import os

from absl.testing import absltest

from metal_tf import config
from metal_tf.agent import agents

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))


class AgentsTest(absltest.TestCase):

  def test_every_agent_has_a_program(self):
    for name in agents.ALGORITHMS:
      with self.subTest(name):
        folder = 'launchers' if name == 'metal' else 'baselines'
        with open(os.path.join(_ROOT, folder, f'{name}.py'),
                  encoding='utf-8') as stream:
          self.assertIn(f'main.launch(agents.{name.upper()})', stream.read())

  def test_names_are_the_agents_own(self):
    for name, algorithm in agents.ALGORITHMS.items():
      self.assertEqual(name, algorithm.name)

  def test_main_settings_are_settings(self):
    known = {field.name for field, _ in config.Config.settings()}
    for name, setting in agents.MAIN_SETTING.items():
      self.assertIn(name, agents.ALGORITHMS)
      self.assertIn(setting, known)


if __name__ == '__main__':
  absltest.main()
