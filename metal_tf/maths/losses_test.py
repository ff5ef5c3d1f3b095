"""The losses: hand-worked numbers, fixed points, what gradients may reach."""

from typing import Callable, List, Tuple

from absl.testing import parameterized
import numpy as np
import sonnet as snt
import tensorflow as tf

from metal_tf import types
from metal_tf.maths import losses
from metal_tf.maths import projection

_SUPPORT = projection.Support(vmin=0.0, vmax=2.0, num_atoms=3)


def _batch(size: int = 6, num_constraints: int = 2) -> types.Transition:
  rng = np.random.RandomState(0)
  return types.Transition(*(tf.constant(x) for x in (
      rng.randn(size, 3), rng.randn(size, 2), rng.uniform(0.2, 0.9, [size]),
      rng.uniform(0.1, 0.5, [size, num_constraints]),
      rng.uniform(0.4, 0.6, [size]), rng.randn(size, 3))))


class LossesTest(tf.test.TestCase, parameterized.TestCase):

  def test_shaped_reward_by_hand(self):
    shaped = losses.shaped_reward(
        tf.constant([1.0, -2.0]), tf.constant([[0.5, 2.0], [1.0, 0.0]]),
        tf.constant([3.0, 0.25]))
    self.assertAllClose(shaped, [1 - 1.5 - 0.5, -2 - 3.0])

  def test_shaped_reward_without_multiplier_changes_no_bit(self):
    r_t = tf.constant(np.random.RandomState(0).randn(100), tf.float32)
    c_t = tf.random.stateless_uniform([100, 3], [1, 2], 0, 5)
    self.assertAllEqual(losses.shaped_reward(r_t, c_t, tf.zeros([3])), r_t)

  @parameterized.parameters(([4], [4], [1], 'c_t'), ([4], [4, 2], [3], 'c_t'),
                            ([4, 1], [4, 1], [1], 'r_t'),
                            ([4], [3, 1], [1], 'c_t'))
  def test_shaped_reward_wrong_shapes(self, r_t, c_t, multiplier, name):
    with self.assertRaisesRegex(ValueError, f'^{name} must have shape'):
      losses.shaped_reward(*map(tf.zeros, (r_t, c_t, multiplier)))

  def test_target_by_hand(self):
    # Shaped reward 1 - 2 * 0.25 = 0.5, discount 0.5: atoms 0, 1, 2 move to
    # 0.5, 1, 1.5 with a third each.
    batch = types.Transition(
        tf.zeros([1, 3]), tf.zeros([1, 2]), tf.constant([1.0]),
        tf.constant([[0.25]]), tf.constant([0.5]), tf.zeros([1, 3]))
    target = losses.critic_target(
        batch, tf.constant([2.0]), tf.zeros([1, 3]), _SUPPORT)
    self.assertAllClose(target.probabilities, [[1 / 6, 2 / 3, 1 / 6]])
    self.assertEqual(target.clipped_mass, 0)

  def test_target_counts_clipped_mass(self):
    batch = types.Transition(
        tf.zeros([1, 3]), tf.zeros([1, 2]), tf.constant([0.0]),
        tf.constant([[1.5]]), tf.constant([1.0]), tf.zeros([1, 3]))
    target = losses.critic_target(
        batch, tf.constant([1.0]), tf.zeros([1, 3]), _SUPPORT)
    self.assertAllClose(target.clipped_mass, 2 / 3)  # At -1.5 and -0.5.
    self.assertAllClose(target.probabilities, [[5 / 6, 1 / 6, 0]])

  def test_target_moves_with_the_multiplier_but_not_with_the_networks(self):
    multiplier = tf.constant([0.1, 0.2], tf.float64)
    logits = tf.constant(np.random.RandomState(1).randn(6, 3))
    with tf.GradientTape() as tape:
      tape.watch([multiplier, logits])
      mean = tf.reduce_sum(
          losses.critic_target(_batch(), multiplier, logits, _SUPPORT)
          .probabilities * _SUPPORT.atoms(tf.float64))
    by_multiplier, by_logits = tape.gradient(mean, [multiplier, logits])
    self.assertIsNone(by_logits)
    # All positions lie inside: the mean moves by -c.
    self.assertAllClose(
        by_multiplier, -tf.reduce_sum(_batch().c_t, axis=0), rtol=1e-12)

  def test_divergences_by_hand(self):
    target = tf.constant([[0.5, 0.25, 0.25], [0.0, 0.0, 1.0]])
    logits = tf.math.log([[0.25, 0.25, 0.5], [0.2, 0.3, 0.5]])
    ln2 = np.log(2)
    cross = np.array([0.5 * 2 * ln2 + 0.25 * 2 * ln2 + 0.25 * ln2, ln2])
    entropy = np.array([0.5 * ln2 + 2 * 0.25 * 2 * ln2, 0.0])
    self.assertAllClose(losses.cross_entropy(target, logits), cross)
    self.assertAllClose(losses.kl_divergence(target, logits), cross - entropy)

  def test_cross_entropy_equals_the_fused_one_in_value(self):
    rng = np.random.RandomState(3)
    target = rng.dirichlet(np.ones(5), 20)
    logits = 30 * rng.randn(20, 5)
    self.assertAllClose(
        losses.cross_entropy(tf.constant(target), tf.constant(logits)),
        tf.nn.softmax_cross_entropy_with_logits(target, logits), rtol=1e-12)

  def test_cross_entropy_has_the_mixed_derivative(self):
    # d2 / (d logits d target), the one that the fused operation leaves out.
    rng = np.random.RandomState(4)
    target = tf.constant(rng.dirichlet(np.ones(5), 1))
    logits = tf.constant(rng.randn(1, 5))
    weights = rng.randn(1, 5)
    with tf.GradientTape() as outer:
      outer.watch(target)
      with tf.GradientTape() as inner:
        inner.watch(logits)
        loss = losses.cross_entropy(target, logits)
      value = tf.reduce_sum(weights * inner.gradient(loss, logits))
    # d loss / d logit_i = softmax_i sum(target) - target_i.
    expected = tf.reduce_sum(weights * tf.nn.softmax(logits)) - weights
    self.assertAllClose(outer.gradient(value, target), expected, rtol=1e-12)

  def _by_multiplier_at_a_perfect_critic(
      self, divergence: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]) -> float:
    """d loss / d lambda where the prediction equals the target."""
    support = projection.Support(-10.0, 10.0, 11)
    logits_t = tf.constant(np.random.RandomState(5).randn(6, 11))
    batch = _batch(num_constraints=1)
    multiplier = tf.constant([0.3], tf.float64)
    perfect = losses.critic_target(batch, multiplier, logits_t, support)
    # Log probabilities are logits; the empty atoms' are as good as empty.
    logits = tf.math.log(tf.maximum(perfect.probabilities, 1e-300))
    with tf.GradientTape() as tape:
      tape.watch(multiplier)
      target = losses.critic_target(batch, multiplier, logits_t, support)
      loss = tf.reduce_mean(losses.critic_loss(
          lambda o, a: logits, batch, target, divergence))
    return float(tape.gradient(loss, multiplier))

  def test_kl_leaves_a_perfect_critic_alone_and_cross_entropy_does_not(self):
    self.assertAlmostEqual(
        self._by_multiplier_at_a_perfect_critic(losses.kl_divergence), 0,
        places=13)
    self.assertGreater(
        abs(self._by_multiplier_at_a_perfect_critic(losses.cross_entropy)),
        1e-3)

  def test_kl_derivative_is_finite_with_empty_atoms(self):
    target = tf.constant([[0.0, 1.0, 0.0]])
    with tf.GradientTape() as tape:
      tape.watch(target)
      loss = losses.kl_divergence(target, tf.zeros([1, 3]))
    ln3 = np.log(3)
    self.assertAllClose(tape.gradient(loss, target), [[ln3, ln3 + 1, ln3]])

  def test_critic_loss_is_taken_at_the_earlier_observation(self):
    seen = []

    def critic(observation, action):
      seen.extend([observation, action])
      return tf.zeros([6, 3], tf.float64)

    batch = _batch()
    loss = losses.critic_loss(
        critic, batch,
        losses.Target(tf.fill([6, 3], tf.constant(1 / 3, tf.float64)), 0))
    self.assertAllClose(loss, np.full(6, np.log(3)))
    self.assertIs(seen[0], batch.o_tm1)
    self.assertIs(seen[1], batch.a_tm1)


  def _one(self) -> types.Transition:
    """Reward 1, penalty 0.25, discount 0.5."""
    return types.Transition(
        tf.zeros([1, 3]), tf.zeros([1, 2]), tf.constant([1.0]),
        tf.constant([[0.25]]), tf.constant([0.5]), tf.zeros([1, 3]))

  def test_scalar_target_and_squared_error_by_hand(self):
    multiplier, value_t = tf.constant([2.0]), tf.constant([3.0])
    with tf.GradientTape() as tape:
      tape.watch([multiplier, value_t])
      target = losses.scalar_target(self._one(), multiplier, value_t)
    by_multiplier, by_value = tape.gradient(
        target.value, [multiplier, value_t])
    self.assertAllClose(target.value, [1 - 2 * 0.25 + 0.5 * 3])
    self.assertAllClose(by_multiplier, [-0.25])
    self.assertIsNone(by_value)  # Only the target networks are constant.
    self.assertEqual(target.clipped_mass, 0)
    error = losses.squared_td_error(
        lambda o, a: tf.constant([[5.0]]), self._one(), target)
    self.assertAllClose(error, [9.0])

  def test_scalar_critic_wrong_shapes(self):
    with self.assertRaisesRegex(ValueError, '^value_t must have shape'):
      losses.scalar_target(self._one(), tf.zeros([1]), tf.zeros([1, 1]))
    target = losses.ScalarTarget(tf.zeros([1]), tf.zeros([]))
    with self.assertRaisesRegex(ValueError, '^critic output must have shape'):
      losses.squared_td_error(
          lambda o, a: tf.zeros([1, 3]), self._one(), target)

  def test_scale_and_offset_act_on_the_shaped_reward_for_every_lambda(self):
    batch = _batch()
    scale = tf.constant(np.random.RandomState(7).uniform(0.5, 2, 6))
    offset = tf.constant(np.random.RandomState(8).randn(6))
    shaped = losses.scale_and_offset(batch, scale, offset)
    for multiplier in ([0.0, 0.0], [0.3, 2.0]):
      multiplier = tf.constant(multiplier, tf.float64)
      self.assertAllClose(
          losses.shaped_reward(shaped.r_t, shaped.c_t, multiplier),
          scale * losses.shaped_reward(batch.r_t, batch.c_t, multiplier) +
          offset, rtol=1e-13)
    neutral = losses.scale_and_offset(
        batch, tf.ones_like(scale), tf.zeros_like(offset))
    for got, expected in zip(neutral, batch):
      self.assertAllEqual(got, expected)
    with self.assertRaisesRegex(ValueError, '^scale must have shape'):
      losses.scale_and_offset(batch, scale[:, None], offset)

  def test_expected_value_and_actor_loss_by_hand(self):
    logits = tf.math.log([[0.5, 0.25, 0.25], [0.0625, 0.0625, 0.875]])
    self.assertAllClose(
        losses.expected_value(logits, _SUPPORT), [0.75, 1.8125])
    loss = losses.actor_loss(
        lambda o: 2 * o, lambda o, a: (o + 10 * a)[:, 0],
        tf.constant([[1.0], [3.0]]))
    self.assertAllClose(loss, -(21 + 63) / 2)

  def test_weighted_mean_by_hand(self):
    loss = tf.constant([3.0, 1.0])
    self.assertAllClose(losses.weighted_mean(loss, None), 2.0)
    self.assertAllClose(
        losses.weighted_mean(loss, tf.constant([0.5, 1.0])), 1.25)
    with self.assertRaisesRegex(ValueError, '^importance_weights must have'):
      losses.weighted_mean(loss, tf.ones([2, 1]))

  def test_priorities_by_hand(self):
    # KL of (1/2, 1/2, 0) from thirds is ln 3/2; of a perfect prediction 0; of
    # an atom with a predicted probability of e^-100 it is 100.
    target = losses.Target(tf.constant(
        [[0.5, 0.5, 0.0], [0.25, 0.25, 0.5], [0.0, 0.0, 1.0]]), 0)
    logits = tf.constant([
        [7.0, 7.0, 7.0], [0.0, 0.0, np.log(2.0)], [0.0, 0.0, -100.0]])
    priorities = losses.priorities(
        lambda o, a: logits, types.Transition(*(x[:3] for x in _batch())),
        target)
    self.assertAllClose(
        priorities, np.array([np.log(1.5), 0.0, 100 + np.log(2.0)]) + 1e-4,
        rtol=1e-6)

  def test_priorities_are_positive_whatever_rounding_does(self):
    rng = np.random.RandomState(7)
    probabilities = rng.dirichlet(np.ones(51), 1000).astype(np.float32)
    batch = types.Transition(*[tf.zeros([1000, 1])] * 6)
    priorities = losses.priorities(
        lambda o, a: tf.math.log(probabilities), batch,
        losses.Target(tf.constant(probabilities), 0))
    self.assertAllInRange(priorities, losses.MINIMUM_PRIORITY, 2e-4)

  def test_scalar_priorities_by_hand(self):
    priorities = losses.scalar_priorities(
        lambda o, a: tf.constant([[1.0], [2.0], [3.0]]),
        types.Transition(*(x[:3] for x in _batch())),
        losses.ScalarTarget(tf.constant([1.0, 4.0, 2.5]), 0))
    self.assertAllClose(priorities, [1e-4, 2.0001, 0.5001])


