"""Tests for `numpy_policy`."""

from absl.testing import absltest
from absl.testing import parameterized
from acme import specs
from acme.tf import networks
from acme.tf import utils as acme_utils
import numpy as np
import sonnet as snt
import tensorflow as tf

from metal_tf.acting import numpy_policy
from metal_tf.acting import testing

_SYMMETRIC = (-1., 1.)
_SKEWED = (-2., 0.5)


def _make_network(layer_sizes, observation_size, minimum, maximum, seed=0):
  """The paper's policy with random weights, and a spec of its actions."""
  tf.random.set_seed(seed)
  spec = specs.BoundedArray(minimum.shape, np.float32, minimum, maximum)
  network = snt.Sequential([
      networks.LayerNormMLP(layer_sizes, activate_final=True),
      networks.NearZeroInitializedLinear(minimum.size),
      networks.TanhToSpec(spec),
  ])
  acme_utils.create_variables(
      network, [specs.Array((observation_size,), np.float32)])
  # Fresh biases are zero and the head nearly so: neither would be tested.
  rng = np.random.default_rng(seed)
  for variable in network.variables:
    fan_in = variable.shape[0] if variable.shape.rank == 2 else 4
    variable.assign(variable + rng.normal(
        scale=0.5 / np.sqrt(fan_in), size=variable.shape))
  return network


