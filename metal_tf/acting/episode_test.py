"""Tests for `episode`."""

from unittest import mock

from absl.testing import absltest
import numpy as np

from metal_tf.acting import actor as actor_lib
from metal_tf.acting import episode as episode_lib
from metal_tf.acting import numpy_policy
from metal_tf.acting import testing
from metal_tf.replay import n_step


def _make_actor(weights_source=None):
  spec = testing.make_spec()
  policy = numpy_policy.NumpyPolicy(
      testing.make_weights(0.), spec.action_minimum, spec.action_maximum)
  return actor_lib.Actor(policy, exploration_sigma=0.3, seed=0, spec=spec,
                         weights_source=weights_source)


def _run(environment, actor, **options):
  episode = episode_lib.Episode(environment, actor, **options)
  for _ in episode:
    pass
  return episode.result


class EpisodeTest(absltest.TestCase):

  def test_steps_line_up(self):
    episode = episode_lib.Episode(testing.CountingEnvironment(4), _make_actor())
    steps = list(episode)
    self.assertLen(steps, 4)
    for i, step in enumerate(steps):
      np.testing.assert_array_equal(step.o_tm1, np.full(3, i))
      np.testing.assert_array_equal(step.o_t, np.full(3, i + 1))
      self.assertEqual(step.a_tm1.shape, (2,))
      self.assertEqual(step.reward, i + 1.)
      np.testing.assert_array_equal(step.penalty, [i % 2, 1.])
      self.assertEqual(step.discount, 1.)
      self.assertEqual(step.last, i == 3)

  def test_result(self):
    with mock.patch('time.monotonic', side_effect=[10., 12.5]):
      result = _run(testing.CountingEnvironment(5), _make_actor())
    self.assertEqual(result.episode_return, 15.)
    np.testing.assert_allclose(result.episode_penalty, [0.4, 1.])
    self.assertEqual(result.steps, 5)
    self.assertEqual(result.seconds, 2.5)
    self.assertFalse(result.cut)

  def test_an_episode_may_be_cut(self):
    episode = episode_lib.Episode(
        testing.CountingEnvironment(5), _make_actor(), max_steps=2)
    steps = list(episode)
    self.assertEqual([step.last for step in steps], [False, True])
    self.assertEqual(steps[-1].discount, 1.)
    self.assertEqual(episode.result.episode_return, 3.)
    np.testing.assert_allclose(episode.result.episode_penalty, [0.5, 1.])
    self.assertTrue(episode.result.cut)

  def test_an_episode_that_ends_at_max_steps_is_not_cut(self):
    result = _run(
        testing.CountingEnvironment(5), _make_actor(), max_steps=5)
    self.assertEqual(result.steps, 5)
    self.assertFalse(result.cut)

  def test_discounts_reach_the_steps_and_not_the_result(self):
    environment = testing.CountingEnvironment(4)
    step, discounts = environment.step, [0.5, 1., 0.25, 0.]
    environment.step = lambda action: step(action)._replace(
        discount=discounts[environment._count - 1])
    episode = episode_lib.Episode(environment, _make_actor())
    self.assertEqual([step.discount for step in episode], discounts)
    self.assertEqual(episode.result.episode_return, 1. + 2. + 3. + 4.)
    np.testing.assert_allclose(episode.result.episode_penalty, [0.5, 1.])

  def test_no_result_before_the_end(self):
    episode = episode_lib.Episode(testing.CountingEnvironment(5), _make_actor())
    steps = iter(episode)
    for _ in range(4):
      next(steps)
    with self.assertRaisesRegex(RuntimeError, 'has not been run to its end'):
      _ = episode.result
    self.assertLen(list(steps), 1)
    self.assertEqual(episode.result.steps, 5)

  def test_weights_are_asked_for_once_an_episode(self):
    asked = []
    def source():
      asked.append(1)
      return testing.make_weights(0.)
    actor = _make_actor(source)
    for _ in range(3):
      _run(testing.CountingEnvironment(5), actor)
    self.assertLen(asked, 3)

  def test_steps_feed_the_accumulator(self):
    accumulator = n_step.NStepAccumulator(2, 0.5)
    transitions = []
    for step in episode_lib.Episode(
        testing.CountingEnvironment(3), _make_actor()):
      transitions.extend(accumulator.append(*step))
    self.assertEqual([float(x.r_t) for x in transitions], [2., 3.5, 3.])
    self.assertEqual([x.c_t.tolist() for x in transitions],
                     [[0.5, 1.5], [1., 1.5], [0., 1.]])
    self.assertEqual([float(x.discount_t) for x in transitions],
                     [0.25, 0.25, 0.5])
    self.assertEqual([float(x.o_t[0]) for x in transitions], [2., 3., 3.])

  def test_max_steps_below_one_raises(self):
    with self.assertRaisesRegex(ValueError, 'max_steps: got 0, allowed'):
      episode_lib.Episode(testing.CountingEnvironment(3), _make_actor(), 0)


if __name__ == '__main__':
  absltest.main()
