"""Tests of the rules: made-up runs for which each verdict is known."""

import math

from absl.testing import absltest
import numpy as np

from metal_tf.report import claims
from metal_tf.report import collect
from metal_tf.report import dynamics
from metal_tf.report import naming
from metal_tf.report import rules
from metal_tf.report import testing

_NOISE = (-3.0, -1.0, 0.0, 1.5, 2.5)


def _agent(label, episode_return, penalty=0.114, coefficients=(0.05, 0.3),
           seeds=5, **details):
  return [testing.made_run(label, seed, episode_return + _NOISE[seed],
                           penalty + 1e-4 * _NOISE[seed], coefficient,
                           **details)
          for coefficient in coefficients for seed in range(seeds)]


def _verdicts(*agents):
  grid = testing.grid_of(*(run for agent in agents for run in agent))
  return {verdict.id: verdict for verdict in claims.all_claims(grid)}


def _shaping(*returns):
  return [run for multiplier, value in zip(
      ('0.1', '1.0', '10.0', '100.0'), returns)
          for run in _agent(f'RS-{multiplier}', value)]


def _training(alpha, multiplier, penalty):
  return {'alpha_lambda': alpha, 'lambda': multiplier, 'penalty': penalty,
          'meta_gradient_direct': np.full(len(alpha), 2e-3),
          'meta_gradient_weights': np.full(len(alpha), -1e-3),
          'clipped_mass': np.full(len(alpha), 0.25)}


