"""The projection against a naive loop, Acme's and finite differences."""

from absl.testing import parameterized
from acme.tf.losses import distributional
import numpy as np
import tensorflow as tf

from metal_tf.agent.testing import oracle
from metal_tf.maths import projection

_SUPPORT = projection.Support(vmin=-4.0, vmax=6.0, num_atoms=11)  # Spacing 1.


def _random(seed: int, num_atoms: int, low: float, high: float,
            size: int = 50) -> tuple:
  """Returns positions and probabilities, `[B, N]` each."""
  rng = np.random.RandomState(seed)
  return (rng.uniform(low, high, [size, num_atoms]),
          rng.dirichlet(np.ones(num_atoms), size))


class ProjectionTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.product(
      support=(_SUPPORT, projection.Support(-150.0, 150.0, 51),
               projection.Support(0.1, 0.7, 2),
               projection.Support(-1 / 3, 7.7, 7)),
      dtype=('float32', 'float64'), jit=(False, True))
  def test_agrees_with_a_loop_and_with_acme(self, support, dtype, jit):
    width = support.vmax - support.vmin
    positions, probabilities = _random(
        0, support.num_atoms, support.vmin - width / 2,
        support.vmax + width / 2)
    project = tf.function(
        lambda x, p: projection.project(x, p, support), jit_compile=jit)
    positions, probabilities = (
        positions.astype(dtype), probabilities.astype(dtype))
    got = project(positions, probabilities).numpy()
    atol = 2e-5 if dtype == 'float32' else 1e-13
    np.testing.assert_allclose(
        got, oracle.project(
            positions.astype(np.float64), probabilities, support.vmin,
            support.vmax), rtol=0, atol=atol)
    np.testing.assert_allclose(
        got, distributional.l2_project(
            tf.constant(positions), tf.constant(probabilities),
            support.atoms(tf.as_dtype(dtype))), rtol=0, atol=atol)
    np.testing.assert_allclose(
        got.sum(axis=1), probabilities.sum(axis=1), rtol=0, atol=atol)
    self.assertAllGreaterEqual(got, 0)

  @parameterized.parameters(
      # Position, where its mass goes: {atom: share}.
      (-4.0, {0: 1.0}),  # Exactly vmin.
      (6.0, {10: 1.0}),  # Exactly vmax.
      (-1e9, {0: 1.0}), (1e9, {10: 1.0}),
      (-np.inf, {0: 1.0}), (np.inf, {10: 1.0}),
      (0.0, {4: 1.0}),  # Exactly on an atom.
      (0.25, {4: 0.75, 5: 0.25}), (5.75, {9: 0.25, 10: 0.75}),
      (-3.75, {0: 0.75, 1: 0.25}))
  def test_known_positions(self, position, shares):
    positions = np.full([1, 11], position)
    probabilities = np.arange(11)[None] / 55.0
    expected = np.zeros(11)
    for atom, share in shares.items():
      expected[atom] = share
    np.testing.assert_allclose(
        projection.project(
            tf.constant(positions), tf.constant(probabilities), _SUPPORT)[0],
        expected, rtol=0, atol=1e-15)

  def test_unshifted_distribution_stays_to_the_bit(self):
    support = projection.Support(-150.0, 150.0, 51)
    _, probabilities = _random(1, 51, 0, 1)
    probabilities = probabilities.astype(np.float32)
    positions = np.tile(support.atoms(), [50, 1])
    self.assertAllEqual(
        projection.project(
            tf.constant(positions), tf.constant(probabilities), support),
        probabilities)

  def test_atoms_are_evenly_spaced_from_end_to_end(self):
    atoms = _SUPPORT.atoms(tf.float64)
    self.assertAllClose(atoms, np.arange(-4.0, 7.0), rtol=0, atol=0)
    self.assertEqual(_SUPPORT.spacing, 1.0)
    self.assertEqual(atoms.dtype, tf.float64)

  @parameterized.parameters(False, True)
  def test_derivative_in_the_multiplier(self, jit):
    rng = np.random.RandomState(2)
    _, probabilities = _random(2, 11, 0, 1, size=20)
    base = rng.uniform(-6, 8, [20, 1]) + 0.9 * _SUPPORT.atoms(tf.float64)
    c_t = rng.uniform(0, 3, [20, 1])
    weights = rng.randn(20, 11)

    def value(multiplier):
      return tf.reduce_sum(weights * projection.project(
          base - multiplier * c_t, tf.constant(probabilities), _SUPPORT))

    @tf.function(jit_compile=jit)
    def derivative(multiplier):
      with tf.GradientTape() as tape:
        tape.watch(multiplier)
        result = value(multiplier)
      return tape.gradient(result, multiplier)

    for multiplier in (0.31, 0.77, 1.42):
      step = 1e-7
      fd = (value(multiplier + step) - value(multiplier - step)) / (2 * step)
      np.testing.assert_allclose(
          derivative(tf.constant(multiplier, tf.float64)), fd, rtol=1e-6)

  def _gradient(self, positions: np.ndarray) -> np.ndarray:
    """Returns d (projected mean) / d positions, for a uniform distribution."""
    positions = tf.constant(positions[None], tf.float64)
    with tf.GradientTape() as tape:
      tape.watch(positions)
      projected = projection.project(
          positions, tf.fill([1, 11], tf.constant(1 / 11, tf.float64)),
          _SUPPORT)
      mean = tf.reduce_sum(projected * _SUPPORT.atoms(tf.float64))
    return tape.gradient(mean, positions)[0].numpy()

  def test_mean_moves_with_the_positions_at_kinks_too(self):
    # Inside the support the projection keeps the mean, so its derivative by a
    # position is that atom's probability: on an atom as between two.
    for positions in (np.arange(-4.0, 7.0), np.linspace(-3.7, 5.9, 11)):
      np.testing.assert_allclose(
          self._gradient(positions), np.full(11, 1 / 11), rtol=1e-12)

  def test_no_gradient_beyond_the_ends(self):
    positions = np.linspace(-3.5, 5.5, 11)
    positions[[0, 3, 9]] = [-4.001, 6.001, 1e6]
    expected = np.full(11, 1 / 11)
    expected[[0, 3, 9]] = 0
    np.testing.assert_allclose(
        self._gradient(positions), expected, rtol=1e-12, atol=0)

  def test_kink_takes_the_right_derivative(self):
    positions = tf.constant(np.full([1, 11], 0.0))
    with tf.GradientTape() as tape:
      tape.watch(positions)
      projected = projection.project(
          positions, tf.constant(np.eye(11)[:1]), _SUPPORT)
    jacobian = tape.jacobian(projected, positions)[0, :, 0, 0]
    expected = np.zeros(11)
    expected[[4, 5]] = [-1, 1]  # Mass leaves atom 4 for the one on its right.
    self.assertAllClose(jacobian, expected)

  @parameterized.parameters(False, True)
  def test_nan_stays_visible(self, jit):
    project = tf.function(
        lambda x, p: projection.project(x, p, _SUPPORT), jit_compile=jit)
    positions, probabilities = _random(3, 11, -4, 6, size=2)
    positions[1, 4] = np.nan
    got = project(positions, probabilities).numpy()
    self.assertAllEqual(np.isfinite(got[0]), np.full(11, True))
    self.assertTrue(np.isnan(got[1]).any())

  def test_clipped_mass_counts_what_lies_strictly_outside(self):
    support = projection.Support(0.0, 2.0, 3)
    positions = tf.constant([[-0.1, 0.0, 2.0], [2.1, 1.0, -5.0]])
    probabilities = tf.constant([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]])
    self.assertAllClose(
        projection.clipped_mass(positions, probabilities, support),
        (0.5 + 0.8) / 2)

  @parameterized.parameters(
      ([4, 10], [4, 11], r'positions must have shape \[None, 11\]'),
      ([4, 11], [4, 10], r'probabilities must have shape \[4, 11\]'),
      ([4, 11], [3, 11], r'probabilities must have shape \[4, 11\]'),
      ([11], [11], r'positions must have shape \[None, 11\]'))
  def test_wrong_shapes(self, positions, probabilities, message):
    with self.assertRaisesRegex(ValueError, message):
      projection.project(tf.zeros(positions), tf.zeros(probabilities), _SUPPORT)


if __name__ == '__main__':
  tf.test.main()
