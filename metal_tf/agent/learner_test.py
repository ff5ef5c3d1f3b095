"""The learner in short: one step of each kind, several in a call, its state.

What takes many steps, compiling or finite differences is in the other
`learner_*_test.py`.
"""

from typing import Any, Dict, Tuple
from unittest import mock

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from metal_tf import types
from metal_tf.agent import agents
from metal_tf.agent import learner as learner_lib
from metal_tf.agent import state as state_lib
from metal_tf.agent.testing import fixtures

_SPEC = fixtures.make_spec(2)
_SIZE = 16
_TRAINING, _VALIDATION = slice(0, 8), slice(8, None)


def _make(kind: agents.Algorithm = agents.METAL, two_threads: bool = False,
          **settings: Any) -> learner_lib.Learner:
  """A learner in a random state, in 64 bits; Theorem 1's unless told else."""
  learner = learner_lib.Learner(_SPEC, kind, fixtures.make_config(**{
      **dict(critic='scalar', inner_optimizer='sgd', critic_lr=1e-3,
             policy_lr=1e-3, lagrange_lr=0.05, lagrange_multiplier=0.5,
             meta_lr=0.01, meta_parameter_limit=0.5, target_update_period=3),
      **settings}), tf.float64, two_threads)
  fixtures.randomize(np.random.RandomState(0), learner)
  return learner


def _data(number: int) -> Tuple[types.Transition, np.ndarray]:
  """Batches `[number, B, ...]` and episode penalties `[number, M, K]`."""
  rng = np.random.RandomState(1)
  batches = [fixtures.random_batch(rng, _SPEC, _SIZE, np.float64)
             for _ in range(number)]
  return (types.Transition(*(np.stack(x) for x in zip(*batches))),
          np.stack([fixtures.random_penalties(rng, _SPEC, dtype=np.float64)
                    for _ in range(number)]))


def _rows(batches: types.Transition, rows: slice) -> types.Transition:
  """Some transitions of the first batch."""
  return types.Transition(*(tf.constant(x[0, rows]) for x in batches))


def _target_output(learner: learner_lib.Learner, o_t: tf.Tensor) -> tf.Tensor:
  networks = learner.networks
  return networks.target_critic(o_t, networks.target_policy(o_t))


def _td_errors(learner: learner_lib.Learner, batch: types.Transition,
               multiplier: np.ndarray, scale: float = 1.0,
               offset: float = 0.0) -> np.ndarray:
  """delta of a scalar critic as it is now, `[B]`, with a shaped reward."""
  q_t = _target_output(learner, batch.o_t)[:, 0]
  q_tm1 = learner.networks.critic(batch.o_tm1, batch.a_tm1)[:, 0]
  reward = batch.r_t - tf.linalg.matvec(batch.c_t, multiplier)
  return (scale * reward + offset + batch.discount_t * q_t - q_tm1).numpy()


