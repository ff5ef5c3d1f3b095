"""Holds README and docs against the code: examples, flags, settings."""

import json
import os
import re
import shlex
import subprocess
import sys
import unittest.mock

from absl import flags as absl_flags
from absl.testing import absltest
from absl.testing import parameterized

# Before absl's main, see metal_tf/cli/main.py.
import tensorflow as tf  # noqa: F401

from launchers import metrics_table
from launchers import settings_table
import metal_tf
from metal_tf import config as config_lib
from metal_tf import plant
from metal_tf import validation
from metal_tf.agent import agents
from metal_tf.cli import flags
from metal_tf.environments import own
from metal_tf.environments import rwrl_spec
from metal_tf.environments import tasks
from metal_tf.runs import json_tables
from metal_tf.runs import log_tables

# The file that README's plant is in.
_PLANT = 'plant.py'
_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def _text(name):
  with open(os.path.join(_ROOT, name), encoding='utf-8') as stream:
    return stream.read()


def _pages():
  """Both README and everything in docs."""
  folder = os.path.join(_ROOT, 'docs')
  return ['README.md', 'results/README.md', *sorted(
      f'docs/{name}' for name in os.listdir(folder) if name.endswith('.md'))]


def _blocks(page, language):
  return re.findall(rf'```{language}\n(.*?)```', _text(page), re.DOTALL)


def _commands():
  """Every line of the pages' shell blocks and every piece of inline code."""
  for page in _pages():
    for block in _blocks(page, 'sh'):
      for line in block.replace('\\\n', ' ').splitlines():
        yield page, line
    text = re.sub('```.*?```', '', _text(page), flags=re.DOTALL)
    for code in re.findall('`([^`]+)`', text):
      yield page, ' '.join(code.split())


def _launched():
  """Every launcher that the pages start with arguments, and these."""
  pattern = (r'(?://launchers:|python -m launchers\.|^metal )(?P<name>\w+)'
             r'(?: --)? (?P<arguments>--.*)$')
  for page, line in _commands():
    found = re.search(pattern, line)
    if found:
      name = 'metal' if found['name'] == 'train' else found['name']
      yield page, name, shlex.split(found['arguments'])


def _own_flags():
  """Flags that a program, or the table of faults, defines in its own file."""
  files = ['metal_tf/benchmarks/benchmark.py', 'metal_tf/faults/table.py', *(
      f'{folder}/{name}' for folder in ('launchers', 'metal_tf/cli')
      for name in os.listdir(os.path.join(_ROOT, folder))
      if name.endswith('.py'))]
  return {flag for file in files for flag in re.findall(
      r"(?:DEFINE_\w+|_list)\(\s*'(\w+)'", _text(file))}


