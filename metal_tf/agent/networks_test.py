"""Networks as pure functions, and Adam's slots as checkpoints have them."""

from acme import specs
from acme.agents.tf import d4pg
import numpy as np
import tensorflow as tf

from metal_tf.agent import networks
from metal_tf.agent import state
from metal_tf.agent.testing import fixtures
from metal_tf.maths import optimizers


class FunctionTest(tf.test.TestCase):

  def setUp(self):
    super().setUp()
    self._nets = networks.Networks(
        fixtures.make_spec(), (8, 8), (16, 8), 11)
    rng = np.random.RandomState(0)
    self._o = tf.constant(rng.randn(5, 3), tf.float32)
    self._a = tf.constant(rng.randn(5, 2), tf.float32)
    for variable in self._nets.online_variables:  # Zeros and ones, too.
      variable.assign_add(0.1 * rng.randn(*variable.shape))

  def test_is_the_module_at_given_weights(self):
    critic = self._nets.critic
    weights = [v.read_value() for v in critic.trainable_variables]
    expected = critic(self._o, self._a)
    for variable in critic.trainable_variables:
      variable.assign(tf.zeros_like(variable))
    self.assertAllEqual(
        self._nets.apply_critic(weights, self._o, self._a), expected)
    self.assertAllEqual(
        self._nets.apply_policy(
            self._nets.policy.trainable_variables, self._o),
        self._nets.policy(self._o))

  def test_keeps_no_weights_of_an_earlier_call(self):
    weights = [v.read_value() for v in self._nets.critic.trainable_variables]
    first = self._nets.apply_critic(weights, self._o, self._a)
    other = self._nets.apply_critic(
        [2 * w for w in weights], self._o, self._a)
    self.assertGreater(np.abs(first - other).max(), 0.1)
    self.assertAllEqual(
        self._nets.apply_critic(weights, self._o, self._a), first)

  def test_gradient_is_the_modules(self):
    critic = self._nets.critic
    weights = [v.read_value() for v in critic.trainable_variables]
    with tf.GradientTape(persistent=True) as tape:
      tape.watch(weights)
      ours = tf.reduce_sum(
          self._nets.apply_critic(weights, self._o, self._a)**2)
      modules = tf.reduce_sum(critic(self._o, self._a)**2)
    for got, expected in zip(
        tape.gradient(ours, weights),
        tape.gradient(modules, critic.trainable_variables)):
      self.assertAllEqual(got, expected)


class InitialWeightsTest(tf.test.TestCase):

  def test_are_those_of_acmes_d4pg(self):
    spec = fixtures.make_spec()
    sizes = dict(policy_layer_sizes=(32, 16), critic_layer_sizes=(64, 32))
    tf.random.set_seed(3)
    ours = networks.Networks(spec, *sizes.values(), num_outputs=11)
    tf.random.set_seed(3)
    acmes = d4pg.make_default_networks(
        specs.BoundedArray([2], np.float32, spec.action_minimum,
                           spec.action_maximum), num_atoms=11, **sizes)
    # Both draw the same numbers if they do it in one order: policy, its target,
    # critic.
    acmes['policy'](tf.zeros([1, 3]))
    networks.make_policy(spec, sizes['policy_layer_sizes'])(tf.zeros([1, 3]))
    acmes['critic'](tf.zeros([1, 3]), tf.zeros([1, 2]))
    for name in ('policy', 'critic'):
      got = getattr(ours, name).trainable_variables
      expected = acmes[name].trainable_variables
      self.assertLen(got, len(expected))
      for x, y in zip(got, expected):
        self.assertAllEqual(x, y)
      self.assertGreater(np.std(got[-1]), 0)
    o, a = tf.random.normal([5, 3]), tf.random.normal([5, 2])
    self.assertAllClose(ours.policy(o), acmes['policy'](o), rtol=1e-6)
    self.assertAllClose(
        ours.critic(o, a), acmes['critic'](o, a).logits, rtol=1e-6)

  def test_meshs_network_begins_neutral_and_its_layers_are_activated(self):
    network = networks.ShapingNetwork((6, 4))
    o, a = tf.random.normal([5, 3]), tf.random.normal([5, 2])
    scale, offset = network(o, a)
    self.assertAllEqual(scale, np.ones(5))
    self.assertAllEqual(offset, np.zeros(5))
    *_, hidden_bias, hidden, bias, last = network.trainable_variables
    hidden.assign(tf.zeros_like(hidden))
    hidden_bias.assign([-3.0, 0.0, 1.0, 0.0])
    last.assign([[0.0, 1.0], [5.0, 5.0], [0.0, 0.5], [5.0, 5.0]])
    bias.assign([2.0, 0.25])
    scale, offset = network(o, a)
    self.assertAllClose(scale, np.full(5, np.exp(2.0)))
    self.assertAllClose(offset, np.full(5, np.exp(-3.0) - 1 + 0.5 + 0.25))

  def test_targets_begin_as_copies(self):
    ours = networks.Networks(fixtures.make_spec(), (8,), (16,), 11)
    for x, y in zip(ours.target_variables, ours.online_variables):
      self.assertIsNot(x, y)
      self.assertAllEqual(x, y)


class SlotsTest(tf.test.TestCase):

  def test_a_checkpoints_vectors(self):
    variables = [tf.Variable(tf.ones([2, 3])), tf.Variable(tf.ones([4]))]
    slots = state.make_slots(variables)
    arrays = {'critic_adam/0': [slots.count], 'critic_adam/1': slots.m,
              'critic_adam/2': slots.v}
    values = state.get(arrays)
    self.assertEqual([values[name].shape for name in arrays],
                     [(), (10,), (10,)])
    state.put(arrays, {**values, 'critic_adam/1': np.arange(10.0)})
    self.assertAllEqual(slots.m[0], [[0, 1, 2], [3, 4, 5]])
    self.assertAllEqual(slots.m[1], [6, 7, 8, 9])
    self.assertAllEqual(state.get(arrays)['critic_adam/1'], np.arange(10))
    self.assertAllEqual(slots.v[1], np.zeros(4))

  def test_clipping_comes_before_the_moments(self):
    slots = optimizers.AdamSlots(
        tf.constant(0, tf.int64), [tf.zeros([2])], [tf.zeros([2])])
    _, after, norm = optimizers.clipped_adam_update(
        [tf.zeros([2])], [tf.constant([3.0, 4.0])], slots, 1e-3, 1.0)
    self.assertAllClose(norm, 5.0)
    self.assertAllClose(after.m[0], [0.06, 0.08])
    self.assertAllClose(after.v[0], [0.00036, 0.00064])


if __name__ == '__main__':
  tf.test.main()