class StepsTest(tf.test.TestCase, parameterized.TestCase):
  """Of a learner that Theorem 1 speaks of."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls._one, cls._many = (_make(steps_per_call=n) for n in (1, 3))
    cls._state = cls._one.get_state()

  def setUp(self):
    super().setUp()
    for learner in (self._one, self._many):
      learner.set_state(self._state)

  def _step(self, i: int = 0, **fields: np.ndarray) -> Dict[str, np.ndarray]:
    """One step on one of some batches; returns its metrics."""
    batches, penalties = _data(4)
    batch = types.Transition(*(x[i] for x in batches))
    return fixtures.step(self._one, batch._replace(**fields), penalties[i])

  def test_calls_of_several_steps(self):
    batches, penalties = _data(4)
    for steps in (slice(0, 1), slice(1, 4)):  # The first call is not full.
      self.assertIsNone(self._many.steps(
          types.Transition(*(x[steps] for x in batches)), penalties[steps]))
    state = self._many.get_state()
    for i in range(4):
      self._one.step(types.Transition(*(x[i] for x in batches)), penalties[i])
    fixtures.assert_states_equal(state, self._one.get_state(), 1e-12)
    self.assertEqual((self._many.num_steps, self._many.num_skipped), (5, 0))

  def test_everything_moves(self):
    self._step()
    state = self._one.get_state()
    for name in state:
      if name.split('/')[0] in ('critic', 'policy', 'policy_adam', 'meta_adam',
                                'multiplier', 'meta_parameter'):
        self.assertNotAllEqual(state[name], self._state[name], name)

  def test_the_meta_gradient_is_theorem_1s(self):
    for i in range(3):
      told = self._step(i)
      self.assertBetween(told['theorem_error'], 1e-18, 1e-11)
      self.assertAllGreater(np.abs(told['meta_gradient_direct']), 1e-6)
      self.assertAllGreater(np.abs(told['meta_gradient_weights']), 1e-9)

  def test_the_td_error_of_violating_transitions(self):
    told = self._step()
    validation = _rows(_data(4)[0], _VALIDATION)
    delta = _td_errors(self._one, validation, self._one.multiplier.numpy())
    c_t = validation.c_t.numpy()
    self.assertAllClose(told['td_error_violating'],
                        delta @ c_t / c_t.sum(axis=0), rtol=1e-10)

  def test_alpha_lambda_at_its_limit(self):
    self.assertAllEqual(self._step()['alpha_lambda_at_limit'], [0, 0])
    up = np.sign(self._one.meta_parameter.numpy())
    for k in range(2):
      self._one.set_state({**self._state, 'meta_parameter/0':
                           np.where(np.arange(2) == k, 0.5 * up, 0)})
      self.assertAllEqual(
          self._step()['alpha_lambda_at_limit'], np.arange(2) == k)

  def test_no_metric_is_told_of_a_run_whose_steps_were_all_skipped(self):
    self._one.set_state({
        **self._state, 'counts/0': np.zeros_like(self._state['counts/0'])})
    told = self._step(r_t=np.full(_SIZE, np.nan))
    self.assertEqual((self._one.num_steps, self._one.num_skipped), (1, 1))
    for name, value in told.items():
      self.assertAllEqual(np.isnan(value), np.full(value.shape, True), name)

  @parameterized.parameters(
      lambda b, p: (b._replace(r_t=b.r_t[:, None]), p),
      lambda b, p: (b._replace(c_t=b.c_t[:, :1]), p),
      lambda b, p: (types.Transition(*(x[:8] for x in b)), p),
      lambda b, p: (b, p[:, :1]),
      lambda b, p: (b, p[0]))
  def test_rejects_other_shapes(self, change):
    batches, penalties = _data(1)
    with self.assertRaises(ValueError):
      self._one.step(*change(
          types.Transition(*(x[0] for x in batches)), penalties[0]))
    fixtures.assert_states_equal(self._one.get_state(), self._state)

  def test_rejects_more_batches_than_a_call_has_room_for(self):
    for number in (0, 4):
      batches, penalties = _data(4)
      with self.assertRaisesRegex(
          ValueError, f'got {number} batches, expected 1 to 3'):
        self._many.steps(types.Transition(*(x[:number] for x in batches)),
                         penalties[:number])


class VariantsTest(tf.test.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls._settings = dict(outer_loss='actor', replay='prioritized',
                         critic='distributional', inner_optimizer='adam')
    cls._learner = _make(steps_per_call=2, **cls._settings)
    cls._before = cls._learner.get_state()
    cls._batches, cls._penalties = _data(1)
    cls._weights = np.linspace(0.1, 1, _SIZE)[None]

  def setUp(self):
    super().setUp()
    self._learner.set_state(self._before)
    self._priorities = self._learner.steps(
        self._batches, self._penalties, self._weights)

  def test_an_outer_loss_without_a_direct_path(self):
    told = self._learner.read_metrics()
    o_t, networks = (
        _rows(self._batches, _VALIDATION).o_t, self._learner.networks)
    value = self._learner._setup.head.value(
        networks.critic(o_t, networks.policy(o_t)))
    self.assertAllClose(told['outer_actor_loss'], -np.mean(value), rtol=1e-10)
    self.assertAllEqual(told['outer_loss'], told['outer_actor_loss'])
    self.assertAllEqual(told['meta_gradient_direct'], [0, 0])
    self.assertAllGreater(np.abs(told['meta_gradient_weights']), 0)

  def test_priorities_are_by_the_critic_that_the_losses_were_taken_at(self):
    learner, head = self._learner, self._learner._setup.head
    multiplier, parts = tf.constant(learner.multiplier.numpy()), []
    for rows, state in ((_TRAINING, self._before),
                        (_VALIDATION, learner.get_state())):
      learner.set_state(state)
      batch = _rows(self._batches, rows)
      parts.append(head.priorities(
          learner.networks.critic, batch, head.target(
              batch, multiplier, _target_output(learner, batch.o_t))))
    self.assertAllClose(
        self._priorities, [np.concatenate(parts)], rtol=1e-10)

  def test_a_call_that_is_full(self):
    priorities = self._learner.steps(*_data(2))
    self.assertEqual(self._learner.num_steps, 2 + 2)
    self.assertEqual(priorities.shape, (2, _SIZE))
    self.assertAllGreater(priorities, 0)

  def test_a_step_in_parts_is_the_whole_step(self):
    learner = _make(two_threads=True, xla=True, **self._settings)
    # The parts as they are: to compile them takes long.
    with mock.patch.object(tf, 'function', lambda function, **_: function):
      priorities = learner.steps(
          self._batches, self._penalties, self._weights)
    fixtures.assert_states_equal(
        learner.get_state(), self._learner.get_state(), 1e-10)
    self.assertAllClose(priorities, self._priorities, rtol=1e-10)


class AgentsTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(*agents.ALGORITHMS.values())
  def test_each_has_its_parts_of_a_batch_and_its_rates(self, *algorithm):
    kind = agents.Algorithm(*algorithm)
    setup = _make(kind)._setup
    self.assertEqual(setup.num_training, 8 if kind.splits_batch else _SIZE)
    self.assertEqual(setup.lagrange_lr, 0.05 if kind.learns_multiplier else 0)
    [moved], _, _ = setup.meta_optimizer(
        [tf.zeros([2])], [tf.ones([2])], state_lib.make_slots(
            [tf.Variable(tf.zeros([2]))]))
    self.assertAllClose(moved, [-0.01 * kind.learns_meta_parameter] * 2)

  def test_mesh_shapes_the_inner_loss_and_not_the_outer_one(self):
    learner = _make(agents.MESH, critic_lr=0.0, mesh_layer_sizes=(6,))
    state = learner.get_state()
    scale, offset = 2.0, 3.0  # For every transition: the last layer's bias.
    fixtures.replace_group(state, 'shaping', [
        [np.log(scale), offset] if x.shape == (2,) else x
        for x in fixtures.group(state, 'shaping')])
    learner.set_state(state)
    batches, penalties = _data(1)
    learner.steps(batches, penalties)
    told, multiplier = learner.read_metrics(), learner.multiplier.numpy()
    for name, rows, shaping in (
        ('critic_loss', _TRAINING, (scale, offset)),
        ('outer_loss', _VALIDATION, (1.0, 0.0))):
      delta = _td_errors(learner, _rows(batches, rows), multiplier, *shaping)
      self.assertAllClose(told[name], np.mean(delta**2), rtol=1e-10)
    self.assertAllClose(told['shaping_scale'], scale)
    self.assertAllClose(told['shaping_offset'], offset)
    self.assertAllEqual(learner.meta_parameter, [0, 0])


class StateTest(tf.test.TestCase, parameterized.TestCase):

  def test_alpha_lambda_cannot_be_learned_without_lambda(self):
    with self.assertRaisesRegex(ValueError, 'odd: .* needs learns_multiplier'):
      _make(agents.Algorithm('odd', 'Odd', learns_multiplier=False,
                                learns_meta_parameter=True))

  @parameterized.parameters(
      (False, False, 'learns_shaping needs learns_multiplier'),
      (True, True, 'learns_meta_parameter and learns_shaping exclude'))
  def test_shaping_is_learned_with_lambda_and_in_place_of_alpha_lambda(
      self, multiplier, meta_parameter, message):
    with self.assertRaisesRegex(ValueError, f'odd: {message}'):
      _make(agents.Algorithm('odd', 'Odd', multiplier, meta_parameter, True))

  @parameterized.parameters(
      (dict(drop='critic/0'), "'critic/0' is missing from the learner state"),
      (dict(add='critic/99'), "'critic/99' is unknown to the learner state"),
      (dict(reshape='policy_adam/2'),
       r"'policy_adam/2' must have shape \(.*\), got \(1, 2, 3\)"),
      (dict(reshape='multiplier/0'),
       r"'multiplier/0' must have shape \(2,\), got \(1, 2, 3\)"))
  def test_rejects_another_state_and_takes_nothing_over(self, change, message):
    learner = _make()
    before = learner.get_state()
    state = {name: value + 1 for name, value in before.items()}
    if 'drop' in change:
      del state[change['drop']]
    if 'add' in change:
      state[change['add']] = np.zeros(3)
    if 'reshape' in change:
      state[change['reshape']] = np.zeros([1, 2, 3])
    with self.assertRaisesRegex(ValueError, message):
      learner.set_state(state)
    fixtures.assert_states_equal(learner.get_state(), before)


if __name__ == '__main__':
  tf.test.main()
