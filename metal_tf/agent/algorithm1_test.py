"""One iteration: parts of a batch, bounds on gradients, terminations."""

from typing import Any, Dict, Tuple

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from metal_tf import types
from metal_tf.agent import agents
from metal_tf.agent import learner as learner_lib
from metal_tf.agent.testing import fixtures

_SPEC = fixtures.make_spec(2)
_SIZE = 16


def _data() -> Tuple[types.Transition, np.ndarray]:
  rng = np.random.RandomState(1)
  return (fixtures.random_batch(rng, _SPEC, _SIZE),
          fixtures.random_penalties(rng, _SPEC))


def _make(kind: agents.Algorithm = agents.METAL,
          **settings: Any) -> learner_lib.Learner:
  """A learner in a random state whose weights nothing else moves far."""
  learner = learner_lib.Learner(_SPEC, kind, fixtures.make_config(**{
      **dict(lagrange_lr=0.01, lagrange_multiplier=0.5, policy_lr=1e-3,
             critic_lr=1e-3, mesh_layer_sizes=(6,)), **settings}))
  fixtures.randomize(np.random.RandomState(0), learner)
  return learner


class _Steps:
  """Steps of one learner, each from the same state."""

  def __init__(self, learner: learner_lib.Learner):
    self._learner = learner
    self._state = learner.get_state()

  def __call__(self, batch: types.Transition
              ) -> Tuple[fixtures.State, Dict[str, np.ndarray]]:
    """Returns the state after a step, and the step's metrics."""
    self._learner.set_state(self._state)
    told = fixtures.step(self._learner, batch, _data()[1])
    return self._learner.get_state(), told


def _changed(batch: types.Transition, name: str, row: int) -> types.Transition:
  """The batch with one field of one transition changed."""
  field = getattr(batch, name).copy()
  field[row] = 0.5 * field[row] + 0.1
  return batch._replace(**{name: field})


