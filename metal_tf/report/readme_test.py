"""README's block on a few real runs: written, checked, refused."""

import csv
import io
import os
import re
import shutil
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized

from metal_tf.report import aggregate
from metal_tf.report import claims
from metal_tf.report import coefficients
from metal_tf.report import collect
from metal_tf.report import curves
from metal_tf.report import document
from metal_tf.report import errors
from metal_tf.report import noise_free
from metal_tf.report import page as page_lib
from metal_tf.report import readme
from metal_tf.report import reductions
from metal_tf.report import style
from metal_tf.report import tables
from metal_tf.report import testing

_BEFORE = '# Title\n\nAbove.\n\n'
_AFTER = '\n\nBelow.\n'


class ReadmeTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self._root = self.create_tempdir().full_path
    self._runs = os.path.join(self._root, 'results', 'cartpole')
    self._more = []  # Folders of other runs.
    os.makedirs(self._runs)
    for name in ('metal-0.05-0', 'metal-0.3-0', 'd4pg-0.3-0', 'metal-0.3-2'):
      testing.copy_run(testing.SMALL_GRID, name,
                       os.path.join(self._runs, name))
    self._readme = os.path.join(self._root, 'README.md')
    self._results = os.path.join(self._root, 'docs', 'results.md')
    os.makedirs(os.path.dirname(self._results))
    for page in (self._readme, self._results):
      self._write(f'{_BEFORE}{readme.START}\n{readme.END}{_AFTER}', page)

  def _write(self, text, page=None):
    with open(page or self._readme, 'w', encoding='utf-8') as stream:
      stream.write(text)

  def _read(self, name='README.md'):
    with open(os.path.join(self._root, name), encoding='utf-8') as stream:
      return stream.read()

  def _update(self, check=False):
    return [os.path.relpath(path, self._root) for path in readme.update(
        [self._runs, *self._more], self._readme, self._results, check,
        testing.silent)]

  def test_the_block_is_what_the_report_says(self):
    self._update()
    text = self._read('docs/results.md')
    self.assertStartsWith(text, f'{_BEFORE}{readme.START}\n![Figure 4')
    self.assertEndsWith(text, f'{readme.END}{_AFTER}')
    grid = collect.collect([self._runs], testing.silent)
    free = noise_free.scored(grid)
    for table in (tables.by_coefficient(grid), tables.by_coefficient(free),
                  tables.table1(aggregate.rows(grid), len(grid.conditions)),
                  tables.verdicts(claims.all_claims(grid))):
      self.assertIn(f'\n\n{document.table(table)}\n\n', text)
    self.assertIn('\n3 finished runs (1 more in no statistics: '
                  '`metal-0.3-2`). ', text)
    self.assertIn(f'Table 1. {reductions.scopes(grid)} Rows with', text)
    self.assertIn('every 4 episodes, so 2 episodes a run', text)
    self.assertIn(coefficients.order(grid, free), text)
    self.assertIn('\nCompute: 3 finished runs with 24 episodes: ', text)
    self.assertIn('\n- Episodes: 8 a run instead of 20000.\n', text)
    self.assertIn('overshoot. n = 1: no standard deviation and no test.', text)
    self._check_links(text, 'docs')
    self._check_files()

  def _check_links(self, text, folder):
    links = re.findall(r'\]\(([^)]+)\)', text)
    self.assertNotEmpty(links)
    for link in links:
      if not link.startswith('report.md#'):
        self.assertTrue(os.path.exists(
            os.path.join(self._root, folder, link)), link)

  def test_the_readme_has_one_picture_and_five_claims(self):
    self._update()
    text = self._read()
    self.assertStartsWith(text, f'{_BEFORE}{readme.START}\n![Return, J_C')
    self.assertEndsWith(text, f'{readme.END}{_AFTER}')
    self._check_links(text, '')
    grid = collect.collect([self._runs], testing.silent)
    verdicts = claims.all_claims(grid)
    short = [verdict for verdict in verdicts if verdict.id in set('abcdh')]
    table = tables.verdicts(short).drop(columns=['', 'n'])
    self.assertIn(f'\n\n{document.table(table)}\n\n', text)
    self.assertRegex(text, rf'\nOf all {len(verdicts)} claims: \d+ seen, ')
    # D4PG has one of the two conditions only.
    self.assertRegex(text, r'best first: MetaL [\d.-]+\. ')

  def _check_files(self):
    """Claims and picture are beside the runs."""
    rows = list(csv.DictReader(io.StringIO(self._read('results/claims.csv'))))
    self.assertEqual(list(rows[0]), [
        'id', 'claim', 'verdict', 'effect', 'low', 'high', 'n',
        'seeds_to_decide', 'diagnosis'])
    self.assertEqual(rows[0]['id'], 'a')
    self.assertLen(rows, 8)
    with open(f'{self._runs}.png', 'rb') as stream:
      self.assertEqual(stream.read(4), b'\x89PNG')

  def test_tasks_of_ones_own_have_no_word_of_the_paper(self):
    shutil.rmtree(self._runs)
    os.makedirs(self._runs)
    testing.copy_run(testing.SMALL_GRID, 'metal-0.3-0',
                     os.path.join(self._runs, 'one'), domain='plant')
    self._update()
    self.assertIn('\n| 0.3 | MetaL |', self._read('docs/results.md'))
    for page in ('README.md', 'docs/results.md'):
      self.assertNotRegex(self._read(page), "paper|claims|677.93")
    testing.copy_run(testing.SMALL_GRID, 'metal-0.3-1',
                     os.path.join(self._runs, 'two'))
    with self.assertRaisesRegex(errors.ReportError,
                                "paper's tasks and on plant; --runs takes one"):
      self._update()

  def test_runs_that_the_archive_has_not_are_in_its_list(self):
    path = os.path.join(self._runs, collect.LEFT_OUT)
    with open(path, 'w', encoding='utf-8') as stream:
      stream.write('run,why\na,waiting\nb,failed\n')
    self._update()
    self.assertIn(
        '\n3 finished runs (3 more in no statistics: `metal-0.3-2`, 2 in '
        '[../results/cartpole/left_out.csv]'
        '(../results/cartpole/left_out.csv)). ',
        self._read('docs/results.md'))

  def test_several_folders_are_one_table(self):
    walker = os.path.join(self._root, 'results', 'walker')
    os.makedirs(walker)
    for name in ('metal-0.3-0', 'd4pg-0.3-0'):
      testing.copy_run(testing.SMALL_GRID, name, os.path.join(walker, name),
                       domain='walker')
    for folder, names in ((self._runs, 'ab'), (walker, 'c')):
      with open(os.path.join(folder, collect.LEFT_OUT), 'w',
                encoding='utf-8') as stream:
        stream.write('run,why\n' + ''.join(f'{x},waiting\n' for x in names))
    self._more = [walker]
    self._update()
    text = self._read('docs/results.md')
    self.assertIn(
        '\n5 finished runs (4 more in no statistics: `cartpole/metal-0.3-2`, '
        '2 in [../results/cartpole/left_out.csv]'
        '(../results/cartpole/left_out.csv), 1 in '
        '[../results/walker/left_out.csv](../results/walker/left_out.csv)). ',
        text)
    grid = collect.collect([self._runs, walker], testing.silent)
    self.assertIn('\n\n'.join(page_lib.by_domain(grid)), text)
    self.assertIn('Scores on walker', text)
    self.assertIn(' --runs=results/cartpole --runs=results/walker`.\n', text)
    self._check_links(text, 'docs')
    self.assertEmpty(self._update(check=True))
    # At 0.05 there are no runs of walker: the mean is over both domains at 0.3.
    mean = aggregate.rows(grid.balanced)[0].measure('penalized_return').mean()
    self.assertIn(f'best first: MetaL {mean:.1f}', self._read())

  def test_agents_that_are_too_many_have_a_table_of_their_own(self):
    self.enter_context(mock.patch.object(collect, 'MOST_AGENTS', 2))
    testing.copy_run(self._runs, 'metal-0.3-0', 'fast', meta_lr=7.0)
    self._update()
    text = self._read('docs/results.md')
    self.assertIn('Agents with other settings (1)', text)
    self.assertIn('| 0.3 | MetaL [meta_lr=7.0] |', text)
    self.assertNotIn('at their best alpha_1', text)

  def test_several_alpha_1_have_a_table(self):
    testing.copy_run(self._runs, 'metal-0.3-0', 'fast', lagrange_lr=1.0)
    self._update()
    self.assertIn('at their best alpha_1', self._read('docs/results.md'))

  def test_without_runs_of_metal_there_is_no_picture(self):
    for name in ('metal-0.05-0', 'metal-0.3-0'):
      os.rename(os.path.join(self._runs, name), os.path.join(self._root, name))
    self._update()
    for page in ('README.md', 'docs/results.md'):
      self.assertNotIn('![', self._read(page))
    self.assertFalse(os.path.exists(f'{self._runs}.png'))

  def test_check_finds_what_is_not_up_to_date_and_writes_nothing(self):
    # Real figures take seconds; this one only tells runs apart.
    for name in ('figure_4', 'glance'):
      self.enter_context(mock.patch.object(
          curves, name, lambda grid, looks: style.Made(
              'figure', 'Figure', 'See.', 'Caption.', f'{grid}'.encode(), b'')))
    before = self._read()
    everything = ['results/cartpole_glance.png', 'results/cartpole.png',
                  'results/claims.csv', 'README.md', 'docs/results.md']
    self.assertEqual(self._update(check=True), everything)
    self.assertEqual(self._read(), before)
    self.assertEqual(self._update(), everything)
    self.assertEmpty(self._update(check=True))
    self.assertEmpty(self._update())
    # What stands around the block is nobody's business here.
    self._write(self._read().replace('Above', 'Somewhere above'))
    self.assertEmpty(self._update(check=True))
    for page in (self._readme, self._results):
      self._write(self._read(page).replace('MetaL', 'MetaL, the best'), page)
    self.assertEqual(self._update(check=True), everything[-2:])
    self._update()
    testing.copy_run(self._runs, 'metal-0.3-0', 'metal-0.3-5', seed=5)
    self.assertEqual(self._update(check=True), everything)

  @parameterized.parameters(
      'nothing', f'{readme.START} only', f'{readme.END}\n{readme.START}',
      f'{readme.START}{readme.END}{readme.START}{readme.END}',
      f'{readme.END}{readme.START}{readme.END}')
  def test_a_page_without_one_place_is_refused(self, text):
    self._write(text)
    with self.assertRaisesRegex(errors.ReportError, 'README.md needs the '):
      self._update()
    self.assertEqual(self._read(), text)
    self._write(self._read('docs/results.md'))
    self._write(text, self._results)
    with self.assertRaisesRegex(errors.ReportError, 'results.md needs the '):
      self._update()
    self.assertEqual(os.listdir(os.path.dirname(self._runs)), ['cartpole'])

  def test_what_cannot_be_is_one_sentence(self):
    with self.assertRaisesRegex(errors.ReportError, 'cannot be read'):
      readme.update([self._runs], self._root, self._results, False,
                    testing.silent)
    with self.assertRaisesRegex(errors.ReportError, 'none of the 1 runs'):
      readme.update([os.path.join(self._runs, 'metal-0.3-2')], self._readme,
                    self._results, False, testing.silent)


if __name__ == '__main__':
  absltest.main()
