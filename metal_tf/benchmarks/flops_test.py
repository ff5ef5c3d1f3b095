"""Tests of the count of operations, by hand."""

from absl.testing import absltest

from metal_tf import config as config_lib
from metal_tf.benchmarks import flops


class FlopsTest(absltest.TestCase):

  def test_by_hand(self):
    # Policy 2-3-1: layers of 6 and 3 products; critic (2+1)-5-7: 15 and 35.
    policy_target, critic_target = 6 + 3, 15 + 35
    critic = (15 + 35) + (15 + 35) + 35  # Forward, weights, hidden units.
    value = (15 + 35) + 35 + 1 * 5  # Forward, hidden units, the action.
    policy = (6 + 3) + (6 + 3) + 3
    self.assertEqual(
        flops.d4pg_step(4, 2, 1, [3], [5], 7),
        2 * 4 * (policy_target + critic_target + critic + value + policy))

  def test_the_papers_sizes_on_cartpole(self):
    config = config_lib.Config()
    count = flops.d4pg_step(
        config.batch_size, 5, 1, config.policy_layer_sizes,
        config.critic_layer_sizes, config.num_atoms)
    # Policy 132,608 and critic 409,344 weights in the products.
    self.assertEqual(count, 512 * (
        4 * 132_608 - 5 * 256 + 6 * 409_344 - 2 * 6 * 512 + 512))


if __name__ == '__main__':
  absltest.main()
