"""Tests for `n_step`."""

from typing import Any, Dict, List

from absl.testing import absltest
from absl.testing import parameterized
from acme import specs
from acme.adders import reverb as acme_adders
import dm_env
import numpy as np
import reverb

from metal_tf import types
from metal_tf.replay import n_step


def _random_episode(rng: np.random.Generator, steps: int, num_constraints: int,
                    observation_size: int = 3,
                    action_size: int = 2) -> List[Dict[str, Any]]:
  observations = rng.normal(size=(steps + 1, observation_size))
  return [dict(
      o_tm1=observations[t].astype(np.float32),
      a_tm1=rng.normal(size=action_size).astype(np.float32),
      reward=float(rng.normal()),
      penalty=rng.integers(2, size=num_constraints).astype(np.float32),
      discount=float(rng.uniform(0.5, 1.)),
      o_t=observations[t + 1].astype(np.float32),
      last=t == steps - 1) for t in range(steps)]


def _naive(episode: List[Dict[str, Any]], n: int,
           gamma: float) -> List[types.Transition]:
  """The definition, written out."""
  transitions = []
  for t in range(len(episode)):
    end = min(t + n, len(episode))
    r_t, c_t, discount_t = 0., 0., 1.
    for i in range(t, end):
      before = 1.
      for j in range(t, i):
        before *= gamma * episode[j]['discount']
      r_t += before * episode[i]['reward']
      c_t = c_t + before * episode[i]['penalty'].astype(np.float64)
      discount_t *= gamma * episode[i]['discount']
    transitions.append(types.Transition(
        episode[t]['o_tm1'], episode[t]['a_tm1'], r_t, c_t, discount_t,
        episode[end - 1]['o_t']))
  return transitions


def _feed(accumulator: n_step.NStepAccumulator,
          episode: List[Dict[str, Any]]) -> List[types.Transition]:
  return [x for step in episode for x in accumulator.append(**step)]


