"""Tests of what runs took."""

from absl.testing import absltest

from metal_tf.report import compute
from metal_tf.report import testing


def _run(seed, seconds, *sessions):
  run = testing.made_run('MetaL', seed, 900.0, 0.1)
  return run._replace(run=run.run._replace(
      summary={'seconds': seconds}, sessions=sessions))


class ComputeTest(absltest.TestCase):

  def test_total_counts_runs_side_by_side_each(self):
    runs = [_run(0, 3600.0, {'cores': 2}),
            _run(1, 5400.0, {'cores': 16}, {'cores': 2})]
    self.assertEqual(
        compute.total(runs), '2 finished runs with 2 episodes: 2h30m of '
        'training in all (runs side by side count each), each session could '
        'use 2 or 16 cores')
    self.assertEndsWith(compute.total([_run(0, 1.0, {'commit': 'a'})]),
                        ', cores not recorded')

  def test_all_commits_of_a_resumed_run_are_listed(self):
    runs = [_run(0, 1.0, {'commit': 'b'}, {'commit': 'a'}, {'commit': 'b'}),
            _run(1, 1.0, {'commit': 'b'}), _run(2, 1.0, {'cores': 2})]
    self.assertEqual(compute.commits(runs),
                     '`a` (runs: 1), `b` (runs: 2), not recorded (runs: 1)')

  def test_twins_have_cost_time_though_they_count_once(self):
    one, twin = _run(0, 60.0), _run(0, 60.0)
    grid = testing.grid_of(
        one, twin._replace(left_out='the same as the other'),
        _run(1, 60.0)._replace(status='unfinished', left_out='1 of 2'))
    self.assertEqual((len(grid.used), len(grid.finished)), (1, 2))
    self.assertIn(': 2m00s of training', compute.total(grid.finished))


if __name__ == '__main__':
  absltest.main()
