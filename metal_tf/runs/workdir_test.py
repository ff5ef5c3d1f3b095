"""Tests of the run's folder."""

import os
import subprocess
import sys
from unittest import mock

from absl.testing import absltest

from metal_tf.runs import workdir


class WorkdirTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self._path = os.path.join(self.create_tempdir().full_path, 'a', 'run')

  def test_a_live_run_keeps_others_out(self):
    first = workdir.Workdir(self._path)
    with self.assertRaisesRegex(
        workdir.WorkdirError, f'live run .process {os.getpid()}.'):
      workdir.Workdir(self._path)
    first.close()
    workdir.Workdir(self._path).close()

  def test_the_lock_of_a_killed_run_is_gone(self):
    program = (
        'import os, signal\n'
        'from metal_tf.runs import workdir\n'
        f'kept = workdir.Workdir({self._path!r})\n'
        'os.kill(os.getpid(), signal.SIGKILL)\n')
    ended = subprocess.run(
        [sys.executable, '-c', program], check=False,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)})
    self.assertEqual(ended.returncode, -9)
    self.assertTrue(os.path.exists(os.path.join(self._path, 'lock')))
    workdir.Workdir(self._path).close()

  def test_a_place_that_cannot_be_written_is_said(self):
    # A file where a folder must be: it stops root as well.
    with open(self.create_tempfile().full_path, encoding='utf-8') as blocking:
      with self.assertRaisesRegex(workdir.WorkdirError, 'cannot write to'):
        workdir.Workdir(os.path.join(blocking.name, 'run'))

  def test_json_is_replaced_whole_or_not_at_all(self):
    folder = workdir.Workdir(self._path)
    self.assertIsNone(folder.read_json('x.json'))
    folder.write_json('x.json', {'a': [1, 2]})
    with mock.patch.object(os, 'replace', side_effect=OSError('full')):
      with self.assertRaises(OSError):
        folder.write_json('x.json', {'a': []})
    self.assertEqual(folder.read_json('x.json'), {'a': [1, 2]})
    self.assertEqual(sorted(os.listdir(self._path)), ['lock', 'x.json'])
    folder.close()

  def test_what_is_no_json_is_said(self):
    path = self.create_tempfile().full_path
    self.assertIsNone(workdir.read_json(os.path.join(path, 'x.json')))
    for content in (b'{', b'\xff\xfe', b'[]'):
      with open(path, 'wb') as stream:
        stream.write(content)
      with self.assertRaisesRegex(workdir.WorkdirError, 'JSON'):
        workdir.read_json(path)

  def test_what_a_killed_run_left_is_removed(self):
    folder = workdir.Workdir(self._path)
    os.makedirs(folder.file('replay-abc/tables'))
    os.makedirs(folder.file('checkpoints/replay'))
    folder.remove_leftovers('replay-')
    self.assertEqual(sorted(os.listdir(self._path)), ['checkpoints', 'lock'])
    folder.close()

  def test_the_first_difference_to_the_saved_run_is_named(self):
    saved = {
        'algorithm': 'metal', 'suite': 'builtin',
        'config': {'seed': 3, 'num_episodes': 5, 'checkpoint_seconds': 1,
                   'workdir': 'a'},
        'constraints': [{'name': 'slow', 'threshold': 0.1}],
        'environment': {'observation_size': 3}}
    workdir.check_same_run(saved, saved)
    workdir.check_same_run(saved, {**saved, 'config': {
        'seed': 3, 'num_episodes': 9, 'checkpoint_seconds': 2, 'workdir': 'b',
        'evaluation_period': 5}})
    for changes, message in (
        ({'config': {'seed': 4}}, 'seed=3, this one seed=4'),
        ({'algorithm': 'd4pg'}, "algorithm='metal', this one algorithm='d4pg'"),
        ({'suite': 'realworldrl'}, "simulator='builtin'"),
        ({'constraints': [{'name': 'slow', 'threshold': 0.2}]},
         "constrained=.*0.1.*this one .*0.2"),
        ({'environment': {'observation_size': 4}},
         'observation_size=3, this one observation_size=4')):
      with self.assertRaisesRegex(workdir.WorkdirError, message):
        workdir.check_same_run(saved, {**saved, **changes})


if __name__ == '__main__':
  absltest.main()
