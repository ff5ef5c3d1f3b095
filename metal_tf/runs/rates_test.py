"""Tests of the speed that is read off a log."""

from absl.testing import absltest
import numpy as np

from metal_tf.runs import rates
from metal_tf.runs import run_folder


def _run(seconds, learner_steps, actor_steps=None):
  count = len(seconds)
  return run_folder.RunFolder(
      path='', algorithm='metal', config={}, constraint_names=(),
      thresholds=np.zeros(0), sessions=(), suite='', evaluations={},
      summary=None, status=run_folder.RUNNING, episodes={
          'episode': np.arange(1, count + 1.0),
          'seconds': np.array(seconds, float),
          'learner_steps': np.array(learner_steps, float),
          'actor_steps': np.array(
              actor_steps or 100 * np.arange(1, count + 1), float)})


class RatesTest(absltest.TestCase):

  def test_needs_two_episodes(self):
    self.assertIsNone(rates.of(_run([], [])))
    self.assertIsNone(rates.of(_run([1], [0])))
    self.assertEqual(rates.of(_run([1, 3], [0, 0])), rates.Rates(2, 50, 0))

  def test_episodes_without_learning_do_not_count_once_there_are_others(self):
    self.assertEqual(rates.of(_run([1, 2, 3, 7], [0, 0, 0, 20])),
                     rates.Rates(4, 25, 5))

  def test_one_slow_episode_does_not_count(self):
    self.assertEqual(
        rates.of(_run([1, 41, 43, 45], [0, 10, 20, 30])), rates.Rates(2, 50, 5))

  def test_only_the_last_ten_count(self):
    seconds = np.cumsum([1] * 20 + [2] * 10)
    found = rates.of(_run(seconds, 10 * np.arange(30)))
    self.assertEqual(found.seconds_per_episode, 2)

  def test_whether_learning_has_begun(self):
    self.assertFalse(rates.begun(_run([], [])))
    self.assertFalse(rates.begun(_run([1], [0])))
    self.assertTrue(rates.begun(_run([1, 2], [0, 5])))


if __name__ == '__main__':
  absltest.main()
