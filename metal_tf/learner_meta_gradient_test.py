"""The learner's meta-gradient against finite differences, path by path."""

from typing import Any, Callable, NamedTuple
from unittest import mock

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from metal_tf import algorithm
from metal_tf import learner as learner_lib
from metal_tf import learner_oracle
from metal_tf import learner_testing
from metal_tf.maths import lagrange
from metal_tf.maths import losses
from metal_tf.maths import meta_gradient
from metal_tf.maths import optimizers
from metal_tf.maths import projection

_TOLERANCE = 1e-4
_LEAST_SHARE = 0.1
_NUM_VALIDATION = 8


class _Regime(NamedTuple):
  """State of Adam and of the clipping, with rates under which both paths count.

  Attributes:
    warm: whether Adam's slots are random ones of step 50, or zero.
    clipped: whether clipping by global norm is active.
    critic_lr: the inner rate.
    clip_norm: its bound. Cold, Adam's step is little more than the gradient's
      sign unless gradients are as small as its epsilon: the cold clipped regime
      clips to that size.
    lagrange_lr: alpha_1. The cold unclipped regime bends sharply where
      gradients are small, so a finite difference has to stay short.
    validation_penalties: factor on the validation part's penalties, which
      weighs the direct path.
    slots: size of the gradients that the warm slots stem from.
    seeds: by the number of constraints; finite differences there meet no kink
      and each path is well above its least share.
  """
  warm: bool
  clipped: bool
  critic_lr: float
  clip_norm: float
  lagrange_lr: float
  validation_penalties: float
  slots: float
  seeds: dict


_REGIMES = dict(
    warm=_Regime(True, False, 0.1, 100.0, 0.05, 0.3, 0.05, {1: 6, 3: 6}),
    warm_clipped=_Regime(True, True, 0.1, 0.05, 0.05, 0.1, 1e-3, {1: 3, 3: 0}),
    cold=_Regime(False, False, 0.05, 100.0, 0.005, 1e-3, 0, {1: 3, 3: 3}),
    cold_clipped=_Regime(False, True, 0.05, 1e-7, 0.05, 0.3, 0, {1: 0, 3: 0}),
    # For the sum of two outer losses, of which one has no direct path.
    warm_sum=_Regime(True, False, 0.02, 100.0, 0.05, 1.0, 0.05, {1: 6, 3: 6}),
    # For a scalar critic, whose gradients are larger.
    scalar=_Regime(True, False, 0.05, 1e3, 0.05, 0.1, 0.5, {1: 0, 3: 0}),
    scalar_sgd=_Regime(False, False, 0.005, 1e3, 0.05, 0.3, 0, {1: 0, 3: 0}),
)
_PATHS = ('direct', 'through_weights', 'total')


def _settings(regime: str) -> dict:
  """The critic that a regime is for."""
  if not regime.startswith('scalar'):
    return {}
  return dict(critic='scalar', inner_optimizer=(
      'sgd' if regime.endswith('sgd') else 'adam'))


