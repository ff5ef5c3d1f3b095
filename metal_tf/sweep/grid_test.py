"""Tests of the grid: what is in it, what is refused."""

import json
import os

from absl.testing import absltest
from absl.testing import parameterized

from metal_tf import config as config_lib
from metal_tf import validation
from metal_tf.cli import flags
from metal_tf.environments import own_testing
from metal_tf.environments import tasks
from metal_tf.runs import workdir
from metal_tf.sweep import grid

_PAPER = grid.Axes(
    grid.PAPER_ALGORITHMS, tuple(tasks.TASKS),
    [str(s) for s in tasks.SAFETY_COEFFICIENTS], (),
    [str(seed) for seed in grid.PAPER_SEEDS])
_SMALL = grid.Axes(['metal', 'd4pg'], ['cartpole'], ['0.3'], ['0.115'], ['0'])


def _make(axes, **base):
  return grid.make(axes, config_lib.Config(**base), '/sweep',
                   flags.read_settings)


class GridTest(parameterized.TestCase):

  def test_the_default_is_the_papers(self):
    runs = _make(_PAPER)
    self.assertLen(runs, 7 * 4 * 4 * 3 * 8)
    self.assertLen({run.name for run in runs}, len(runs))
    self.assertEqual(
        {(run.config.domain, run.config.threshold) for run in runs},
        {(domain, beta) for domain, info in tasks.TASKS.items()
         for beta, _ in info.thresholds})
    for run in runs:
      self.assertEqual(run.config.workdir, f'/sweep/{run.name}')

  def test_all_of_one_seed_come_before_the_next(self):
    seeds = [run.config.seed for run in _make(_PAPER)]
    self.assertEqual(seeds, sorted(seeds))

  def test_names_tell_what_varies(self):
    runs = _make(_SMALL._replace(algorithms=[
        'rs_d4pg:10', 'metal:batch_size=512:meta_optimizer=sgd',
        'metal:constraints=slider_pos:0.2']))
    self.assertEqual([run.name for run in runs], [
        'rs_d4pg-10-cartpole-0.3-beta0.115-seed0',
        'metal-batch_size=512-meta_optimizer=sgd-cartpole-0.3-beta0.115-seed0',
        'metal-constraints=slider_pos%3A0.2-cartpole-0.3-beta0.115-seed0'])
    self.assertEqual(runs[0].config.lagrange_multiplier, 10)
    self.assertEqual(runs[0].settings, {
        'lagrange_multiplier': 10, 'domain': 'cartpole', 'safety_coeff': 0.3,
        'threshold': 0.115, 'seed': 0, 'num_episodes': 20000})
    self.assertEqual(runs[1].config.batch_size, 512)
    self.assertEqual(runs[1].config.meta_optimizer, 'sgd')
    self.assertEqual(runs[2].config.constraints, ('slider_pos:0.2',))

  def test_long_values_have_short_names(self):
    runs = _make(_SMALL._replace(algorithms=[
        f'metal:policy_layer_sizes={"64," * 100}{last}' for last in (64, 65)]))
    self.assertLen({run.name for run in runs}, 2)
    for run in runs:
      self.assertLess(len(run.name), 100)

  def test_names_tell_close_numbers_apart(self):
    runs = _make(_SMALL._replace(thresholds=['0.1234567', '0.1234568']))
    self.assertLen({run.name for run in runs}, 4)

  def test_what_all_share_reaches_every_run(self):
    for run in _make(_SMALL, n_step=3, num_episodes=7):
      self.assertEqual((run.config.n_step, run.config.num_episodes), (3, 7))

  def test_thresholds_of_their_own_leave_the_axis_empty(self):
    [run] = _make(
        _SMALL._replace(algorithms=['metal'], thresholds=[]),
        constraints=('slider_pos:0.2', 'balance_velocity:0.1'))
    self.assertIsNone(run.config.threshold)
    self.assertEqual(run.name, 'metal-cartpole-0.3-seed0')

  @parameterized.parameters(
      (dict(algorithms=['metl']), '--algorithms: got .metl.*mean metal'),
      (dict(algorithms=['metal:n_stepp=3']), 'Did you mean n_step'),
      (dict(algorithms=['metal:n_step=x']), '--algorithms: got .metal:n_step'),
      (dict(algorithms=['metal:n_step=0']), 'There --n_step: got 0'),
      (dict(algorithms=['metal:0.1']), 'metal:setting=value'),
      (dict(algorithms=['metal:seed=3']), 'Use --seeds'),
      (dict(algorithms=['metal:preset=small']), 'Use --preset'),
      (dict(algorithms=['rs_d4pg']), '> 0 for rs_d4pg'),
      (dict(algorithms=[]), '--algorithms: got nothing, allowed: at least one'),
      (dict(domains=['walkr']), '--domains: got .walkr.*Did you mean walker'),
      (dict(domains=['walker', 'walker']), 'walker stands there twice'),
      (dict(safety_coeffs=['2']), '--safety_coeffs: got 2.0, allowed: in .0'),
      (dict(safety_coeffs=['a']), '--safety_coeffs: got a, allowed: numbers'),
      (dict(safety_coeffs=['0.3', '0.30']), '0.3 stands there twice'),
      (dict(thresholds=['115']), r'--thresholds: got 115.0, allowed: in .0, 1'),
      (dict(seeds=['1', '1.5']), '--seeds: got 1,1.5, allowed: whole numbers'),
      (dict(seeds=['-1']), '--seeds: got -1'),
      (dict(algorithms=['metal', 'metal:batch_size=256']), 'a run twice'),
      (dict(algorithms=['rs_d4pg:1', 'rs_d4pg:lagrange_multiplier=1.0']),
       'a run twice'),
  )
  def test_refuses(self, changes, message):
    with self.assertRaisesRegex(ValueError, message):
      _make(_SMALL._replace(**changes))

  def test_a_constraint_that_one_domain_does_not_have_is_refused(self):
    with self.assertRaisesRegex(validation.ConfigError, 'a name of walker'):
      _make(_SMALL._replace(domains=['cartpole', 'walker']),
            constraints=('slider_pos',))

  def test_thresholds_that_change_nothing_are_refused(self):
    with self.assertRaisesRegex(ValueError, 'a run twice'):
      _make(_SMALL._replace(thresholds=['0.1', '0.2']),
            constraints=('slider_pos:0.2',))

  def test_says_what_it_is(self):
    text = grid.describe(_make(_PAPER), '/sweep')
    self.assertIn('2688 runs in /sweep', text)
    self.assertIn('rs_d4pg-0.1, rs_d4pg-1, rs_d4pg-10, rs_d4pg-100', text)
    self.assertIn('0.07, 0.09, 0.115 (cartpole); 0.057', text)