class NStepAccumulatorTest(parameterized.TestCase):

  def assert_transitions_close(self, actual, expected):
    self.assertLen(actual, len(expected))
    for a, e in zip(actual, expected):
      for name, x, y in zip(types.Transition._fields, a, e):
        self.assertEqual(np.asarray(x).dtype, np.float32, name)
        np.testing.assert_allclose(x, y, rtol=1e-6, atol=1e-6, err_msg=name)

  @parameterized.product(n=(1, 2, 5), steps=(1, 4, 5, 6, 23),
                         num_constraints=(1, 3))
  def test_equals_the_definition(self, n, steps, num_constraints):
    rng = np.random.default_rng(17)
    accumulator = n_step.NStepAccumulator(n, 0.9)
    for _ in range(3):  # One after another, without a reset.
      episode = _random_episode(rng, steps, num_constraints)
      transitions = _feed(accumulator, episode)
      self.assertLen(transitions, steps)
      self.assert_transitions_close(transitions, _naive(episode, n, 0.9))

  def test_transitions_come_as_soon_as_they_are_complete(self):
    accumulator = n_step.NStepAccumulator(3, 0.9)
    episode = _random_episode(np.random.default_rng(0), 6, 1)
    counts = [len(accumulator.append(**step)) for step in episode]
    self.assertEqual(counts, [0, 0, 1, 1, 1, 3])

  @parameterized.parameters(1, 3, 5)
  def test_equals_acmes_adder_where_both_write(self, n):
    gamma, steps = 0.9, 12
    episode = _random_episode(np.random.default_rng(3), steps, 1)
    acme = self._acme_transitions(episode, n, gamma)
    # Acme also writes s_0 -> s_1, ..., s_0 -> s_{n-1}, before ours begin.
    self.assertLen(acme, steps + n - 1)
    for i, item in enumerate(acme[:n - 1]):
      np.testing.assert_array_equal(item.observation, episode[0]['o_tm1'])
      np.testing.assert_array_equal(item.next_observation, episode[i]['o_t'])
    ours = _feed(n_step.NStepAccumulator(n, gamma), episode)
    for mine, item in zip(ours, acme[n - 1:]):
      np.testing.assert_array_equal(mine.o_tm1, item.observation)
      np.testing.assert_array_equal(mine.a_tm1, item.action)
      np.testing.assert_array_equal(mine.o_t, item.next_observation)
      np.testing.assert_allclose(mine.r_t, item.reward, rtol=1e-5)
      # Acme's learner multiplies by gamma once more.
      np.testing.assert_allclose(
          mine.discount_t, gamma * item.discount, rtol=1e-5)

  def _acme_transitions(self, episode, n, gamma):
    spec = specs.EnvironmentSpec(
        observations=specs.Array((3,), np.float32),
        actions=specs.Array((2,), np.float32),
        rewards=specs.Array((), np.float32),
        discounts=specs.BoundedArray((), np.float32, 0., 1.))
    signature = acme_adders.NStepTransitionAdder.signature(spec)
    table = reverb.Table.queue('queue', 100, signature=signature)
    server = reverb.Server([table])
    client = reverb.Client(f'localhost:{server.port}')
    adder = acme_adders.NStepTransitionAdder(
        client, n, gamma, priority_fns={'queue': None})
    adder.add_first(dm_env.restart(episode[0]['o_tm1']))
    for step in episode:
      step_type = dm_env.StepType.LAST if step['last'] else dm_env.StepType.MID
      adder.add(step['a_tm1'], dm_env.TimeStep(
          step_type, np.float32(step['reward']), np.float32(step['discount']),
          step['o_t']))
    size = client.server_info()['queue'].current_size
    dataset = reverb.TrajectoryDataset.from_table_signature(
        f'localhost:{server.port}', 'queue',
        max_in_flight_samples_per_worker=1, num_workers_per_iterator=1)
    transitions = [sample.data for sample in dataset.take(size)]
    server.stop()
    return transitions

  def test_a_termination_leaves_nothing_to_bootstrap(self):
    episode = _random_episode(np.random.default_rng(1), 4, 1)
    episode[-1]['discount'] = 0.
    transitions = _feed(n_step.NStepAccumulator(3, 0.9), episode)
    self.assertGreater(transitions[0].discount_t, 0.)
    self.assertEqual([x.discount_t for x in transitions[1:]], [0., 0., 0.])
    self.assert_transitions_close(transitions, _naive(episode, 3, 0.9))

  def test_a_time_limit_keeps_the_discount(self):
    episode = _random_episode(np.random.default_rng(1), 4, 1)
    for step in episode:
      step['discount'] = 1.
    transitions = _feed(n_step.NStepAccumulator(3, 0.9), episode)
    np.testing.assert_allclose(
        [x.discount_t for x in transitions], [0.729, 0.729, 0.81, 0.9],
        rtol=1e-6)

  def test_reset_drops_an_unfinished_episode(self):
    rng = np.random.default_rng(1)
    accumulator = n_step.NStepAccumulator(3, 0.9)
    _feed(accumulator, _random_episode(rng, 8, 1)[:5])
    accumulator.reset()
    episode = _random_episode(rng, 4, 1)
    self.assert_transitions_close(
        _feed(accumulator, episode), _naive(episode, 3, 0.9))

  @parameterized.parameters(
      ('o_tm1', np.zeros((1, 3)), r'o_tm1: got shape \(1, 3\), expected'),
      ('a_tm1', np.float32(0), r'a_tm1: got shape \(\), expected'),
      ('penalty', np.float32(0), r'penalty: got shape \(\), expected'),
      ('o_t', np.zeros(4), r'o_t: got shape \(4,\), expected \(3,\)'))
  def test_wrong_shapes_raise_at_once(self, name, value, message):
    step = _random_episode(np.random.default_rng(1), 1, 1)[0]
    step[name] = value
    with self.assertRaisesRegex(ValueError, message):
      n_step.NStepAccumulator(2, 0.9).append(**step)

  def test_a_shape_that_changes_raises(self):
    rng = np.random.default_rng(1)
    accumulator = n_step.NStepAccumulator(2, 0.9)
    _feed(accumulator, _random_episode(rng, 3, 1))
    with self.assertRaisesRegex(ValueError, 'as in the first step'):
      _feed(accumulator, _random_episode(rng, 3, 2))

  @parameterized.parameters((0, 0.9, 'n: got 0'), (1, -0.1, 'gamma: got -0.1'),
                            (1, 1.1, 'gamma: got 1.1'))
  def test_wrong_arguments_raise(self, n, gamma, message):
    with self.assertRaisesRegex(ValueError, message):
      n_step.NStepAccumulator(n, gamma)


if __name__ == '__main__':
  absltest.main()