class DocsTest(parameterized.TestCase):

  @parameterized.parameters(
      ('settings', settings_table.table), ('metrics', metrics_table.page))
  def test_a_page_is_what_the_code_says(self, name, make):
    self.assertEqual(
        _text(f'docs/{name}.md'), make(),
        f'run ./bazelw run //launchers:{name}_table -- $PWD/docs/{name}.md')

  def test_every_flag_named_exists(self):
    known = {field.name for field, _ in config_lib.Config.settings()}
    known |= {flags.LAUNCH_TYPE} | _own_flags()
    for page in _pages():
      # Diagrams, which are indented, have arrows with names.
      text = re.sub('^    .*$', '', _text(page), flags=re.MULTILINE)
      self.assertEmpty(set(re.findall(r'--([a-z_]+)', text)) - known, page)

  def test_what_a_resume_may_change_is_listed(self):
    text = _text('docs/runs.md')
    listed = text[text.index('## Stopping and resuming'):
                  text.index('## Agents and their variants')]
    changeable = {field.name for field, setting in config_lib.Config.settings()
                  if setting.changeable and field.name != 'workdir'}
    self.assertEqual(set(re.findall(r'--([a-z_]+)', listed)), changeable)

  def test_every_line_that_trains_would_start(self):
    started = set()
    for page, launcher, arguments in _launched():
      if launcher not in agents.ALGORITHMS:
        continue
      started.add(launcher)
      with self.subTest(page=page, launcher=launcher, arguments=arguments):
        values = absl_flags.FlagValues()
        flags.define(values)
        absl_flags.DEFINE_string(flags.LAUNCH_TYPE, '', '', flag_values=values)
        # Files for the suite are the reader's, and so are some plants; that of
        # README has a test of its own.
        arguments = [argument for argument in arguments
                     if not argument.startswith((
                         '--rwrl_spec=', '--environment=FILE',
                         f'--environment={_PLANT}'))]
        self.assertEmpty(values([launcher, *arguments])[1:])
        with unittest.mock.patch.dict(
            os.environ, BUILD_WORKING_DIRECTORY=_ROOT):
          config = flags.read(values)
        validation.check_settings(config, agents.ALGORITHMS[launcher])
        if config.environment:
          plant.resolve(config)
        else:  # The suite need not be here.
          validation.resolve_task(config)
    self.assertContainsSubset({'metal', 'rs_d4pg', 'rc_d4pg'}, started)

  def test_python_starts_what_the_pages_say_at_the_root(self):
    commands = [(page, line) for page, line in _commands()
                if line.startswith('python ') and ' -m pip ' not in line]
    self.assertNotEmpty(commands)
    environment = {name: value for name, value in os.environ.items()
                   if name != 'PYTHONPATH'}
    for page, line in commands:
      with self.subTest(page=page, line=line):
        ended = subprocess.run(
            [sys.executable, *shlex.split(line)[1:]], cwd=_ROOT, check=False,
            env=environment, capture_output=True, text=True)
        # All of them are for a cluster, which is not here.
        self.assertEqual(ended.returncode, 2, ended.stderr)
        self.assertRegex(
            ended.stderr, '^metal: --(lp_launch_type|workdir): got ')

  def test_every_label_named_exists(self):
    labels = set()
    for page in _pages():
      labels |= set(re.findall(r'(?<![\w:/])//([\w/]*)(:\w+|/?\.\.\.)?',
                               _text(page)))
    self.assertIn(('launchers', ':metal'), labels)
    for package, target in labels:
      if target.endswith('...'):
        folder = os.path.join(_ROOT, package)
        self.assertTrue(os.path.isdir(folder), package)
        continue
      path = os.path.join(_ROOT, package, 'BUILD')
      self.assertTrue(os.path.exists(path),
                      f'no {path}; under Bazel it has to be in the data of '
                      'docs_test, as "//package:BUILD"')
      self.assertIn(f'"{target[1:] or package.split("/")[-1]}"', _text(path))

  def test_links_lead_somewhere(self):
    for page in _pages():
      for link in re.findall(r'\]\(((?!http)[^)]+)\)', _text(page)):
        path, _, heading = link.partition('#')
        path = os.path.join(os.path.dirname(page), path)
        self.assertTrue(os.path.exists(os.path.join(_ROOT, path)),
                        f'{page}: {link}')
        if heading:
          headings = re.findall(r'^#+ (.*)$', _text(path), re.MULTILINE)
          # GitHub drops punctuation from the names of headings.
          names = [re.sub(r'[^\w\- ]', '', text.lower()).replace(' ', '-')
                   for text in headings]
          self.assertIn(heading, names, page)

  def test_the_specs_for_the_suite_are_good(self):
    blocks = _blocks('docs/tasks.md', 'json')
    self.assertLen(blocks, 2)
    for block in blocks:
      rwrl_spec.parse(rwrl_spec.read(block), 'cartpole')

  def test_the_constraints_are_those_of_the_registry(self):
    for domain, info in tasks.TASKS.items():
      names = ', '.join(
          f'**{name}**' if name == info.default_constraint else name
          for name in info.constraint_names)
      self.assertIn(f'| {domain} | {names} |', _text('docs/tasks.md'))

  def test_the_readmes_plant_trains(self):
    [block] = _blocks('README.md', 'python')
    self.assertIn(f'`{_PLANT}`', _text('README.md'))
    os.chdir(self.create_tempdir().full_path)
    with open(_PLANT, 'w', encoding='utf-8') as stream:
      stream.write(block)
    make = own.Own(f'{_PLANT}:make')
    self.assertEqual(make(0).spec.constraint_names, ('slow',))
    score = metal_tf.train(metal_tf.METAL, config_lib.Config(
        workdir='runs/pendulum', num_episodes=2, policy_layer_sizes=(8, 8),
        critic_layer_sizes=(8, 8), xla=False), make)
    self.assertEqual(score.episodes, 2)
    self._check_files('runs/pendulum')

  def test_the_page_on_own_environments_runs(self):
    small = ("Config(policy_layer_sizes=(8, 8), critic_layer_sizes=(8, 8), "
             'xla=False, feasibility_episodes=0, ')
    os.chdir(self.create_tempdir().full_path)
    blocks = _blocks('docs/own_environments.md', 'python')
    names = {}
    for block in blocks:
      self.assertIn('Config(', block)
      exec(block.replace('Config(', small), names)  # pylint: disable=exec-used
      self.assertEqual(names['score'].episodes, 2)
    self.assertCountEqual(os.listdir('runs'), ['energy', 'pendulum'])

  def _check_files(self, path):
    """The metrics page has what a run writes, and nothing else."""
    for table in (log_tables.EPISODES, log_tables.EVALUATIONS):
      self.assertEqual(list(log_tables.read(path, table)),
                       table.columns(['slow']))
    for file in json_tables.FILES:
      with open(os.path.join(path, file.name), encoding='utf-8') as stream:
        written = json_tables.names(json.load(stream), file)
      self.assertEqual(written, {
          entry.name for entry in file.entries if not entry.workers_only},
                       f'{file.name} and metal_tf/runs/json_tables.py')


if __name__ == '__main__':
  absltest.main()
