"""Tests for `intervals` and `summary`."""

import json

from absl.testing import absltest
import numpy as np
from scipy import stats

from metal_tf import config
from metal_tf import plant as plant_lib
from metal_tf.assessment import intervals
from metal_tf.assessment import measure
from metal_tf.assessment import summary


def _measured(returns, penalties):
  """With discounted sums that are 2 and 10 times the given numbers."""
  returns = np.array(returns, float)
  penalties = np.array(penalties, float).reshape(len(returns), -1)
  return measure.Measured(
      returns, penalties, 2 * returns, 10 * penalties,
      np.full(len(returns), 1000), 0)


def _assess(returns, penalties, threshold):
  return intervals.assess(_measured(returns, penalties), np.array(threshold),
                          'ab'[:len(threshold)])


class IntervalsTest(absltest.TestCase):

  def test_hand_numbers(self):
    got = _assess([1, 2, 3], [[0.1, 0.3], [0.3, 0.3], [0.2, 0.3]], [0.15, 0.3])
    nan = np.nan
    for name, expected in (
        # t(0.975, 2) = 4.302653, standard error 1 / sqrt(3).
        ('return', [2, 1, 2 - 2.484138, 2 + 2.484138]),
        # All 27 resamples are known: one in 27 has 0.1 three times.
        ('a J_C', [0.2, 0.1, 0.1, 0.3]), ('a overshoot', [0.05, nan, 0, 0.15]),
        ('discounted return', [4, 2, 4 - 4.968275, 4 + 4.968275]),
        ('a discounted penalty', [2, 1, 1, 3]),
        ('b J_C', [0.3, 0, 0.3, 0.3]),  # All episodes alike.
        ('b discounted penalty', [3, 0, 3, 3])):
      np.testing.assert_allclose(got.loc[name], expected, rtol=1e-6, atol=1e-9)
    self.assertAlmostEqual(got.value['penalized return'], 2 - 1000 * 0.05)
    self.assertEqual(got.index.tolist(), [
        'return', 'penalized return', 'a J_C', 'a overshoot', 'b J_C',
        'b overshoot', 'discounted return', 'a discounted penalty',
        'b discounted penalty'])

  def test_returns_and_penalties_of_an_episode_stay_together(self):
    # Return 1000 * J_C: where the threshold is 0, all penalized returns are 0.
    penalties = np.random.default_rng(0).uniform(size=20)
    got = _assess(1000 * penalties, penalties, [0.])
    np.testing.assert_allclose(
        got.loc['penalized return', ['value', 'low', 'high']].astype(float),
        np.zeros(3), atol=1e-9)

  def test_the_bootstrap_is_scipys(self):
    penalties = np.random.default_rng(1).beta(2, 20, size=(60, 1))
    got = _assess(np.zeros(60), penalties, [1.]).loc['a J_C']
    want = stats.bootstrap(
        (penalties[:, 0],), np.mean, n_resamples=9999, method='percentile',
        random_state=np.random.default_rng(2)).confidence_interval
    # Two bootstraps differ by chance, by some per cent of the width.
    np.testing.assert_allclose(
        [got.low, got.high], want, atol=0.05 * (want.high - want.low))

  def test_one_episode_has_no_interval(self):
    got = _assess([5], [[0.5]], [0.1])
    self.assertEqual(got.value['penalized return'], 5 - 400)
    self.assertTrue(got[['sd', 'low', 'high']].isna().all(axis=None))


class ReportTest(absltest.TestCase):

  def _report(self, penalties, threshold):
    plant = plant_lib.resolve(config.Config(threshold=threshold))
    measured = _measured(np.arange(len(penalties)), penalties)
    assessment = intervals.assess(
        measured, np.array([threshold]), [plant.constraints[0].name])
    return (summary.table(assessment, measured, plant),
            summary.as_json(assessment, measured, plant))

  def test_verdicts(self):
    for penalties, threshold, verdict in (
        ([0.1, 0.11, 0.12], 0.5, '<= 0.5 [given]: satisfied$'),
        ([0.1, 0.11, 0.12], 0.05, '> 0.05 [given]: not satisfied$'),
        ([0.1, 0.11, 0.12], 0.115,
         '<= 0.115 [given]: satisfied (but the threshold is within'),
        ([0.1, 0.11, 0.12], 0.105,
         '> 0.105 [given]: not satisfied (but the threshold is within'),
        ([0.1], 0.5, '<= 0.5 [given]: satisfied$')):
      table, _ = self._report(penalties, threshold)
      [line] = [line for line in table.splitlines() if 'J_C' in line]
      self.assertIn(verdict.rstrip('$'), line)
      if verdict.endswith('$'):
        self.assertEndsWith(line, verdict[:-1])

  def test_json_has_every_episode(self):
    _, content = self._report([0.1, 0.3, 0.05], 0.1)
    content = json.loads(json.dumps(content, allow_nan=False))
    self.assertEqual(content['episodes'], 3)
    self.assertIsNone(content['penalized_return']['sd'])
    self.assertEqual(content['return']['value'], 1)
    self.assertEqual(content['discounted_return']['value'], 2)
    [constraint] = content['constraints']
    self.assertEqual(constraint['name'], 'balance_velocity')
    self.assertEqual(constraint['satisfied_episodes'], 2)
    self.assertAlmostEqual(constraint['discounted_penalty']['value'], 1.5)
    self.assertFalse(constraint['satisfied'])
    self.assertEqual(content['each_episode']['return'], [0, 1, 2])
    self.assertEqual(
        content['each_episode']['penalty']['balance_velocity'],
        [0.1, 0.3, 0.05])
    self.assertEqual(content['each_episode']['discounted_return'], [0, 2, 4])
    self.assertEqual(
        content['each_episode']['discounted_penalty']['balance_velocity'],
        [1., 3., 0.5])


if __name__ == '__main__':
  absltest.main()
