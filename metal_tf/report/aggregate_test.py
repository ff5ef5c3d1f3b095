"""Tests of averages over conditions and of comparisons."""

import math

from absl.testing import absltest
import numpy as np

from metal_tf.report import aggregate
from metal_tf.report import testing


def _runs(label, seeds, coefficients, base=100.0):
  return [testing.made_run(label, seed, base + 10 * seed + 1000 * coefficient,
                           0.115, coefficient)
          for coefficient in coefficients for seed in seeds]


class AggregateTest(absltest.TestCase):

  def test_seeds_are_averaged_over_conditions_first(self):
    grid = testing.grid_of(
        testing.made_run('MetaL', 0, 100, 0.215, 0.3),
        testing.made_run('MetaL', 0, 300, 0.0, 0.05),
        testing.made_run('MetaL', 1, 500, 0.315, 0.3),
        testing.made_run('MetaL', 1, 700, 0.115, 0.05))
    row, = aggregate.rows(grid)
    self.assertEqual((row.seeds, len(row.conditions)), ((0, 1), 2))
    np.testing.assert_allclose(row.measure('return'), [200, 600])
    # Overshoots 0.1 and 0; 0.2 and 0. What is below beta is worth nothing.
    np.testing.assert_allclose(row.measure('overshoot'), [0.05, 0.1])
    np.testing.assert_allclose(row.measure('penalized_return'), [150, 500])
    np.testing.assert_allclose(row.measure('penalty'), [0.1075, 0.215])

  def test_a_seed_that_lacks_conditions_is_left_out_and_named(self):
    grid = testing.grid_of(*_runs('MetaL', (0, 1, 2), (0.05, 0.3)),
                           *_runs('MetaL', (3,), (0.05,)))
    row, = aggregate.rows(grid)
    self.assertEqual((row.seeds, row.left_out), ((0, 1, 2), (3,)))

  def test_one_run_of_a_new_condition_does_not_empty_the_table(self):
    grid = testing.grid_of(*_runs('MetaL', (0, 1, 2), (0.05, 0.3)),
                           *_runs('MetaL', (0,), (0.1,)))
    row, = aggregate.rows(grid)
    self.assertEqual(row.seeds, (0, 1, 2))
    self.assertEqual([c.safety_coeff for c in row.conditions], [0.05, 0.3])

  def test_the_block_may_be_nobodys_own_set_of_conditions(self):
    grid = testing.grid_of(*_runs('MetaL', (0,), (0.05, 0.1)),
                           *_runs('MetaL', (1, 2), (0.05, 0.2)),
                           *_runs('D4PG', (0, 1), (0.05, 0.1)),
                           *_runs('D4PG', (2,), (0.05, 0.2)))
    first, second = aggregate.common(grid, ['MetaL', 'D4PG'])
    self.assertEqual([c.safety_coeff for c in first.conditions], [0.05])
    self.assertEqual((first.seeds, second.seeds), ((0, 1, 2), (0, 1, 2)))

  def test_agents_are_compared_over_what_both_have(self):
    grid = testing.grid_of(*_runs('MetaL', (0, 1, 2), (0.05, 0.1, 0.3), 200),
                           *_runs('D4PG', (0, 1, 2), (0.05, 0.1, 0.3)),
                           *_runs('RC-D4PG', (0, 1), (0.3,), 190))
    found = aggregate.comparisons(grid)
    self.assertLen(found, 2 * 4)
    by_name = {(c.second.label, c.measure): c for c in found}
    constrained = by_name['RC-D4PG', 'return']
    self.assertEqual([c.safety_coeff for c in constrained.first.conditions],
                     [0.3])
    # Means 200 + 10 and 190 + 5 above the same base.
    self.assertAlmostEqual(constrained.difference.estimate, 15)
    free = by_name['D4PG', 'return']
    self.assertAlmostEqual(free.difference.estimate, 100)
    # Holm: the smaller of the two p-values is doubled.
    self.assertAlmostEqual(free.holm, 2 * free.welch.p)
    self.assertAlmostEqual(constrained.holm, constrained.welch.p)
    self.assertTrue(math.isnan(by_name['D4PG', 'overshoot'].welch.p))

  def test_ablations_are_a_family_of_their_own(self):
    papers = [*_runs('MetaL', (0, 1, 2), (0.3,), 200),
              *_runs('D4PG', (0, 1, 2), (0.3,), 185),
              *_runs('RC-D4PG', (0, 1, 2), (0.3,), 190)]
    ablations = [
        *_runs('MeSh', (0, 1, 2), (0.3,), 150),
        *_runs('MetaL [meta_optimizer=sgd]', (0, 1, 2), (0.3,), 195),
        *_runs('RC-D4PG [lagrange_lr=0.01]', (0, 1, 2), (0.3,), 197)]

    def adjusted(runs):
      return {c.second.label: (c.holm, c.welch.p)
              for c in aggregate.comparisons(testing.grid_of(*runs))
              if c.measure == 'return'}

    before, after = adjusted(papers), adjusted(papers + ablations)
    self.assertEqual({label: after[label] for label in before}, before)
    # Two of the paper's and three others: the smallest is times 2 and times 3.
    for label, size in (('D4PG', 2), ('MeSh', 3)):
      holm, p = after[label]
      self.assertAlmostEqual(holm, size * p)

  def test_nothing_in_common(self):
    grid = testing.grid_of(*_runs('MetaL', (0,), (0.05,)),
                           *_runs('D4PG', (0,), (0.3,)))
    self.assertEmpty(aggregate.comparisons(grid))
    self.assertEmpty(aggregate.common(grid, ['MetaL', 'MeSh']))
    across = aggregate.across_tasks(grid, 10)
    self.assertLen(across.means, 2)
    self.assertEmpty(across.improvement)

  def test_across_tasks_takes_the_right_scores(self):
    grid = testing.grid_of(*_runs('MetaL', (0, 1), (0.05, 0.3), 500),
                           *_runs('D4PG', (0, 1, 2), (0.05, 0.3)),
                           *_runs('MeSh', (0, 1), (0.3,), 900))
    across = aggregate.across_tasks(grid, 50)
    self.assertEqual([row.label for row, _ in across.means],
                     ['MetaL', 'D4PG', 'MeSh'])
    # 550, 560, 800, 810: the middle half.
    self.assertAlmostEqual(across.means[0][1][1].estimate, 680)
    self.assertEqual(
        [(other.label, value.estimate, len(first.conditions))
         for first, other, value in across.improvement],
        [('D4PG', 1.0, 2), ('MeSh', 0.0, 1)])


if __name__ == '__main__':
  absltest.main()
