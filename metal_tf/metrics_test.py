"""Tests of the paper's metrics."""

from absl.testing import absltest
import numpy as np

from metal_tf import metrics


class MetricsTest(absltest.TestCase):

  def test_overshoot_is_zero_below_the_threshold(self):
    np.testing.assert_allclose(
        metrics.overshoot(np.array([0.5, 0.1]), np.array([0.115, 0.115])),
        [0.385, 0.0])

  def test_penalized_return_sums_over_constraints(self):
    value = metrics.penalized_return(
        900.0, np.array([0.3, 0.05, 0.2]), np.array([0.1, 0.1, 0.1]))
    self.assertAlmostEqual(value, 900.0 - 1000 * (0.2 + 0.1))

  def test_score_takes_the_last_hundred_episodes(self):
    returns = np.concatenate([np.zeros(50), np.full(100, 10.0)])
    penalties = np.concatenate([np.ones((50, 1)), np.full((100, 1), 0.25)])
    score = metrics.score(returns, penalties, np.array([0.2]))
    self.assertEqual(score.episodes, 100)
    self.assertAlmostEqual(score.episode_return, 10.0)
    np.testing.assert_allclose(score.penalty, [0.25])
    self.assertAlmostEqual(score.penalized_return, 10.0 - 50.0)

  def test_score_of_data_that_is_not_constant_in_the_window(self):
    # The oldest of the last hundred has its weight, the one before it none;
    # mean, not median, and not weighted by age.
    for index, weight in ((0, 0.0), (1, 0.01), (50, 0.01), (100, 0.01)):
      values = np.zeros(101)
      values[index] = 5.0
      score = metrics.score(values, np.stack([values, 2 * values], axis=1),
                            np.array([0.02, 0.0]))
      self.assertAlmostEqual(score.episode_return, 5 * weight)
      np.testing.assert_allclose(score.penalty, [5 * weight, 10 * weight])
      np.testing.assert_allclose(
          score.overshoot, [max(0, 5 * weight - 0.02), 10 * weight])
    rising = metrics.score(np.arange(150.0), np.zeros((150, 1)), np.ones(1))
    self.assertAlmostEqual(rising.episode_return, 99.5)

  def test_overshoot_is_that_of_the_mean_not_the_mean_of_overshoots(self):
    score = metrics.score(
        np.zeros(2), np.array([[0.0], [0.4]]), np.array([0.2]))
    np.testing.assert_allclose(score.overshoot, [0.0], atol=1e-12)

  def test_score_of_fewer_episodes_says_how_many(self):
    self.assertEqual(
        metrics.score(np.ones(3), np.ones((3, 2)), np.ones(2)).episodes, 3)

  def test_score_is_taken_in_64_bits(self):
    large = 2.0**24 + 1  # 32 bits have no such number.
    score = metrics.score([large], [[large]], np.zeros(1))
    self.assertEqual(score.episode_return, large)
    np.testing.assert_array_equal(score.penalty, [large])

  def test_score_needs_episodes(self):
    with self.assertRaisesRegex(ValueError, 'got 0 and 0'):
      metrics.score(np.zeros(0), np.zeros((0, 1)), np.zeros(1))


if __name__ == '__main__':
  absltest.main()