class ClaimsTest(absltest.TestCase):

  def test_the_papers_picture_is_seen(self):
    found = _verdicts(
        _agent('MetaL', 900), _agent('D4PG', 920, 0.5),
        _agent('RC-D4PG', 890, coefficients=(0.3,)),
        _agent('RC-D4PG', 100, coefficients=(0.05,)),
        _agent('MetaL (actor+critic)', 700), _agent('MetaL (actor)', 300),
        _shaping(850, 700, 200, 100))
    for name in 'abcdgh':
      self.assertEqual(found[name].verdict, rules.SEEN, found[name].diagnosis)
      self.assertEqual(found[name].n, 5)
    # The smallest lead of MetaL: over RS-0.1, over both coefficients.
    self.assertAlmostEqual(found['a'].interval.estimate, 50)
    self.assertLess(found['a'].interval.low, 50)
    self.assertAlmostEqual(found['h'].interval.estimate, 750)

  def test_the_contrary_is_not_seen(self):
    found = _verdicts(
        _agent('MetaL', 600), _agent('D4PG', 920), _agent('RC-D4PG', 890),
        _agent('MetaL (actor+critic)', 700), _agent('MetaL (actor)', 800),
        _shaping(600, 601, 602, 603))
    for name in 'abcdgh':
      self.assertEqual(found[name].verdict, rules.NOT_SEEN,
                       found[name].diagnosis)

  def test_few_seeds_leave_it_undecided(self):
    found = _verdicts(
        _agent('MetaL', 900, seeds=1), _agent('D4PG', 920, seeds=1),
        _agent('RC-D4PG', 890, seeds=1))
    for name in 'abcd':
      self.assertEqual(found[name].verdict, rules.UNDECIDED)
      self.assertTrue(math.isnan(found[name].interval.low))
      self.assertIn('n = 1', found[name].diagnosis)

  def test_best_of_some_is_not_best_of_all(self):
    found = _verdicts(_agent('MetaL', 900), _agent('D4PG', 500),
                      _agent('RC-D4PG', 500))['a']
    self.assertEqual(found.verdict, rules.UNDECIDED)
    self.assertStartsWith(
        found.why, 'not there on conditions of MetaL: RS-0.1, ')

  def test_an_agent_on_other_conditions_alone_is_not_beaten(self):
    found = _verdicts(
        _agent('MetaL', 900), _agent('D4PG', 500), _agent('RC-D4PG', 500),
        _shaping(500, 500, 500), _agent('RS-100.0', 100, coefficients=(0.1,))
        )['a']
    self.assertEqual(found.verdict, rules.UNDECIDED)
    self.assertStartsWith(
        found.why, 'not there on conditions of MetaL: RS-100.0')

  def test_agents_that_learned_nothing_prove_nothing(self):
    found = _verdicts(_agent('MetaL', 100), _agent('D4PG', 101),
                      _agent('RC-D4PG', 99))
    for name in 'bcd':
      self.assertEqual(found[name].verdict, rules.UNDECIDED)
      self.assertIn('has not learned the task', found[name].diagnosis)

  def test_copies_of_one_run_decide_nothing(self):
    # As many copies as there are seeds in the others, whose scores do differ.
    found = _verdicts(
        [testing.made_run('MetaL', seed, 900, 0.115, coefficient)
         for coefficient in (0.05, 0.3) for seed in range(5)],
        _agent('D4PG', 920, 0.5), _agent('RC-D4PG', 100), _shaping(100, 100))
    for name in 'abcd':
      self.assertEqual(found[name].verdict, rules.UNDECIDED,
                       found[name].diagnosis)
      self.assertIn('no interval: fewer than 3 seeds, or all alike',
                    found[name].diagnosis)
    self.assertEqual(found['c'].n, 5)

  def test_the_best_says_over_which_coefficients(self):
    found = _verdicts(_agent('MetaL', 900), _agent('D4PG', 500),
                      _agent('RC-D4PG', 500, coefficients=(0.3,)))['a']
    self.assertIn('D4PG over the coefficients 0.05, 0.3; ', found.diagnosis)
    self.assertIn('RC-D4PG over the coefficients 0.3; ', found.diagnosis)
    self.assertIn('coefficients without runs: 0.1, 0.2', found.diagnosis)
    found = _verdicts(_agent('MetaL', 900), _agent('D4PG', 500))['a']
    self.assertIn('; over the coefficients 0.05, 0.3; ', found.diagnosis)

  def test_a_collapse_says_how_far_the_multiplier_has_come(self):
    steps = np.arange(101.0)
    late = [testing.made_run(
        'RC-D4PG', seed, 100 + seed, 0.5, 0.05, columns=_training(
            steps, steps if seed else 100 - steps, steps))
            for seed in range(3)]
    found = _verdicts(_agent('MetaL', 900), _agent('D4PG', 900), late)['d']
    self.assertEqual(found.verdict, rules.SEEN)
    self.assertIn(
        'RC-D4PG, by seed: lambda at the end 0, 100, 100, which moved by '
        '-100 %, +25 %, +25 % in the last quarter; return in the halves of the '
        'scored window 100 then 100, 101 then 101, 102 then 102; highest '
        'smoothed return 100, 101, 102', found.diagnosis)

  def test_an_agent_that_violates_more_does_not_do_the_same(self):
    # Penalized returns are within the margin: more return makes up for it.
    found = _verdicts(
        _agent('MetaL', 790, 0.26, coefficients=(0.3,)),
        _agent('RC-D4PG', 700, coefficients=(0.3,)))['c']
    self.assertEqual(found.verdict, rules.NOT_SEEN)
    self.assertEqual(found.effect.name, 'J_C of MetaL - RC-D4PG')
    self.assertIn('MetaL: mean return 790, J_C 0.26, overshoot 0.145, '
                  'satisfied by 0 of 5 seeds', found.diagnosis)

  def test_best_needs_the_same_coefficients_and_more_than_one(self):
    others = [_agent(label, 500) for label in (
        'D4PG', 'RS-0.1', 'RS-1.0', 'RS-10.0', 'RS-100.0')]
    found = _verdicts(_agent('MetaL', 900), *others, _agent(
        'RC-D4PG', 500, coefficients=(0.3,)))['a']
    self.assertEqual((found.verdict, found.why), (
        rules.UNDECIDED, 'compared over different conditions'))
    found = _verdicts(*(
        _agent(label, value, coefficients=(0.3,)) for label, value in (
            ('MetaL', 900), ('D4PG', 500), ('RC-D4PG', 500), ('RS-0.1', 500),
            ('RS-1.0', 500), ('RS-10.0', 500), ('RS-100.0', 500))))['a']
    self.assertEqual((found.verdict, found.why),
                     (rules.UNDECIDED, 'only one coefficient'))

  def test_best_needs_the_same_domains(self):
    found = _verdicts(
        _agent('MetaL', 900, domain='walker'),
        _agent('MetaL', 900, domain='quadruped'),
        _agent('D4PG', 500, domain='quadruped'), *(
            _agent(label, 500, domain='walker') for label in (
                'RC-D4PG', 'RS-0.1', 'RS-1.0', 'RS-10.0', 'RS-100.0')))['a']
    self.assertEqual((found.verdict, found.why), (
        rules.UNDECIDED, 'compared over different conditions'))

  def test_of_several_problems_the_analysed_one_is_judged(self):
    here, there = (
        _verdicts(*agents)['b'] for agents in (
            [_agent('MetaL', 900), _agent('D4PG', 900)],
            [_agent('MetaL', 900), _agent('D4PG', 900),
             _agent('MetaL', 100, domain='walker', seeds=3),
             _agent('D4PG', 900, domain='walker', seeds=3)]))
    self.assertEqual(here, there)
    self.assertEqual((here.verdict, here.n), (rules.SEEN, 5))

  def test_what_is_not_finished_keeps_a_lead_from_being_seen(self):
    coefficients = (0.05, 0.2, 0.3)
    metal, *others = (
        _agent(label, 900 if label == 'MetaL' else 500,
               coefficients=coefficients) for label in naming.PAPER)
    self.assertEqual(_verdicts(metal, *others)['a'].verdict, rules.SEEN)
    # Without what failed, all are compared over the easy coefficients alone.
    metal = [
        run._replace(status=collect.FAILED, left_out='it failed')
        if run.condition.safety_coeff == 0.05 else run for run in metal]
    found = _verdicts(metal, *others)
    for name in 'ab':
      self.assertEqual(found[name].verdict, rules.UNDECIDED)
      self.assertStartsWith(found[name].why, 'not over 0.05, for lack of '
                            'finished runs; failed: ')
    self.assertIn('failed: MetaL-cartpole-0.05-0, ', found['a'].why)

  def test_where_nothing_binds_it_is_told(self):
    found = _verdicts(_agent('MetaL', 900), _agent('RC-D4PG', 900),
                      _agent('D4PG', 900, 0.1))['c']
    self.assertEqual(found.verdict, rules.SEEN)
    self.assertIn('D4PG: mean return 900, J_C 0.1, overshoot 0, satisfied by 5 '
                  'of 5 seeds', found.diagnosis)

  def test_seeds_that_would_decide_an_open_claim(self):
    found = _verdicts(_agent('MetaL', 801), _agent('D4PG', 900))['b']
    self.assertEqual(found.verdict, rules.UNDECIDED)
    # 1 from the bound; the deviation is 2.15: 1.993 * 2.15 * sqrt(2 / 37) < 1.
    self.assertEqual(found.seeds, 37)
    self.assertEqual(found.would_decide,
                     'about 37 seeds would decide it, as seen')

  def test_an_agent_that_is_above_is_not_hidden_for_want_of_seeds(self):
    found = _verdicts(_agent('MetaL', 900), _agent('D4PG', 890),
                      _agent('RC-D4PG', 950, seeds=1))['a']
    self.assertEqual(found.verdict, rules.UNDECIDED)
    self.assertEqual(found.effect.name, 'R_penalized of MetaL - RC-D4PG')
    self.assertEqual(found.n, 1)

  def test_seeds_that_lack_runs_are_named(self):
    found = _verdicts(_agent('MetaL', 900), _agent('D4PG', 900)[:-1])['b']
    self.assertEqual((found.verdict, found.n), (rules.SEEN, 4))
    self.assertIn('over the coefficients 0.05, 0.3; left out, for lack of runs '
                  'on these conditions: D4PG with seed 4; underpowered',
                  found.diagnosis)

  def test_the_same_rule_on_episodes_without_exploration(self):
    def evaluated(runs, episode_return):
      return [run._replace(run=run.run._replace(evaluations={
          'episode': np.ones(1), 'episode_return': np.array(
              [episode_return + _NOISE[run.seed]]),
          'penalty/balance_velocity': np.full(1, 0.1)})) for run in runs]

    found = _verdicts(evaluated(_agent('MetaL', 900), 700),
                      evaluated(_agent('D4PG', 900), 850))['b']
    self.assertEqual(found.verdict, rules.SEEN)
    self.assertIn(
        'Of episodes without exploration the same rule says "not seen"; R of '
        'MetaL - R of D4PG (n = 5): -150 [', found.diagnosis)
    found = _verdicts(_agent('MetaL', 900), _agent('D4PG', 900))['b']
    self.assertEndsWith(found.diagnosis, 'says nothing, for lack of '
                        'evaluations.')

  def test_no_data(self):
    found = _verdicts(_agent('D4PG', 101))
    self.assertLen(found, 8)
    for verdict in found.values():
      self.assertEqual((verdict.verdict, verdict.n), (rules.UNDECIDED, 0))
      self.assertStartsWith(verdict.diagnosis, 'No data for it')


