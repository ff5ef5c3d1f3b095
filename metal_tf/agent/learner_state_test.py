"""The learner's state, its faults and what each part of a step may touch."""

import functools
from typing import Any
from unittest import mock

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from metal_tf import types
from metal_tf.agent import agents
from metal_tf.agent import learner as learner_lib
from metal_tf.agent.testing import fixtures
from metal_tf.maths import optimizers

_SPEC = fixtures.make_spec(3)
_NUM_TRAINING = 8
# Metrics that MetaL has only with other settings than the default ones, or not.
_NOT_METALS = ('outer_actor_loss', 'shaping_scale', 'shaping_offset',
               'theorem_error')


def _make(kind: agents.Algorithm = agents.METAL,
          **settings: Any) -> learner_lib.Learner:
  """Returns a fresh learner with rates that move everything visibly."""
  defaults = dict(
      critic_lr=1e-3, policy_lr=1e-3, lagrange_lr=0.01, target_update_period=3,
      lagrange_multiplier=0.5)
  return fixtures.make_learner(
      _SPEC, kind, fixtures.make_config(**{**defaults, **settings}))


@functools.cache
def _compiled(xla: bool) -> learner_lib.Learner:
  """Returns one learner per process: reset it by `set_state`."""
  return _make(xla=xla)


@functools.cache
def _initial_state(xla: bool) -> fixtures.State:
  fixtures.randomize(np.random.RandomState(0), _compiled(xla))
  return _compiled(xla).get_state()


def _reset(xla: bool = False) -> learner_lib.Learner:
  """Returns the shared learner in its initial state."""
  state = _initial_state(xla)
  _compiled(xla).set_state(state)
  return _compiled(xla)


def _data(seed: int = 1) -> tuple:
  rng = np.random.RandomState(seed)
  return (fixtures.random_batch(rng, _SPEC, 16),
          fixtures.random_penalties(rng, _SPEC))


