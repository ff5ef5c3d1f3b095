"""The learner's check of Theorem 1 while it trains: right, and able to fail."""

from typing import Any
from unittest import mock

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from metal_tf.agent import agents
from metal_tf.agent import learner as learner_lib
from metal_tf.agent.testing import fixtures
from metal_tf.maths import lagrange
from metal_tf.maths import losses
from metal_tf.maths import meta_gradient

_STEPS = 10
# The largest error of a run; in float32 a TD error is a small difference of two
# values.
_LARGEST = {tf.float64: 1e-11, tf.float32: 1e-5}
# What any mistake of the tests below comes to at least.
_MISTAKE = 0.02


def _make(dtype: tf.DType = tf.float64,
          kind: agents.Algorithm = agents.METAL,
          **settings: Any) -> learner_lib.Learner:
  defaults = dict(
      critic='scalar', inner_optimizer='sgd', critic_lr=1e-3, lagrange_lr=0.05,
      meta_optimizer='sgd', meta_lr=0.01)
  thresholds = settings.pop('thresholds', None)
  return learner_lib.Learner(
      fixtures.make_spec(3, thresholds=thresholds), kind,
      fixtures.make_config(**{**defaults, **settings}), dtype)


def _run(learner: learner_lib.Learner, dtype: tf.DType = tf.float64,
         steps: int = _STEPS, seed: int = 0) -> np.ndarray:
  """Does some steps and returns the largest error."""
  rng = np.random.RandomState(seed)
  spec = fixtures.make_spec(3)
  for _ in range(steps):
    learner.step(
        fixtures.random_batch(rng, spec, 16, dtype.as_numpy_dtype),
        fixtures.random_penalties(
            rng, spec, dtype=dtype.as_numpy_dtype),
        np.ones(16))  # Taken where replay is prioritized.
  return learner.read_metrics()['theorem_error']


class TheoremTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(
      (tf.float64, False), (tf.float32, False), (tf.float32, True))
  def test_holds_on_every_step(self, dtype, xla):
    learner = _make(dtype, xla=xla)
    fixtures.randomize(np.random.RandomState(0), learner)
    self.assertBetween(_run(learner, dtype), 1e-18, _LARGEST[dtype])
    self.assertAllGreater(np.abs(learner.meta_parameter), 1e-6)

  @parameterized.parameters('exact', 'straight_through')
  def test_holds_where_lambda_is_projected(self, projection):
    # One constraint binds, two are slack, so their lambda stays 0.
    learner = _make(multiplier_projection=projection,
                    thresholds=[0.1, 0.95, 0.95])
    fixtures.randomize(np.random.RandomState(0), learner)
    self.assertBetween(_run(learner), 1e-18, _LARGEST[tf.float64])
    self.assertAllEqual(learner.multiplier.numpy() > 0, [True, False, False])
    self.assertAllEqual(
        learner.meta_parameter.numpy() != 0,
        [True] + 2 * [projection == 'straight_through'])

  def test_holds_where_alpha_lambda_is_at_its_limit(self):
    learner = _make(meta_parameter_limit=1e-3, meta_lr=1e6)
    fixtures.randomize(np.random.RandomState(0), learner)
    _run(learner)
    learner.step(*_one_step())
    metrics = learner.read_metrics()
    self.assertAllEqual(metrics['alpha_lambda_at_limit'], np.ones(3))
    self.assertBetween(metrics['theorem_error'], 1e-18, _LARGEST[tf.float64])

  def test_the_largest_error_of_the_run_survives(self):
    learner = _make()
    fixtures.randomize(np.random.RandomState(0), learner)
    largest = _run(learner)
    self.assertEqual(learner.read_metrics()['theorem_error'], largest)
    state = learner.get_state()
    state['sums/theorem_error'] = np.array(0.5)
    other = _make()
    self.assertTrue(np.isnan(other.read_metrics()['theorem_error']))
    other.set_state(state)
    self.assertEqual(_run(other, seed=1), 0.5)

  def test_is_for_what_the_theorem_speaks_of(self):
    for settings in (
        dict(inner_optimizer='adam'), dict(outer_loss='actor_critic'),
        dict(kind=agents.RC_D4PG), dict(critic='distributional'),
        dict(replay='prioritized')):
      with self.subTest(**settings):
        self.assertTrue(np.isnan(_run(_make(**settings), steps=1)))

  # --- Mistakes in the learner that it has to notice -------------------------

  def _assert_noticed(self, **settings: Any) -> None:
    learner = _make(**settings)
    fixtures.randomize(np.random.RandomState(0), learner)
    self.assertGreater(_run(learner, steps=2), _MISTAKE)
    self.assertEqual(learner.num_skipped, 0)

  def test_notices_a_target_that_is_held_constant(self):
    original = losses.scalar_target

    def stopped(*args):
      target = original(*args)
      return target._replace(
          value=tf.stop_gradient(target.value) + 0 * target.value)

    with mock.patch.object(losses, 'scalar_target', stopped):
      self._assert_noticed()

  @parameterized.parameters('direct', 'through_weights')
  def test_notices_a_path_that_is_off(self, path):
    original = meta_gradient.pull_back

    def cut(*args):
      gradient = original(*args)
      return gradient._replace(**{path: 0 * getattr(gradient, path)})

    with mock.patch.object(meta_gradient, 'pull_back', cut):
      self._assert_noticed()

  def test_notices_half_the_squared_error(self):
    original = losses.squared_td_error
    with mock.patch.object(
        losses, 'squared_td_error', lambda *args: 0.5 * original(*args)):
      self._assert_noticed()

  def test_notices_the_other_projection(self):
    original = lagrange.update_multiplier
    with mock.patch.object(
        lagrange, 'update_multiplier',
        lambda *args: original(*args[:-1], True)):
      self._assert_noticed(thresholds=[0.95] * 3)


def _one_step() -> tuple:
  rng = np.random.RandomState(9)
  spec = fixtures.make_spec(3)
  return (fixtures.random_batch(rng, spec, 16, np.float64),
          fixtures.random_penalties(rng, spec, dtype=np.float64))


if __name__ == '__main__':
  tf.test.main()
