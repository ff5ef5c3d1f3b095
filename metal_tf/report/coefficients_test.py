"""Tests of what changes without exploration."""

from absl.testing import absltest
import numpy as np

from metal_tf.report import coefficients
from metal_tf.report import noise_free
from metal_tf.report import testing


def _run(label, seed, noisy, free, coefficient=0.05, **settings):
  """R_penalized with exploration and without; None: no evaluation."""
  run = testing.made_run(label, seed, noisy, 0.1, coefficient, **settings)
  evaluations = {} if free is None else {
      'episode': [1], 'episode_return': [free],
      'penalty/balance_velocity': [0.1]}
  return run._replace(run=run.run._replace(evaluations={
      name: np.array(values, np.float64)
      for name, values in evaluations.items()}))


def _reversals(*runs):
  grid = testing.grid_of(*runs)
  return coefficients.reversals(grid, noise_free.scored(grid))


class CoefficientsTest(absltest.TestCase):

  def test_who_changes_places_at_which_coefficient(self):
    self.assertEqual(_reversals(
        _run('MetaL', 0, 300, 600), _run('D4PG', 0, 200, 700),
        _run('RC-D4PG', 0, 50, 650),
        _run('MetaL', 0, 800, 900, 0.3), _run('D4PG', 0, 850, 860, 0.3)), {
            # MetaL 300, 50, 200 with, 600, 650, 700 without.
            '0.05': [('MetaL', 'RC-D4PG'), ('MetaL', 'D4PG')],
            '0.3': [('D4PG', 'MetaL')],
            # 550 and 525 with, 750 and 780 without.
            'all': [('MetaL', 'D4PG')]})

  def test_both_orders_are_of_the_same_runs(self):
    # With seed 1, MetaL is above D4PG with exploration; but it was not
    # evaluated, and with seed 0 alone MetaL is below in both.
    self.assertEqual(_reversals(
        _run('MetaL', 0, 100, 500), _run('MetaL', 1, 900, None),
        _run('D4PG', 0, 200, 600)), {'0.05': []})

  def test_equal_means_have_no_order(self):
    self.assertEqual(
        _reversals(_run('MetaL', 0, 100, 500), _run('D4PG', 0, 100, 600)),
        {'0.05': []})

  def _texts(self, *runs):
    return [text for text in coefficients.without_exploration(
        testing.grid_of(*runs)) if not text.startswith('|')]

  def test_texts(self):
    first, missing = self._texts(
        _run('MetaL', 0, 300, 600, evaluation_period=20),
        _run('D4PG', 0, 200, 700), _run('D4PG', 1, 200, None))
    self.assertIn('every 10 to 20 episodes, so 1 episodes a run', first)
    self.assertIn('At 0.05, MetaL is above D4PG in R_penalized with '
                  'exploration and below it without. These are', first)
    self.assertEqual(
        missing, 'Not in this table: D4PG-cartpole-0.05-1 (no evaluation '
        'during its last 100 training episodes).')
    [same] = self._texts(_run('MetaL', 0, 300, 600), _run('D4PG', 0, 200, 500))
    self.assertIn('no agent changes places with MetaL', same)
    [both, *_] = self._texts(
        _run('MetaL', 0, 300, 600), _run('D4PG', 0, 200, 700),
        _run('RC-D4PG', 0, 100, 650), _run('MetaL', 0, 800, 900, 0.3),
        _run('D4PG', 0, 850, 860, 0.3))
    self.assertIn('At 0.05, MetaL is above RC-D4PG, MetaL is above D4PG in ',
                  both)
    self.assertIn('without. Over all conditions below, MetaL is above D4PG in',
                  both)
    [alone] = self._texts(_run('MetaL', 0, 300, 600))
    self.assertEndsWith(alone, 'fixed in advance.')

  def test_without_any_evaluation_there_is_one_line(self):
    grid = testing.grid_of(_run('MetaL', 0, 300, None))
    self.assertEqual(coefficients.without_exploration(grid), [
        'Without exploration there are no scores: no evaluation during its '
        'last 100 training episodes (runs: 1).'])

  def test_the_section_has_both_tables(self):
    with_noise, without = [
        text for text in coefficients.section(testing.grid_of(
            _run('MetaL', 0, 300, 600))) if text.startswith('|')]
    self.assertIn('\n| 0.05 | MetaL | 300.0 |', with_noise)
    self.assertIn('\n| 0.05 | MetaL | 600.0 |', without)


if __name__ == '__main__':
  absltest.main()