class StateTest(fixtures.LearnerTestCase):

  @parameterized.parameters(False, True)
  def test_continues_identically_and_is_traced_once(self, xla):
    learner = _reset(xla)
    for i in range(7):
      learner.step(*_data(i))
    saved = learner.get_state()
    for i in range(7, 17):
      learner.step(*_data(i))
    expected = learner.get_state()
    expected_metrics = learner.read_metrics()
    for name in ('critic/1', 'policy/1', 'target/1', 'multiplier/0',
                 'meta_parameter/0', 'meta_adam/1', 'sums/critic_loss'):
      self.assertNotAllEqual(expected[name], saved[name])

    _reset(xla)
    learner.step(*_data(99))
    learner.set_state(saved)
    for i in range(7, 17):
      learner.step(*_data(i))
    fixtures.assert_states_equal(learner.get_state(), expected)
    for name, value in learner.read_metrics().items():
      self.assertAllEqual(value, expected_metrics[name])
    self.assertEqual(learner.num_steps, 1 + 17)
    self.assertEqual(learner.num_traces, 1)

  @parameterized.parameters((False, 0), (True, 1))
  def test_all_of_the_arithmetic_is_compiled_as_one(self, xla, parts):
    graph = _compiled(xla)._steps.get_concrete_function().graph
    operations = graph.get_operations()
    compiled = [x for x in operations
                if '_XlaMustCompile' in x.node_def.attr and
                x.get_attr('_XlaMustCompile')]
    self.assertLen(compiled, parts)
    products = [x for x in operations if x.type == 'MatMul']
    self.assertEqual(bool(products), not xla)

  def test_a_saved_state_does_not_change_with_the_learner(self):
    learner = _reset()
    saved = learner.get_state()
    copies = {name: value.copy() for name, value in saved.items()}
    learner.step(*_data())
    fixtures.assert_states_equal(saved, copies)

  def test_a_state_of_the_first_version_is_taken_over(self):
    learner = _reset()
    learner.step(*_data())
    state = learner.get_state()
    numbered = ('critic_loss', 'critic_gradient_norm', 'clipped_mass',
                'policy_loss', 'policy_gradient_norm', 'outer_loss',
                'meta_gradient_direct', 'meta_gradient_weights')
    old = {name: array for name, array in state.items()
           if not name.startswith('sums/')}
    for i, name in enumerate(numbered):
      old[f'sums/{i}'] = state[f'sums/{name}'].astype(np.float32)
    for name in ('multiplier/0', 'meta_parameter/0'):  # 32 bits, then.
      old[name] = state[name].astype(np.float32)
    old['sums/shaping_scale'] = np.zeros([])  # There was one for every agent.
    learner.step(*_data(2))
    learner.set_state(old)
    expected = {
        name: array if not name.startswith('sums/') or name[5:] in numbered
        else np.zeros_like(array) for name, array in state.items()}
    fixtures.assert_states_equal(learner.get_state(), expected, atol=1e-5)
    self.assertAllGreater(state['sums/outer_critic_loss'], 0)
    with self.assertRaisesRegex(ValueError, "^'sums/surprise' is unknown"):
      learner.set_state({**old, 'sums/surprise': np.zeros([])})

  @parameterized.parameters(
      *((field, row, np.nan, xla) for field in types.Transition._fields
        for row in (0, _NUM_TRAINING) for xla in (False, True)),
      ('episode_penalties', 0, np.nan, False),
      ('episode_penalties', 0, np.nan, True),
      ('episode_penalties', 3, np.inf, False),
      ('episode_penalties', 3, np.inf, True),
      # Elsewhere infinity may be clipped to an end of the support.
      ('o_tm1', 0, np.inf, False), ('a_tm1', 15, np.inf, True))
  def test_skips_and_counts_what_is_not_finite(self, field, row, value, xla):
    learner = _reset(xla)
    batch, penalties = _data()
    if field == 'episode_penalties':
      penalties[row, 1] = value
    else:
      getattr(batch, field)[row] = value
    before = learner.get_state()
    learner.step(batch, penalties)
    fixtures.assert_states_equal(
        learner.get_state(), before, ignore=('counts',))
    self.assertEqual((learner.num_steps, learner.num_skipped), (2, 1))
    for metric in learner.read_metrics().values():
      self.assertAllEqual(np.isnan(metric), np.full(metric.shape, True))
    learner.step(*_data())
    self.assertEqual((learner.num_steps, learner.num_skipped), (3, 1))
    self.assertNotAllEqual(
        learner.get_state()['critic/1'], before['critic/1'])

  def test_metrics_are_means_over_the_steps_since_the_last_call(self):
    learner = _reset()
    first = fixtures.step(learner, *_data(1))
    second = fixtures.step(learner, *_data(2))
    learner = _reset()
    learner.read_metrics()
    learner.step(*_data(1))
    learner.step(*_data(2))
    both = learner.read_metrics()
    self.assertIn('td_error_violating', both)  # A mean over penalties.
    for name in set(both) - {'td_error_violating'}:
      np.testing.assert_allclose(
          both[name], (first[name] + second[name]) / 2, rtol=1e-5, atol=1e-9)
    self.assertNotAllClose(first['critic_loss'], second['critic_loss'])
    for name, value in learner.read_metrics().items():
      self.assertAllEqual(np.isnan(value), np.full(value.shape, True), name)
    self.assertEqual(both['meta_gradient_direct'].shape, (3,))

  def test_metrics_that_do_not_apply_are_nan(self):
    metrics = fixtures.step(_make(agents.D4PG), *_data())
    for name in ('outer_loss', 'meta_gradient_direct', 'meta_gradient_weights'):
      self.assertAllEqual(
          np.isnan(metrics[name]), np.full(metrics[name].shape, True))
    for name in ('critic_loss', 'policy_loss', 'critic_gradient_norm',
                 'policy_gradient_norm', 'clipped_mass'):
      self.assertTrue(np.isfinite(metrics[name]), name)


