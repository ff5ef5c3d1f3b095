"""Tests of where a run comes from."""

import os
import subprocess
from unittest import mock

from absl.testing import absltest

from metal_tf.system import provenance


class CommitTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self._path = self.create_tempdir().full_path
    git = ['git', '-C', self._path, '-c', 'user.name=me', '-c', 'user.email=me']
    for command in (['init', '-q'],
                    ['commit', '-q', '--allow-empty', '-m', 'first']):
      subprocess.run([*git, *command], check=True)

  def _commit(self, path):
    with mock.patch.dict(os.environ, BUILD_WORKSPACE_DIRECTORY=path):
      return provenance.commit()

  def test_of_the_checkout(self):
    self.assertRegex(self._commit(self._path), '^[0-9a-f]{40}$')

  def test_of_no_other_project_around_it(self):
    inside = os.path.join(self._path, 'site-packages')
    os.makedirs(inside)
    self.assertEqual(self._commit(inside), 'unknown')


if __name__ == '__main__':
  absltest.main()