class PolicyGradientTest(tf.test.TestCase, parameterized.TestCase):

  def setUp(self):
    super().setUp()
    rng = np.random.RandomState(6)
    self._policy = snt.Sequential([snt.nets.MLP([4, 2]), tf.tanh])
    self._critic_net = snt.nets.MLP([5, 3])
    self._o_t = tf.constant(rng.randn(7, 3))
    self._policy(self._o_t)
    self._critic(self._o_t, tf.zeros([7, 2], tf.float64))
    for v in (*self._policy.trainable_variables,
              *self._critic_net.trainable_variables):
      v.assign(rng.randn(*v.shape))

  def _critic(self, observation: tf.Tensor, action: tf.Tensor) -> tf.Tensor:
    return self._critic_net(tf.concat([observation, action], axis=1))

  def _value(self, observation: tf.Tensor, action: tf.Tensor) -> tf.Tensor:
    return losses.expected_value(self._critic(observation, action), _SUPPORT)

  def _q(self, a_t: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(
        tf.nn.softmax(self._critic(self._o_t, a_t)) * [0.0, 1.0, 2.0], axis=1)

  def _dqda(self, clip_norm: float) -> np.ndarray:
    """Numeric dQ/da of each transition, its norm bounded."""
    a_t, step = self._policy(self._o_t), 1e-6
    columns = [
        (self._q(a_t + step * e) - self._q(a_t - step * e)) / (2 * step)
        for e in np.eye(2)]
    dqda = np.stack(columns, axis=1)
    norms = np.linalg.norm(dqda, axis=1, keepdims=True)
    return dqda * np.minimum(1, clip_norm / norms)

  def _run(self, clip_norm: float) -> Tuple[tf.Tensor, List[tf.Tensor]]:
    @tf.function
    def run():
      return losses.policy_gradient(
          self._policy, self._value, self._policy.trainable_variables,
          self._o_t, clip_norm)
    return run()

  @parameterized.parameters(0.05, 1e3)
  def test_equals_minus_numeric_dqda_times_dadtheta(self, clip_norm):
    loss, gradients = self._run(clip_norm)
    dqda = self._dqda(clip_norm)
    self.assertAllClose(
        loss, 0.5 * (dqda**2).sum(axis=1).mean(), rtol=1e-6, atol=0)
    step = 1e-6
    for variable, gradient in zip(self._policy.trainable_variables, gradients):
      value = variable.numpy()
      expected = np.zeros_like(value)
      for index in np.ndindex(*value.shape):
        ends = []
        for sign in (1, -1):
          moved = value.copy()
          moved[index] += sign * step
          variable.assign(moved)
          ends.append(self._policy(self._o_t).numpy())
        variable.assign(value)
        dadtheta = (ends[0] - ends[1]) / (2 * step)
        expected[index] = -(dqda * dadtheta).sum(axis=1).mean()
      np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-9)

  def test_a_step_along_it_raises_the_value(self):
    before = tf.reduce_mean(self._q(self._policy(self._o_t)))
    _, gradients = self._run(1e3)
    for variable, gradient in zip(self._policy.trainable_variables, gradients):
      variable.assign_sub(0.01 * gradient)
    after = tf.reduce_mean(self._q(self._policy(self._o_t)))
    self.assertGreater(after, before + 1e-6)


if __name__ == '__main__':
  tf.test.main()
