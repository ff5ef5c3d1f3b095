"""Tests of reading a run's folder from outside."""

import csv
import gzip
import json
import os

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from metal_tf.runs import log_tables
from metal_tf.runs import run_folder
from metal_tf.runs import workdir


def _write(path, name, content):
  with open(os.path.join(path, name), 'w', encoding='utf-8') as stream:
    stream.write(content if isinstance(content, str) else json.dumps(content))


def _make(path, episodes=2, num_episodes=2):
  """Writes what a run of two constraints leaves."""
  os.makedirs(path, exist_ok=True)
  _write(path, 'config.json', {
      'algorithm': 'metal', 'suite': 'builtin',
      'config': {'num_episodes': num_episodes, 'seed': 3, 'domain': 'cartpole',
                 'safety_coeff': 0.3},
      'constraints': [{'name': 'a', 'threshold': 0.1},
                      {'name': 'b', 'threshold': 0.2}],
      'sessions': [{'resumed_at_episode': 0}]})
  header = log_tables.EPISODES.columns(['a', 'b'])
  rows = [','.join(header)] + [
      ','.join(str(episode) if name != 'lambda/b' else '0.5'
               for name in header) for episode in range(1, episodes + 1)]
  _write(path, 'episodes.csv', '\n'.join(rows) + '\n')


def _summary(constraint=None, **changes):
  """What a run of two constraints writes at its end, with changes."""
  constraint = {'penalty': 0.1, 'threshold': 0.1, 'lambda': 1.0,
                'alpha_lambda': 0.0, **(constraint or {})}
  return {'episodes': 2, 'seconds': 3.0, 'actor_steps': 200,
          'learner_steps': 20, 'return': 1.5,
          'constraints': [{'name': name, **constraint} for name in 'ab'],
          **changes}


class RunFolderTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self._root = self.create_tempdir().full_path
    self._path = os.path.join(self._root, 'grid', 'one')

  def test_reads_a_finished_run(self):
    _make(self._path)
    _write(self._path, 'summary.json', _summary())
    run = run_folder.read(self._path)
    self.assertEqual(run.algorithm, 'metal')
    self.assertEqual(run.config['seed'], 3)
    self.assertEqual(run.constraint_names, ('a', 'b'))
    np.testing.assert_array_equal(run.thresholds, [0.1, 0.2])
    self.assertEqual(run.status, run_folder.FINISHED)
    self.assertEqual(run.num_episodes, 2)
    np.testing.assert_array_equal(
        run.per_constraint('lambda'), [[1, 0.5], [2, 0.5]])
    self.assertEmpty(run.evaluations)

  def test_a_run_that_was_made_longer_is_not_finished(self):
    _make(self._path, num_episodes=3)
    _write(self._path, 'summary.json', _summary())
    self.assertEqual(
        run_folder.read(self._path).status, run_folder.UNFINISHED)

  def test_a_held_lock_is_a_running_run_and_stays_free_for_others(self):
    _make(self._path)
    folder = workdir.Workdir(self._path)
    self.assertEqual(run_folder.read(self._path).status, run_folder.RUNNING)
    folder.close()
    self.assertEqual(
        run_folder.read(self._path).status, run_folder.UNFINISHED)

  def test_a_run_before_its_first_episode(self):
    _make(self._path)
    os.remove(os.path.join(self._path, 'episodes.csv'))
    run = run_folder.read(self._path)
    self.assertEqual(run.num_episodes, 0)
    self.assertEqual(run.per_constraint('penalty').shape, (0, 2))

  def test_reads_an_archived_run_and_names_a_cut_archive(self):
    _make(self._path)
    name = os.path.join(self._path, 'episodes.csv')
    with open(name, 'rb') as stream:
      packed = gzip.compress(stream.read())
    os.remove(name)
    with open(f'{name}.gz', 'wb') as stream:
      stream.write(packed)
    self.assertEqual(run_folder.read(self._path).num_episodes, 2)
    with open(f'{name}.gz', 'wb') as stream:
      stream.write(packed[:-20])
    with self.assertRaisesRegex(run_folder.RunFolderError, 'EOFError'):
      run_folder.read(self._path)

  def test_finds_runs_below_a_folder(self):
    other = os.path.join(self._root, 'another')
    _make(self._path)
    _make(os.path.join(self._path, 'not_looked_at'))
    _make(other)
    self.assertEqual(list(run_folder.find(self._root)), [other, self._path])

  def test_says_what_is_wrong(self):
    with self.assertRaisesRegex(run_folder.RunFolderError, 'no config.json'):
      run_folder.read(self._root)
    _make(self._path)
    _write(self._path, 'config.json', '{"algorithm": "metal"')
    with self.assertRaisesRegex(run_folder.RunFolderError, 'cannot be read'):
      run_folder.read(self._path)
    _write(self._path, 'config.json', {'algorithm': 'metal'})
    with self.assertRaisesRegex(run_folder.RunFolderError, 'constraints'):
      run_folder.read(self._path)
    _make(self._path)
    _write(self._path, 'episodes.csv', 'episode\n\0\0\0\n')
    with self.assertRaisesRegex(run_folder.RunFolderError, 'cannot be read'):
      run_folder.read(self._path)
    _make(self._path)
    name = os.path.join(self._path, 'config.json')
    with open(name, encoding='utf-8') as stream:
      content = json.load(stream)
    del content['config']['domain']
    _write(self._path, 'config.json', content)
    with self.assertRaisesRegex(run_folder.RunFolderError, "'domain'"):
      run_folder.read(self._path)

  @parameterized.parameters(
      'episode', 'seconds', 'episode_return', 'penalty/b', 'lambda/a')
  def test_a_log_that_lacks_a_column(self, name):
    _make(self._path)
    path = os.path.join(self._path, 'episodes.csv')
    with open(path, encoding='utf-8') as stream:
      rows = list(csv.reader(stream))
    column = rows[0].index(name)
    with open(path, 'w', encoding='utf-8') as stream:
      csv.writer(stream).writerows(
          row[:column] + row[column + 1:] for row in rows)
    with self.assertRaisesRegex(
        run_folder.RunFolderError, f'episodes.csv has no {name}'):
      run_folder.read(self._path)

  @parameterized.parameters(
      ('{', 'summary.json is not valid JSON '),
      ('null', 'summary.json is no JSON object'),
      ([_summary()], 'summary.json is no JSON object'),
      ({}, "summary.json has no 'episodes'"),
      ({'episodes': 2}, "summary.json has no 'seconds'"),
      (_summary(episodes='2'), "'episodes' of summary.json is '2'"),
      (_summary(constraints=None), "'constraints' of summary.json is None"),
      (_summary(constraints=[1]),
       'a constraint in summary.json is no JSON object'),
      (_summary(constraints=[{}]),
       "a constraint in summary.json has no 'name'"),
      (_summary({'lambda': '1'}),
       "'lambda' of a constraint in summary.json is '1'"))
  def test_a_summary_that_no_run_has_written(self, content, message):
    _make(self._path)
    _write(self._path, 'summary.json', content)
    with self.assertRaisesRegex(
        run_folder.RunFolderError,
        f'^{self._path} cannot be read as a run '
        rf'\(ValueError: {message}.*\)\.$'):
      run_folder.read(self._path)

  def test_settings_that_no_run_has_written(self):
    _make(self._path, num_episodes='2')
    with self.assertRaisesRegex(
        run_folder.RunFolderError,
        "'num_episodes' of config in config.json is '2'"):
      run_folder.read(self._path)


if __name__ == '__main__':
  absltest.main()
