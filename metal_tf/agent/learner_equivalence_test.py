"""Settings of one learner that must be one algorithm, built as two programs."""

from typing import Any

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from metal_tf import types
from metal_tf.agent import agents
from metal_tf.agent import learner as learner_lib
from metal_tf.agent.testing import fixtures

_STEPS = 50
# Multiples of 16, as in a real run: Eigen's vectorized functions round the rest
# of an array, what fills no register, in another way, and the target networks
# see all of MetaL's batch but only its head in RC-D4PG's.
_BATCH_SIZE = 32
_NUM_TRAINING = 16


class EquivalenceTest(tf.test.TestCase, parameterized.TestCase):

  def _check(self, first: learner_lib.Learner, second: learner_lib.Learner,
             xla: bool, first_size: int = _NUM_TRAINING) -> None:
    """Feeds the second one the head of the first one's batches, and compares.

    Bit for bit uncompiled; compiled, the two programs may round otherwise.
    """
    atol = 1e-6 if xla else 0.0
    rng = np.random.RandomState(0)
    spec = fixtures.make_spec(2)
    fixtures.randomize(rng, first)
    state = first.get_state()
    state['multiplier/0'] = second.get_state()['multiplier/0']
    shared = set(second.get_state())  # MeSh has weights more.
    first.set_state(state)
    second.set_state({name: state[name] for name in shared})
    for i in range(_STEPS):
      batch = fixtures.random_batch(rng, spec, first_size)
      penalties = fixtures.random_penalties(rng, spec)
      if i % 10 == 9:
        penalties[:, 0] = 0  # Satisfied now and then.
      first_metrics = fixtures.step(first, batch, penalties)
      second_metrics = fixtures.step(
          second, types.Transition(*(x[:_NUM_TRAINING] for x in batch)),
          penalties)
      for name in ('critic_loss', 'policy_loss', 'critic_gradient_norm',
                   'policy_gradient_norm', 'clipped_mass'):
        np.testing.assert_allclose(
            first_metrics[name], second_metrics[name],
            rtol=1e-4 if xla else 0, atol=atol, err_msg=name)
      self.assertAllEqual(first.meta_parameter, np.zeros(2))
    fixtures.assert_states_equal(
        {name: first.get_state()[name] for name in shared}, second.get_state(),
        atol, ignore=('meta_adam', 'sums'))
    # The comparison is not one of two learners that stood still.
    moved = first.get_state()
    for name in ('critic/1', 'policy/1', 'target/1', 'critic_adam/1'):
      self.assertNotAllClose(moved[name], state[name], atol=1e-4)
    self.assertEqual(moved['counts/0'], 1 + _STEPS)
    self.assertEqual(moved['counts/1'], 0)

  def _learner(self, kind: agents.Algorithm,
               **settings: Any) -> learner_lib.Learner:
    config = dict(
        batch_size=_NUM_TRAINING, target_update_period=7, lagrange_lr=0.01,
        critic_lr=1e-3, policy_lr=1e-3)
    return learner_lib.Learner(
        fixtures.make_spec(2), kind,
        fixtures.make_config(**{**config, **settings}))

  @parameterized.parameters(
      ('sgd', False), ('adam', False), ('adam', True))
  def test_metal_without_meta_rate_is_rc_d4pg(self, meta_optimizer, xla):
    metal = self._learner(
        agents.METAL, meta_lr=0.0, meta_optimizer=meta_optimizer, xla=xla,
        batch_size=_BATCH_SIZE)
    rc = self._learner(agents.RC_D4PG, xla=xla)
    before = metal.multiplier.numpy()
    self._check(metal, rc, xla, _BATCH_SIZE)
    self.assertAllGreater(metal.multiplier.numpy() - before, 0.01)
    self.assertAllEqual(metal.effective_rate, rc.effective_rate)

  # Compiled, it is held against differences in learner_mesh_test.py.
  def test_mesh_without_its_rate_is_rc_d4pg(self):
    first = self._learner(
        agents.MESH, mesh_lr=0.0, batch_size=_BATCH_SIZE)
    second = self._learner(agents.RC_D4PG)
    self._check(first, second, False, _BATCH_SIZE)
    self.assertAllGreater(first.multiplier, 0.01)

  # Each of them is compiled in the tests above and below.
  def test_rc_d4pg_without_rate_is_rs_d4pg(self):
    rs = self._learner(agents.RS_D4PG, lagrange_multiplier=0.7)
    self._check(
        self._learner(agents.RC_D4PG, lagrange_multiplier=0.7,
                      lagrange_lr=0.0), rs, False)
    self.assertAllEqual(rs.multiplier, np.full(2, 0.7))
    self.assertAllEqual(rs.effective_rate, np.zeros(2))

  @parameterized.parameters(False, True)
  def test_rs_d4pg_without_multiplier_is_d4pg(self, xla):
    plain = self._learner(agents.D4PG, xla=xla)
    self._check(
        self._learner(agents.RS_D4PG, xla=xla, lagrange_multiplier=0.0),
        plain, xla)
    self.assertAllEqual(plain.multiplier, np.zeros(2))

  def test_a_multiplier_makes_a_difference(self):
    first = self._learner(agents.RS_D4PG, lagrange_multiplier=0.7)
    second = self._learner(agents.RC_D4PG, lagrange_multiplier=0.7)
    with self.assertRaises(AssertionError):
      self._check(first, second, False)


if __name__ == '__main__':
  tf.test.main()
