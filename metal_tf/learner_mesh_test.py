"""MeSh: its meta-gradient, its definition, its state."""

from typing import Any, Tuple
from unittest import mock

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from baselines import mesh
from baselines import rc_d4pg
from metal_tf import learner as learner_lib
from metal_tf import learner_testing
from metal_tf.maths import losses

_SPEC = learner_testing.make_spec(2)
_NUM_TRAINING = 8
_TOLERANCE = 1e-6


def _make(**settings: Any) -> learner_lib.Learner:
  """Returns a learner in float64 with rates that move everything visibly."""
  defaults = dict(critic_lr=0.01, lagrange_multiplier=0.5, lagrange_lr=0.01,
                  mesh_layer_sizes=(6,), mesh_lr=0.01)
  config = learner_testing.make_config(**{**defaults, **settings})
  return learner_lib.Learner(_SPEC, mesh.MESH, config, tf.float64)


def _data(seed: int = 1) -> tuple:
  rng = np.random.RandomState(seed)
  return (learner_testing.random_batch(rng, _SPEC, 16, np.float64),
          learner_testing.random_penalties(rng, _SPEC, dtype=np.float64))


def _randomize(learner: learner_lib.Learner) -> learner_testing.State:
  """Draws all weights, those of the shaping's last layer too.

  Adam on the critic is warm: cold, its step bends sharply where gradients are
  small, and no finite difference is short enough.
  """
  rng = np.random.RandomState(0)
  learner_testing.randomize(rng, learner)
  state = learner.get_state()
  learner_testing.replace_group(state, 'shaping', [
      0.3 * rng.randn(*x.shape)
      for x in learner_testing.group(state, 'shaping')])
  learner_testing.warm_adam(rng, state, 'critic_adam', 0.05)
  learner.set_state(state)
  return state