class StepsTest(fixtures.LearnerTestCase):

  @parameterized.parameters((False, 'uniform'), (True, 'prioritized'))
  def test_one_call_of_many_steps_is_as_many_calls(self, xla, replay):
    one = _make(xla=xla, replay=replay)
    many = _make(xla=xla, replay=replay, steps_per_call=4)
    many.set_state(one.get_state())
    data = [_data(i) for i in range(7)]
    weights = np.random.RandomState(0).uniform(0.5, 1, [7, 16]).astype(
        np.float32)
    priorities = [one.step(*sample, importance_weights=weight)
                  for sample, weight in zip(data, weights)]
    batches, penalties = zip(*data)
    batches = types.Transition(*(np.stack(x) for x in zip(*batches)))
    got = []
    for calls in (slice(0, 4), slice(4, 7)):  # Targets are copied meanwhile.
      got.append(many.steps(
          types.Transition(*(x[calls] for x in batches)),
          np.stack(penalties)[calls], weights[calls]))
    fixtures.assert_states_equal(many.get_state(), one.get_state(), 1e-6)
    self.assertEqual((many.num_steps, many.num_traces), (7, 1))
    if replay == 'uniform':
      self.assertEqual(got, [None, None])
    else:
      self.assertAllClose(np.concatenate(got), priorities, rtol=1e-4)

  @parameterized.parameters(
      (agents.METAL,), (agents.MESH,), (agents.D4PG,))
  def test_two_threads_make_the_same_step(self, kind):
    one, two = (  # The first uncompiled, which is quicker.
        fixtures.make_learner(
            _SPEC, kind, fixtures.make_config(
                xla=two_threads, replay='prioritized', target_update_period=2,
                lagrange_lr=0.01, outer_loss=(
                    'critic' if kind is agents.MESH else 'actor_critic')),
            two_threads=two_threads) for two_threads in (False, True))
    two.set_state(one.get_state())
    for i in range(3):
      priorities = [learner.step(*_data(i)) for learner in (one, two)]
      self.assertAllClose(*priorities, rtol=1e-4)
    broken, penalties = _data()
    broken.r_t[0] = np.nan
    self.assertAllEqual(np.isnan(two.step(broken, penalties)), [True] * 16)
    one.step(broken, penalties)
    fixtures.assert_states_equal(two.get_state(), one.get_state(), 1e-5)
    self.assertEqual((two.num_steps, two.num_skipped, two.num_traces),
                     (4, 1, 1))

  def test_small_increments_of_lambda_are_not_lost(self):
    learner = _make(agents.RC_D4PG, lagrange_lr=1e-9, lagrange_multiplier=1.0)
    batch, penalties = _data()
    for _ in range(3):
      learner.step(batch, penalties)
    rate = 1e-9 * (penalties.mean(axis=0) - _SPEC.thresholds)
    self.assertAllClose(learner.multiplier - 1, 3 * rate, rtol=1e-6, atol=0)


