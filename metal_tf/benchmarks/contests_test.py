"""Tests of who takes part and what is made of the numbers; nothing is timed."""

from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized

from metal_tf.benchmarks import contests
from metal_tf.benchmarks import rows
from metal_tf.benchmarks import turns


class ContestsTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self._started = {}
    self._answers = {}  # By name: seconds round by round; 1 where not given.
    self.enter_context(mock.patch.object(turns, 'race', self._race))
    for method in ('start', 'wait_until_ready', 'stop'):
      self.enter_context(mock.patch.object(turns.Contestant, method))
    self.enter_context(mock.patch.object(
        contests.os, 'sched_getaffinity', return_value=range(2)))
    self._contests = contests.Contests('nowhere', 3, lambda line: None)

  def _race(self, contestants, directory, rounds, peers=()):
    """Answers at once, as if nothing had to be measured."""
    self.assertEqual(directory, 'nowhere')
    self._started = contestants
    for contestant in contestants.values():
      contestant.ready = 8e9
    answers = {name: self._answers.get(name, [1.0] * rounds)
               for name in contestants}
    slow = sorted(peers, key=lambda name: sum(answers[name]))[2:]
    return {name: each for name, each in answers.items() if name not in slow}

  def _rows(self, method, *arguments):
    return {row.name: row
            for row in getattr(self._contests, method)(*arguments)}

  @parameterized.parameters(*rows.CONTESTS)
  def test_every_contest_gives_its_rows(self, title):
    with mock.patch.object(contests.subprocess, 'run') as run:
      run.return_value.returncode = 0
      measured = self._rows(*title.split())
    self.assertEqual(set(measured), set(rows.CONTESTS[title].targets))

  def test_ratio_of_medians_to_the_best_peer(self):
    slow, best = (f'Acme with intra 1, inter 1, oneDNN {onednn}'
                  for onednn in ('on', 'off'))
    self._answers = {slow: [9.0, 9.0, 9.0], best: [6.0, 8.0, 5.0],
                     'd4pg': [1.0, 2.0, 4.0], 'metal': [3.0, 3.0, 3.0]}
    measured = self._rows('learners', 'small')
    row = measured['learner_d4pg_vs_acme_small']
    self.assertEqual((row.value, row.met), (3.0, False))
    # The rounds' own ratios are 6, 4 and 1.25.
    self.assertEqual(row.remarks, '2000 ms : 6000 ms; quartiles 2.62 to 5, '
                     f'n = 3; {best}')
    self.assertEqual(measured['learner_metal_vs_acme_small'].value, 2.0)
    self.assertEqual({each.cores for each in self._started.values()}, {1})

  def test_the_peers_settings_are_chosen_once(self):
    best = [f'Acme with intra {intra}, inter 2, oneDNN on' for intra in (1, 2)]
    self._answers = {name: [0.5] * 3 for name in best}
    self._contests.learners('cartpole')
    self.assertLen(self._started, 2 + 8)
    self.assertEqual(self._started[best[1]].environment, dict(
        TF_NUM_INTRAOP_THREADS='2', TF_NUM_INTEROP_THREADS='2',
        TF_ENABLE_ONEDNN_OPTS='1'))
    self._contests.runs('quadruped')
    self.assertEqual(list(self._started), ['d4pg', *best])

  def test_share_of_products(self):
    self._answers = dict(d4pg=[4.0] * 3, rc_d4pg=[5.0] * 3, numpy=[2.0] * 3)
    measured = self._rows('d4pg')
    self.assertEqual(measured['learner_d4pg_sgemm_share'].value, 0.25)
    self.assertStartsWith(measured['learner_d4pg_sgemm_share'].remarks,
                          '2 of 8 GFLOP/s (tensorflow); 8 GFLOP a step')
    self.assertEqual(measured['learner_rc_d4pg_vs_d4pg'].value, 0.8)

  def test_the_slower_form_of_insertion_counts(self):
    self._answers = {'program': [2e-4] * 3, 'one process': [1e-4] * 3}
    row = self._rows('insertion')['insert_ms']
    self.assertAlmostEqual(row.value, 0.2)
    self.assertStartsWith(row.remarks, 'one process 0.1, program 0.2: ')

  def test_a_checkpoint_has_what_a_minute_brings(self):
    self._answers = dict(run=[0.01, 0.02, 0.05], saving=[6.0, 3.0, 1.0])
    self.assertEqual(self._rows('checkpoints')['checkpoint_share'].value, 0.05)
    self.assertEqual(self._started['saving'].amount, 3000)

  def test_a_launcher_that_fails(self):
    with mock.patch.object(contests.subprocess, 'run') as run:
      run.return_value = mock.Mock(returncode=2, stdout='no such setting')
      with self.assertRaisesRegex(turns.ContestantFailed, '2. It said:\nno su'):
        self._contests.start()


if __name__ == '__main__':
  absltest.main()
