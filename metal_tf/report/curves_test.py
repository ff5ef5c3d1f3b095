"""Tests of the numbers behind the figures over training, and of the front."""

from absl.testing import absltest
import numpy as np

from metal_tf.report import bars
from metal_tf.report import curves
from metal_tf.report import testing


class CurvesTest(absltest.TestCase):

  def test_smoothing_against_a_naive_mean(self):
    values = np.random.default_rng(0).normal(size=(20, 2))
    values[3:6, 0] = np.nan
    found = curves.smooth(values, 3)
    for i in range(20):
      for k in range(2):
        part = values[max(0, i - 2):i + 1, k]
        part = part[np.isfinite(part)]
        expected = part.mean() if part.size else np.nan
        np.testing.assert_allclose(found[i, k], expected)

  def test_window(self):
    self.assertEqual([curves.window(n) for n in (1, 8, 40, 400, 20000)],
                     [1, 1, 2, 20, 100])

  def test_share_of_the_weights(self):
    run = testing.made_run('MetaL', 0, 0, 0, columns={
        'penalty': [0, 0], 'meta_gradient_direct': [-3, 0],
        'meta_gradient_weights': [1, 0]})
    np.testing.assert_array_equal(
        curves.weights_share(curves.gradient_sizes(run)), [[0.25], [np.nan]])

  def test_pareto_front(self):
    # (0.2, 5) is beaten by (0.1, 6), (0.3, 6) by (0.1, 6) as well.
    points = [(0.3, 6), (0.1, 6), (0.2, 5), (0.4, 9), (0.1, 2), (0.0, 1)]
    self.assertEqual(bars.pareto(points), [(0.0, 1), (0.1, 6), (0.4, 9)])


if __name__ == '__main__':
  absltest.main()
