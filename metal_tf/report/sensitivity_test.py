"""Tests of the scores over alpha_1."""

from absl.testing import absltest

from metal_tf.report import collect
from metal_tf.report import naming
from metal_tf.report import sensitivity
from metal_tf.report import style
from metal_tf.report import testing


def _run(label, algorithm, alpha_1, episode_return=700.0, seed=0, meta_lr=None,
         penalty=0.1, **kwargs) -> collect.ScoredRun:
  made = testing.made_run(label, seed, episode_return, penalty, **kwargs)
  return made._replace(run=made.run._replace(
      algorithm=algorithm, rates={'lagrange_lr': alpha_1, 'meta_lr': meta_lr}))


class SensitivityTest(absltest.TestCase):

  def test_runs_are_put_together_by_agent_and_alpha_eta(self):
    found = sensitivity.scores(testing.grid_of(
        _run('RC-D4PG', 'rc_d4pg', 1e-4, seed=0),
        _run('RC-D4PG', 'rc_d4pg', 1e-4, seed=1, penalty=0.4),
        _run('RC-D4PG [1]', 'rc_d4pg', 1e-5),
        _run('MetaL', 'metal', 1e-4, meta_lr=9.0),
        _run('MetaL [1]', 'metal', 1e-5, meta_lr=9.4),
        _run('MetaL [2]', 'metal', 1e-5, meta_lr=28.125),
        _run('D4PG', 'd4pg', 0.0)))
    [(_, series)] = found.items()
    rates = {(s.label, s.alpha_eta): [rate for rate, _ in points]
             for s, points in series.items()}
    self.assertEqual(rates, {
        ('RC-D4PG', None): [1e-4, 1e-4, 1e-5], ('MetaL', 9.0): [1e-4, 1e-5],
        # One value of alpha_1, of an agent that has several elsewhere.
        ('MetaL', 30.0): [1e-5]})

  def test_a_condition_without_several_alpha_1_is_left_out(self):
    found = sensitivity.scores(testing.grid_of(
        _run('RC-D4PG', 'rc_d4pg', 1e-4), _run('RC-D4PG [1]', 'rc_d4pg', 1e-5),
        _run('RC-D4PG', 'rc_d4pg', 1e-4, safety_coeff=0.1)))
    self.assertEqual([c.safety_coeff for c in found], [0.3])

  def test_one_alpha_1_is_no_sensitivity(self):
    outcome = sensitivity.figure(testing.grid_of(
        _run('RC-D4PG', 'rc_d4pg', 1e-4), _run('D4PG', 'd4pg', 0.0)))
    self.assertIsInstance(outcome, style.Missing)
    self.assertIn('several values of alpha_1', outcome.why)

  def _rows(self, *runs: collect.ScoredRun):
    return sensitivity.table(testing.grid_of(*runs)).to_dict('records')

  def test_the_best_and_the_largest_alpha_1(self):
    mesh = [_run('MeSh', 'mesh', 1e-5, 700.0)] + [
        _run('MeSh', 'mesh', 1e-4, episode_return, seed=seed)
        for seed, episode_return in enumerate((800.0, 90.0, 0.0))]
    constrained = [
        _run('RC-D4PG', 'rc_d4pg', 1e-5, 800.0, penalty=0.415),  # 500 penalized
        _run('RC-D4PG', 'rc_d4pg', 1e-4, 700.0),
        _run('RC-D4PG', 'rc_d4pg', 1e-4, 600.0, seed=1),
        _run('RC-D4PG', 'rc_d4pg', 3e-4, 449.0),
        _run('RC-D4PG', 'rc_d4pg', 3e-4, 452.0, seed=1),
        _run('RC-D4PG', 'rc_d4pg', 1e-3, 449.0)]
    # 900 on average here, and another level at another coefficient.
    free = [_run('D4PG', 'd4pg', 0.0, 1000.0),
            _run('D4PG', 'd4pg', 0.0, 800.0, seed=1),
            _run('D4PG', 'd4pg', 0.0, 500.0, safety_coeff=0.05)]
    harder = [_run('RC-D4PG', 'rc_d4pg', rate, 240.0 + 20 * i,
                   safety_coeff=0.05)
              for i, rate in enumerate((1e-5, 1e-4))]
    rows = self._rows(*mesh, *constrained, *free, *harder)
    self.assertEqual(
        [(row['coefficient'], row['agent'], row['largest']) for row in rows],
        [('0.05', 'RC-D4PG', '≥ 0.0001'), ('0.3', 'RC-D4PG', '0.0003'),
         ('0.3', 'MeSh', '1e-05')])
    self.assertEqual(rows[1], {
        'coefficient': '0.3', 'agent': 'RC-D4PG',
        'alpha_1 (runs)': '1e-05 (1), 0.0001 (2), 0.0003 (2), 0.001 (1)',
        'best': '0.0001', 'R_penalized there': '650.0 ± 70.7',
        'R there': '650.0 ± 70.7', 'J_C there': '0.100 ± 0.000',
        'overshoot there': '0.000 ± 0.000', 'largest': '0.0003'})
    self.assertEqual(
        [row['largest'] for row in self._rows(*constrained[-3::2], *free)],
        ['< 0.0003'])
    unlearned = _run('D4PG', 'd4pg', 0.0, 499.0)
    for others in ((), (unlearned,)):
      self.assertEqual([row['largest'] for row in self._rows(*mesh, *others)],
                       ['–'])

  def test_a_name_has_the_settings_that_differ(self):
    both = ('policy_lr', '0.5')
    self.assertEqual(
        [row['agent'] for row in self._rows(*(
            _run('RC-D4PG', 'rc_d4pg', rate)._replace(
                variant=naming.Variant('RC-D4PG', settings))
            for rate in (1e-5, 1e-4)
            for settings in ((both,), (('n_step', '1'), both))))],
        ['RC-D4PG [n_step=1]', 'RC-D4PG'])

  def test_a_single_alpha_1_has_no_row(self):
    self.assertEqual(
        [(row['task'], row['agent']) for row in self._rows(
            _run('RC-D4PG', 'rc_d4pg', 1e-4), _run('RC-D4PG', 'rc_d4pg', 1e-5),
            _run('MetaL', 'metal', 1e-4, meta_lr=9.0),
            *(_run('MetaL', 'metal', rate, meta_lr=9.0, domain='walker')
              for rate in (1e-5, 1e-4)))],
        [('cartpole, balance_velocity ≤ 0.115', 'RC-D4PG'),
         ('walker, balance_velocity ≤ 0.115', 'MetaL, alpha_eta ≈ 9')])
    self.assertEmpty(self._rows(_run('RC-D4PG', 'rc_d4pg', 1e-4)))

  def test_is_drawn_for_each_coefficient(self):
    outcome = sensitivity.figure(testing.grid_of(*(
        _run('RC-D4PG', 'rc_d4pg', rate, safety_coeff=coefficient)
        for rate in (1e-5, 1e-4) for coefficient in (0.05, 0.3))))
    self.assertIsInstance(outcome, style.Made)
    self.assertStartsWith(outcome.caption,
                          'Seeds per agent and condition: n = 1. Lines:')
    self.assertIn('coefficient 0.05', outcome.svg.decode())
    self.assertIn('coefficient 0.3', outcome.svg.decode())


if __name__ == '__main__':
  absltest.main()
