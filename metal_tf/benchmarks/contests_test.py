"""Tests of what is made of measured numbers, and of the plan."""

from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from metal_tf.benchmarks import benchmark
from metal_tf.benchmarks import contests
from metal_tf.benchmarks import rows
from metal_tf.benchmarks import threads


class _Fake:
  """Workers whose speeds are given; remembers who was started."""

  def __init__(self, rates):
    self._rates = rates
    self.started = []
    self.open = set()

  def start(self, name, role, environment, arguments):
    del environment
    self.started.append(name)
    self.open.add(name)
    key = ' '.join([role, *map(str, arguments.values())])
    rate = self._rates.get(name, self._rates.get(key))
    worker = mock.Mock()
    worker.ready = dict(flops=100, address='nowhere')
    worker.start_seconds = 7.5
    worker.has_answered = True
    worker.measure = lambda n: dict(count=n, seconds=n / rate)
    worker.close = lambda: self.open.discard(name)
    return worker


def _contests(names, rates, quick=True):
  workers = _Fake(rates)
  return contests.Contests(
      names, workers, contests.QUICK, quick, lambda line: None), workers


class ContestsTest(parameterized.TestCase):

  def test_ratio_is_of_medians(self):
    row = contests.ratio(
        'learner_d4pg_vs_acme_cartpole',
        contests.Speeds(np.array([10.0, 40.0, 60.0])),
        contests.Speeds(np.array([20.0, 10.0, 30.0])), 'a remark')
    # Medians 40 and 20; the rounds' own ratios are 0.5, 4 and 2.
    self.assertEqual(row.value, 2.0)
    self.assertEqual(row.note, '40/s : 20/s; quartiles 1.25 to 3.00, n = 3; '
                     'a remark')

  @mock.patch.object(threads, 'num_cores', return_value=4)
  def test_the_fastest_peer_takes_part(self, _):
    slow, fast = (f'acme_learner cartpole ({setting})'
                  for setting in threads.of_the_peer(quick=True))
    contest, workers = _contests(
        list(rows.TARGETS), {
            slow: 10.0, fast: 20.0, 'learner d4pg cartpole': 50.0,
            'learner metal cartpole': 30.0, 'learner rc_d4pg cartpole': 25.0,
            'sgemm numpy': 60.0, 'sgemm tensorflow': 70.0})
    values = {row.name: row.value for row in contest.learners('cartpole')}
    self.assertEqual({name: round(value, 9) for name, value in values.items()},
                     dict(learner_d4pg_vs_acme_cartpole=2.5,
                          learner_metal_vs_acme_cartpole=1.5,
                          learner_rc_d4pg_vs_d4pg=0.5,
                          learner_d4pg_sgemm_share=round(5 / 7, 9)))
    self.assertEqual(contest.scan[2:], [
        '| cartpole | intra 1, inter 4, oneDNN on | 10.0 |',
        '| cartpole | intra 4, inter 4, oneDNN on | 20.0 |'])
    self.assertEmpty(workers.open)

  def test_a_quick_one_chooses_once(self):
    rates = {f'acme_learner {domain} ({setting})': 10.0
             for domain in rows.DOMAINS
             for setting in threads.of_the_peer(quick=False)}
    for quick, tried in ((True, 1), (False, len(threads.of_the_peer(False)))):
      contest, workers = _contests([], rates, quick)
      contest.learners('cartpole')
      workers.started.clear()
      contest.learners('quadruped')
      self.assertLen(workers.started, tried)

  def test_only_what_is_wanted_is_started(self):
    contest, workers = _contests(
        ['run_metal_vs_acme_cartpole'], {
            'acme_learner cartpole': 10.0, 'acme_run cartpole': 100.0,
            'run metal cartpole': 250.0, **{
                f'{role} cartpole ({setting})': 100.0 for setting in
                threads.of_the_peer(quick=True)
                for role in ('acme_learner', 'acme_run')}})
    [row] = contest.runs('cartpole')
    self.assertAlmostEqual(row.value, 2.5)
    self.assertEqual([name.split(' (')[0] for name in workers.started][-2:],
                     ['run metal cartpole', 'acme_run cartpole'])
    self.assertFalse(any(n.startswith('learner') for n in workers.started))
    self.assertEmpty(workers.open)

  def test_the_slower_form_of_insertion_counts(self):
    contest, _ = _contests(['insert_ms', 'insert_program_ms'], {
        'insert': 10_000.0, 'server': 1.0, 'insert nowhere': 8_000.0})
    values = {row.name: row.value for row in contest.insert()}
    self.assertEqual(list(values), ['insert_ms', 'insert_program_ms'])
    self.assertAlmostEqual(values['insert_ms'], 0.125)
    self.assertAlmostEqual(values['insert_program_ms'], 0.125)

  def test_the_first_step_is_measured_with_warm_files(self):
    contest, workers = _contests(['first_step_s'], {})
    self.assertEqual([row.value for row in contest.first_step()], [7.5])
    self.assertLen(workers.started, 2)


class PlanTest(parameterized.TestCase):

  @parameterized.parameters(
      (['insert_ms', 'replay_overhead'], ['insertion', 'memory']),
      (['learner_rc_d4pg_vs_d4pg'], ['learners, cartpole']),
      (['learner_metal_vs_acme_quadruped'], ['learners, quadruped']),
      (['run_d4pg_vs_acme_quadruped'], ['runs, quadruped']),
      (list(rows.TARGETS), [
          'learners, cartpole', 'runs, cartpole', 'learners, quadruped',
          'runs, quadruped', *(f'environments, {d}' for d in rows.DOMAINS),
          'insertion', 'first step', 'memory']))
  def test_contests(self, names, expected):
    plan = benchmark.plan(names, mock.Mock(), quick=True)
    self.assertEqual([title for title, _, _ in plan], expected)


class ThreadsTest(absltest.TestCase):

  @mock.patch.object(threads, 'num_cores', return_value=2)
  def test_peers_settings(self, _):
    self.assertLen(threads.of_the_peer(quick=False), 8)
    self.assertContainsSubset(threads.of_the_peer(quick=True),
                              threads.of_the_peer(quick=False))
    self.assertEqual(threads.Threads(1, 2, True).environment(), dict(
        TF_NUM_INTRAOP_THREADS='1', TF_NUM_INTEROP_THREADS='2',
        TF_ENABLE_ONEDNN_OPTS='1'))

  @mock.patch.object(threads, 'num_cores', return_value=1)
  def test_one_core(self, _):
    self.assertLen(threads.of_the_peer(quick=False), 2)


if __name__ == '__main__':
  absltest.main()