class FoldersTest(absltest.TestCase):

  def test_a_folder_of_another_run_is_refused_before_any_starts(self):
    root = self.create_tempdir().full_path
    runs = grid.make(_SMALL, config_lib.Config(num_episodes=5), root,
                     flags.read_settings)
    grid.check_folders(runs)
    os.makedirs(runs[1].config.workdir)
    saved = {'algorithm': 'd4pg', 'suite': 'builtin', 'constraints': [],
             'environment': {}, 'config': validation.as_json(
                 runs[1].config.replace(num_episodes=2))}
    path = os.path.join(runs[1].config.workdir, 'config.json')
    with open(path, 'w', encoding='utf-8') as stream:
      json.dump(saved, stream)
    grid.check_folders(runs)  # Its length may differ.
    saved['config']['discount'] = 0.9
    with open(path, 'w', encoding='utf-8') as stream:
      json.dump(saved, stream)
    with self.assertRaisesRegex(workdir.WorkdirError,
                                'd4pg-cartpole.*discount=0.9, this one.*0.99'):
      grid.check_folders(runs)
    with open(path, 'w', encoding='utf-8') as stream:
      stream.write('{}')
    with self.assertRaisesRegex(workdir.WorkdirError, 'of no run'):
      grid.check_folders(runs)


class OwnEnvironmentTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    path = own_testing.write_plant(self.create_tempdir().full_path)
    self.name = f'{path}:make'

  def _make(self, *kwargs, algorithms=('metal', 'd4pg')):
    return _make(_PAPER._replace(
        algorithms=algorithms, seeds=['0'], environment_kwargs=kwargs),
                 environment=self.name)

  def test_its_settings_are_an_axis(self):
    runs = self._make('{"mass": 1.0}', '{"mass": 2.0}')
    self.assertEqual([run.name for run in runs], [
        f'{algorithm}-push.make-mass={mass}-seed0'
        for mass in ('1.0', '2.0') for algorithm in ('metal', 'd4pg')])
    self.assertEqual(runs[3].settings, {
        'environment': self.name, 'environment_kwargs': '{"mass": 2.0}',
        'seed': 0, 'num_episodes': 20000})
    self.assertIsNone(runs[0].config.threshold)
    text = grid.describe(runs, '/sweep')
    self.assertIn(f'environment    {self.name}\n', text)
    self.assertIn('thresholds     0.3 (push.make)', text)
    self.assertNotIn('domains', text)

  def test_it_may_have_none(self):
    self.assertEqual([run.name for run in self._make()],
                     ['metal-push.make-seed0', 'd4pg-push.make-seed0'])

  def test_refuses_before_anything_starts(self):
    for kwargs, message in (
        (['{"mas": 1}'], '--environment_kwargs: .*called as make'),
        (['{"mass": 1}'] * 2, 'stands there twice')):
      with self.assertRaisesRegex(ValueError, message):
        self._make(*kwargs)
    with self.assertRaisesRegex(validation.ConfigError, 'Use --environment.'):
      self._make(algorithms=['metal:environment=x.py:make'])


if __name__ == '__main__':
  absltest.main()
