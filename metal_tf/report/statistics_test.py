"""Tests of the statistics, against hand numbers, scipy and naive oracles."""

import math

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np
from rliable import metrics as rliable_metrics
import scipy.stats

from metal_tf.report import statistics

X = (1.0, 2.0, 3.0, 4.0)
Y = (2.0, 4.0, 9.0)


class StatisticsTest(parameterized.TestCase):

  def test_summary(self):
    self.assertEqual(statistics.summary(X), (4, 2.5, math.sqrt(5 / 3)))
    one = statistics.summary([3.0])
    self.assertEqual((one.n, one.mean), (1, 3.0))
    self.assertTrue(math.isnan(one.sd))

  def test_welch_by_hand(self):
    # Variances 5/3 and 13, so the squared standard errors 5/12 and 13/3.
    a, b = 5 / 12, 13 / 3
    found = statistics.welch(X, Y)
    self.assertAlmostEqual(found.t, -2.5 / math.sqrt(a + b))
    self.assertAlmostEqual(found.df, (a + b)**2 / (a**2 / 3 + b**2 / 2))
    self.assertAlmostEqual(
        found.p, 2 * scipy.stats.t.sf(abs(found.t), found.df))

  def test_contrast_of_one_and_two_groups_is_scipys(self):
    mean = statistics.contrast([(1, X)])
    expected = scipy.stats.t.interval(0.95, 3, 2.5, scipy.stats.sem(X))
    np.testing.assert_allclose(mean, (2.5, *expected))
    difference = statistics.contrast([(1, X), (-1, Y)])
    test = scipy.stats.ttest_ind(X, Y, equal_var=False)
    interval = test.confidence_interval()
    np.testing.assert_allclose(
        difference, (-2.5, interval.low, interval.high))

  def test_mean_intervals_are_the_contrasts_of_each_point(self):
    values = np.array([[1, 5, np.nan], [2, np.nan, np.nan], [4, 6, np.nan]])
    found = np.transpose(statistics.mean_intervals(values))
    np.testing.assert_allclose(
        found[0], statistics.contrast([(1, [1, 2, 4])]))
    np.testing.assert_allclose(found[1], statistics.contrast([(1, [5, 6])]))
    self.assertTrue(np.isnan(found[2]).all())

  def test_seeds_needed_is_the_first_number_whose_interval_is_narrow(self):
    terms = [(1, [0.0, 2.0, 4.0]), (-0.5, [1.0, 1.0, 4.0])]
    n = int(statistics.seeds_needed(terms, 1.5, 0.01))
    scale = np.sqrt(1 / 2)  # Of n scores with the same deviation, n - 1.
    def half(n):
      same = [(weight, np.mean(x) + np.std(x, ddof=1) * scale * np.concatenate([
          [np.sqrt(n - 1), -np.sqrt(n - 1)], np.zeros(n - 2)]))
              for weight, x in terms]
      found = statistics.contrast(same, 0.01)
      return found.high - found.estimate
    self.assertLess(half(n), 1.5)
    self.assertGreater(half(n - 1), 1.5)
    self.assertEqual(statistics.seeds_needed(terms, 0.0), np.inf)
    self.assertTrue(np.isnan(statistics.seeds_needed([(1, [2.0, 2.0])], 1.0)))

  def test_contrast_scales_with_its_weights(self):
    np.testing.assert_allclose(
        statistics.contrast([(0.5, X), (-0.5, Y)]),
        np.array(statistics.contrast([(1, X), (-1, Y)])) / 2)

  @parameterized.parameters(([1.0], [2.0, 3.0]), ([2.0, 2.0], [3.0, 3.0]))
  def test_nothing_is_made_up_from_one_seed_or_without_spread(self, x, y):
    for found in (statistics.hedges_g(x, y), statistics.welch(x, y)):
      self.assertTrue(math.isnan(found[1]))
      self.assertTrue(math.isnan(found[2]))

  # The mean of three times 0.1 is not 0.1 to the last bit.
  @parameterized.parameters(
      ([1.0], [2.0, 3.0], -1.5), ([2.0, 2.0], [3.0, 3.0], -1.0),
      ([0.1] * 3, [0.2] * 3, -0.1))
  def test_no_interval_of_one_seed_or_without_spread(self, x, y, estimate):
    found = statistics.contrast([(1, x), (-1, y)])
    self.assertAlmostEqual(found.estimate, estimate)
    self.assertTrue(math.isnan(found.low) and math.isnan(found.high))

  def test_hedges_g_by_hand(self):
    # Pooled variance (3 * 5/3 + 2 * 13) / 5 = 6.2; the exact correction for
    # 5 degrees of freedom is Gamma(2.5) / (sqrt(2.5) Gamma(2)).
    correction = math.gamma(2.5) / (math.sqrt(2.5) * math.gamma(2))
    found = statistics.hedges_g(X, Y)
    self.assertAlmostEqual(found.estimate, -2.5 / math.sqrt(6.2) * correction)
    # At each end of the interval, t has a chance of 2.5 % beyond it.
    scale = math.sqrt(1 / 4 + 1 / 3)
    t = -2.5 / math.sqrt(6.2) / scale
    for end, chance in ((found.low, 0.975), (found.high, 0.025)):
      self.assertAlmostEqual(
          scipy.stats.nct.cdf(t, 5, end / correction / scale), chance, 4)

  def test_hedges_g_of_a_very_large_effect_keeps_its_sign(self):
    found = statistics.hedges_g([900.0, 901.0, 902.5], [100.0, 100.5, 103.0])
    self.assertGreater(found.estimate, 100)
    self.assertFalse(found.low < 0)

  def test_holm_by_hand(self):
    np.testing.assert_allclose(
        statistics.holm([0.01, 0.04, float('nan'), 0.03]),
        [0.03, 0.06, float('nan'), 0.06])
    self.assertEqual(statistics.holm([0.5, 0.9]), [1.0, 1.0])

  @parameterized.parameters((3, 3.07), (5, 2.02), (8, 1.51), (10, 1.32))
  def test_smallest_effect(self, n, expected):
    self.assertAlmostEqual(statistics.smallest_effect(n), expected, delta=0.005)

  def test_smallest_effect_has_the_power(self):
    d = statistics.smallest_effect(3, 6)
    rng = np.random.default_rng(0)
    found = scipy.stats.ttest_ind(
        rng.normal(d, 1, (3, 20000)), rng.normal(0, 1, (6, 20000)))
    self.assertAlmostEqual(np.mean(found.pvalue < 0.05), 0.8, delta=0.01)

  def test_aggregates_are_rliables(self):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 4, (5, 3, 2)).astype(float)
    y = rng.integers(0, 4, (4, 3, 2)).astype(float)
    for metric in range(2):
      self.assertAlmostEqual(
          statistics.interquartile_mean(x)[metric],
          rliable_metrics.aggregate_iqm(x[..., metric]))
      self.assertAlmostEqual(
          statistics.probability_of_improvement(x[..., metric], y[..., metric]),
          rliable_metrics.probability_of_improvement(
              x[..., metric], y[..., metric]))

  def test_across_tasks_against_a_naive_bootstrap(self):
    rng = np.random.default_rng(1)
    x, y = rng.normal(1, 1, (6, 3, 2)), rng.normal(0, 1, (5, 3, 2))
    means, improvement = statistics.across_tasks([x, y], [(0, 1)], 3000)
    drawn_means, drawn_improvement = [], []
    for _ in range(3000):
      # One task after the other, one run after the other.
      first, second = [
          [[scores[rng.integers(len(scores)), task, 0] for _ in scores]
           for task in range(3)] for scores in (x, y)]
      drawn_means.append(scipy.stats.trim_mean(np.ravel(first), 0.25))
      drawn_improvement.append(np.mean([
          np.mean([(a > b) + 0.5 * (a == b) for a in one for b in other])
          for one, other in zip(first, second)]))
    for found, drawn in ((means[0][0], drawn_means),
                         (improvement[0], drawn_improvement)):
      np.testing.assert_allclose(
          found[1:], np.percentile(drawn, [2.5, 97.5]), atol=0.06)
    self.assertAlmostEqual(
        means[1][1].estimate, rliable_metrics.aggregate_iqm(y[..., 1]))

  def test_across_tasks_repeats_itself_and_leaves_the_generator_alone(self):
    x = np.random.default_rng(1).normal(size=(5, 2, 1))
    np.random.seed(5)
    expected = np.random.random()
    np.random.seed(5)
    told = []
    first = statistics.across_tasks(
        [x, x + 0.1], [(0, 1)], 100, told.append)
    self.assertEqual(np.random.random(), expected)
    self.assertEqual(told, list(range(10, 101, 10)))
    self.assertEqual(
        statistics.across_tasks([x, x + 0.1], [(0, 1)], 100), first)

  def test_across_tasks_of_few_runs_has_no_interval(self):
    means, improvement = statistics.across_tasks(
        [np.ones((4, 2, 1)), np.zeros((5, 2, 1))], [(0, 1)], 10)
    self.assertEqual(means[0][0].estimate, 1.0)
    self.assertTrue(math.isnan(means[0][0].low))
    self.assertEqual(means[1][0].low, 0.0)
    self.assertEqual(improvement[0].estimate, 1.0)
    self.assertTrue(math.isnan(improvement[0].high))

  def test_percentile_intervals_of_three_scores_cover_too_little(self):
    # So there are none: all means of 3 that can be drawn, for 400 samples.
    rng = np.random.default_rng(0)
    drawn = np.stack(np.meshgrid(*[range(3)] * 3), -1).reshape(-1, 3)
    low, high = np.percentile(
        rng.normal(size=(400, 3))[:, drawn].mean(axis=2), [2.5, 97.5], axis=1)
    self.assertLess(np.mean((low < 0) & (0 < high)), 0.88)


if __name__ == '__main__':
  absltest.main()
