"""The learner on prioritized replay: importance weights and new priorities."""

import functools
from typing import Any, Tuple

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from metal_tf import types
from metal_tf.agent import agents
from metal_tf.agent import learner as learner_lib
from metal_tf.agent.testing import fixtures
from metal_tf.agent.testing import oracle
from metal_tf.maths import losses

_SPEC = fixtures.make_spec(2)
_SIZE, _NUM_TRAINING = 16, 8
_ONES = np.ones(_SIZE, np.float32)


def _make(kind: agents.Algorithm = agents.METAL,
          dtype: tf.DType = tf.float32,
          **settings: Any) -> learner_lib.Learner:
  """Returns a learner in a random state, the same for all."""
  learner = fixtures.make_learner(_SPEC, kind, fixtures.make_config(**{
      **dict(replay='prioritized', critic_lr=1e-3, lagrange_lr=0.01,
             lagrange_multiplier=0.5), **settings}), dtype)
  fixtures.randomize(np.random.RandomState(0), learner)
  return learner


@functools.cache
def _shared() -> Tuple[learner_lib.Learner, fixtures.State]:
  """Returns one learner per process, traced once, and its first state."""
  learner = _make()
  return learner, learner.get_state()


def _data(seed: int = 1,
          dtype: Any = np.float32) -> Tuple[types.Transition, np.ndarray]:
  rng = np.random.RandomState(seed)
  return (fixtures.random_batch(rng, _SPEC, _SIZE, dtype),
          fixtures.random_penalties(rng, _SPEC, dtype=dtype))


class ImportanceWeightsTest(fixtures.LearnerTestCase):

  def setUp(self):
    super().setUp()
    self._learner, self._state = _shared()

  def _step(self, batch: types.Transition, weights: np.ndarray):
    """One step from the same state; returns the new one and its metrics."""
    self._learner.set_state(self._state)
    self._learner.read_metrics()
    self._learner.step(batch, _data()[1], weights.astype(np.float32))
    state = self._learner.get_state()
    return state, self._learner.read_metrics()

  @parameterized.parameters(
      (agents.METAL, False), (agents.D4PG, True), (agents.MESH, False),
      (agents.METAL, False, dict(
          critic='scalar', outer_loss='actor_critic')))
  def test_ones_are_uniform_replay(self, kind, xla, variant=()):
    settings = dict(dict(variant), lagrange_multiplier=0.0, xla=xla)
    prioritized = _make(kind, **settings)
    uniform = _make(kind, replay='uniform', **settings)
    uniform.set_state(prioritized.get_state())  # MeSh's network, too.
    for i in range(5):
      self.assertIsNotNone(prioritized.step(*_data(i), _ONES))
      self.assertIsNone(uniform.step(*_data(i), _ONES))
    # Bit for bit uncompiled with the default losses and without MeSh; else the
    # two programs may round otherwise.
    fixtures.assert_states_equal(
        prioritized.get_state(), uniform.get_state(),
        1e-6 if xla or variant or kind == agents.MESH else 0.0)
    self.assertEqual(prioritized.num_traces, 1)
    self.assertEqual(prioritized.num_skipped, 0)

  def test_a_transition_of_weight_zero_does_not_touch_the_critic(self):
    batch, _ = _data()
    weights = _ONES.copy()
    weights[3] = 0
    expected, _ = self._step(batch, weights)
    for name in ('o_tm1', 'a_tm1', 'r_t', 'c_t', 'discount_t'):
      getattr(batch, name)[3] *= 0.5
    for weight, touches in ((0, False), (0.5, True)):
      weights[3] = weight
      state, _ = self._step(batch, weights)
      same = [np.array_equal(x, y) for x, y in zip(
          fixtures.group(state, 'critic'),
          fixtures.group(expected, 'critic'))]
      self.assertEqual(all(same), not touches)

  def test_the_loss_is_the_mean_of_weighted_losses(self):
    batch, _ = _data()
    each = []
    for i in range(_NUM_TRAINING):
      _, metrics = self._step(batch, np.eye(_SIZE)[i])
      each.append(metrics['critic_loss'] * _NUM_TRAINING)
    self.assertGreater(np.std(each), 0.1)
    weights = np.linspace(0.1, 1, _SIZE)
    _, metrics = self._step(batch, weights)
    self.assertAllClose(metrics['critic_loss'],
                        np.mean(weights[:_NUM_TRAINING] * each), rtol=1e-5)

  def test_weights_scale_the_gradient(self):
    batch, _ = _data()
    _, whole = self._step(batch, _ONES)
    _, quarter = self._step(batch, 0.25 * _ONES)
    for name in ('critic_loss', 'critic_gradient_norm'):
      self.assertEqual(quarter[name], 0.25 * whole[name])
    # The policy, J_C and the validation part know nothing of them.
    for name in ('policy_loss', 'policy_gradient_norm', 'clipped_mass'):
      self.assertEqual(quarter[name], whole[name])

  def test_the_outer_loss_is_not_weighted(self):
    batch, _ = _data()
    weights = _ONES.copy()
    expected, _ = self._step(batch, weights)
    weights[_NUM_TRAINING:] = np.linspace(0, 1, _SIZE - _NUM_TRAINING)
    state, _ = self._step(batch, weights)
    fixtures.assert_states_equal(state, expected)

  def test_a_missing_weight_raises(self):
    with self.assertRaises(ValueError):
      self._learner.step(*_data(), _ONES[1:])


