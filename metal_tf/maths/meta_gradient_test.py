"""Theorem 1 in closed form against the tapes; splitting of batches."""

from typing import NamedTuple, Tuple

from absl.testing import parameterized
import numpy as np
import sonnet as snt
import tensorflow as tf

from metal_tf import types
from metal_tf.maths import lagrange
from metal_tf.maths import losses
from metal_tf.maths import meta_gradient
from metal_tf.maths import optimizers


class _Sample(NamedTuple):
  """One transition with a constant value of its next state."""
  x: tf.Tensor  # Observation and action, `[1, 4]`.
  r: float
  c: np.ndarray  # `[K]`.
  bootstrap: float  # Discount times the target network's value.


def _sample(rng: np.random.RandomState, num_constraints: int) -> _Sample:
  return _Sample(tf.constant(rng.randn(1, 4)), rng.randn(),
                 rng.uniform(0.5, 2, num_constraints), rng.randn())


class TheoremTest(tf.test.TestCase, parameterized.TestCase):
  """A scalar critic, squared TD error, plain gradient descent."""

  _ALPHA_1 = 0.05
  _ALPHA_C = 0.1

  def setUp(self):
    super().setUp()
    self._critic = snt.nets.MLP([8, 1], activation=tf.tanh)
    self._critic(tf.zeros([1, 4], tf.float64))
    rng = np.random.RandomState(0)
    for v in self._critic.trainable_variables:
      v.assign(rng.randn(*v.shape))

  def _error(self, sample: _Sample, multiplier: tf.Tensor) -> tf.Tensor:
    """TD error `r - lambda . c + bootstrap - Q(s, a)`."""
    shaped = losses.shaped_reward(
        tf.constant([sample.r], tf.float64), tf.constant(sample.c[None]),
        multiplier)
    return shaped[0] + sample.bootstrap - self._critic(sample.x)[0, 0]

  def _flat_gradient(self, sample: _Sample) -> np.ndarray:
    """grad_theta Q(s, a) at the present weights, flat."""
    with tf.GradientTape() as tape:
      value = self._critic(sample.x)[0, 0]
    return np.concatenate([
        g.numpy().ravel() for g in
        tape.gradient(value, self._critic.trainable_variables)])

  def _tapes(
      self, training: _Sample, validation: _Sample, state: dict
  ) -> Tuple[meta_gradient.MetaGradient, tf.Tensor]:
    """Updates the critic; returns the meta-gradient and lambda'."""
    variables = self._critic.trainable_variables
    meta = state['meta_parameter']
    with tf.GradientTape(persistent=True) as inner_tape:
      inner_tape.watch(meta)
      new_multiplier = lagrange.update_multiplier(
          learning_rate=self._ALPHA_1, **state)
      with tf.GradientTape() as tape:
        loss = self._error(training, new_multiplier)**2
      weights = optimizers.sgd_update(
          [v.read_value() for v in variables],
          tape.gradient(loss, variables), self._ALPHA_C)
    for variable, value in zip(variables, weights):
      variable.assign(value)
    with tf.GradientTape() as outer_tape:
      outer_tape.watch(new_multiplier)
      loss = self._error(validation, new_multiplier)**2
    d_multiplier, d_critic = outer_tape.gradient(
        loss, [new_multiplier, variables])
    return meta_gradient.pull_back(
        inner_tape, meta, new_multiplier, weights, d_multiplier,
        d_critic), new_multiplier

  @parameterized.product(
      num_constraints=(1, 3), seed=(0, 1, 2), same_sample=(False, True))
  def test_both_terms(self, num_constraints, seed, same_sample):
    rng = np.random.RandomState(seed)
    k = num_constraints
    training = _sample(rng, k)
    validation = training if same_sample else _sample(rng, k)
    state = dict(
        multiplier=tf.constant(rng.uniform(0.5, 1, k)),
        meta_parameter=tf.constant(rng.uniform(-1, 1, k)),
        episode_penalty=tf.constant(rng.uniform(0, 1, k)),
        threshold=tf.constant(rng.uniform(0, 1, k)))
    gradient_t = self._flat_gradient(training)  # At theta_c.
    got, new_multiplier = self._tapes(training, validation, state)
    gradient_v = self._flat_gradient(validation)  # At theta_c'.
    delta = float(self._error(validation, new_multiplier))  # After the update.
    factor = self._ALPHA_1 * np.exp(state['meta_parameter']) * (
        state['episode_penalty'] - state['threshold']).numpy()
    direct = 2 * delta * -validation.c * factor
    through_weights = (
        2 * delta * 2 * self._ALPHA_C * training.c *
        gradient_v.dot(gradient_t) * factor)
    np.testing.assert_allclose(got.direct, direct, rtol=1e-10)
    np.testing.assert_allclose(got.through_weights, through_weights, rtol=1e-10)
    np.testing.assert_allclose(
        got.total, direct + through_weights, rtol=1e-10, atol=1e-14)
    if same_sample:  # The theorem as it is printed.
      np.testing.assert_allclose(
          got.total,
          -2 * delta * training.c * factor *
          (-2 * self._ALPHA_C * gradient_v.dot(gradient_t) + 1),
          rtol=1e-10, atol=1e-14)
    self.assertAllGreater(np.abs(got.direct), 1e-6)
    self.assertAllGreater(np.abs(got.through_weights), 1e-6)


class MetaGradientTest(tf.test.TestCase):

  def test_direct_share_by_hand(self):
    gradient = meta_gradient.MetaGradient(
        tf.constant([3.0, -1.0, 0.0, 0.0]), tf.constant([-1.0, 0.0, 2.0, 0.0]))
    self.assertAllClose(gradient.direct_share, [0.75, 1.0, 0.0, 0.0])
    self.assertAllClose(gradient.total, [2.0, -1.0, 2.0, 0.0])


class SplitBatchTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(1, 3, 9)
  def test_parts_keep_the_order_and_lose_nothing(self, num_training):
    batch = types.Transition(*(
        tf.constant(np.random.RandomState(i).randn(*shape))
        for i, shape in enumerate(
            ([10, 3], [10, 2], [10], [10, 1], [10], [10, 3]))))
    training, validation = meta_gradient.split_batch(batch, num_training)
    for whole, first, second in zip(batch, training, validation):
      self.assertAllEqual(first, whole[:num_training])
      self.assertAllEqual(second, whole[num_training:])

  def test_all_of_it_trains(self):
    batch = types.Transition(*(tf.ones([10, 1]) for _ in range(6)))
    training, validation = meta_gradient.split_batch(batch, 10)
    self.assertIs(training, batch)
    self.assertIsNone(validation)

  @parameterized.parameters(-1, 0, 11)
  def test_rejects_an_empty_training_part(self, num_training):
    batch = types.Transition(*(tf.zeros([10, 1]) for _ in range(6)))
    with self.assertRaisesRegex(
        ValueError, f'between 1 and 10, got {num_training}'):
      meta_gradient.split_batch(batch, num_training)


if __name__ == '__main__':
  tf.test.main()
