"""The learner's meta-gradient against finite differences, path by path."""

from typing import Any, Callable
from unittest import mock

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from metal_tf.agent import learner as learner_lib
from metal_tf.agent.testing import fixtures
from metal_tf.agent.testing import gradient_check as gradient_check
from metal_tf.agent.testing import oracle as oracle_lib
from metal_tf.maths import lagrange
from metal_tf.maths import losses
from metal_tf.maths import meta_gradient
from metal_tf.maths import optimizers
from metal_tf.maths import projection

_TOLERANCE = 1e-4
_LEAST_SHARE = 0.1


class MetaGradientTest(tf.test.TestCase, parameterized.TestCase):

  def _check(self, regime: str, num_constraints: int = 1,
             divergence: str = 'cross_entropy', xla: bool = False,
             projected: bool = False, **settings: Any) -> None:
    """Asserts that a learner step agrees with the oracle in what it reports.

    The arguments are those of `check_metal`.
    """
    checked = gradient_check.check_metal(
        regime, num_constraints, divergence, xla, projected, **settings)
    learner, config = checked.learner, fixtures.make_config(**settings)
    state, got, expected = checked.state, checked.got, checked.expected
    self.assertEqual(
        config.num_validation, gradient_check.NUM_VALIDATION)
    self.assertAllEqual(
        checked.oracle.multiplier(state['meta_parameter/0']) == 0,
        [projected] * num_constraints)
    self._check_forward(
        learner, checked.oracle, checked.metrics, state,
        gradient_check.REGIMES[regime], config.outer_loss)
    for name in gradient_check.PATHS[config.outer_loss == 'actor':]:
      difference = getattr(expected, name)
      self.assertTrue(
          np.all(np.abs(difference) >= _LEAST_SHARE * np.abs(expected.total)),
          f'too small a share, {name}: {expected}')
      self.assertLessEqual(
          checked.error(name), _TOLERANCE,
          f'meta-gradient {name}: {got[name]}, finite difference {difference}')
    if config.outer_loss == 'actor':  # Lambda is no input of the networks.
      self.assertAllEqual(got['direct'], np.zeros(num_constraints))
      self.assertAllEqual(expected.direct, np.zeros(num_constraints))
    if config.meta_optimizer == 'sgd':
      np.testing.assert_allclose(
          learner.meta_parameter.numpy(),
          state['meta_parameter/0'] -
          config.meta_learning_rate * expected.total,
          rtol=0, atol=1e-3 * config.meta_learning_rate *
          np.abs(expected.total).max())

  def _check_forward(self, learner: learner_lib.Learner,
                     oracle: oracle_lib.Oracle, metrics: dict,
                     state: fixtures.State,
                     regime: gradient_check.Regime,
                     outer_loss: str) -> None:
    """Asserts lambda', theta_c' and losses, and that the case is as meant."""
    multiplier = oracle.multiplier(state['meta_parameter/0'])
    weights, inner_loss, norm = oracle.critic_update(multiplier)
    self.assertEqual(norm > regime.clip_norm, regime.clipped)
    np.testing.assert_allclose(
        metrics['clipped_mass'], oracle.clipped_mass(multiplier), rtol=1e-12)
    np.testing.assert_allclose(
        learner.multiplier.numpy(), multiplier, rtol=1e-12)
    after = learner.get_state()
    for got, expected in zip(fixtures.group(after, 'critic'), weights):
      np.testing.assert_allclose(got, expected, rtol=0, atol=1e-10)
    np.testing.assert_allclose(metrics['critic_loss'], inner_loss, rtol=1e-12)
    np.testing.assert_allclose(
        metrics['critic_gradient_norm'], norm, rtol=1e-12)
    np.testing.assert_allclose(
        metrics['outer_loss'], oracle.outer_loss(multiplier, weights),
        rtol=1e-9)
    parts = {part: metrics[f'outer_{part}_loss']
             for part in ('critic', 'actor')}
    self.assertCountEqual(
        [part for part, loss in parts.items() if np.isfinite(loss)],
        outer_loss.split('_'))
    np.testing.assert_allclose(
        np.nansum(list(parts.values())), metrics['outer_loss'], rtol=1e-12)

  # Each regime has one constraint and three, both divergences, and is compiled
  # and not, but not in all combinations: each costs the tracing of a learner.

  @parameterized.parameters(
      ('warm', 3, 'kl'), ('warm_clipped', 1, 'kl'),
      ('cold', 1, 'cross_entropy'), ('cold_clipped', 3, 'cross_entropy'))
  def test_uncompiled(self, regime, num_constraints, divergence):
    self._check(regime, num_constraints, divergence, meta_optimizer='sgd',
                meta_lr=1e-3)

  @parameterized.parameters(
      ('warm', 1, 'cross_entropy'), ('warm_clipped', 3, 'cross_entropy'),
      ('cold', 3, 'kl'), ('cold_clipped', 1, 'kl'))
  def test_compiled(self, regime, num_constraints, divergence):
    self._check(regime, num_constraints, divergence, xla=True)

  @parameterized.parameters(
      ('actor', 'warm', 1), ('actor', 'cold', 3),
      ('actor_critic', 'warm_sum', 3),
      ('actor_critic', 'scalar', 3), ('actor', 'scalar_sgd', 1))
  def test_actors_outer_loss(self, outer_loss, regime, num_constraints):
    self._check(regime, num_constraints, outer_loss=outer_loss,
                meta_optimizer='sgd', meta_lr=1e-5,
                **gradient_check.critic_settings(regime))

  @parameterized.parameters(('scalar', 1), ('scalar_sgd', 3))
  def test_scalar_critic(self, regime, num_constraints):
    self._check(regime, num_constraints,
                **gradient_check.critic_settings(regime))

  @parameterized.parameters(('warm', 1), ('scalar_sgd', 3))
  def test_straight_through_the_projection(self, regime, num_constraints):
    self._check(regime, num_constraints, projected=True,
                multiplier_projection='straight_through',
                **gradient_check.critic_settings(regime))

  def test_variants_compiled(self):
    self._check('scalar_sgd', 3, xla=True, outer_loss='actor_critic',
                **gradient_check.critic_settings('scalar_sgd'))
    self._check('warm_sum', 1, xla=True, projected=True,
                outer_loss='actor_critic',
                multiplier_projection='straight_through')

  @parameterized.parameters(
      ('warm_td', 1, False), ('warm_td', 3, True), ('cold', 3, False))
  def test_the_printed_outer_loss(self, regime, num_constraints, xla):
    self._check(regime, num_constraints, 'td', xla=xla)

  @parameterized.parameters(1, 3)
  def test_the_direct_term_is_theorem_1s(self, num_constraints):
    """-2 mean(delta c) alpha_1 exp(alpha) (J_C - beta), delta of the means."""
    checked = gradient_check.check_metal(  # Wide atoms: no mass is clipped.
        'warm', num_constraints, 'td', vmin=-200.0, vmax=200.0)
    learner, oracle = checked.learner, checked.oracle
    self.assertEqual(checked.metrics['clipped_mass'], 0)
    multiplier = learner.multiplier.numpy()
    validation = oracle.validation
    atoms = np.linspace(-200, 200, 11)
    o_t = tf.constant(validation.o_t)
    networks = learner.networks
    q_t = tf.nn.softmax(networks.target_critic(
        o_t, networks.target_policy(o_t))).numpy() @ atoms
    q_tm1 = tf.nn.softmax(networks.critic(
        validation.o_tm1, validation.a_tm1)).numpy() @ atoms
    delta = (validation.r_t - validation.c_t @ multiplier +
             validation.discount_t * q_t - q_tm1)
    rate = oracle.config.lagrange_lr * oracle.violation * np.exp(
        checked.state['meta_parameter/0'])
    np.testing.assert_allclose(
        checked.got['direct'],
        -2 * np.mean(delta[:, None] * validation.c_t, axis=0) * rate,
        rtol=1e-10)
    np.testing.assert_allclose(
        checked.metrics['td_error_violating'],
        delta @ validation.c_t / validation.c_t.sum(axis=0), rtol=1e-10)

  # --- The step that follows from it -----------------------------------------

  @parameterized.parameters(('sgd', 'td'), ('adam', 'cross_entropy'))
  def test_the_step_goes_against_both_terms(self, meta_optimizer, divergence):
    rate, epsilon = 1e-3, 1e-2
    checked = gradient_check.check_metal(
        'warm', 3, divergence, meta_optimizer=meta_optimizer, meta_lr=rate,
        meta_epsilon=epsilon)
    gradient = checked.expected.direct + checked.expected.through_weights
    # Adam's first step: its moments are g and g^2 after correction.
    step = (gradient if meta_optimizer == 'sgd' else
            gradient / (np.abs(gradient) + epsilon))
    np.testing.assert_allclose(
        checked.learner.meta_parameter.numpy() -
        checked.state['meta_parameter/0'], -rate * step, rtol=1e-4)
    direct = checked.expected.direct  # One term alone is another step.
    self.assertGreater(np.abs(gradient - direct).min() /
                       np.abs(gradient).max(), 1e-3)

  # --- Mutations: the same check must fail, and say where --------------------

  def _assert_caught(self, where: str, regime: str = 'warm_clipped',
                     divergence: str = 'cross_entropy',
                     **settings: Any) -> None:
    with self.assertRaisesRegex(
        AssertionError, f'meta-gradient {where}: .*finite difference'):
      self._check(regime, 3, divergence, **settings)

  def test_catches_stop_gradient_on_the_target(self):
    original = losses.critic_target

    def stopped(*args):
      target = original(*args)
      return target._replace(
          probabilities=tf.stop_gradient(target.probabilities) +
          0 * target.probabilities)  # Connected still: zero, not None.

    with mock.patch.object(losses, 'critic_target', stopped):
      self._assert_caught('direct')

  def test_catches_the_direct_path_off(self):
    with self._patch_pull_back(lambda g: g._replace(direct=0 * g.direct)):
      self._assert_caught('direct')

  def test_catches_the_path_through_the_weights_off(self):
    with self._patch_pull_back(
        lambda g: g._replace(through_weights=0 * g.through_weights)):
      self._assert_caught('through_weights')

  def test_catches_exchanged_paths(self):
    with self._patch_pull_back(
        lambda g: meta_gradient.MetaGradient(g.through_weights, g.direct)):
      self._assert_caught('direct')

  def test_catches_the_fused_cross_entropy(self):
    def fused(target, logits):
      return tf.nn.softmax_cross_entropy_with_logits(target, logits)

    with mock.patch.object(losses.critic_loss, '__defaults__', (fused,)):
      self._assert_caught('through_weights')

  def test_catches_a_constant_clipping_factor(self):
    def clip(gradients, max_norm):
      norm = tf.stop_gradient(tf.linalg.global_norm(gradients))
      scale = max_norm / tf.maximum(norm, max_norm)
      return [scale * g for g in gradients], norm

    with mock.patch.object(optimizers, 'clip_by_global_norm', clip):
      self._assert_caught('through_weights')

  def test_catches_a_constant_second_moment(self):
    with mock.patch.object(
        optimizers, 'safe_sqrt', lambda x: tf.stop_gradient(tf.sqrt(x))):
      self._assert_caught('through_weights', regime='warm')

  def test_catches_a_constant_rate(self):
    with mock.patch.object(
        lagrange, 'effective_rate',
        lambda rate, x: rate * (tf.stop_gradient(tf.exp(x)) + x -
                                tf.stop_gradient(x))):
      self._assert_caught('direct')

  def test_catches_a_projection_in_other_units(self):
    original = projection.project

    def wrong(positions, probabilities, support):
      frozen = tf.stop_gradient(positions)
      return original(
          frozen + 2 * (positions - frozen), probabilities, support)

    with mock.patch.object(projection, 'project', wrong):
      self._assert_caught('direct')

  def test_catches_an_actors_loss_that_stops_at_the_critic(self):
    with mock.patch.object(
        losses, 'actor_loss',
        lambda policy, value, o_t: -tf.reduce_mean(
            tf.stop_gradient(value(o_t, policy(o_t))) + 0 * value(
                o_t, policy(o_t)))):
      self._assert_caught('through_weights', outer_loss='actor')

  def test_catches_a_projection_that_is_not_straight_through(self):
    original = lagrange.update_multiplier
    with mock.patch.object(
        lagrange, 'update_multiplier', lambda *args: original(*args[:-1])):
      self._assert_caught(
          'direct', projected=True, multiplier_projection='straight_through')

  def _patch_pull_back(
      self, change: Callable[[meta_gradient.MetaGradient],
                             meta_gradient.MetaGradient]) -> Any:
    original = meta_gradient.pull_back
    return mock.patch.object(
        meta_gradient, 'pull_back', lambda *args: change(original(*args)))


if __name__ == '__main__':
  tf.test.main()