class PrioritiesTest(fixtures.LearnerTestCase):

  @parameterized.parameters(
      (agents.METAL, True), (agents.D4PG, False))
  def test_are_the_divergence_from_the_target_in_numpy(self, kind, xla):
    settings = dict(lagrange_multiplier=0.0) if kind is agents.D4PG else {}
    learner = _make(kind, tf.float64, xla=xla, **settings)
    before = learner.get_state()
    batch, penalties = _data(dtype=np.float64)
    priorities = learner.step(
        batch, penalties, np.linspace(0.1, 1, _SIZE)).numpy()
    num_training = _SIZE if kind is agents.D4PG else _NUM_TRAINING
    o_t = tf.constant(batch.o_t)
    # The target networks stand as before: this was not a step that copies.
    target = oracle.project(
        (batch.r_t - batch.c_t @ learner.multiplier.numpy())[:, None] +
        batch.discount_t[:, None] * np.linspace(-10, 10, 11),
        tf.nn.softmax(learner.networks.target_critic(
            o_t, learner.networks.target_policy(o_t))).numpy(), -10.0, 10.0)
    after = learner.get_state()
    expected = []
    for state, rows in ((before, slice(0, num_training)),
                        (after, slice(num_training, _SIZE))):
      learner.set_state(state)
      predicted = tf.nn.softmax(learner.networks.critic(
          tf.constant(batch.o_tm1[rows]), tf.constant(batch.a_tm1[rows])))
      p = target[rows]
      with np.errstate(divide='ignore', invalid='ignore'):
        terms = np.where(p > 0, p * np.log(p / predicted.numpy()), 0.0)
      expected.extend(terms.sum(axis=1))
    self.assertAllClose(
        priorities, np.array(expected) + losses.MINIMUM_PRIORITY, rtol=1e-9)
    self.assertGreater(np.std(priorities), 0.1)

  def test_a_scalar_critics_are_its_td_errors(self):
    learner = _make(
        dtype=tf.float64, critic='scalar', inner_optimizer='sgd')
    batch, penalties = _data(dtype=np.float64)

    def td_errors(rows):
      q = learner.networks.critic(batch.o_tm1[rows], batch.a_tm1[rows])[:, 0]
      return np.abs(target[rows] - q.numpy())

    o_t = tf.constant(batch.o_t)
    q_t = learner.networks.target_critic(
        o_t, learner.networks.target_policy(o_t))[:, 0].numpy()
    state = learner.get_state()
    priorities = learner.step(batch, penalties, np.ones(_SIZE)).numpy()
    target = (batch.r_t - batch.c_t @ learner.multiplier.numpy() +
              batch.discount_t * q_t)
    rest = td_errors(slice(_NUM_TRAINING, None))  # After the update.
    learner.set_state(state)
    self.assertAllClose(priorities, losses.MINIMUM_PRIORITY + np.concatenate(
        [td_errors(slice(_NUM_TRAINING)), rest]), rtol=1e-9)

  @parameterized.parameters(
      ('r_t', 0, np.nan), ('r_t', _SIZE - 1, np.nan), ('o_t', 2, np.nan))
  def test_a_skipped_step_has_none(self, field, row, value):
    learner, before = _shared()
    learner.set_state(before)
    batch, penalties = _data()
    getattr(batch, field)[row] = value
    self.assertAllEqual(
        np.isnan(learner.step(batch, penalties, _ONES)), np.full(_SIZE, True))
    self.assertEqual(learner.num_skipped, 1)
    fixtures.assert_states_equal(
        learner.get_state(), before, ignore=('counts',))

  def test_a_transition_that_is_learned_becomes_less_urgent(self):
    learner = _make(agents.D4PG, lagrange_multiplier=0.0, critic_lr=1e-2)
    batch, penalties = _data()
    weights = _ONES * (np.arange(_SIZE) < 4)
    first = learner.step(batch, penalties, weights).numpy()
    for _ in range(30):
      last = learner.step(batch, penalties, weights).numpy()
    self.assertAllLess(last[:4] / first[:4], 0.3)
    self.assertAllGreater(last, 0)


if __name__ == '__main__':
  tf.test.main()
