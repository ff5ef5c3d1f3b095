"""Tests of reading runs: nothing is dropped silently."""

import gzip
import json
import os

from absl.testing import absltest
import numpy as np

from metal_tf import metrics
from metal_tf.report import collect
from metal_tf.report import errors
from metal_tf.report import testing


class CollectTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self._root = testing.copy_grid(self.create_tempdir().full_path)

  def _collect(self):
    return collect.collect([self._root], testing.silent)

  def _run(self, name):
    return next(run for run in self._collect().runs if run.name == name)

  def test_reads_the_small_grid(self):
    grid = self._collect()
    self.assertLen(grid.runs, 21)
    self.assertLen(grid.used, 20)
    self.assertEqual(
        grid.labels, ['MetaL', 'RC-D4PG', 'D4PG', 'RS-0.1', 'RS-1.0'])
    self.assertEqual([c.safety_coeff for c in grid.conditions], [0.05, 0.3])
    self.assertEqual(grid.conditions[0].thresholds, (0.115,))
    self.assertLen(grid.of('MetaL', grid.conditions[0]), 2)

  def test_scores_are_those_that_the_run_wrote_itself(self):
    run = self._run('metal-0.05-1')
    with open(os.path.join(self._root, run.name, 'summary.json'),
              encoding='utf-8') as stream:
      summary = json.load(stream)
    np.testing.assert_allclose(collect.measures(run), [
        summary['penalized_return'], summary['return'],
        summary['constraints'][0]['penalty'],
        summary['constraints'][0]['overshoot']], rtol=1e-6)

  def test_another_task_or_preset_is_another_condition(self):
    run = self._run('metal-0.3-0').run
    conditions = [collect.condition_of(run)] + [
        collect.condition_of(run._replace(config={**run.config, **changes}))
        for changes in (
            {'domain': 'walker'}, {'task': 'swingup'}, {'safety_coeff': 0.2},
            {'rwrl_spec': '{"x": 1}'}, {'preset': 'small'})] + [
        collect.condition_of(run._replace(**changes)) for changes in (
            {'own_task': 'plant (interface 1)'},
            {'own_task': 'plant (interface 2)'},
            {'thresholds': np.array([0.2])}, {'constraint_names': ('b',)})]
    self.assertLen(set(conditions), len(conditions))
    self.assertLen({str(each) for each in conditions}, len(conditions))
    self.assertEqual([each.of_paper for each in conditions],
                     [True] * 6 + [False] * 2 + [True] * 2)
    # What only says where and how long a run goes is none.
    self.assertEqual(collect.condition_of(run._replace(config={
        **run.config, 'seed': 7, 'num_episodes': 3})), conditions[0])

  def test_tasks_of_ones_own_are_not_pooled(self):
    for name, environment, maximum in (
        ('rich', 'rich', 1.0), ('poor', 'poor', 1.0), ('wide', 'rich', 5.0),
        ('again', 'rich', 1.0)):
      path = testing.copy_run(self._root, 'metal-0.3-0', name)
      with open(os.path.join(path, 'config.json'), encoding='utf-8') as stream:
        description = json.load(stream)
      description.update(
          suite='own', environment={'name': environment},
          interface={'observation': [], 'action_maximum': [maximum]})
      with open(os.path.join(path, 'config.json'), 'w',
                encoding='utf-8') as stream:
        json.dump(description, stream)
    grid = self._collect()
    own = {run.name: run for run in grid.runs if run.run.own_task}
    self.assertLen({own[name].condition for name in own}, 3)
    self.assertEqual(own['rich'].condition, own['again'].condition)
    self.assertStartsWith(own['poor'].condition.domain, 'poor (interface ')
    for name in ('poor', 'wide'):
      self.assertEqual(own[name].left_out, '')
    self.assertEqual({c.domain for c in grid.conditions} - {
        run.condition.domain for run in own.values()}, {'cartpole'})

  def test_several_constraints(self):
    run = testing.made_run('MetaL', 0, 900, 0.1)._replace(
        score=metrics.score([900], [[0.2, 0.3]], [0.1, 0.1]))
    np.testing.assert_allclose(collect.measures(run), [600, 900, 0.25, 0.3])

  def test_unfinished_runs_are_there_but_not_used(self):
    run = self._run('metal-0.3-2')
    self.assertEqual((run.status, run.left_out),
                     ('unfinished', '3 of 8 episodes'))

  def test_failures_of_the_sweep(self):
    with open(os.path.join(self._root, 'sweep.json'), 'w',
              encoding='utf-8') as stream:
      json.dump({'runs': [
          {'name': 'metal-0.3-2', 'status': 'failed', 'exit_status': 1,
           'attempts': 2},
          {'name': 'mesh-0.3-0', 'status': 'failed', 'exit_status': 2,
           'last_line': 'No such flag.'},
          {'name': 'gone', 'status': 'finished', 'exit_status': 0},
          {'name': 'd4pg-0.3-9', 'status': 'pending', 'exit_status': None},
          {'name': 'metal-0.3-0', 'status': 'finished', 'exit_status': 0}]},
                stream)
    run = self._run('metal-0.3-2')
    self.assertEqual(run.status, 'failed')
    self.assertEqual(
        run.left_out, '3 of 8 episodes; failed, exit status 1, attempts: 2')
    self.assertEqual(self._run('metal-0.3-0').left_out, '')
    self.assertEqual(self._collect().absent, (
        ('mesh-0.3-0',
         'failed, exit status 2, its last line: No such flag.'),
        ('gone', 'finished, exit status 0, but its folder is gone'),
        ('d4pg-0.3-9', 'pending')))

  def test_what_cannot_be_read_is_named(self):
    with open(os.path.join(self._root, 'd4pg-0.3-0', 'config.json'), 'w',
              encoding='utf-8') as stream:
      stream.write('{')
    with open(os.path.join(self._root, 'sweep.json'), 'w',
              encoding='utf-8') as stream:
      stream.write('[]')
    log = os.path.join(self._root, 'd4pg-0.3-1', 'episodes.csv')
    with open(log, 'w', encoding='utf-8') as stream:
      stream.write('episode,episode_return\n1,2\n')
    names = {entry.name: entry.why for entry in self._collect().absent}
    self.assertCountEqual(names, ['d4pg-0.3-0', 'd4pg-0.3-1', 'sweep.json'])
    self.assertRegex(
        names['d4pg-0.3-1'],
        'no actor_steps, .*penalized_return, .*lambda/slider')
    self.assertRegex(names['d4pg-0.3-0'], 'cannot be read')

  def test_what_the_sweep_says_of_a_run_that_cannot_be_read(self):
    os.remove(os.path.join(self._root, 'd4pg-0.3-0', 'episodes.csv'))
    os.mkdir(os.path.join(self._root, 'd4pg-0.3-0', 'episodes.csv'))
    with open(os.path.join(self._root, 'sweep.json'), 'w',
              encoding='utf-8') as stream:
      json.dump({'runs': [{'name': 'd4pg-0.3-0', 'status': 'failed',
                           'exit_status': 2}]}, stream)
    [entry] = self._collect().absent
    self.assertEqual(entry.name, 'd4pg-0.3-0')
    self.assertRegex(entry.why, '^failed, exit status 2; .*cannot be read')

  def test_two_runs_of_one_seed_count_once(self):
    testing.copy_run(self._root, 'metal-0.3-0', 'again')
    left_out = [run for run in self._collect().runs
                if run.left_out.startswith('the same agent')]
    self.assertLen(left_out, 1)
    self.assertLen(self._collect().used, 20)

  def test_an_unfinished_run_does_not_displace_a_finished_one(self):
    path = testing.copy_run(self._root, 'metal-0.3-0', 'again')
    os.remove(os.path.join(path, 'summary.json'))
    self.assertEqual(self._run('metal-0.3-0').left_out, '')
    self.assertEqual(self._run('again').left_out, '8 of 8 episodes')

  def test_archived_runs(self):
    path = os.path.join(self._root, 'metal-0.3-0', 'episodes.csv')
    before = collect.measures(self._run('metal-0.3-0'))
    with open(path, 'rb') as stream, gzip.open(f'{path}.gz', 'wb') as packed:
      packed.write(stream.read())
    os.remove(path)
    np.testing.assert_array_equal(
        collect.measures(self._run('metal-0.3-0')), before)

  def test_a_run_that_an_archive_lacked_and_that_is_there_now(self):
    with open(os.path.join(self._root, collect.LEFT_OUT), 'w',
              encoding='utf-8') as stream:
      stream.write('run,why\nmetal-0.3-0,waiting\nlost,waiting\n')
    self.assertEqual(self._collect().absent,
                     (collect.Absent('lost', 'waiting'),))

  def test_several_folders_are_one_grid(self):
    self._root = self.create_tempdir().full_path
    folders = [os.path.join(self._root, name) for name in 'ab']
    for folder, run in zip(folders, ('metal-0.3-0', 'd4pg-0.3-0')):
      testing.copy_run(testing.SMALL_GRID, run, os.path.join(folder, run))
    grid = collect.collect(folders, testing.silent)
    self.assertEqual([run.name for run in grid.runs],
                     ['a/metal-0.3-0', 'b/d4pg-0.3-0'])
    for inside in ([folders[0]] * 2, [self._root, folders[0]],
                   [os.path.join(folders[0], 'metal-0.3-0'), *folders]):
      with self.assertRaisesRegex(errors.ReportError, ' is inside .*, or the'):
        collect.collect(inside, testing.silent)

  def test_of_many_agents_those_without_settings_are_shown(self):
    labels = ['MetaL', 'D4PG', *(f'MetaL [meta_lr={i}]' for i in range(8))]
    grid = testing.grid_of(*(
        testing.made_run(label, 0, 700, 0.1) for label in labels))
    self.assertLen(grid.labels, collect.MOST_AGENTS)
    self.assertEqual(grid.shown, grid)
    grid = testing.grid_of(*grid.runs, testing.made_run('RS-0.1', 0, 700, 0.1))
    self.assertEqual(grid.shown.labels, ['MetaL', 'D4PG', 'RS-0.1'])
    grid = grid.only([f'MetaL [meta_lr={i}]' for i in range(8)])
    self.assertEqual(grid.shown, grid)

  def test_problems_are_balanced_over_the_coefficients_that_all_have(self):
    def conditions(*of):
      return [(c.domain, c.safety_coeff) for c in testing.grid_of(*(
          testing.made_run('MetaL', 0, 700, 0.1, coefficient, domain)
          for domain, coefficient in of)).balanced.conditions]

    both = [('cartpole', 0.1), ('walker', 0.1)]
    self.assertEqual(conditions(('cartpole', 0.05), *both), both)
    self.assertLen(conditions(('cartpole', 0.05), ('walker', 0.1)), 2)

  def test_nothing_to_read(self):
    empty = self.create_tempdir().full_path
    with self.assertRaisesRegex(errors.ReportError, 'can be read; --runs'):
      collect.collect([empty], testing.silent)
    with open(os.path.join(empty, 'sweep.json'), 'w',
              encoding='utf-8') as stream:
      json.dump({'runs': [{'name': 'a', 'status': 'failed'}]}, stream)
    with self.assertRaisesRegex(errors.ReportError, r'read \(a: failed\);'):
      collect.collect([empty], testing.silent)
    with self.assertRaisesRegex(errors.ReportError, 'is no folder'):
      collect.collect([os.path.join(empty, 'x')], testing.silent)


if __name__ == '__main__':
  absltest.main()
