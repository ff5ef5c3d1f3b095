"""Tests of the run's folder."""

import os
import subprocess
import sys
from unittest import mock

from absl.testing import absltest

from metal_tf import config as config_lib
from metal_tf import validation
from metal_tf.experiment import workdir


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
        'from metal_tf.experiment import workdir\n'
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

  def test_the_first_setting_that_differs_is_named(self):
    config = config_lib.Config(seed=3)
    saved = {'config': validation.as_json(config), 'algorithm': 'metal',
             'suite': 'builtin'}
    workdir.check_same_run(saved, 'metal', config, 'builtin')
    workdir.check_same_run(
        saved, 'metal', config.replace(num_episodes=7), 'builtin')
    with self.assertRaisesRegex(workdir.WorkdirError, 'seed=3, this one seed=4'):
      workdir.check_same_run(saved, 'metal', config.replace(seed=4), 'builtin')
    with self.assertRaisesRegex(workdir.WorkdirError, "resolved_suite='builtin'"):
      workdir.check_same_run(saved, 'metal', config, 'realworldrl')


if __name__ == '__main__':
  absltest.main()