class MetaGradientTest(tf.test.TestCase, parameterized.TestCase):

  def _check(self, regime: str, num_constraints: int = 1,
             divergence: str = 'cross_entropy', xla: bool = False,
             projected: bool = False, **settings: Any) -> None:
    """Asserts that a learner step agrees with the oracle in what it reports.

    Args:
      regime: key of `_REGIMES`.
      num_constraints: K.
      divergence: of the outer critic loss.
      xla: whether the step is compiled.
      projected: whether lambda' is 0 for being projected, all constraints
        satisfied.
      **settings: further ones of the config.
    """
    r = _REGIMES[regime]
    rng = np.random.RandomState(r.seeds[num_constraints])
    spec = learner_testing.make_spec(
        num_constraints,
        thresholds=[0.95] * num_constraints if projected else None)
    config = learner_testing.make_config(
        outer_divergence=divergence, xla=xla, critic_lr=r.critic_lr,
        clip_norm=r.clip_norm, lagrange_lr=r.lagrange_lr, **settings)
    learner = learner_lib.Learner(spec, algorithm.METAL, config, tf.float64)
    learner_testing.randomize(rng, learner)
    state = learner.get_state()
    state['meta_parameter/0'] = rng.uniform(-0.7, 0.7, num_constraints)
    state['multiplier/0'] = (0 if projected else 1) * rng.uniform(
        0.2, 0.8, num_constraints)
    if r.warm:
      learner_testing.warm_adam(rng, state, 'critic_adam', r.slots)
    learner.set_state(state)
    batch = learner_testing.random_batch(
        rng, spec, config.batch_size, np.float64)
    batch.c_t[-_NUM_VALIDATION:] *= r.validation_penalties
    penalties = learner_testing.random_penalties(rng, spec, dtype=np.float64)

    metrics = learner_testing.step(learner, batch, penalties)
    oracle = learner_oracle.Oracle(
        spec, config, state, batch, penalties,
        learner_testing.group(learner.get_state(), 'policy'))
    self.assertEqual(config.num_validation, _NUM_VALIDATION)
    self.assertAllEqual(
        oracle.multiplier(state['meta_parameter/0']) == 0,
        [projected] * num_constraints)
    self._check_forward(
        learner, oracle, metrics, state, r, config.outer_loss)

    expected = oracle.differences()
    got = dict(
        direct=metrics['meta_gradient_direct'],
        through_weights=metrics['meta_gradient_weights'],
        total=(metrics['meta_gradient_direct'] +
               metrics['meta_gradient_weights']))
    for name in _PATHS[config.outer_loss == 'actor':]:
      fd = getattr(expected, name)
      self.assertTrue(
          np.all(np.abs(fd) >= _LEAST_SHARE * np.abs(expected.total)),
          f'too small a share, {name}: {expected}')
      error = np.abs(got[name] - fd) / np.maximum(
          np.abs(fd), 1e-3 * np.abs(fd).max())
      self.assertLessEqual(
          error.max(), _TOLERANCE,
          f'meta-gradient {name}: {got[name]}, finite difference {fd}')
    if config.outer_loss == 'actor':  # Lambda is no input of the networks.
      self.assertAllEqual(got['direct'], np.zeros(num_constraints))
      self.assertAllEqual(expected.direct, np.zeros(num_constraints))
    if config.meta_optimizer == 'sgd':
      np.testing.assert_allclose(
          learner.meta_parameter.numpy(),
          state['meta_parameter/0'] - config.meta_learning_rate * expected.total,
          rtol=0, atol=1e-3 * config.meta_learning_rate *
          np.abs(expected.total).max())

  def _check_forward(self, learner: learner_lib.Learner,
                     oracle: learner_oracle.Oracle, metrics: dict,
                     state: learner_testing.State, regime: _Regime,
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
    for got, expected in zip(learner_testing.group(after, 'critic'), weights):
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

  @parameterized.parameters(
      ('warm', 1, 'cross_entropy'), ('warm', 3, 'kl'),
      ('warm_clipped', 1, 'kl'), ('warm_clipped', 3, 'cross_entropy'),
      ('cold', 1, 'cross_entropy'), ('cold', 3, 'kl'),
      ('cold_clipped', 1, 'kl'), ('cold_clipped', 3, 'cross_entropy'))
  def test_uncompiled(self, regime, num_constraints, divergence):
    self._check(regime, num_constraints, divergence, meta_optimizer='sgd',
                meta_lr=1e-3)

  @parameterized.parameters(
      ('warm', 1, 'cross_entropy'), ('cold', 3, 'cross_entropy'),
      ('warm_clipped', 3, 'kl'), ('cold_clipped', 1, 'kl'))
  def test_compiled(self, regime, num_constraints, divergence):
    self._check(regime, num_constraints, divergence, xla=True)

  @parameterized.parameters(
      ('actor', 'warm', 1), ('actor', 'cold', 3),
      ('actor_critic', 'warm_sum', 3),
      ('actor_critic', 'scalar', 3), ('actor', 'scalar_sgd', 1))
  def test_actors_outer_loss(self, outer_loss, regime, num_constraints):
    self._check(regime, num_constraints, outer_loss=outer_loss,
                meta_optimizer='sgd', meta_lr=1e-5, **_settings(regime))

  @parameterized.parameters(('scalar', 1), ('scalar_sgd', 3))
  def test_scalar_critic(self, regime, num_constraints):
    self._check(regime, num_constraints, **_settings(regime))

  @parameterized.parameters(('warm', 1), ('scalar_sgd', 3))
  def test_straight_through_the_projection(self, regime, num_constraints):
    self._check(regime, num_constraints, projected=True,
                multiplier_projection='straight_through', **_settings(regime))

  def test_variants_compiled(self):
    self._check('scalar_sgd', 3, xla=True, outer_loss='actor_critic',
                **_settings('scalar_sgd'))
    self._check('warm_sum', 1, xla=True, projected=True,
                outer_loss='actor_critic',
                multiplier_projection='straight_through')

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
