"""Tests of the table of needs and of the checks before a launch."""

import importlib.metadata
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from metal_tf import config as config_lib
from metal_tf import types
from metal_tf import validation
from metal_tf.distributed import needs


def _spec(observation_size=5, action_size=1):
  return types.EnvironmentSpec(
      observation_size=observation_size,
      action_minimum=-np.ones(action_size, np.float32),
      action_maximum=np.ones(action_size, np.float32),
      constraint_names=('slow',), thresholds=np.array([0.1]))


class TableTest(parameterized.TestCase):

  def test_every_group_has_its_needs(self):
    table = needs.table(_spec(), config_lib.Config())
    self.assertCountEqual(table, [
        'coordinator', 'replay', 'counter', 'learner', 'actor', 'evaluator'])
    self.assertGreater(table['learner'].cpus, table['actor'].cpus)
    self.assertEqual(table['actor'], needs.Needs(cpus=1, ram_gib=4))

  @parameterized.parameters(1, 1_000_000, 100_000_000)
  def test_four_kinds_and_the_coordinator_alone_in_its_own(self, capacity):
    table = needs.table(
        _spec(), config_lib.Config(replay_capacity=capacity), accelerator='t4')
    self.assertLessEqual(len(set(table.values())), 4)
    self.assertEqual(
        list(table.values()).count(table['coordinator']), 1)

  def test_only_the_learner_has_an_accelerator(self):
    table = needs.table(_spec(), config_lib.Config(), accelerator='t4')
    self.assertEqual(
        [group for group, need in table.items() if need.accelerator],
        ['learner'])
    self.assertEqual(
        needs.table(_spec(), config_lib.Config())['learner'].accelerator, '')

  def test_replays_memory_follows_from_its_capacity(self):
    # 950 + 4 * (2 * 5 + 1 + 1 + 2) bytes an item, a quarter more, 2 GiB more.
    config = config_lib.Config(replay_capacity=20_000_000)
    self.assertEqual(needs.replay_gib(_spec(), config), 24 + 2)
    self.assertEqual(needs.table(_spec(), config)['replay'].ram_gib, 26)
    small = config_lib.Config()
    self.assertEqual(needs.replay_gib(_spec(), small), 2 + 2)
    self.assertGreater(needs.replay_gib(_spec(78, 12), small), 2 + 2 - 1)
    self.assertEqual(needs.table(_spec(), small)['replay'].ram_gib, 15)


class ChecksTest(parameterized.TestCase):

  def test_without_xmanager_the_command_that_installs_it_is_said(self):
    with mock.patch.object(
        importlib.metadata, 'version',
        side_effect=importlib.metadata.PackageNotFoundError):
      with self.assertRaisesRegex(
          validation.ConfigError, r'found: none.* -m pip install '
          r'xmanager==0\.1\.3 protobuf==3\.19\.6'):
        needs.check_xmanager()

  @parameterized.parameters('0.1.0', '0.1.4', '0.8.5')
  def test_an_xmanager_that_launchpad_cannot_use_is_none(self, version):
    with mock.patch.object(
        importlib.metadata, 'version', return_value=version):
      with self.assertRaisesRegex(validation.ConfigError, f'found: {version}'):
        needs.check_xmanager()

  def test_the_right_xmanager(self):
    with mock.patch.object(
        importlib.metadata, 'version', return_value='0.1.3'):
      needs.check_xmanager()

  def test_the_folder_has_to_be_shared(self):
    needs.check_workdir('/gcs/bucket/run')
    for path in ('/home/me/run', '/gcs', 'gs://bucket/run'):
      with self.assertRaisesRegex(
          validation.ConfigError, '--workdir.*/gcs/<bucket>/'):
        needs.check_workdir(path)


if __name__ == '__main__':
  absltest.main()
