"""Theorem 1 for batches, against a loop over all pairs of transitions."""

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from metal_tf import types
from metal_tf.maths import meta_gradient
from metal_tf.maths import theorem

_CRITIC_LR = 0.1


def _batch(rng: np.random.RandomState, size: int, k: int) -> types.Transition:
  return types.Transition(
      rng.randn(size, 3), rng.randn(size, 2), rng.randn(size),
      rng.uniform(0, 2, [size, k]), rng.uniform(0.5, 1, size),
      rng.randn(size, 3))


def _features(batch: types.Transition) -> np.ndarray:
  return np.concatenate([batch.o_tm1, batch.a_tm1], axis=1)


class TheoremTest(tf.test.TestCase, parameterized.TestCase):

  def setUp(self):
    super().setUp()
    rng = np.random.RandomState(0)
    # Q is w . x, so its gradient is x whatever the weights are.
    self._weights = tf.Variable(rng.randn(5))
    self._training, self._validation = _batch(rng, 4, 2), _batch(rng, 6, 2)
    self._value_t = rng.randn(6)
    self._rate = np.array([0.03, -0.02])

  def _value(self, observation: tf.Tensor, action: tf.Tensor) -> tf.Tensor:
    return tf.linalg.matvec(
        tf.concat([observation, action], axis=1), self._weights)

  def _closed_form(self, multiplier: np.ndarray, straight_through: bool,
                   jit: bool) -> theorem.ClosedForm:
    @tf.function(jit_compile=jit)
    def run():
      return theorem.closed_form(
          self._value, [self._weights],
          types.Transition(*map(tf.constant, self._validation)),
          tf.constant(self._value_t), tf.constant(multiplier),
          theorem.penalty_gradients(
              self._value, [self._weights],
              types.Transition(*map(tf.constant, self._training))),
          tf.constant(self._rate), straight_through, _CRITIC_LR)
    return run()

  @parameterized.product(straight_through=(False, True), jit=(False, True))
  def test_is_the_mean_of_the_printed_formula_over_pairs(
      self, straight_through, jit):
    multiplier = np.array([0.7, 0.0])  # The second one was projected.
    v = self._validation
    error = (v.r_t - v.c_t @ multiplier + v.discount_t * self._value_t -
             _features(v) @ self._weights.numpy())
    direct, weights = [], []
    for j, x_v in enumerate(_features(v)):
      for i, x_t in enumerate(_features(self._training)):
        direct.append(-2 * error[j] * v.c_t[j])
        weights.append(4 * _CRITIC_LR * error[j] * self._training.c_t[i] *
                       x_v.dot(x_t))
    factor = self._rate * (1, float(straight_through))
    got = self._closed_form(multiplier, straight_through, jit)
    self.assertAllClose(
        got.gradient.direct, factor * np.mean(direct, axis=0), rtol=1e-12)
    self.assertAllClose(got.gradient.through_weights,
                        factor * np.mean(weights, axis=0), rtol=1e-12)
    for term, bound in zip(got.gradient, got.bound):
      self.assertAllLessEqual(np.abs(term) / bound, 1)
      self.assertAllGreater(bound, 0)

  def test_noise_of_penalties_alone_asks_for_a_slower_lambda(self):
    """A critic that is the mean of its targets: docs/algorithm.md."""
    rng = np.random.RandomState(1)
    size, multiplier = 50, np.array([0.7, 0.2])
    features, penalties = rng.randn(5), rng.uniform(0, 2, [size, 2])
    self._validation = types.Transition(
        np.tile(features[:3], [size, 1]), np.tile(features[3:], [size, 1]),
        np.full(size, 0.5), penalties, np.full(size, 0.9), np.zeros([size, 3]))
    self._value_t = np.full(size, 2.0)
    mean = 0.5 - penalties.mean(axis=0) @ multiplier + 0.9 * 2.0
    self._weights.assign(features * mean / features.dot(features))
    got = self._closed_form(multiplier, False, False).gradient
    covariance = np.cov(penalties.T, ddof=0)
    self.assertAllClose(
        got.direct, 2 * covariance @ multiplier * self._rate, rtol=1e-12)
    self.assertAllClose(got.through_weights, [0, 0], atol=1e-12)

  def _error(self, direct: list, weights: list) -> float:
    bound = meta_gradient.MetaGradient(
        *(tf.constant(x, tf.float64) for x in ([2.0, 0.0], [4.0, 1e-3])))
    return float(theorem.largest_error(
        meta_gradient.MetaGradient(tf.constant(direct), tf.constant(weights)),
        theorem.ClosedForm(meta_gradient.MetaGradient(*(
            tf.constant(x, tf.float64) for x in ([1.0, 0.0], [-1.0, 0.0]))),
                           bound)))

  @parameterized.parameters(
      ([1.0, 0.0], [-1.0, 0.0], 0.0),  # 0 / 0 is no error.
      ([1.5, 0.0], [-1.0, 0.0], 0.25),
      ([1.0, 0.0], [0.0, 0.0], 0.25),  # A term that is missing.
      ([1.0, 0.0], [-1.0, 1e-4], 0.1),
      ([1.0, 1e-9], [-1.0, 0.0], 1e6),  # Something where nothing may be.
      ([np.nan, 0.0], [-1.0, 0.0], 1e6))
  def test_largest_error_by_hand(self, direct, weights, expected):
    self.assertAllClose(self._error(direct, weights), expected)


if __name__ == '__main__':
  tf.test.main()
