"""The multiplier's update: hand-worked numbers, direction, derivative."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from metal_tf.maths import lagrange


def _update(multiplier: float, meta: float, penalty: float, threshold: float,
            rate: float) -> float:
  args = [tf.constant([x], tf.float64)
          for x in (multiplier, meta, penalty, threshold)]
  return float(lagrange.update_multiplier(*args, rate)[0])


class LagrangeTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(
      # lambda, alpha_lambda, J_C, beta, alpha_1, lambda'.
      (0.5, 0.0, 0.8, 0.3, 0.1, 0.55),  # Violated: up by 0.1 * 0.5.
      (0.5, 0.0, 0.1, 0.3, 0.1, 0.48),  # Satisfied: down by 0.1 * 0.2.
      (0.5, 0.0, 0.3, 0.3, 0.1, 0.5),  # Exactly met: stays.
      (0.5, np.log(2.0), 0.8, 0.3, 0.1, 0.6),  # Twice the rate.
      (0.5, -np.log(2.0), 0.8, 0.3, 0.1, 0.525),  # Half the rate.
      (0.01, 0.0, 0.1, 0.3, 0.1, 0.0),  # Would be -0.01: projected.
      (0.0, 0.0, 0.1, 0.3, 0.1, 0.0), (0.0, 0.0, 0.8, 0.3, 0.1, 0.05),
      (0.5, 0.0, 0.8, 0.3, 0.0, 0.5))
  def test_hand_worked(self, multiplier, meta, penalty, threshold, rate,
                       expected):
    self.assertAlmostEqual(
        _update(multiplier, meta, penalty, threshold, rate), expected,
        places=14)

  def test_constraints_move_apart(self):
    updated = lagrange.update_multiplier(
        tf.constant([0.1, 0.2, 0.3]), tf.constant([0.0, np.log(3.0), 0.0]),
        tf.constant([0.6, 0.6, 0.0]), tf.constant([0.1, 0.1, 0.5]), 0.1)
    self.assertAllClose(updated, [0.15, 0.35, 0.25])

  def test_derivative_is_the_theorems_factor_and_zero_at_the_projection(self):
    meta = tf.constant([0.4, 0.4, 0.4], tf.float64)
    penalty = tf.constant([0.9, 0.2, 0.0], tf.float64)
    threshold = tf.constant([0.5, 0.5, 0.5], tf.float64)
    with tf.GradientTape() as tape:
      tape.watch(meta)
      updated = lagrange.update_multiplier(
          tf.constant([0.3, 0.3, 0.01], tf.float64), meta, penalty, threshold,
          0.05)
    expected = 0.05 * np.exp(0.4) * (penalty - threshold).numpy()
    expected[2] = 0  # There lambda' is projected to 0.
    self.assertAllClose(
        tape.gradient(updated, meta), expected, rtol=1e-14, atol=0)

  @parameterized.parameters(False, True)
  def test_straight_through_has_the_value_and_no_projection_in_the_derivative(
      self, jit):
    # Not projected, projected, projected from 0, at 0 without being projected.
    multiplier = tf.constant([0.3, 0.01, 0.0, 0.0], tf.float64)
    meta = tf.constant([0.4, 0.4, 0.4, 0.4], tf.float64)
    penalty = tf.constant([0.9, 0.0, 0.1, 0.5], tf.float64)
    threshold = tf.fill([4], tf.constant(0.5, tf.float64))

    @tf.function(jit_compile=jit)
    def both(straight_through):
      with tf.GradientTape() as tape:
        tape.watch(meta)
        updated = lagrange.update_multiplier(
            multiplier, meta, penalty, threshold, 0.05, straight_through)
      return updated, tape.gradient(updated, meta)

    exact, exact_derivative = both(False)
    updated, derivative = both(True)
    self.assertAllClose(updated, exact, rtol=1e-14, atol=0)
    self.assertAllEqual(updated.numpy() > 0, [True, False, False, False])
    rate = 0.05 * np.exp(0.4) * np.array([0.4, -0.5, -0.4, 0.0])
    self.assertAllClose(derivative, rate, rtol=1e-14, atol=0)
    self.assertAllClose(exact_derivative, rate * [1, 0, 0, 0], rtol=1e-14,
                        atol=0)

  def test_rate_without_meta_parameter_is_exactly_alpha_1(self):
    self.assertAllEqual(
        lagrange.effective_rate(1e-4, tf.zeros([3])),
        np.full(3, 1e-4, np.float32))
    self.assertAllClose(
        lagrange.effective_rate(2.0, tf.constant([1.0, -1.0])),
        [2 * np.e, 2 / np.e])

  @parameterized.parameters(False, True)
  def test_nan_stays_visible(self, jit):
    update = tf.function(lagrange.update_multiplier, jit_compile=jit)
    x = tf.constant([0.5])
    for args in ((x, x, x * np.nan, x), (x * np.nan, x, x, x),
                 (x, x * np.nan, x, x + 1)):
      self.assertAllEqual(np.isnan(update(*args, 0.1)), [True])

  @parameterized.parameters('meta_parameter', 'episode_penalty', 'threshold')
  def test_wrong_shapes(self, name):
    args = dict(meta_parameter=tf.zeros([3]), episode_penalty=tf.zeros([3]),
                threshold=tf.zeros([3]))
    args[name] = tf.zeros([1])
    with self.assertRaisesRegex(
        ValueError, rf'{name} must have shape \[3\], got \(1,\)'):
      lagrange.update_multiplier(tf.zeros([3]), learning_rate=0.1, **args)


if __name__ == '__main__':
  tf.test.main()
