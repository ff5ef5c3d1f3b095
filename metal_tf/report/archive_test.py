"""Archives of the small real grid: what is in them, what is refused."""

import csv
import gzip
import json
import os
import shutil
import socket
import time
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized

from metal_tf.report import archive
from metal_tf.report import collect
from metal_tf.report import errors
from metal_tf.report import testing
from metal_tf.runs import run_folder
from metal_tf.runs import workdir

_LIVE = 'metal-0.3-2'  # 3 of 8 episodes.
_SOME = ('d4pg-0.05-0', 'metal-0.3-1', _LIVE)


def _content(root):
  """Every file below a folder, by path."""
  found = {}
  for path, _, files in os.walk(root):
    for file in files:
      with open(os.path.join(path, file), 'rb') as stream:
        found[os.path.relpath(os.path.join(path, file), root)] = stream.read()
  return found


class ArchiveTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self._root = self.create_tempdir().full_path
    self._runs = os.path.join(self._root, 'runs')
    os.makedirs(self._runs)
    for name in _SOME:
      testing.copy_run(testing.SMALL_GRID, name, os.path.join(
          self._runs, name), workdir=os.path.join(self._root, 'secret', name))
    self._output = os.path.join(self._root, 'kept', 'cartpole')
    self._said = []

  def _archive(self, replace=False, runs=None, output=None):
    del self._said[:]
    archive.archive([runs or self._runs], output or self._output, replace,
                    self._said.append)

  def _change(self, name, file, **changes):
    """Changes entries of a run's JSON file."""
    path = os.path.join(self._runs, name, file)
    content = workdir.read_json(path)
    content.update(changes)
    with open(path, 'w', encoding='utf-8') as stream:
      json.dump(content, stream)

  def test_what_a_report_reads_is_the_same(self):
    self._archive()
    before = collect.collect([self._runs], testing.silent)
    after = collect.collect([self._output], testing.silent)
    self.assertEqual([run.name for run in after.used], list(_SOME[:2]))
    for one, other in zip(before.used, after.used):
      self.assertEqual((one.variant, one.condition, one.seed, one.status),
                       (other.variant, other.condition, other.seed,
                        other.status))
      self.assertEqual(list(collect.measures(one)),
                       list(collect.measures(other)))
      self.assertEqual(one.run.sessions, other.run.sessions)
      self.assertEqual(list(one.run.evaluations), list(other.run.evaluations))
    self.assertIn(f'{_LIVE}: left out, unfinished (3 of 8 episodes)',
                  self._said)
    self.assertFalse(os.path.exists(os.path.join(self._output, _LIVE)))

  def test_what_is_left_out_is_listed_until_it_is_there(self):
    with open(os.path.join(self._runs, 'sweep.json'), 'w',
              encoding='utf-8') as stream:
      json.dump({'runs': [
          {'name': 'gone', 'status': 'failed', 'exit_status': 1,
           'last_line': 'OSError: /home/somebody/secret'},
          {'name': 'later', 'status': 'waiting'}]}, stream)
    self._archive()
    self.assertNotIn(b'secret', _content(self._output)['left_out.csv'])
    grid = collect.collect([self._output], testing.silent)
    self.assertEqual(grid.absent, (
        ('gone', 'failed'), ('later', 'waiting'),
        (_LIVE, 'unfinished: 3 of 8 episodes')))
    above = collect.collect([os.path.dirname(self._output)], testing.silent)
    self.assertEqual(above.absent[0], ('cartpole/gone', 'failed'))
    # An archive of other runs forgets none of them.
    other = os.path.join(self._root, 'more')
    testing.copy_run(testing.SMALL_GRID, 'd4pg-0.3-1',
                     os.path.join(other, 'later'))
    self._archive(runs=other)
    grid = collect.collect([self._output], testing.silent)
    self.assertEqual([name for name, _ in grid.absent], ['gone', _LIVE])
    os.remove(os.path.join(self._runs, 'sweep.json'))
    for name in ('gone', _LIVE):
      shutil.rmtree(os.path.join(self._runs, name), ignore_errors=True)
      shutil.copytree(os.path.join(self._runs, _SOME[0]),
                      os.path.join(self._runs, name))
    self._archive()
    self.assertNotIn('left_out.csv', os.listdir(self._output))

  def test_nothing_else_is_taken_and_no_path(self):
    os.makedirs(os.path.join(self._runs, _SOME[0], 'checkpoints'))
    with open(os.path.join(self._runs, _SOME[0], 'lock'), 'w',
              encoding='utf-8') as stream:
      stream.write('1\n')
    self._archive()
    self.assertEqual(sorted(os.listdir(os.path.join(self._output, _SOME[0]))), [
        'config.json', 'episodes.csv.gz', 'evaluations.csv.gz', 'summary.json'])
    for name, content in _content(self._output).items():
      if name.endswith('.gz'):
        content = gzip.decompress(content)
      self.assertNotIn(b'secret', content, name)

  def test_the_folder_of_an_own_environment_is_left_out(self):
    path = os.path.join(_SOME[0], 'config.json')
    config = workdir.read_json(os.path.join(self._runs, path))['config']
    self._change(
        _SOME[0], 'config.json',
        config={**config, 'environment': '/home/me/tank.py:make'},
        environment_source={'file': '/home/me/tank.py', 'sha256': 'ab' * 32})
    self._archive()
    archived = workdir.read_json(os.path.join(self._output, path))
    self.assertEqual(archived['config']['environment'], 'tank.py:make')
    self.assertEqual(archived['environment_source'], {
        'file': 'tank.py', 'sha256': 'ab' * 32})

  def test_the_table_has_what_the_runs_took(self):
    self._change(_SOME[0], 'config.json', sessions=[
        {'commit': 'a', 'cores': 2}, {'commit': 'b', 'cores': 2}])
    self._archive()
    with open(os.path.join(self._output, 'runs.csv'), encoding='utf-8',
              newline='') as stream:
      rows = list(csv.DictReader(stream))
    self.assertEqual([row['run'] for row in rows], list(_SOME[:2]))
    self.assertEqual((rows[0]['commit'], rows[0]['cores']), ('a b', '2'))
    self.assertEqual(rows[1]['cores'], '')
    for row in rows:
      summary = workdir.read_json(
          os.path.join(self._runs, row['run'], 'summary.json'))
      self.assertAlmostEqual(float(row['seconds']), summary['seconds'], 5)
      self.assertAlmostEqual(float(row['return']), summary['return'], 4)
      self.assertAlmostEqual(float(row['penalized_return']),
                             summary['penalized_return'], 4)
    self.assertRegex(self._said[-1], r'cartpole: 2 finished runs with 16 '
                     r'episodes: \d+s of training in all')

  def test_a_second_archive_changes_nothing(self):
    self._archive()
    before = _content(self._output)
    with mock.patch.object(time, 'time', return_value=5e8):
      self._archive()
      self.assertContainsSubset(
          [f'{name}: is there already' for name in _SOME[:2]], self._said)
      self.assertEqual(_content(self._output), before)
      other = os.path.join(self._root, 'other')
      self._archive(output=other)
    self.assertEqual(_content(other), before)
    # An archive is a folder of runs itself, and says what it does not hold.
    third = os.path.join(self._root, 'third')
    self._archive(runs=other, output=third)
    self.assertEqual(_content(third), before)

  def test_a_log_that_another_library_compressed_is_the_same(self):
    self._archive()
    path = os.path.join(self._output, _SOME[0], 'episodes.csv.gz')
    with gzip.open(path, 'rb') as stream:
      content = stream.read()
    with gzip.open(path, 'wb', 1) as stream:
      stream.write(content)
    self._archive()
    self.assertIn(f'{_SOME[0]}: is there already', self._said)

  @parameterized.parameters('summary.json', 'episodes.csv')
  def test_another_content_is_refused_by_name_unless_asked_for(self, file):
    self._archive()
    before = _content(self._output)
    if file == 'summary.json':
      self._change(_SOME[0], file, seconds=1.0)
    else:
      path = os.path.join(self._runs, _SOME[0], file)
      with open(path, encoding='utf-8') as stream:
        lines = stream.read().splitlines(keepends=True)
      with open(path, 'w', encoding='utf-8') as stream:
        stream.writelines([*lines[:-1], lines[-2]])
    testing.copy_run(self._runs, _SOME[0], 'new', seed=7)
    with self.assertRaisesRegex(
        errors.ReportError, f'has {_SOME[0]} with another .*--replace'):
      self._archive()
    self.assertEqual(_content(self._output), before)
    self._archive(replace=True)
    self.assertContainsSubset(
        [f'{_SOME[0]}: replaced', f'{_SOME[1]}: is there already',
         'new: archived'], self._said)
    self.assertNotEqual(_content(self._output), before)

  def test_a_killed_archive_leaves_whole_runs_only(self):
    self._archive()
    whole = _content(self._output)
    write = workdir.write_atomically
    for number in range(len(whole)):
      shutil.rmtree(self._output)
      left = [number]

      def killed(path, content, left=left):
        if not left[0]:
          with open(os.path.join(os.path.dirname(path), '.' + os.path.basename(
              path) + 'x'), 'wb') as stream:
            stream.write(b'half')
          raise KeyboardInterrupt
        left[0] -= 1
        write(path, content)

      with mock.patch.object(workdir, 'write_atomically', killed):
        with self.assertRaises(KeyboardInterrupt):
          self._archive()
      for path in run_folder.find(self._output):
        name = os.path.basename(path)
        self.assertEqual(_content(path), {
            os.path.basename(file): content for file, content in whole.items()
            if os.path.dirname(file) == name} | {
                os.path.basename(file): content
                for file, content in _content(path).items()
                if file.startswith('.')}, number)
      self._archive()
      self.assertEqual({
          name: content for name, content in _content(self._output).items()
          if not name.startswith('.')}, whole)

  @parameterized.parameters(
      ({'suite': 'realworldrl from /opt/suite'}, 'config.json'),
      ({'suite': f'made on {socket.gethostname()}'}, 'config.json'),
      ({'suite': '~/suite'}, 'config.json'),
      ({'sessions': [{'commit': 'a', 'host': socket.gethostname()}]},
       'config.json'))
  def test_a_place_on_this_machine_is_refused(self, changes, file):
    self._change(_SOME[0], file, **changes)
    with self.assertRaisesRegex(
        errors.ReportError,
        f'{file} of {_SOME[0]} names a place on this machine'):
      self._archive()
    self.assertFalse(os.path.exists(self._output))

  def test_a_link_is_no_path_of_a_machine(self):
    self._change(_SOME[0], 'config.json',
                 suite='see https://example.org/suite, 3/4 of it')
    self._archive()
    self.assertIn(f'{_SOME[0]}: archived', self._said)

  def test_a_damaged_file_that_no_report_reads(self):
    name, _, _ = _SOME
    with open(os.path.join(self._runs, name, 'feasibility.json'), 'w',
              encoding='utf-8') as stream:
      stream.write('{')
    with self.assertRaisesRegex(
        errors.ReportError,
        f'^{name} is damaged: feasibility.json is not valid JSON .*; nothing '
        r'was archived\.$'):
      self._archive()
    self.assertFalse(os.path.exists(self._output))

  def test_what_cannot_be_archived_is_one_sentence(self):
    with self.assertRaisesRegex(errors.ReportError, 'none of the 1 runs'):
      self._archive(runs=os.path.join(self._runs, _LIVE))
    for output in (os.path.join(self._runs, 'x'), self._root, self._runs):
      with self.assertRaisesRegex(errors.ReportError, 'lie in one another'):
        self._archive(output=output)
    with self.assertRaisesRegex(errors.ReportError, 'folder of the run'):
      self._archive(output=os.path.join(self._runs, _SOME[0], 'x'))
    shutil.copytree(os.path.join(self._runs, _SOME[0]),
                    os.path.join(self._runs, 'more', _SOME[0]))
    with self.assertRaisesRegex(errors.ReportError,
                                f'several runs are called {_SOME[0]}'):
      self._archive()
    self.assertFalse(os.path.exists(self._output))


if __name__ == '__main__':
  absltest.main()
