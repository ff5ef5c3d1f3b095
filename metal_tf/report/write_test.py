"""Whole reports on the small real grid: every figure, every output."""

import csv
import io
import json
import os
import re
import tempfile

from absl.testing import absltest
import matplotlib.image
import numpy as np

from metal_tf.report import errors
from metal_tf.report import naming
from metal_tf.report import style
from metal_tf.report import testing
from metal_tf.report import write

_RESAMPLES = 100
# Figure and the agents that have to be in it.
_FIGURES = {
    'figure1_left': ('MetaL', 'MetaL (actor+critic)', 'MetaL (actor)'),
    'figure1_right': naming.PAPER[:3],
    'figure2': (*naming.PAPER[:3], 'RS-0.1', 'RS-1.0'),
    'figure3': (*naming.PAPER[:3], 'RS-0.1', 'RS-1.0'),
    'figure4': naming.PAPER[:2],
    'learning_curves_1': ('RS-1.0',),
    'meta_gradient': ('MetaL',),
    'return_overshoot': (*naming.PAPER[:3], 'MeSh'),
}


def _read(path, name):
  with open(os.path.join(path, name), encoding='utf-8') as stream:
    return stream.read()


def _rows(path, name):
  return list(csv.DictReader(io.StringIO(_read(path, name))))


def _shows(pixels, color):
  """How many pixels have that colour, as it is or under a thin line."""
  wanted = [int(color[i:i + 2], 16) / 255 for i in (1, 3, 5)]
  return int((np.abs(pixels[..., :3] - wanted).max(axis=-1) < 0.02).sum())


