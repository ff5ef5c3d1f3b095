"""Holds README and docs against the code: examples, flags, settings."""

import os
import re
import unittest.mock

from absl.testing import absltest
# Before absl's main, see launchers/main.py.
import tensorflow as tf  # pylint: disable=unused-import

from launchers import flags
from launchers import settings_table
from metal_tf import config as config_lib

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def _text(name):
  with open(os.path.join(_ROOT, name), encoding='utf-8') as stream:
    return stream.read()


class DocsTest(absltest.TestCase):

  def test_the_settings_page_is_the_config(self):
    self.assertEqual(
        _text('docs/settings.md'), settings_table.table(),
        'run ./bazelw run //launchers:settings_table -- $PWD/docs/settings.md')

  def test_every_flag_named_exists(self):
    known = {field.name for field, _ in config_lib.Config.settings()}
    known.add(flags.LAUNCH_TYPE)  # Launchpad's own.
    for launcher in ('sweep', 'watch'):
      known.update(re.findall(r"(?:DEFINE_[a-z]+|_list)\(\s*'([a-z_]+)'",
                              _text(f'launchers/{launcher}.py')))
    for page in ('README.md', 'docs/distributed.md', 'docs/sweep.md'):
      named = set(re.findall(r'--([a-z_]+)', _text(page)))
      self.assertNotEmpty(named)
      self.assertEmpty(named - known, page)

  def test_every_launcher_named_in_the_readme_exists(self):
    named = re.findall(r'//launchers:([a-z0-9_]+)', _text('README.md'))
    self.assertNotEmpty(named)
    for name in named:
      self.assertTrue(
          os.path.exists(os.path.join(_ROOT, 'launchers', f'{name}.py')), name)

  def test_links_lead_somewhere(self):
    for page in ('README.md', 'docs/architecture.md', 'docs/algorithm.md',
                 'docs/distributed.md', 'docs/sweep.md'):
      for link in re.findall(r'\]\(((?!http)[^)]+)\)', _text(page)):
        self.assertTrue(os.path.exists(os.path.join(
            _ROOT, os.path.dirname(page), link)), f'{page}: {link}')

  def test_the_readmes_python_runs(self):
    blocks = re.findall(r'```python\n(.*?)```', _text('README.md'), re.DOTALL)
    self.assertLen(blocks, 2)
    # The example as printed; only its networks are made small, for time.
    small = ("Config(policy_layer_sizes=(8, 8), critic_layer_sizes=(8, 8), "
             'xla=False, ')
    code = blocks[0] + blocks[1].replace('Config(', small)
    self.assertIn(small, code)
    os.chdir(self.create_tempdir().full_path)
    names = {}
    with unittest.mock.patch('builtins.print') as printed:
      exec(code, names)  # pylint: disable=exec-used
    printed.assert_called()
    self.assertEqual(names['score'].episodes, 2)
    self.assertEqual(names['environment'].spec.constraint_names, ('slow',))
    self.assertTrue(os.path.exists('runs/pendulum/episodes.csv'))


if __name__ == '__main__':
  absltest.main()
