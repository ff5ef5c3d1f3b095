"""Tests of the count of operations, by hand."""

from absl.testing import absltest

from metal_tf.benchmarks import flops


class FlopsTest(absltest.TestCase):

  def test_by_hand(self):
    # Policy 2-3-1: layers of 6 and 3 products; critic (2+1)-5-7: 15 and 35.
    targets = (6 + 3) + (15 + 35)
    critic = (15 + 35) + (15 + 35) + 35  # Forward, weights, hidden units.
    value = (15 + 35) + 35 + 1 * 5  # Forward, hidden units, the action.
    policy = (6 + 3) + (6 + 3) + 3
    self.assertEqual(flops.d4pg_step(4, 2, 1, [3], [5], 7),
                     2 * 4 * (targets + critic + value + policy))


if __name__ == '__main__':
  absltest.main()
