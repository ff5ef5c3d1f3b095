"""Tests of lines of text that stand for numbers."""

from absl.testing import absltest
import numpy as np

from metal_tf.watch import spark


class SparkTest(absltest.TestCase):

  def test_bins_are_means_in_order(self):
    np.testing.assert_array_equal(
        spark.bins(np.array([1., 3., 5., 7.]), 2), [2, 6])
    np.testing.assert_array_equal(spark.bins(np.array([1., 3.]), 5), [1, 3])
    self.assertEmpty(spark.bins(np.zeros(0), 5))

  def test_bins_leave_out_what_is_no_number(self):
    np.testing.assert_array_equal(
        spark.bins(np.array([np.nan, 3., np.nan, np.nan]), 2), [3, np.nan])

  def test_the_line_goes_from_low_to_high(self):
    self.assertEqual(spark.line(np.arange(8.)), '▁▂▃▄▅▆▇█')
    self.assertEqual(spark.line(np.array([0., 7.]), low=0, high=14), '▁▅')
    self.assertEqual(spark.line(np.array([-5., 99.]), low=0, high=1), '▁█')

  def test_what_is_no_number_is_a_gap(self):
    self.assertEqual(spark.line(np.array([0., np.nan, 1.])), '▁ █')
    self.assertEqual(spark.line(np.array([np.nan])), ' ')
    self.assertEqual(spark.line(np.zeros(0)), '')

  def test_a_constant_is_low(self):
    self.assertEqual(spark.line(np.array([3., 3.])), '▁▁')


if __name__ == '__main__':
  absltest.main()