class OverTrainingTest(absltest.TestCase):

  def _over(self, columns, coefficient, **settings):
    agents = []
    for seed in range(5):
      shifted = {name: values + 0.01 * seed * np.arange(len(values)) / 100
                 if name in ('alpha_lambda', 'lambda') else values
                 for name, values in columns.items()}
      agents.append([testing.made_run(
          'MetaL', seed, 900, 0.1, coefficient, columns=shifted, **settings)])
    return _verdicts(*agents)

  def test_rise_until_satisfied_then_fall(self):
    steps = np.arange(100.0)
    alpha = np.minimum(steps, 98 - steps) / 10  # Peaks at episode 49.
    penalty = np.where(steps < 49, 0.5, 0.05)
    # The window is 5 episodes, and (0.5 + 4 * 0.05) / 5 = 0.14 is still above
    # 0.115: the mean is within it when all five are, from 53 on.
    run = testing.made_run('MetaL', 0, 900, 0.1, columns=_training(
        alpha, steps, penalty))
    self.assertEqual(dynamics.satisfied_at(run), 53)
    found = self._over(_training(alpha, steps, penalty), 0.3)['e-adam']
    self.assertEqual(found.verdict, rules.SEEN)
    self.assertAlmostEqual(found.interval.estimate, 4.5, delta=0.05)
    self.assertIn(
        'with the task learned: direct term 0.002, through the weights -0.001; '
        'share of the term through the weights 0.33', found.diagnosis)

  def test_fall_before_it_is_satisfied(self):
    steps = np.arange(100.0)
    found = self._over(_training(-steps / 10, steps, np.full(100, 0.5)), 0.3)
    self.assertEqual(found['e-adam'].verdict, rules.NOT_SEEN)
    self.assertIn('at episode never, never, never, never, never; highest '
                  'alpha_lambda, and at which episode: 0 at 1, ',
                  found['e-adam'].diagnosis)
    self.assertNotIn('e-sgd', found)
    self.assertEqual(found['f-adam'].why, 'no runs to compare')
    self.assertIn('there is no finished run of MetaL with '
                  'meta_optimizer=adam and one constraint at 0.05',
                  found['f-adam'].diagnosis)

  def test_the_gradient_is_told_by_phases(self):
    steps = np.arange(4.0)
    columns = {**_training(steps, steps, steps),
               'meta_gradient_direct': np.array([-1.0, -3.0, 4.0, 8.0]),
               'td_error_violating': np.array([0.5, 0.5, -0.25, np.nan])}
    run = testing.made_run('MetaL', 0, 900, 0.1, columns=columns)
    run.run.episodes['episode_return'] = np.array([0.0, 400.0, 600.0, 900.0])
    self.assertStartsWith(
        dynamics.gradient_parts([run]),
        "MetaL's meta-gradient (above 0 it lowers alpha_lambda) until the task "
        'was learned: direct term -2, through the weights -0.001, TD error on '
        'violating transitions 0.5; with the task learned: direct term 6, '
        'through the weights -0.001, TD error on violating transitions -0.25; ')

  def test_rise_without_a_fall_to_be_measured(self):
    steps = np.arange(100.0)
    found = self._over(_training(steps / 10, steps, np.full(100, 0.5)), 0.3)
    self.assertEqual(found['e-adam'].verdict, rules.UNDECIDED)

  def test_fall_and_settling(self):
    steps = np.arange(100.0)
    settled = _training(-steps / 10, np.minimum(steps, 20), np.full(100, 0.5))
    found = self._over(settled, 0.05, meta_optimizer='sgd')
    self.assertEqual(found['f-sgd'].verdict, rules.SEEN)
    self.assertAlmostEqual(found['f-sgd'].interval.estimate, 9.9, delta=0.05)
    moving = _training(-steps / 10, steps, np.full(100, 0.5))
    self.assertEqual(
        self._over(moving, 0.05)['f-adam'].verdict, rules.NOT_SEEN)

  def test_what_is_beside_the_fall(self):
    steps = np.arange(100.0)
    columns = _training((0 - steps) / 10, np.minimum(steps, 20),
                        np.full(100, 0.5))
    runs = [testing.made_run('MetaL', seed, 900 * (coefficient < 0.1), 0.1,
                             coefficient, columns=columns)
            for coefficient in (0.05, 0.3) for seed in range(2)]
    fixed = testing.made_run('RC-D4PG', 0, 100, 0.1, 0.05, columns=columns)
    found = _verdicts(runs, [fixed])['f-adam']
    self.assertIn(
        'lambda at the end: 20, 20; when the smoothed return first passed 500: '
        '0, 0; alpha_lambda at the end: -9.9, -9.9; for comparison, at 0.3 '
        'alpha_lambda ends at -9.9, -9.9 after a highest value of 0, 0; for '
        'comparison, RC-D4PG, by seed: lambda at the end 20, which moved by '
        '+0 % in the last quarter', found.diagnosis)
    self.assertIn('first passed 500: never, never',
                  dynamics.falls(runs[2:]).notes[0])

  def test_not_seen_where_some_never_satisfied_the_constraint(self):
    steps = np.arange(100.0)
    alpha = np.minimum(steps, 98 - steps) / 10
    runs = [testing.made_run('MetaL', seed, 900, 0.1, 0.3, columns=_training(
        alpha + seed * steps / 1000 if seed else steps / 20, steps,
        np.where(steps < 49, 0.5, 0.05 if seed else 0.5))) for seed in range(4)]
    found = _verdicts(runs)['e-adam']
    self.assertEqual((found.verdict, found.why), (
        rules.UNDECIDED, '1 of 4 runs never satisfied the constraint'))
    self.assertStartsWith(
        str(found.effect),
        'rise of alpha_lambda until the constraint is satisfied (n = 4): ')
    self.assertIn('after that (n = 3): ', found.diagnosis)
    self.assertEqual(_verdicts(runs[1:])['e-adam'].verdict, rules.SEEN)

  def test_the_agent_nearest_the_plain_one_is_judged(self):
    root = testing.copy_grid(self.create_tempdir().full_path)

    def chosen(optimizer):
      return dynamics.metal_runs(
          collect.collect([root], testing.silent), optimizer, 0.3)

    def add(*seeds, **settings):
      for seed in seeds:
        name = '-'.join(map(str, (*settings.values(), seed)))
        testing.copy_run(root, 'metal-0.3-0', name, seed=seed, **settings)

    problem = chosen('adam')[0].partition(' on ')[2]
    add(0, 1, 2, batch_size=512)  # More seeds here than the plain one, ...
    name, runs = chosen('adam')
    self.assertEqual(name, f'MetaL on {problem}')
    self.assertLen(runs, 2)
    # ... whose optimizer may be another. Of equally near ones the larger.
    add(0, 1, batch_size=64, meta_optimizer='sgd')
    add(0, 1, 2, batch_size=512, meta_optimizer='sgd')
    name, runs = chosen('sgd')
    self.assertEqual(
        name, f'MetaL [batch_size=512, meta_optimizer=default] on {problem}')
    self.assertLen(runs, 3)
    add(0, meta_optimizer='sgd')
    self.assertEqual(chosen('sgd')[0],
                     f'MetaL [meta_optimizer=default] on {problem}')

  def test_lambda_that_still_moves(self):
    measured = dynamics.falls([testing.made_run(
        'MetaL', 0, 900, 0.1, 0.05, columns=_training(
            -np.arange(100.0), np.arange(100.0), np.ones(100)))])
    moved = {name: values for name, values, _, _ in measured.effects}
    np.testing.assert_allclose(
        moved['share of lambda moved in the last quarter'], [24 / 99])
    np.testing.assert_allclose(moved['fall of alpha_lambda'], [99])

  def test_what_is_within_beta_by_doing_nothing_does_not_count(self):
    penalty = np.concatenate([np.zeros(5), np.full(4, 0.5), np.zeros(3)])
    run = testing.made_run('MetaL', 0, 900, 0.1, columns=_training(
        np.zeros(12), np.zeros(12), penalty))
    self.assertEqual(dynamics.satisfied_at(run), 9)

  def test_never_violated(self):
    run = testing.made_run('MetaL', 0, 900, 0.1, columns=_training(
        np.zeros(9), np.zeros(9), np.zeros(9)))
    self.assertEqual(dynamics.satisfied_at(run), 0)


if __name__ == '__main__':
  absltest.main()
