"""A step is taken over as a whole or not at all; what is counted."""

from typing import Dict

from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from metal_tf.agent import algorithm1
from metal_tf.agent import iteration
from metal_tf.maths import optimizers

_METRICS = dict(critic_loss=2.0, validation_penalty=[0.5, 0.0],
                theorem_error=0.25)


def _state(value: float) -> algorithm1.TrainingState:
  """One number everywhere, so that one can see whose it is."""
  x = tf.constant([value, value], tf.float64)
  slots = optimizers.AdamSlots(tf.constant(int(value), tf.int64), [x], [x])
  return algorithm1.TrainingState(
      policy=[x], critic=[x], target_policy=[x], target_critic=[x],
      policy_slots=slots, critic_slots=slots, multiplier=x, meta_parameter=x,
      meta_slots=slots, shaping=[x], shaping_slots=slots,
      steps=tf.constant(int(value), tf.int64))


def _metrics(factor: float = 1.0) -> Dict[str, tf.Tensor]:
  return {name: factor * tf.constant(value, tf.float64)
          for name, value in _METRICS.items()}


def _tally() -> iteration.Tally:
  return iteration.Tally(
      {name: tf.ones_like(value) for name, value in _metrics().items()},
      *(tf.constant(number, tf.int64) for number in (3, 4, 5)))


def _proposal(of: str = '', value: float = 0.0) -> iteration.Proposal:
  """Of a step that leads to 7 everywhere, or to another value in one place."""
  state, metrics = _state(7.0), _metrics()
  if of in metrics:
    metrics[of] = tf.fill(metrics[of].shape, tf.constant(value, tf.float64))
  elif of:
    state = state._replace(**{of: tf.nest.map_structure(
        lambda x: tf.constant([7.0, value], tf.float64), getattr(state, of))})
  return iteration.Proposal(state, metrics, tf.constant([0.5, 1.5]))


class SettleTest(tf.test.TestCase, parameterized.TestCase):

  def _assert_all_are(self, state: algorithm1.TrainingState,
                      value: float) -> None:
    for tensor in tf.nest.flatten(state._replace(steps=state.policy_slots[0])):
      self.assertAllEqual(tensor, np.full(tensor.shape, value))

  def test_a_step_is_taken_over_as_a_whole(self):
    state, tally, priorities = iteration.settle(
        _state(1.0), _tally(), _proposal())
    self._assert_all_are(state, 7.0)
    self.assertEqual(state.steps, 2)
    self.assertAllEqual(priorities, [0.5, 1.5])
    self.assertAllEqual(tally.sums['critic_loss'], 3.0)
    self.assertAllEqual(tally.sums['validation_penalty'], [1.5, 1.0])
    self.assertAllEqual(tally.sums['theorem_error'], 1.0)  # The largest.
    self.assertEqual([int(x) for x in tally[1:]], [4, 4, 0])

  @parameterized.product(
      of=('critic_loss', 'validation_penalty', 'theorem_error', 'multiplier',
          'shaping'), value=(np.nan, np.inf, -np.inf))
  def test_or_not_at_all_for_one_number_that_is_not_finite(self, of, value):
    state, tally, priorities = iteration.settle(
        _state(1.0), _tally(), _proposal(of, value))
    self._assert_all_are(state, 1.0)
    self.assertEqual(state.steps, 2)
    self.assertAllEqual(np.isnan(priorities), [True, True])
    for total in tally.sums.values():
      self.assertAllEqual(total, np.ones(total.shape))
    self.assertEqual([int(x) for x in tally[1:]], [3, 5, 6])

  def test_skips_are_in_a_row_until_a_step_is_made(self):
    tally = _tally()
    counts = []
    for finite in (True, False, False, True, False):
      tally = iteration.add(tally, _metrics(), tf.constant(finite))
      counts.append([int(x) for x in tally[1:]])
    self.assertEqual(counts, [
        [4, 4, 0], [4, 5, 1], [4, 6, 2], [5, 6, 0], [5, 7, 1]])

  def test_the_largest_error_grows_alone(self):
    tally = iteration.add(_tally(), _metrics(8.0), tf.constant(True))
    self.assertEqual(tally.sums['theorem_error'], 2.0)

  @parameterized.parameters('more', 'less')
  def test_other_metrics_than_those_counted_raise(self, which):
    metrics = _metrics()
    if which == 'more':
      metrics['surprise'] = tf.constant(0.0)
    else:
      del metrics['critic_loss']
    with self.assertRaisesRegex(ValueError, 'surprise|critic_loss'):
      iteration.add(_tally(), metrics, tf.constant(True))


if __name__ == '__main__':
  tf.test.main()