class NumpyPolicyTest(parameterized.TestCase):

  @parameterized.product(
      layer_sizes=((256, 256, 256), (32, 16), (8,), (12, 7, 6, 5)),
      sizes=((5, 1), (78, 12)), bounds=(_SYMMETRIC, _SKEWED))
  def test_equals_the_tensorflow_network(self, layer_sizes, sizes, bounds):
    observation_size, action_size = sizes
    minimum, maximum = (
        np.float32(x) * np.arange(1, action_size + 1, dtype=np.float32)
        / action_size for x in bounds)
    network = _make_network(layer_sizes, observation_size, minimum, maximum)
    policy = numpy_policy.NumpyPolicy(
        numpy_policy.policy_weights(network), minimum, maximum)
    observations = np.random.default_rng(1).normal(
        size=(100, observation_size)).astype(np.float32)
    actions = np.stack([policy(x) for x in observations])
    self.assertEqual(actions.dtype, np.float32)
    expected = network(tf.constant(observations)).numpy()
    self.assertGreater(np.ptp(expected, axis=0).max(), 0.05)  # It reacts.
    np.testing.assert_allclose(actions, expected, rtol=0., atol=1e-6)

  def test_what_all_units_of_the_first_layer_share_is_nothing(self):
    bounds = -np.ones(2, np.float32), np.ones(2, np.float32)
    weights = numpy_policy.policy_weights(_make_network((12, 7), 5, *bounds))
    observation = np.linspace(-1., 1., 5, dtype=np.float32)
    actions = []
    for shared in (0, 1024):  # Exact in float32, as their sums are not.
      for i in (0, 1):
        weights[i] = np.round(2**8 * weights[i]) / 2**8 + np.float32(shared)
      actions.append(numpy_policy.NumpyPolicy(weights, *bounds)(observation))
    np.testing.assert_allclose(*actions, rtol=0., atol=1e-6)

  def test_weights_are_in_the_order_of_the_computation(self):
    network = _make_network((8, 7), 5, -np.ones(2), np.ones(2))
    shapes = [x.shape for x in numpy_policy.policy_weights(network)]
    self.assertEqual(shapes, [(5, 8), (8,), (8,), (8,), (8, 7), (7,), (7, 2),
                              (2,)])
    # Scale and offset have one shape: only their initial values tell them.
    fresh = networks.LayerNormMLP((8, 7), activate_final=True)
    network = snt.Sequential([fresh, networks.NearZeroInitializedLinear(2)])
    network(tf.zeros([1, 5]))
    weights = numpy_policy.policy_weights(network)
    np.testing.assert_array_equal(weights[2], np.ones(8))
    np.testing.assert_array_equal(weights[3], np.zeros(8))

  def test_update_changes_the_policy(self):
    bounds = -np.ones(2, np.float32), np.ones(2, np.float32)
    first, second = (_make_network((8, 7), 5, *bounds, seed=seed)
                     for seed in (0, 1))
    policy = numpy_policy.NumpyPolicy(
        numpy_policy.policy_weights(first), *bounds)
    observation = np.linspace(-1., 1., 5, dtype=np.float32)
    before = policy(observation)
    policy.update(numpy_policy.policy_weights(second))
    after = policy(observation)
    self.assertGreater(np.abs(after - before).max(), 1e-3)
    np.testing.assert_allclose(
        after, second(tf.constant(observation[np.newaxis]))[0], atol=1e-6)

  def test_weights_are_copied(self):
    network = _make_network((8, 7), 5, -np.ones(2), np.ones(2))
    weights = [x.copy() for x in numpy_policy.policy_weights(network)]
    policy = numpy_policy.NumpyPolicy(weights, -np.ones(2), np.ones(2))
    observation = np.ones(5, np.float32)
    before = policy(observation)
    for x in weights:
      x[...] = np.nan
    np.testing.assert_array_equal(policy(observation), before)

  @parameterized.parameters(
      (0, (5,), r'weights\[0\]: got shape \(5,\), expected \(any, any\)'),
      (1, (7,), r'weights\[1\]: got shape \(7,\), expected \(8,\)'),
      (2, (1,), r'weights\[2\]: got shape \(1,\), expected \(8,\)'),
      (3, (1,), r'weights\[3\]: got shape \(1,\), expected \(8,\)'),
      (4, (7, 7), r'weights\[4\]: got shape \(7, 7\), expected \(8, any\)'),
      (6, (6, 2), r'weights\[6\]: got shape \(6, 2\), expected \(7, any\)'))
  def test_a_shape_that_does_not_fit_raises(self, index, shape, message):
    weights = [np.ones(x) for x in ((5, 8), (8,), (8,), (8,), (8, 7), (7,),
                                    (7, 2), (2,))]
    weights[index] = np.ones(shape)
    with self.assertRaisesRegex(ValueError, message):
      numpy_policy.NumpyPolicy(weights, -np.ones(2), np.ones(2))

  def test_bounds_whose_range_is_beyond_float32(self):
    largest = np.full(2, 3e38, np.float32)
    policy = numpy_policy.NumpyPolicy(
        testing.make_weights(0.5), -largest, largest)
    np.testing.assert_allclose(
        policy(np.zeros(3, np.float32)), np.tanh(0.5) * largest, rtol=1e-6)

  def test_a_wrong_number_of_actions_raises(self):
    weights = [np.ones(x) for x in ((5, 8), (8,), (8,), (8,), (8, 2), (2,))]
    with self.assertRaisesRegex(ValueError, r'weights\[5\]: .* \(3,\)'):
      numpy_policy.NumpyPolicy(weights, -np.ones(3), np.ones(3))

  @parameterized.parameters(4, 7)
  def test_a_wrong_number_of_arrays_raises(self, number):
    shapes = ((5, 8), (8,), (8,), (8,), (8, 2), (2,), (2, 2))
    with self.assertRaisesRegex(
        ValueError, f'weights: got {number} arrays, expected'):
      numpy_policy.NumpyPolicy([np.ones(x) for x in shapes[:number]],
                               -np.ones(2), np.ones(2))

  def test_an_update_of_another_size_raises(self):
    small, large = (_make_network(sizes, 5, -np.ones(2), np.ones(2))
                    for sizes in ((8, 7), (8, 9)))
    policy = numpy_policy.NumpyPolicy(
        numpy_policy.policy_weights(small), -np.ones(2), np.ones(2))
    with self.assertRaisesRegex(ValueError, 'weights: got shapes'):
      policy.update(numpy_policy.policy_weights(large))

  def test_another_architecture_raises(self):
    network = snt.nets.MLP((8, 7, 2))
    network(tf.zeros([1, 5]))
    with self.assertRaisesRegex(ValueError, 'policy: got layers'):
      numpy_policy.policy_weights(network)


if __name__ == '__main__':
  absltest.main()
