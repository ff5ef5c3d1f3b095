"""Tests of the words for constraints and multipliers."""

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from metal_tf.training import verdict


class TrendTest(parameterized.TestCase):

  @parameterized.parameters(
      ([], ''), ([2.4], ''),
      ([2.0, 2.4], 'rising'), ([2.4, 2.0], 'falling'),
      ([2.4, 9.0, 2.4], 'settled'),  # It came back.
      ([2.0, 2.02], 'settled'), ([2.0, 2.03], 'rising'),
      ([0.0, 0.0], 'settled'), ([0.0, 1e-6], 'rising'),
      ([1e-6, 0.0], 'falling'))
  def test_one_percent_decides(self, multipliers, expected):
    self.assertEqual(verdict.trend(np.array(multipliers)), expected)


class JudgeTest(absltest.TestCase):

  def _judge(self, penalties, threshold):
    judge = verdict.Judge(np.array(threshold))
    for step, penalty in enumerate(penalties):
      judge.episode(np.array(penalty), np.array([float(step), 0.0]))
    return judge.verdicts()

  def test_nothing_is_said_before_the_first_episode(self):
    self.assertEmpty(self._judge([], [0.1, 0.5]))

  def test_constraints_are_judged_each_by_its_own(self):
    one, two = self._judge([(0.3, 0.4), (0.5, 0.5)], [0.1, 0.5])
    self.assertEqual(one, (0.4, 'not satisfied so far', 'rising'))
    self.assertEqual(two, (0.45, 'satisfied', 'settled'))

  def test_infeasible_needs_a_whole_window_without_a_satisfying_episode(self):
    always = [(1.0, 1.0)] * verdict.WINDOW
    for penalties, words in (
        (always[1:], 'not satisfied so far'), (always, 'infeasible so far'),
        # Only an episode satisfied it, no mean.
        (always + [(0.0, 1.0)], 'not satisfied so far')):
      self.assertEqual(self._judge(penalties, [0.0, 1.0])[0].words, words)

  def test_only_the_window_counts(self):
    before, later = [(1.0, 1.0)] * 7, [(0.0, 1.0)] * verdict.WINDOW
    self.assertEqual(
        self._judge(before + later, [0.0, 1.0])[0],
        (0.0, 'satisfied', 'rising'))
    self.assertEqual(
        self._judge(later + before, [0.0, 1.0])[0].words,
        'no longer satisfied')


if __name__ == '__main__':
  absltest.main()