class IterationTest(tf.test.TestCase, parameterized.TestCase):

  def _differ(self, first: fixtures.State, second: fixtures.State,
              name: str) -> bool:
    return any(not np.array_equal(x, y) for x, y in zip(
        fixtures.group(first, name), fixtures.group(second, name)))

  @parameterized.parameters((0.25, 12), (0.75, 4))
  def test_parts_of_other_sizes_than_one_half(self, fraction, num_training):
    steps = _Steps(_make(
        validation_fraction=fraction, critic='scalar', inner_optimizer='sgd'))
    batch, _ = _data()
    state, told = steps(batch)
    for row in (0, num_training - 1, num_training, _SIZE - 1):
      other, others = steps(_changed(batch, 'r_t', row))
      self.assertEqual(
          self._differ(state, other, 'critic'), row < num_training, row)
      self.assertEqual(
          told['critic_loss'] != others['critic_loss'], row < num_training)
      # Of the validation part by itself, of the other by the new critic.
      self.assertNotEqual(told['outer_loss'], others['outer_loss'])
      self.assertTrue(self._differ(state, other, 'meta_parameter'))

    # Both losses are means over their own parts.
    learner = steps._learner
    for part, name, old in ((slice(0, num_training), 'critic_loss', True),
                            (slice(num_training, None), 'outer_loss', False)):
      learner.set_state({**state, **{
          key: steps._state[key] for key in state
          if old and key.startswith('critic/')}})
      o_t = tf.constant(batch.o_t[part])
      q_t = learner.networks.target_critic(
          o_t, learner.networks.target_policy(o_t))[:, 0]
      q_tm1 = learner.networks.critic(
          tf.constant(batch.o_tm1[part]), tf.constant(batch.a_tm1[part]))[:, 0]
      delta = (batch.r_t[part] - batch.c_t[part] @ state['multiplier/0'] +
               batch.discount_t[part] * q_t - q_tm1)
      self.assertAllClose(told[name], np.mean(np.square(delta)), rtol=1e-5)

  def test_every_clip_norm(self):
    # Of Adam's first step the first moment is 0.1 of the clipped gradient.
    batch, _ = _data()
    moments, norms = {}, {}
    for bound in (1e-4, 1e4):
      state, told = _Steps(_make(agents.MESH, clip_norm=bound))(batch)
      moments[bound] = {
          name: 10 * np.linalg.norm(state[f'{name}_adam/1'])
          for name in ('policy', 'critic', 'shaping')}
      norms = {name: told[f'{name}_gradient_norm']
               for name in ('policy', 'critic')}
      self.assertGreater(min(norms.values()), 1e-4)  # Before clipping.
    for name, moment in moments[1e-4].items():
      self.assertAllClose(moment, 1e-4, rtol=1e-3, msg=name)
      self.assertBetween(moments[1e4][name], 2e-4, 1e4)
    for name, norm in norms.items():
      self.assertAllClose(moments[1e4][name], norm, rtol=1e-4)

  def test_theorem_1s_step_is_not_clipped(self):
    learner = _make(inner_optimizer='sgd', clip_norm=1e-4, critic_lr=0.5)
    before = learner.get_state()
    state, told = _Steps(learner)(_data()[0])
    length = np.linalg.norm(np.concatenate([
        (x - y).ravel() for x, y in zip(fixtures.group(state, 'critic'),
                                        fixtures.group(before, 'critic'))]))
    self.assertAllClose(length, 0.5 * told['critic_gradient_norm'], rtol=1e-4)

  def test_the_bound_on_dqda(self):
    # Where it binds for every transition, the gradient is in proportion to it.
    norms = [
        _Steps(_make(agents.D4PG, lagrange_multiplier=0.0,
                     dqda_clip_norm=bound))(_data()[0])[1][
                         'policy_gradient_norm']
        for bound in (1e-3, 2e-3, 1e6)]
    self.assertAllClose(norms[1] / norms[0], 2.0, rtol=1e-3)
    self.assertGreater(norms[2], 10 * norms[1])

  @parameterized.parameters('distributional', 'scalar')
  def test_behind_a_termination_nothing_counts(self, critic):
    steps = _Steps(_make(critic=critic, outer_divergence='td'))
    batch, _ = _data()
    for row in (1, 9):  # One for training, one for validation.
      batch.discount_t[row] = 0
    _, told = steps(batch)
    for row, counts in ((1, False), (2, True), (9, False), (10, True)):
      _, others = steps(_changed(batch, 'o_t', row))
      name = 'critic_loss' if row < 8 else 'outer_loss'
      # But for rounding: probabilities do not add up to 1 exactly.
      self.assertEqual(
          not np.isclose(told[name], others[name], rtol=1e-6), counts, row)
    # And what the target is there is the shaped reward alone.
    learner = steps._learner
    head = learner._setup.head
    output_t = tf.random.normal([_SIZE, head.size])
    target = head.target(types.Transition(*map(tf.constant, batch)),
                         tf.constant([0.5, 0.25]), output_t)
    mean = target.value if critic == 'scalar' else tf.linalg.matvec(
        target.probabilities, tf.linspace(-10.0, 10.0, 11))
    shaped = batch.r_t - batch.c_t @ [0.5, 0.25]
    same = np.isclose(mean, shaped, rtol=1e-4, atol=1e-4)
    self.assertAllEqual(np.flatnonzero(same), [1, 9])

  def test_each_transition_counts_by_its_weight(self):
    learner = _make(agents.D4PG, lagrange_multiplier=0.0, critic='scalar',
                    inner_optimizer='sgd', replay='prioritized')
    batch, penalties = _data()
    before = learner.get_state()

    def gradient(weights: np.ndarray) -> np.ndarray:
      learner.set_state(before)
      learner.step(batch, penalties, weights.astype(np.float32))
      return np.concatenate([
          (x - y).ravel() for x, y in zip(
              fixtures.group(before, 'critic'),
              fixtures.group(learner.get_state(), 'critic'))])

    each = [gradient(row) for row in np.eye(_SIZE)[:3]]
    self.assertGreater(np.linalg.norm(each, axis=1).min(), 1e-6)
    self.assertAllClose(
        gradient(np.array([1.0, 0.5, 0.25] + 13 * [0.0])),
        each[0] + 0.5 * each[1] + 0.25 * each[2], rtol=1e-3, atol=1e-6)


if __name__ == '__main__':
  tf.test.main()