class FullReportTest(absltest.TestCase):
  """One report on the grid with the agents that it lacks added."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    folder = tempfile.TemporaryDirectory()
    cls.addClassCleanup(folder.cleanup)
    cls._root = folder.name
    runs = testing.copy_grid(cls._root)
    for coefficient in ('0.05', '0.3'):
      for seed in '01':
        name = f'metal-{coefficient}-{seed}'
        for loss in ('actor', 'actor_critic'):
          testing.copy_run(runs, name, f'{loss}-{name}', outer_loss=loss)
        testing.copy_run(runs, name, f'mesh-{name}', algorithm='mesh')
    with open(os.path.join(runs, 'sweep.json'), 'w', encoding='utf-8') as file:
      json.dump({'runs': [{'name': 'walker-0.3-0', 'status': 'failed',
                           'exit_status': 1, 'attempts': 2}]}, file)
    cls._output = os.path.join(cls._root, 'report')
    os.makedirs(os.path.join(cls._output, 'figures'))
    for name in ('figures/learning_curves_9.png', 'figures/mine.png', 'notes'):
      with open(os.path.join(cls._output, name), 'w', encoding='utf-8') as file:
        file.write('older')
    cls._said = []
    write.report([runs], cls._output, cls._said.append, _RESAMPLES)

  def test_every_figure_is_there_and_shows_its_agents(self):
    looks = style.looks(naming.PAPER + ('MeSh',) + _FIGURES['figure1_left'])
    for stem, labels in _FIGURES.items():
      pixels = matplotlib.image.imread(
          os.path.join(self._output, 'figures', f'{stem}.png'))
      for label in labels:
        self.assertGreater(
            _shows(pixels, looks[label].color), 30, f'{label} in {stem}')
      self.assertIn('<svg', _read(self._output, f'figures/{stem}.svg'))

  def test_the_page_is_self_contained(self):
    page = _read(self._output, 'index.html')
    self.assertNotRegex(
        page, r'(?i)<script|<link|<iframe|@import|url\(|https?:')
    sources = re.findall(r'src="([^"]{1,30})', page)
    self.assertLen(sources, len(_FIGURES))
    for source in sources:
      self.assertStartsWith(source, 'data:image/png;base64,')
    self.assertLess(page.index('<img '), page.index('<table>'))
    self.assertEqual(page.count('<table>'),
                     page.count('<div class="wide"><table>'))
    self.assertLen(re.findall('<p class="wide"><img ', page), len(_FIGURES))
    self.assertEqual(page.count('<details>'), page.count('</details>'))
    self.assertNotIn('details&gt;', page)
    self.assertIn('name="viewport"', page)
    self.assertIn('prefers-color-scheme: dark', page)

  def test_reductions_stand_beside_table_1(self):
    text = _read(self._output, 'report.md')
    section = text[text.index('## Table 1'):text.index('The scores of every')]
    for expected in (
        'columns are averages over 4 domains, 4 safety coefficients, all',
        'Episodes: 8 a run instead of 20000.',
        'Seeds: 2 per agent and condition instead of 8.',
        'Safety coefficients: 0.05, 0.3 instead of 0.05, 0.1, 0.2, 0.3.',
        'Domains: cartpole instead of cartpole, humanoid, quadruped, walker.',
        'Thresholds of cartpole: 0.115 instead of 0.07 (recalled)',
        'slider_pos, where the paper has balance_velocity',
        'without finished runs: RS-10.0, RS-100.0.',
        '32 of 32 finished runs have fewer than 100 episodes',
        'difference has to be of 5.65 standard deviations', 'Underpowered',
        '677.93 ± 25.78'):
      self.assertIn(expected, section)

  def test_scores_without_exploration_stand_behind_table_1(self):
    text = _read(self._output, 'report.md')
    start = text.index('## By safety coefficient')
    self.assertGreater(start, text.index('## Table 1'))
    section = text[start:text.index("## The paper's claims")]
    with_noise, without = section.split(
        '<summary>The same runs without exploration')
    self.assertIn("changes no p-value of the first. Hedges' g", text)
    for part in (with_noise, without):
      self.assertRegex(part, r'\n\| 0\.05 \| MetaL \| .* \| 2 \| 1 of 1 \|\n')
    self.assertIn('every 4 episodes, so 2 episodes a run', without)

  def test_failed_and_unfinished_runs_are_listed(self):
    text = _read(self._output, 'report.md')
    self.assertIn('| walker-0.3-0 |', text)
    self.assertIn('\n32 finished runs with 256 episodes: ', text)
    self.assertRegex(
        text, r'Commits of metal_tf, .*: `[0-9a-f]{40}` \(runs: 32\)')
    self.assertIn('failed, exit status 1, attempts: 2', text)
    self.assertRegex(
        text, r'metal-0.3-2 .*\*\*unfinished\*\* \| 3 of 8 episodes')
    unfinished, = (row for row in _rows(self._output, 'scores.csv')
                   if row['run'] == 'metal-0.3-2')
    self.assertEqual(unfinished['left_out'], '3 of 8 episodes')

  def test_table_1_is_made_of_the_scores(self):
    scores = _rows(self._output, 'scores.csv')
    table = {row['algorithm']: row
             for row in _rows(self._output, 'table1.csv')}
    for label in naming.PAPER[:5]:
      runs = [row for row in scores
              if row['algorithm'] == label and not row['left_out']]
      seeds = [np.mean([float(row['penalized_return']) for row in runs
                        if row['seed'] == seed]) for seed in '01']
      self.assertLen(runs, 4)
      row = table[label]
      self.assertEqual((row['n'], row['conditions']), ('2', '2'))
      self.assertAlmostEqual(
          float(row['penalized_return']), np.mean(seeds), 5)
      self.assertAlmostEqual(
          float(row['penalized_return_sd']), np.std(seeds, ddof=1), 5)
    self.assertEqual(table['MetaL']['paper_penalized_return'], '677.93')
    self.assertEqual(
        table['MetaL']['paper_penalized_return_plus_minus'], '25.78')
    latex = _read(self._output, 'table1.tex')
    self.assertIn(r'\begin{tabular}', latex)
    self.assertRegex(
        latex, r'(?s)\\caption\{.*4 domains.*ours are of cartpole, '
        r'slider\\_pos \$\\leq\$ 0\.115 .*condition: 2; episodes a run: 8')

  def test_claims(self):
    rows = _rows(self._output, 'claims.csv')
    self.assertEqual(list(rows[0]), [
        'id', 'claim', 'verdict', 'effect', 'low', 'high', 'n',
        'seeds_to_decide', 'diagnosis'])
    self.assertEqual([row['id'] for row in rows], [
        'a', 'b', 'c', 'd', 'e-adam', 'f-adam', 'g', 'h'])
    # Eight episodes of two seeds: nothing can be told.
    self.assertEqual({row['verdict'] for row in rows}, {'undecided'})

  def test_only_its_own_files_are_replaced(self):
    figures = os.listdir(os.path.join(self._output, 'figures'))
    self.assertCountEqual(figures, ['mine.png', *(
        f'{stem}.{kind}' for stem in _FIGURES for kind in ('png', 'svg'))])
    self.assertEqual(_read(self._output, 'notes'), 'older')

  def test_it_says_how_far_it_is(self):
    self.assertGreater(len(self._said), 4)
    self.assertTrue(os.path.exists(self._said[-1]))


class WriteTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self._root = self.create_tempdir().full_path
    self._runs = os.path.join(self._root, 'runs')
    self._output = os.path.join(self._root, 'report')

  def _keep(self, *names):
    for name in names:
      testing.copy_run(testing.SMALL_GRID, name, os.path.join(self._runs, name))

  def _write(self):
    write.report([self._runs], self._output, testing.silent, _RESAMPLES)

  def test_what_one_run_does_not_support_is_named(self):
    self._keep('d4pg-0.05-0')
    self._write()
    text = _read(self._output, 'report.md')
    missing = text[text.index('<summary>Figures that these runs do not'):]
    for figure in ("Figure 1, left: MetaL's outer losses**: needs finished "
                   'runs of MetaL, MetaL (actor+critic)',
                   'Figure 1, right', 'Figure 2', 'Figure 3',
                   'Figure 4', 'The meta-gradient'):
      self.assertIn(figure, missing)
    self.assertCountEqual(os.listdir(os.path.join(self._output, 'figures')), [
        'learning_curves_1.png', 'learning_curves_1.svg',
        'return_overshoot.png', 'return_overshoot.svg'])
    self.assertIn('n = 1: no standard deviation and no test.', text)
    self.assertIn('No tests: they need', text)
    table, = _rows(self._output, 'table1.csv')
    self.assertEqual((table['n'], table['penalized_return_sd']), ('1', 'nan'))

  def test_two_constraints(self):
    self._keep('metal-0.3-0')
    folder = os.path.join(self._runs, 'metal-0.3-0')
    description = json.loads(_read(folder, 'config.json'))
    description['constraints'].append({'name': 'b', 'threshold': 0.5})
    with open(os.path.join(folder, 'config.json'), 'w', encoding='utf-8') as f:
      json.dump(description, f)
    rows = list(csv.reader(io.StringIO(_read(folder, 'episodes.csv'))))
    seconds = [i for i, name in enumerate(rows[0]) if '/' in name]
    with open(os.path.join(folder, 'episodes.csv'), 'w', encoding='utf-8') as f:
      for row in rows:
        f.write(','.join(row + [
            row[i].replace('slider_pos', 'b') for i in seconds]) + '\n')
    self._write()
    text = _read(self._output, 'report.md')
    self.assertIn('cartpole, slider_pos ≤ 0.115, b ≤ 0.5', text)
    self.assertIn('its evaluations have no penalty/b (runs: 1)', text)
    self.assertIn('Constraints: slider_pos solid, b dash-dotted.', text)
    self.assertIn('J_C is their mean, overshoot their sum', text)
    row, = _rows(self._output, 'scores.csv')
    penalty = float(row['penalty'])
    self.assertAlmostEqual(
        float(row['overshoot']), penalty - 0.115 + penalty - 0.5)

  def test_tasks_of_ones_own_are_not_pooled(self):
    self._keep('metal-0.3-0', 'd4pg-0.3-0')
    for name in ('metal-0.3-1', 'd4pg-0.3-1'):
      testing.copy_run(testing.SMALL_GRID, name,
                       os.path.join(self._runs, name), domain='plant')
    self._write()
    text = _read(self._output, 'report.md')
    papers, plant = text.split('\n# On ')[1:]
    self.assertStartsWith(papers, "the paper's tasks\n")
    self.assertStartsWith(plant, 'plant\n')
    for only in ("## The paper's claims", '(paper) |', '677.93'):
      self.assertIn(only, papers)
      self.assertNotIn(only, plant)
    scores = {row['run']: row['return']
              for row in _rows(self._output, 'scores.csv')}
    self.assertEqual(
        [(row['pool'], row['algorithm'], row['n'], row['return'])
         for row in _rows(self._output, 'table1.csv')],
        [(pool, agent, '1', scores[f'{name}-0.3-{seed}'])
         for pool, seed in (("the paper's tasks", 0), ('plant', 1))
         for agent, name in (('MetaL', 'metal'), ('D4PG', 'd4pg'))])

  def test_more_agents_than_a_figure_holds_stand_apart(self):
    self._keep('metal-0.3-0', 'd4pg-0.3-0')
    for i in range(9):
      testing.copy_run(
          testing.SMALL_GRID, 'metal-0.3-0',
          os.path.join(self._runs, f'metal-{i}'), meta_lr=1.0 + i)
    self._write()
    text = _read(self._output, 'report.md')
    before, apart = text.split('<summary>Agents with other settings (9)')
    self.assertNotIn('meta_lr=1.0', before)
    self.assertIn('| 0.3 | MetaL [meta_lr=1.0] |', apart)
    self.assertEqual([row['algorithm'] for row in _rows(
        self._output, 'table1.csv')], ['MetaL', 'D4PG'])
    self.assertLen(_rows(self._output, 'scores.csv'), 11)

  def test_runs_with_several_alpha_1_are_summed_up(self):
    self._keep('metal-0.3-0', 'd4pg-0.3-0')
    self._write()
    self.assertNotIn('at their best alpha_1', _read(self._output, 'report.md'))
    testing.copy_run(testing.SMALL_GRID, 'metal-0.3-0', os.path.join(
        self._runs, 'fast'), lagrange_lr=1.0)
    self._write()
    text = _read(self._output, 'report.md')
    self.assertIn('| 0.3 | MetaL, alpha_eta ≈ 0.01 | 0.01 (1), 1 (1) | 0.01 |',
                  text[text.index('at their best alpha_1'):])

  def test_problems_weigh_the_same(self):
    self._keep('metal-0.3-0', 'metal-0.05-0')
    testing.copy_run(testing.SMALL_GRID, 'metal-0.3-0', os.path.join(
        self._runs, 'walker'), domain='walker')
    self._write()
    text = _read(self._output, 'report.md')
    self.assertIn('over the coefficients that all problems have.', text)
    [row] = _rows(self._output, 'table1.csv')
    self.assertEqual((row['n'], row['conditions']), ('1', '2'))

  def test_runs_that_are_to_come_are_told_above_all_numbers(self):
    self._keep('metal-0.3-0', 'metal-0.3-2')
    self._write()
    text = _read(self._output, 'report.md')
    self.assertIn('**Interim:** 1 of the runs ', text[:text.index('## ')])

  def test_no_finished_run(self):
    self._keep('metal-0.3-2')
    with self.assertRaisesRegex(
        errors.ReportError,
        r'none of the 1 runs is finished.*metal-0.3-2 \(unfinished, 3 of 8'):
      self._write()
    self.assertFalse(os.path.exists(self._output))

  def test_output_in_a_run_or_in_a_file_is_refused(self):
    self._keep('d4pg-0.05-0')
    self._output = os.path.join(self._runs, 'd4pg-0.05-0', 'report')
    with self.assertRaisesRegex(errors.ReportError, 'in the folder of'):
      self._write()
    self._output = os.path.join(self._root, 'file')
    with open(self._output, 'w', encoding='utf-8'):
      pass
    with self.assertRaisesRegex(errors.ReportError, 'cannot be written'):
      self._write()

  def test_output_beside_the_runs_and_again(self):
    self._keep('d4pg-0.05-0')
    self._output = self._runs
    self._write()
    page = _read(self._output, 'index.html')
    self._write()
    self.assertEqual(_read(self._output, 'index.html'), page)


if __name__ == '__main__':
  absltest.main()
