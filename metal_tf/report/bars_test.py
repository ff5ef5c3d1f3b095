"""Tests of bars from runs that do not fill every place."""

from absl.testing import absltest

from metal_tf.report import bars
from metal_tf.report import style
from metal_tf.report import testing


class BarsTest(absltest.TestCase):

  def test_a_domain_without_an_agent_of_the_paper_has_no_place(self):
    grid = testing.grid_of(
        testing.made_run('MetaL', 0, 900, 0.1),
        testing.made_run('D4PG', 0, 800, 0.2),
        testing.made_run('MeSh', 0, 700, 0.1, domain='walker'))
    outcome = bars.by_domain(grid, style.looks(grid.labels))
    self.assertIsInstance(outcome, style.Made)
    self.assertIn('walker', outcome.caption)
    self.assertIn(b'cartpole', outcome.svg)
    self.assertNotIn(b'walker', outcome.svg)


if __name__ == '__main__':
  absltest.main()
