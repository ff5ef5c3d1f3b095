"""Tests for `priorities`."""

from absl.testing import absltest
import numpy as np

from metal_tf.replay import priorities


class ImportanceWeightsTest(absltest.TestCase):

  def test_by_hand(self):
    # N P = 2, 0.5, 1; to the power of -0.5 that is 0.7071, 1.4142, 1.
    weights = priorities.importance_weights([0.5, 0.125, 0.25], 4, 0.5)
    np.testing.assert_allclose(
        weights, [0.5, 1.0, np.sqrt(0.5)], rtol=1e-6)
    self.assertEqual(weights.dtype, np.float32)

  def test_an_exponent_of_one_undoes_the_probabilities(self):
    weights = priorities.importance_weights([0.5, 0.1, 0.4], 3, 1.0)
    np.testing.assert_allclose(weights, [0.2, 1.0, 0.25], rtol=1e-6)

  def test_an_exponent_of_zero_and_equal_probabilities_weigh_all_alike(self):
    for probabilities, exponent in (([0.5, 0.1], 0.0), ([0.1, 0.1], 0.4)):
      np.testing.assert_array_equal(
          priorities.importance_weights(probabilities, 10, exponent), [1, 1])

  def test_a_table_that_grew_between_the_draws(self):
    # N P = 1 and 2.
    np.testing.assert_allclose(
        priorities.importance_weights([0.1, 0.1], [10, 20], 1.0), [1.0, 0.5])


class UsableTest(absltest.TestCase):

  def test_what_is_not_finite_is_left_out(self):
    keys, values = priorities.usable(
        np.array([5, 6, 7, 8], np.uint64),
        np.array([1.5, np.nan, np.inf, 0.25], np.float32))
    np.testing.assert_array_equal(keys, [5, 8])
    np.testing.assert_array_equal(values, [1.5, 0.25])

  def test_wrong_arguments_raise(self):
    for keys, values, message in (
        ([1, 2], [1.0], r'got shape \(1,\) for keys of shape \(2,\)'),
        (1, 1.0, r'got shape \(\)'),
        ([1.0], [1.0], 'keys: got float64, expected integers'),
        ([1, 2], [1.0, 0.0], 'got 0, allowed are numbers > 0'),
        ([1, 2], [1.0, -1.0], 'got -1, allowed')):
      with self.assertRaisesRegex(ValueError, message):
        priorities.usable(keys, values)


if __name__ == '__main__':
  absltest.main()
