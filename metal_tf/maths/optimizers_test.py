"""The differentiable optimizers against Sonnet's and TensorFlow's."""

from typing import List

from absl.testing import parameterized
import numpy as np
import sonnet as snt
import tensorflow as tf

from metal_tf.maths import optimizers

_SHAPES = ([4, 3], [3], [])


def _cold(parameters: List[tf.Tensor]) -> optimizers.AdamSlots:
  zeros = [tf.zeros_like(p) for p in parameters]
  return optimizers.AdamSlots(tf.constant(0, tf.int64), zeros, zeros)


class AdamTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(
      (tf.float32, False, 1e-6), (tf.float32, True, 1e-6),
      (tf.float64, False, 1e-13), (tf.float64, True, 1e-13))
  def test_equals_sonnets_over_100_steps(self, dtype, jit, atol):
    rng = np.random.RandomState(0)
    variables = [tf.Variable(rng.randn(*s), dtype=dtype) for s in _SHAPES]
    parameters = [v.read_value() for v in variables]
    slots = _cold(parameters)
    # As numbers of the dtype: Sonnet would round Python's to float32.
    sonnets = snt.optimizers.Adam(
        *(dtype.as_numpy_dtype(x) for x in (0.01, 0.9, 0.999, 1e-8)))
    update = tf.function(
        lambda p, g, s: optimizers.adam_update(p, g, s, 0.01), jit_compile=jit)
    for i in range(100):
      scale = 10.0**rng.randint(-9, 2)
      gradients = [
          tf.constant(scale * rng.randn(*s), dtype) for s in _SHAPES]
      gradients[1] *= [0.0, 1.0, float(i > 50)]  # Never, always, late.
      parameters, slots = update(parameters, gradients, slots)
      sonnets.apply(gradients, variables)
      for got, expected in zip(parameters, variables):
        np.testing.assert_allclose(got, expected, rtol=0, atol=atol)
    self.assertEqual(slots.count, 100)
    for got, expected in zip((*slots.m, *slots.v), (*sonnets.m, *sonnets.v)):
      np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-30)

  def test_first_step_by_hand(self):
    [updated], slots = optimizers.adam_update(
        [tf.constant([1.0], tf.float64)], [tf.constant([0.5], tf.float64)],
        _cold([tf.constant([1.0], tf.float64)]), 0.1)
    # Bias correction makes the first step lr * g / (|g| + eps).
    self.assertAllClose(
        updated, [1 - 0.1 * 0.5 / (0.5 + 1e-8)], rtol=1e-14, atol=0)
    self.assertAllClose(slots.m[0], [0.05], rtol=1e-14, atol=0)
    self.assertAllClose(slots.v[0], [0.00025], rtol=1e-14, atol=0)

  def test_derivative_by_the_gradient(self):
    m, v, count = 0.03, 0.002, 50

    def step(g):
      slots = optimizers.AdamSlots(
          tf.constant(count, tf.int64), [tf.constant([m], tf.float64)],
          [tf.constant([v], tf.float64)])
      return optimizers.adam_update(
          [tf.constant([1.0], tf.float64)], [g], slots, 0.1)[0][0]

    g = tf.constant([0.05], tf.float64)
    with tf.GradientTape() as tape:
      tape.watch(g)
      updated = step(g)
    fd = (step(g + 1e-6) - step(g - 1e-6)) / 2e-6
    np.testing.assert_allclose(tape.gradient(updated, g), fd, rtol=1e-8)

  @parameterized.product(
      dtype=(tf.float32, tf.float64), jit=(False, True),
      gradient=(0.0, 1e-30, 1e-12, 1e-3))
  def test_derivative_is_finite_wherever_the_gradient_vanishes(
      self, dtype, jit, gradient):
    @tf.function(jit_compile=jit)
    def derivative(g):
      with tf.GradientTape() as tape:
        tape.watch(g)
        # The product makes a tangent through g that is zero where g is.
        updated, _ = optimizers.adam_update(
            [tf.zeros_like(g)], [g * g], _cold([g]), 0.1)
      return tape.gradient(updated, g)

    self.assertAllInRange(
        tf.cast(tf.math.is_finite(
            derivative(tf.constant([gradient, 0.1], dtype))), tf.int32), 1, 1)


class OthersTest(tf.test.TestCase, parameterized.TestCase):

  def test_sgd(self):
    updated = optimizers.sgd_update(
        [tf.constant([1.0, 2.0]), tf.constant(3.0)],
        [tf.constant([10.0, -10.0]), tf.constant(0.0)], 0.1)
    self.assertAllClose(updated[0], [0.0, 3.0])
    self.assertAllClose(updated[1], 3.0)

  @parameterized.product(
      max_norm=(1e-8, 1.0, 1e3), scale=(0.0, 1e-10, 1.0, 1e6),
      jit=(False, True))
  def test_clip_equals_tensorflows(self, max_norm, scale, jit):
    rng = np.random.RandomState(1)
    gradients = [
        tf.constant(scale * rng.randn(*s), tf.float64) for s in _SHAPES]
    clip = tf.function(
        lambda g: optimizers.clip_by_global_norm(g, max_norm), jit_compile=jit)
    got, norm = clip(gradients)
    expected, expected_norm = tf.clip_by_global_norm(gradients, max_norm)
    np.testing.assert_allclose(norm, expected_norm, rtol=1e-12)
    for x, y in zip(got, expected):
      np.testing.assert_allclose(x, y, rtol=1e-12, atol=0)

  def test_inactive_clip_changes_no_bit(self):
    gradients = [tf.constant([0.1, 0.7, -1 / 3]), tf.constant(0.123)]
    clipped, _ = optimizers.clip_by_global_norm(gradients, 40.0)
    for x, y in zip(clipped, gradients):
      self.assertAllEqual(x, y)

  def test_clip_has_a_finite_derivative_at_zero(self):
    g = tf.zeros([3])
    with tf.GradientTape() as tape:
      tape.watch(g)
      [clipped], _ = optimizers.clip_by_global_norm([g], 1.0)
    self.assertAllEqual(tape.gradient(clipped, g), np.ones(3))

  @parameterized.product(dtype=(tf.float32, tf.float64), jit=(False, True))
  def test_safe_sqrt(self, dtype, jit):
    @tf.function(jit_compile=jit)
    def both(x):
      with tf.GradientTape() as tape:
        tape.watch(x)
        root = optimizers.safe_sqrt(x)
      return root, tape.gradient(root, x)

    root, derivative = both(
        tf.constant([0.0, 1e-31, 4e-30, 0.25, 9.0, np.inf], dtype))
    self.assertAllClose(
        root, [0.0, 0.0, 2e-15, 0.5, 3.0, np.inf], rtol=1e-6, atol=0)
    self.assertAllClose(
        derivative, [0.0, 0.0, 0.25e15, 1.0, 1 / 6, 0.0], rtol=1e-6, atol=0)

  @parameterized.parameters(False, True)
  def test_nan_stays_visible(self, jit):
    sqrt = tf.function(optimizers.safe_sqrt, jit_compile=jit)
    self.assertAllEqual(
        np.isnan(sqrt(tf.constant([np.nan, 1.0, 0.0]))), [True, False, False])
    clip = tf.function(
        lambda g: optimizers.clip_by_global_norm([g], 1.0), jit_compile=jit)
    self.assertTrue(np.isnan(clip(tf.constant([np.nan, 1.0]))[1]))


if __name__ == '__main__':
  tf.test.main()
