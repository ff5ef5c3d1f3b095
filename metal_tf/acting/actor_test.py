"""Tests for `actor`."""

import json

from absl.testing import absltest
import numpy as np

from metal_tf.acting import actor as actor_lib
from metal_tf.acting import numpy_policy
from metal_tf.acting import testing

_OBSERVATION = np.ones(3, np.float32)


def _make_actor(sigma=0.3, seed=0, action=0., weights_source=None):
  spec = testing.make_spec()
  policy = numpy_policy.NumpyPolicy(
      testing.make_weights(action), spec.action_minimum, spec.action_maximum)
  return actor_lib.Actor(policy, exploration_sigma=sigma, seed=seed, spec=spec,
                         weights_source=weights_source)


def _act(actor, steps):
  return np.stack([actor.select_action(_OBSERVATION) for _ in range(steps)])


class ActorTest(absltest.TestCase):

  def test_without_noise_it_is_the_policy(self):
    np.testing.assert_allclose(
        _act(_make_actor(sigma=0.), 2), [[0., -0.75], [0., -0.75]], atol=1e-7)

  def test_noise_has_sigma_in_half_ranges_of_each_action(self):
    actions = _act(_make_actor(sigma=0.1), 10000)
    self.assertEqual(actions.dtype, np.float32)
    np.testing.assert_allclose(actions.mean(axis=0), [0., -0.75], atol=0.005)
    # The bounds are [-1, 1] and [-2, 0.5].
    np.testing.assert_allclose(actions.std(axis=0), [0.1, 0.125], atol=0.005)
    self.assertLess(abs(np.corrcoef(actions.T)[0, 1]), 0.05)

  def test_a_narrow_action_is_explored_as_a_wide_one(self):
    # Noise of 0.3 in units of the action would put 97 % of these on a bound.
    spec = testing.make_spec()._replace(
        action_minimum=np.float32([-0.01, -100]),
        action_maximum=np.float32([0.01, 100]))
    actor = actor_lib.Actor(
        numpy_policy.NumpyPolicy(testing.make_weights(0.), spec.action_minimum,
                                 spec.action_maximum),
        exploration_sigma=0.3, seed=1, spec=spec)
    scaled = _act(actor, 10000) / spec.action_maximum
    np.testing.assert_allclose(scaled.std(axis=0), [0.3, 0.3], atol=0.01)
    self.assertLess((np.abs(scaled) == 1).mean(), 0.002)

  def test_bounds_as_wide_as_float32(self):
    largest = np.finfo(np.float32).max
    spec = testing.make_spec()._replace(
        action_minimum=np.float32([-largest, -1]),
        action_maximum=np.float32([largest, 1]))
    actor = actor_lib.Actor(
        numpy_policy.NumpyPolicy(testing.make_weights(0.), spec.action_minimum,
                                 spec.action_maximum),
        exploration_sigma=0.3, seed=1, spec=spec)
    self.assertTrue(np.isfinite(_act(actor, 100)).all())

  def test_actions_are_clipped_to_the_bounds(self):
    spec = testing.make_spec()
    actions = _act(_make_actor(sigma=10.), 100)
    np.testing.assert_array_equal(actions.min(axis=0), spec.action_minimum)
    np.testing.assert_array_equal(actions.max(axis=0), spec.action_maximum)

  def test_one_seed_gives_one_sequence(self):
    first, same, other = (_act(_make_actor(seed=x), 5) for x in (1, 1, 2))
    np.testing.assert_array_equal(first, same)
    self.assertFalse(np.array_equal(first, other))

  def test_state_goes_through_json(self):
    actor = _make_actor(seed=1)
    _act(actor, 5)
    state = json.loads(json.dumps(actor.state()))
    expected = _act(actor, 5)
    resumed = _make_actor(seed=2)
    resumed.set_state(state)
    np.testing.assert_array_equal(_act(resumed, 5), expected)

  def test_weights_are_fresh_at_the_start_of_an_episode(self):
    weights = [testing.make_weights(0.)]
    actor = _make_actor(sigma=0., weights_source=lambda: weights[0])
    weights[0] = testing.make_weights(100.)
    before = actor.select_action(_OBSERVATION)
    actor.begin_episode()
    after = actor.select_action(_OBSERVATION)
    np.testing.assert_allclose(before, [0., -0.75], atol=1e-7)
    np.testing.assert_allclose(after, [1., 0.5], atol=1e-6)

  def test_a_negative_sigma_raises(self):
    for sigma in (-0.1, float('nan')):
      with self.assertRaisesRegex(ValueError, f'sigma: got {sigma}, allowed'):
        _make_actor(sigma=sigma)


if __name__ == '__main__':
  absltest.main()
