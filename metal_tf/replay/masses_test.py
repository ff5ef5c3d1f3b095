"""Tests for `masses`, against a plain array."""

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from metal_tf.replay import masses as masses_lib


class MassesTest(parameterized.TestCase):

  @parameterized.parameters(1, 2, 3, 64, 65, 100, 500)
  def test_equals_a_plain_array_under_random_operations(self, size):
    rng = np.random.RandomState(size)
    kept, plain = masses_lib.Masses(size), np.zeros(size)
    for _ in range(200):
      indices = rng.randint(size, size=rng.randint(1, 6))
      # Whole numbers, of which sums are exact in any order.
      masses = rng.randint(4, size=indices.size).astype(float)
      kept.set(indices, masses)
      for i, mass in zip(indices, masses):  # Of equal ones the last.
        plain[i] = mass
      np.testing.assert_array_equal(kept.values, plain)
      self.assertEqual(kept.total, plain.sum())
      if kept.total:
        positions = rng.uniform(0, kept.total, size=20)
        np.testing.assert_array_equal(
            kept.find(positions),
            np.searchsorted(np.cumsum(plain), positions, side='right'))

  def test_the_edges_of_masses_by_hand(self):
    kept = masses_lib.Masses(5)
    kept.set([0, 2, 3], [1.0, 2.0, 0.5])
    np.testing.assert_array_equal(
        kept.find([0.0, 0.99, 1.0, 2.99, 3.0, 3.49]), [0, 0, 2, 2, 3, 3])

  def test_a_mass_of_zero_is_never_found(self):
    rng = np.random.RandomState(0)
    for _ in range(100):
      masses = rng.uniform(size=137) * (rng.uniform(size=137) < 0.3)
      masses[rng.randint(137)] = 1e-12
      kept = masses_lib.Masses(137)
      kept.set(np.arange(137), masses)
      # The end itself is what rounding may come to.
      found = kept.find([0.0, *rng.uniform(0, kept.total, 50),
                         np.nextafter(kept.total, 0), kept.total])
      self.assertTrue((masses[found] > 0).all())

  def test_the_values_give_all_the_rest(self):
    rng = np.random.RandomState(1)
    kept, again = masses_lib.Masses(150), masses_lib.Masses(150)
    for _ in range(300):
      kept.set(rng.randint(150, size=8), rng.uniform(size=8))
    again.set(np.arange(150), kept.values)
    self.assertEqual(kept.total, again.total)
    positions = rng.uniform(0, kept.total, 1000)
    np.testing.assert_array_equal(kept.find(positions), again.find(positions))


if __name__ == '__main__':
  absltest.main()