class PartsTest(fixtures.LearnerTestCase):

  @parameterized.parameters(False, True)
  def test_targets_are_copies_at_multiples_of_the_period_only(self, xla):
    learner = _reset(xla)
    state = learner.get_state()
    state['counts/0'] = np.int64(0)
    learner.set_state(state)
    for i in range(8):
      before = learner.get_state()
      learner.step(*_data(i))
      after = fixtures.group(learner.get_state(), 'target')
      source = (
          fixtures.group(before, 'critic') +
          fixtures.group(before, 'policy') if i % 3 == 0 else
          fixtures.group(before, 'target'))
      self.assertLen(after, len(source))
      for x, y in zip(after, source):
        self.assertAllEqual(x, y)

  def _after_one_step(self, **settings: Any) -> fixtures.State:
    learner = _make(**settings)
    learner.set_state(_initial_state(False))
    learner.step(*_data())
    return learner.get_state()

  def test_policy_critic_and_meta_parameter_touch_only_their_own(self):
    before = _initial_state(False)
    learner = _reset()
    learner.step(*_data())
    after = learner.get_state()
    cases = dict(critic=dict(policy_lr=0.0), policy=dict(critic_lr=0.1))
    for name, others in cases.items():
      # The policy's rate is nothing to the critic; the critic's update is
      # nothing to the policy, which goes by the critic from before it.
      state = self._after_one_step(**others)
      for x, y, z in zip(*(fixtures.group(s, name)
                           for s in (state, after, before))):
        self.assertAllEqual(x, y)
        self.assertNotAllEqual(x, z)
    fixtures.assert_states_equal(
        self._after_one_step(meta_lr=0.0, meta_optimizer='sgd'), after,
        ignore=('meta_parameter', 'meta_adam'))
    frozen = self._after_one_step(critic_lr=0.0, policy_lr=0.0)
    for name in ('critic', 'policy', 'target'):
      for x, y in zip(fixtures.group(frozen, name),
                      fixtures.group(before, name)):
        self.assertAllEqual(x, y)

  @parameterized.parameters(('sgd', 1.0), ('adam', 1.0), ('adam', 1e4))
  def test_meta_parameter_stays_in_its_limits(self, meta_optimizer, penalty):
    learner = _make(
        meta_optimizer=meta_optimizer, meta_lr=1e3, meta_parameter_limit=0.75)
    learner.set_state(_initial_state(False))
    largest = 0
    for i in range(20):
      batch, penalties = _data(i)
      learner.step(batch._replace(c_t=penalty * batch.c_t), 100 * penalties)
      largest = max(largest, np.abs(learner.meta_parameter).max())
      self.assertAllInRange(learner.meta_parameter, -0.75, 0.75)
    self.assertEqual(learner.num_skipped, 0)
    for name, value in learner.get_state().items():
      self.assertTrue(np.isfinite(value).all(), name)
    if penalty == 1.0:
      self.assertEqual(largest, 0.75)

  def test_each_constraint_moves_its_own_multiplier(self):
    learner = _make(agents.RC_D4PG)
    start = np.array([0.5, 0.5, 0.001])
    learner.multiplier.assign(start)
    batch, _ = _data()
    penalties = np.tile(np.array([[0.6, 0.25, 0.0]], np.float32), [4, 1])
    penalties[:, 0] += [0.1, -0.1, 0.2, -0.2]  # The mean counts.
    self.assertAllClose(_SPEC.thresholds, [0.1, 0.25, 0.05])
    learner.step(batch, penalties)
    self.assertAllClose(
        learner.multiplier, [0.5 + 0.01 * 0.5, 0.5, 0.001 - 0.01 * 0.05],
        rtol=1e-6)
    learner.step(batch, penalties)
    learner.step(batch, penalties)
    self.assertEqual(learner.multiplier.numpy()[2], 0)

  @parameterized.product(warm=(False, True), observation=(0, 2))
  def test_constant_zero_observation_component(self, warm, observation):
    self._check_constant_zero(_reset(True), warm, observation)

  def test_the_root_is_what_keeps_it_finite(self):
    with mock.patch.object(optimizers, 'safe_sqrt', tf.sqrt):
      learner = _make(xla=True)
      learner.set_state(_initial_state(True))
      with self.assertRaises(AssertionError):
        self._check_constant_zero(learner, False, 0)

  def _check_constant_zero(self, learner: learner_lib.Learner, warm: bool,
                           observation: int) -> None:
    state = learner.get_state()
    shapes = [x.shape for x in fixtures.group(state, 'critic')]
    first = [s for s in shapes if len(s) == 2 and s[0] == 5]  # O + A inputs.
    self.assertLen(first, 1)
    index = shapes.index(first[0])
    if warm:
      fixtures.warm_adam(
          np.random.RandomState(3), state, 'critic_adam', 0.05)
      for moment in ('critic_adam/1', 'critic_adam/2'):
        fixtures.split(state[moment], shapes)[index][observation] = 0
      learner.set_state(state)
    for i in range(3):
      batch, penalties = _data(i)
      batch.o_tm1[:, observation] = 0
      batch.o_t[:, observation] = 0
      metrics = fixtures.step(learner, batch, penalties)
      for name, value in metrics.items():
        self.assertEqual(
            np.isfinite(value).all(), name not in _NOT_METALS, name)
      self.assertAllGreater(np.abs(metrics['meta_gradient_weights']), 0)
    self.assertEqual(learner.num_skipped, 0)
    moments = fixtures.split(
        learner.get_state()['critic_adam/2'], shapes)[index]
    self.assertAllEqual(moments[observation], np.zeros(first[0][1]))
    self.assertAllGreater(moments[3:], 0)


if __name__ == '__main__':
  tf.test.main()
