"""Tests of the watch over skipped updates."""

import json
import os

from absl.testing import absltest
import numpy as np

from metal_tf import types
from metal_tf.training import divergence
from metal_tf.training import records

_SAMPLE = types.Sample(
    types.Transition(*[np.full(2, np.nan, np.float32)] * 6), np.zeros(3),
    np.ones(2), np.zeros(0))


def _report(steps, skipped, in_a_row=0):
  return records.LearnerReport(
      steps, skipped, np.ones(1), np.zeros(1), np.ones(1),
      {'critic_loss': np.array(2.0)}, in_a_row)


class SkipWatchTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self._directory = os.path.join(self.create_tempdir().full_path, 'dump')
    self._warnings = []
    self._watch = divergence.SkipWatch(self._directory, self._warnings.append)
    self._watch.start(_report(1000, 50))

  def _check(self, *report):
    self._watch.check(
        _report(*report), lambda: {'weights': np.ones(4)}, _SAMPLE)

  def test_one_percent_is_passed_over(self):
    self._check(1100, 51)
    self.assertEmpty(self._warnings)

  def test_more_is_said_once_per_episode(self):
    self._check(1100, 52)
    self._check(1200, 52)
    self.assertLen(self._warnings, 1)
    self.assertIn('2 of the last 100 updates', self._warnings[0])

  def test_many_in_a_row_end_the_run_with_a_dump(self):
    self._check(1099, 149, 99)
    with self.assertRaisesRegex(divergence.DivergenceError, self._directory):
      self._check(1100, 150, 100)
    with np.load(os.path.join(self._directory, 'batch.npz')) as batch:
      self.assertTrue(np.isnan(batch['r_t']).all())
      self.assertIn('episode_penalties', batch)
      np.testing.assert_array_equal(batch['importance_weights'], np.ones(2))
    with np.load(os.path.join(self._directory, 'learner.npz')) as learner:
      np.testing.assert_array_equal(learner['weights'], np.ones(4))
    with open(os.path.join(self._directory, 'metrics.json'),
              encoding='utf-8') as stream:
      numbers = json.load(stream)
    self.assertEqual(numbers['skipped_in_a_row'], 100)
    self.assertEqual(numbers['critic_loss'], 2.0)


if __name__ == '__main__':
  absltest.main()
