"""MeSh: its meta-gradient, its definition, its state."""

import functools
from typing import Any, Tuple
from unittest import mock

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from metal_tf.agent import agents
from metal_tf.agent import learner as learner_lib
from metal_tf.agent.testing import fixtures
from metal_tf.agent.testing import gradient_check as gradient_check
from metal_tf.maths import losses

_SPEC = gradient_check.MESH_SPEC
_NUM_TRAINING = 8
_TOLERANCE = 1e-6


@functools.cache
def _shared() -> Tuple[learner_lib.Learner, fixtures.State]:
  """Returns one learner per process, traced once, and its first state."""
  learner = gradient_check.make_mesh()
  return learner, learner.get_state()


def _reset() -> learner_lib.Learner:
  """Returns the shared learner as it was at first."""
  learner, state = _shared()
  learner.set_state(state)
  return learner


class MeshTest(fixtures.LearnerTestCase):

  def _check_gradient(self, **settings: Any) -> None:
    """Holds the meta-gradient against differences of the learner's own step."""
    for got, difference in gradient_check.check_mesh(**settings):
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
    fixtures.replace_group(state, 'shaping', [
        np.array([np.log(2), 3.0]) if x.shape == (2,) else
        np.zeros(x.shape) if x.shape[-1] == 2 else x
        for x in fixtures.group(state, 'shaping')])
    learner.set_state(state)
    return 2.0, 3.0

  def test_inner_loss_is_shaped_and_outer_loss_is_not(self):
    learner = gradient_check.make_mesh(critic='scalar', critic_lr=0.0)
    state = gradient_check.randomize_mesh(learner)
    scale, offset = self._constant_shaping(learner)
    batch, penalties = gradient_check.mesh_data()
    q = learner.networks.critic(batch.o_tm1, batch.a_tm1)[:, 0].numpy()
    o_t = tf.constant(batch.o_t)
    q_t = learner.networks.target_critic(
        o_t, learner.networks.target_policy(o_t))[:, 0].numpy()
    metrics = fixtures.step(learner, batch, penalties)
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
    learner = _reset()
    metrics = fixtures.step(learner, *gradient_check.mesh_data())
    self.assertEqual(metrics['shaping_scale'], 1.0)
    self.assertEqual(metrics['shaping_offset'], 0.0)
    metrics = fixtures.step(learner, *gradient_check.mesh_data())
    self.assertNotEqual(metrics['shaping_scale'], 1.0)
    self.assertNotEqual(metrics['shaping_offset'], 0.0)
    self.assertAllEqual(learner.meta_parameter, np.zeros(2))

  def test_state_goes_round(self):
    learner = _reset()
    gradient_check.randomize_mesh(learner)
    learner.step(*gradient_check.mesh_data(1))
    saved = learner.get_state()
    learner.step(*gradient_check.mesh_data(2))
    expected = learner.get_state()
    for name in ('shaping/0', 'shaping_adam/1', 'sums/shaping_scale'):
      self.assertNotAllEqual(saved[name], expected[name])
    other = gradient_check.make_mesh()
    other.set_state(saved)
    other.step(*gradient_check.mesh_data(2))
    fixtures.assert_states_equal(other.get_state(), expected)
    rc = fixtures.make_learner(
        _SPEC, agents.RC_D4PG, fixtures.make_config(), tf.float64)
    with self.assertRaisesRegex(ValueError, "'shaping/0' is unknown"):
      rc.set_state(saved)

  def test_a_meta_gradient_that_is_not_finite_changes_nothing(self):
    learner = _reset()
    state = gradient_check.randomize_mesh(learner)
    batch, penalties = gradient_check.mesh_data()
    batch.o_tm1[0, 0] = np.nan
    learner.step(batch, penalties)
    fixtures.assert_states_equal(
        learner.get_state(), state, ignore=('counts',))
    self.assertEqual(learner.num_skipped, 1)


if __name__ == '__main__':
  tf.test.main()
