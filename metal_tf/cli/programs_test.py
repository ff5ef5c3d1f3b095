"""Tests of the command that all programs are behind."""

import os
import subprocess
import sys

from absl.testing import absltest
from absl.testing import parameterized

from metal_tf.agent import agents
from metal_tf.cli import programs

_STDLIB_ONLY = '''
import sys
class Refuse:
  def find_spec(self, name, path=None, target=None):
    if name.partition('.')[0] not in {'metal_tf', *sys.stdlib_module_names}:
      raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Refuse())
sys.argv[1:] = ['doctor', '--help']
from metal_tf.cli import programs
programs.main()
'''


def _metal(*arguments, command=('-m', 'metal_tf.cli')):
  ended = subprocess.run(
      [sys.executable, *command, *arguments], check=False, capture_output=True,
      text=True, env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)})
  return ended.returncode, ended.stdout, ended.stderr


class ProgramsTest(parameterized.TestCase):

  def test_without_arguments_it_lists_every_agent_and_program(self):
    status, out, err = _metal()
    self.assertEqual((status, err), (0, ''))
    self.assertEqual(_metal('--help'), (status, out, err))
    folder = os.path.dirname(os.path.abspath(programs.__file__))
    modules = {name[:-len('.py')] for name in os.listdir(folder)}
    for name in (*agents.ALGORITHMS, 'sweep', 'evaluate'):
      self.assertRegex(out, f'(?m)^  {"train" if name == "metal" else name} ')
    for line in out.splitlines()[2:-2]:
      self.assertIn(line.split()[0], {*modules, *agents.ALGORITHMS, 'train'})

  def test_a_wrong_name_is_one_sentence(self):
    status, out, err = _metal('swep', '--help')
    self.assertEqual((status, out), (2, ''))
    self.assertRegex(err, "^metal: got 'swep', expected one of train, .* "
                     'Did you mean sweep.\n$')

  @parameterized.parameters(
      ('sweep', r'(?s)^\nRuns a grid of runs.*\nsweep:\n.*--algorithms'),
      ('watch', r'(?s)^\nShows a run .*\nwatch:\n.*--period'),
      ('report', r'(?s)^\nReports on .*\nreport:\n.*--output.*--runs'))
  def test_help_is_the_programs_own(self, name, pattern):
    self.assertRegex('\n' + _metal(name, '--help')[1].lstrip(), pattern)

  def test_the_doctor_starts_where_only_pythons_library_does(self):
    status, out, err = _metal(command=('-c', _STDLIB_ONLY))
    self.assertEqual((status, err), (0, ''))
    self.assertIn('Examines whether this machine can train', out)

  def test_an_agents_name_trains_it(self):
    status, _, err = _metal('rs_d4pg')
    self.assertEqual(status, 2)
    self.assertIn('The paper uses 0.1, 1, 10 and 100', err)


if __name__ == '__main__':
  absltest.main()