class MeshTest(tf.test.TestCase, parameterized.TestCase):

  def _check_gradient(self, **settings: Any) -> None:
    """Holds the meta-gradient against differences of the learner's own step."""
    learner = _make(**settings)
    state = _randomize(learner)
    weights = learner_testing.group(state, 'shaping')
    learner_testing.step(learner, *_data())
    # Adam's first moment after one step is a tenth of the gradient.
    gradient = learner.get_state()['shaping_adam/1'] / (1 - 0.9)
    gradient = learner_testing.split(gradient, [w.shape for w in weights])

    def outer_loss(direction, step):
      moved = dict(state)
      learner_testing.replace_group(moved, 'shaping', [
          w + step * d for w, d in zip(weights, direction)])
      learner.set_state(moved)
      return learner_testing.step(learner, *_data())['outer_loss']

    rng = np.random.RandomState(2)
    # Each array by itself, and all at once.
    for touched in (*range(len(weights)), 'all'):
      direction = [rng.randn(*w.shape) * (touched in (i, 'all'))
                   for i, w in enumerate(weights)]
      got = sum(np.sum(g * d) for g, d in zip(gradient, direction))
      # Short: the categorical projection has kinks.
      difference = (outer_loss(direction, 1e-5) -
                    outer_loss(direction, -1e-5)) / 2e-5
      self.assertGreater(abs(difference), 1e-5)
      np.testing.assert_allclose(
          got, difference, rtol=_TOLERANCE, atol=1e-9, err_msg='meta-gradient')

  @parameterized.parameters(
      dict(), dict(xla=True), dict(outer_divergence='kl'),
      dict(critic='scalar', inner_optimizer='sgd', critic_lr=0.005))
  def test_meta_gradient(self, **settings):
    self._check_gradient(**settings)

  def test_catches_a_shaped_reward_that_is_held_constant(self):
    original = losses.scale_and_offset

    def stopped(batch, scale, offset):
      shaped = original(batch, scale, offset)
      constant = original(
          batch, tf.stop_gradient(scale), tf.stop_gradient(offset))
      return constant._replace(r_t=constant.r_t + 0 * shaped.r_t)

    with mock.patch.object(losses, 'scale_and_offset', stopped):
      with self.assertRaisesRegex(AssertionError, 'meta-gradient'):
        self._check_gradient()

  def test_catches_penalties_that_are_not_scaled(self):
    original = losses.scale_and_offset

    def partly(batch, scale, offset):
      # The value is right, the gradient lacks the penalties' share.
      return original(batch, scale, offset)._replace(
          c_t=tf.stop_gradient(scale)[:, None] * batch.c_t)

    with mock.patch.object(losses, 'scale_and_offset', partly):
      with self.assertRaisesRegex(AssertionError, 'meta-gradient'):
        self._check_gradient()

  def _constant_shaping(
      self, learner: learner_lib.Learner) -> Tuple[float, float]:
    """Makes scale and offset 2 and 3 for every transition."""
    state = learner.get_state()
    learner_testing.replace_group(state, 'shaping', [
        np.array([np.log(2), 3.0]) if x.shape == (2,) else
        np.zeros(x.shape) if x.shape[-1] == 2 else x
        for x in learner_testing.group(state, 'shaping')])
    learner.set_state(state)
    return 2.0, 3.0

  def test_inner_loss_is_shaped_and_outer_loss_is_not(self):
    learner = _make(critic='scalar', critic_lr=0.0)
    state = _randomize(learner)
    scale, offset = self._constant_shaping(learner)
    batch, penalties = _data()
    q = learner.networks.critic(batch.o_tm1, batch.a_tm1)[:, 0].numpy()
    o_t = tf.constant(batch.o_t)
    q_t = learner.networks.target_critic(
        o_t, learner.networks.target_policy(o_t))[:, 0].numpy()
    metrics = learner_testing.step(learner, batch, penalties)
    multiplier = state['multiplier/0'] + 0.01 * (
        penalties.mean(axis=0) - _SPEC.thresholds)
    self.assertAllClose(learner.multiplier, multiplier, rtol=1e-12)
    reward = batch.r_t - batch.c_t @ multiplier
    bootstrap = batch.discount_t * q_t
    head, rest = slice(_NUM_TRAINING), slice(_NUM_TRAINING, None)
    self.assertAllClose(
        metrics['critic_loss'],
        np.mean((scale * reward + offset + bootstrap - q)[head]**2), rtol=1e-12)
    self.assertAllClose(
        metrics['outer_loss'], np.mean((reward + bootstrap - q)[rest]**2),
        rtol=1e-12)
    self.assertAllClose(metrics['outer_critic_loss'], metrics['outer_loss'])
    self.assertAllClose(metrics['shaping_scale'], scale)
    self.assertAllClose(metrics['shaping_offset'], offset)
    self.assertTrue(np.isnan(metrics['meta_gradient_direct']).all())

  def test_starts_exactly_neutral_and_moves(self):
    learner = _make()
    metrics = learner_testing.step(learner, *_data())
    self.assertEqual(metrics['shaping_scale'], 1.0)
    self.assertEqual(metrics['shaping_offset'], 0.0)
    metrics = learner_testing.step(learner, *_data())
    self.assertNotEqual(metrics['shaping_scale'], 1.0)
    self.assertNotEqual(metrics['shaping_offset'], 0.0)
    self.assertAllEqual(learner.meta_parameter, np.zeros(2))

  def test_state_goes_round(self):
    learner = _make()
    _randomize(learner)
    learner.step(*_data(1))
    saved = learner.get_state()
    learner.step(*_data(2))
    expected = learner.get_state()
    for name in ('shaping/0', 'shaping_adam/1', 'sums/shaping_scale'):
      self.assertNotAllEqual(saved[name], expected[name])
    other = _make()
    other.set_state(saved)
    other.step(*_data(2))
    learner_testing.assert_states_equal(other.get_state(), expected)
    rc = learner_lib.Learner(
        _SPEC, rc_d4pg.RC_D4PG, learner_testing.make_config(), tf.float64)
    with self.assertRaisesRegex(ValueError, "'shaping/0' is unknown"):
      rc.set_state(saved)

  def test_a_meta_gradient_that_is_not_finite_changes_nothing(self):
    learner = _make()
    state = _randomize(learner)
    batch, penalties = _data()
    batch.o_tm1[0, 0] = np.nan
    learner.step(batch, penalties)
    learner_testing.assert_states_equal(
        learner.get_state(), state, ignore=('counts',))
    self.assertEqual(learner.num_skipped, 1)


if __name__ == '__main__':
  tf.test.main()
