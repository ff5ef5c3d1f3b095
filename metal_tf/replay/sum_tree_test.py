"""Tests for `sum_tree`, against a plain array."""

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from metal_tf.replay import sum_tree


class SumTreeTest(parameterized.TestCase):

  @parameterized.parameters(1, 2, 3, 8, 13, 100)
  def test_equals_a_plain_array_under_random_operations(self, size):
    rng = np.random.RandomState(size)
    tree, plain = sum_tree.SumTree(size), np.zeros(size)
    for _ in range(200):
      indices = rng.randint(size, size=rng.randint(1, 6))
      # Whole numbers, of which sums are exact in any order.
      masses = rng.randint(4, size=indices.size).astype(float)
      tree.set(indices, masses)
      for i, mass in zip(indices, masses):  # Of equal ones the last.
        plain[i] = mass
      np.testing.assert_array_equal(tree.leaves, plain)
      self.assertEqual(tree.total, plain.sum())
      if tree.total:
        positions = rng.uniform(0, tree.total, size=20)
        np.testing.assert_array_equal(
            tree.find(positions),
            np.searchsorted(np.cumsum(plain), positions, side='right'))

  def test_the_edges_of_masses_by_hand(self):
    tree = sum_tree.SumTree(5)
    tree.set([0, 2, 3], [1.0, 2.0, 0.5])
    np.testing.assert_array_equal(
        tree.find([0.0, 0.99, 1.0, 2.99, 3.0, 3.49]), [0, 0, 2, 2, 3, 3])

  def test_a_leaf_of_zero_is_never_found(self):
    rng = np.random.RandomState(0)
    for _ in range(100):
      masses = rng.uniform(size=37) * (rng.uniform(size=37) < 0.3)
      masses[rng.randint(37)] = 1e-12
      tree = sum_tree.SumTree(37)
      tree.set(np.arange(37), masses)
      # The end itself is what rounding may come to.
      found = tree.find([0.0, *rng.uniform(0, tree.total, 50),
                         np.nextafter(tree.total, 0), tree.total])
      self.assertTrue((masses[found] > 0).all())

  def test_the_leaves_give_the_whole_tree(self):
    rng = np.random.RandomState(1)
    tree, again = sum_tree.SumTree(50), sum_tree.SumTree(50)
    for _ in range(300):
      tree.set(rng.randint(50, size=8), rng.uniform(size=8))
    again.set(np.arange(50), tree.leaves)
    self.assertEqual(tree.total, again.total)
    positions = rng.uniform(0, tree.total, 1000)
    np.testing.assert_array_equal(tree.find(positions), again.find(positions))


if __name__ == '__main__':
  absltest.main()
