"""Tests of episodes without exploration."""

from absl.testing import absltest
import numpy as np

from metal_tf.agent import agents
from metal_tf.environments import errors
from metal_tf.training import evaluation
from metal_tf.training import parts
from metal_tf.training import testing


class EvaluationTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self._config = testing.small_config('', evaluation_period=3, meta_lr=0.1)
    self._learner = parts.make_learner(
        testing.make_environment(0).spec, agents.METAL, self._config)
    self._warnings = []

  def _evaluator(self, make=testing.make_environment):
    return evaluation.Evaluator(
        make, parts.policy_weights(self._learner), self._config,
        self._warnings.append)

  def test_is_due_once_a_period(self):
    evaluator = self._evaluator()
    self.assertEqual(
        [(episode, last) for episode in range(7) for last in (0, 3, 6)
         if evaluator.due(episode, last)], [(3, 0), (6, 0), (6, 3)])

  def test_is_the_same_for_the_same_weights_and_episode(self):
    one, two = self._evaluator(), self._evaluator()
    one.run(3)
    self.assertEqual(
        one.run(6).episode_return, two.run(6).episode_return)
    self.assertNotEqual(
        one.run(6).episode_return, one.run(3).episode_return)

  def test_takes_the_newest_weights(self):
    evaluator = self._evaluator()
    before = evaluator.run(3).episode_return
    for variable in self._learner.networks.policy.trainable_variables:
      variable.assign_add(np.full(variable.shape, 0.1, np.float32))
    self.assertNotEqual(evaluator.run(3).episode_return, before)

  def test_a_simulator_that_gives_up_costs_the_evaluation_only(self):

    def make(seed):
      environment = testing.make_environment(seed)

      def step(action):
        raise errors.EpisodeCut('slope', 1, 'made to')

      environment.step = step
      return environment

    self.assertIsNone(self._evaluator(make).run(3))
    self.assertIn('No evaluation at episode 3', self._warnings[0])

  def test_can_be_stopped(self):
    self.assertIsNone(self._evaluator().run(3, stop=lambda: True))


if __name__ == '__main__':
  absltest.main()
