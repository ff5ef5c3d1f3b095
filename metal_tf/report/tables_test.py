"""Tests of the tables and of what is said beside them."""

from absl.testing import absltest
import pandas as pd

from metal_tf import metrics
from metal_tf.report import aggregate
from metal_tf.report import collect
from metal_tf.report import document
from metal_tf.report import naming
from metal_tf.report import reductions
from metal_tf.report import tables
from metal_tf.report import testing


class PaperTest(absltest.TestCase):

  def test_the_papers_overshoot_follows_from_its_returns(self):
    self.assertCountEqual(tables.PAPER.index, naming.PAPER)
    for label, row in tables.PAPER.iterrows():
      # The mean penalized return is the mean return less kappa times the mean
      # overshoot, which is printed to 0.01.
      self.assertAlmostEqual(
          (row['return'] - row.penalized_return) / metrics.KAPPA,
          row.overshoot, delta=0.0055, msg=label)


def _own(run):
  """The run, as if it had been on an environment of the user's own."""
  return run._replace(condition=run.condition._replace(
      domain='own task (interface 123abc)'))


class TablesTest(absltest.TestCase):

  def test_table_1(self):
    grid = testing.grid_of(
        testing.made_run('MetaL', 0, 900, 0.215), testing.made_run(
            'MetaL', 1, 700, 0.215), testing.made_run('MeSh', 0, 800, 0.0),
        testing.made_run('MeSh', 0, 800, 0.0, safety_coeff=0.1))
    table = tables.table1(aggregate.rows(grid), len(grid.conditions))
    self.assertEqual(list(table)[:5], [
        'agent', 'R_penalized (ours)', 'R_penalized (paper)', 'R (ours)',
        'R (paper)'])
    self.assertEqual(table.values.tolist(), [
        ['MetaL', '700.0 ± 141.4', '677.93 ± 25.78', '800.0 ± 141.4', '921.16',
         '0.215 ± 0.000', '0.100 ± 0.000', '0.24', '2', '1 of 2 ‡'],
        ['MeSh', '800.0', '–', '800.0', '–', '0.000', '0.000', '–', '1',
         '2 of 2']])

  def test_the_paper_does_not_stand_beside_tasks_of_ones_own(self):
    papers = testing.made_run('MetaL', 0, 900, 0.215)
    rows = aggregate.rows(testing.grid_of(_own(papers)))
    self.assertEqual(tables.table1(rows, 1).values.tolist(), [
        ['MetaL', '800.0', '900.0', '0.215', '0.100', '1', '1 of 1']])
    self.assertNotIn('paper', tables.table1_csv(rows).to_csv())

  def test_scopes(self):
    grid = testing.grid_of(
        testing.made_run('MetaL', 0, 900, 0.2),
        testing.made_run('MetaL', 1, 900, 0.2),
        testing.made_run('MetaL', 0, 900, 0.2, safety_coeff=0.05))
    self.assertIn(
        'averages over 4 domains, 4 safety coefficients, all thresholds and 8 '
        'seeds of 20000 episodes; ours are of cartpole, balance_velocity ≤ '
        '0.115 (safety coefficient 0.05, 0.3; seeds per agent and condition: '
        '1 to 2; episodes a run: 1).',
        reductions.scopes(grid))

  def test_by_coefficient_all_is_of_those_that_have_all(self):
    grid = testing.grid_of(
        testing.made_run('MetaL', 0, 900, 0.215),
        testing.made_run('MetaL', 0, 700, 0.115, safety_coeff=0.1),
        testing.made_run('D4PG', 0, 800, 0.0))
    self.assertEqual(tables.by_coefficient(grid).values.tolist(), [
        ['0.1', 'MetaL', '700.0', '700.0', '0.115', '0.000', '1', '1 of 1'],
        ['0.3', 'MetaL', '800.0', '900.0', '0.215', '0.100', '1', '1 of 1'],
        ['0.3', 'D4PG', '800.0', '800.0', '0.000', '0.000', '1', '1 of 1'],
        ['all', 'MetaL', '750.0', '800.0', '0.165', '0.050', '1', '2 of 2']])

  def test_runs_of_every_kind_are_listed(self):
    run = testing.made_run('MetaL', 0, 900, 0.215)
    table = tables.runs(collect.Grid(
        (run, run._replace(name='going', status='running', score=None,
                           left_out='0 of 8 episodes')),
        (collect.Absent('gone', 'failed'),)))
    self.assertEqual([(row[0], row[-2], row[-1]) for row in table.values], [
        (run.name, 'finished', 'used'),
        ('going', '**running**', '0 of 8 episodes'),
        ('gone', '**nothing to read**', 'failed')])
    self.assertEqual(table.values[0][4], '1†')

  def test_what_is_as_in_the_paper_is_not_named(self):
    grid = testing.grid_of(*(
        testing.made_run('MetaL', seed, 900, 0.215, coefficient)
        for seed in range(8) for coefficient in (0.05, 0.1, 0.2, 0.3)))
    texts = ' '.join(reductions.of(grid))
    for same in ('Constraints of', 'Safety coefficients', 'Seeds'):
      self.assertNotIn(same, texts)
    self.assertIn('Domains: cartpole instead', texts)

  def test_the_sizes_and_rates_of_a_preset_are_told(self):
    small = dict(preset='small', policy_layer_sizes=[128, 128], policy_lr=1e-4)
    runs = (testing.made_run('MetaL', 0, 900, 0.2, critic_lr=1e-3, **small),
            testing.made_run('MetaL', 1, 900, 0.2, critic_lr=2e-3, **small))
    # What is as without the preset is left out, and what is not recorded is as
    # in the preset.
    self.assertIn(
        'Preset small: policy_layer_sizes 128-128 (without the preset '
        '256-256-256), critic_layer_sizes 256-128 (without the preset '
        '512-512-256), batch_size 128 (without the preset 256), critic_lr 0.001'
        ' or 0.002 (without the preset 0.0001).',
        reductions.of(testing.grid_of(*runs)))
    plain = testing.made_run('MetaL', 0, 900, 0.2, batch_size=64)
    self.assertNotIn('Preset', ' '.join(
        reductions.of(testing.grid_of(plain))))

  def test_a_harder_task_is_told(self):
    grid = testing.grid_of(
        testing.made_run('MetaL', 0, 900, 0.2, rwrl_spec='{"x": 1}'),
        testing.made_run('MetaL', 1, 900, 0.2, rwrl_spec=''))
    self.assertIn('Tasks: 1 of 2 finished runs have delays, noise or',
                  ' '.join(reductions.of(grid)))

  def test_an_inner_batch_that_is_smaller_than_the_baselines_is_told(self):
    metal = testing.made_run('MetaL', 0, 900, 0.2, batch_size=256,
                             validation_fraction=0.25)
    free = testing.made_run('D4PG', 0, 900, 0.2, validation_fraction=0.25)
    free = free._replace(run=free.run._replace(algorithm='d4pg'))
    self.assertIn(
        'Inner batch: MetaL 192 of 256 samples; D4PG all 256 samples, the rest '
        'of a batch being for the outer loss. The paper does not say how MetaL '
        'splits its batch.', reductions.of(testing.grid_of(metal, free)))
    self.assertNotIn(
        'Inner batch', ' '.join(reductions.of(testing.grid_of(free))))

  def test_who_simulated_is_told(self):
    run = testing.made_run('MetaL', 0, 900, 0.2)
    texts = []
    for suite in ('builtin (x)', 'realworldrl at y', 'own'):
      texts.append(' '.join(reductions.of(testing.grid_of(
          run._replace(run=run.run._replace(suite=suite))))))
    self.assertIn('Simulated by builtin (x) (the paper: the Real-World RL '
                  'suite). The builtin tasks equal it bit for bit', texts[0])
    self.assertNotIn('Simulated', texts[1])
    self.assertIn('Simulated by own', texts[2])
    self.assertNotIn('bit for bit', texts[2])

  def test_a_changed_file_of_an_own_environment_is_told(self):
    runs = [testing.made_run('MetaL', seed, 900, 0.2, domain='tank')
            for seed in range(3)]

    def told(*sources):
      return ' '.join(reductions.of(testing.grid_of(*(
          run._replace(run=run.run._replace(source=source))
          for run, source in zip(runs, sources)))))

    self.assertIn('the file of tank has changed between the runs, which are '
                  'put together all the same (2 versions', told('a', 'a', 'b'))
    self.assertNotIn('has changed', told('a', 'a', ''))

  def test_different_lengths_are_told(self):
    columns = {'penalty': [0.1, 0.2], 'lambda': [0, 0]}
    grid = testing.grid_of(
        testing.made_run('MetaL', 0, 900, 0.2), testing.made_run(
            'D4PG', 0, 900, 0.2, columns=columns))
    self.assertIn('Runs of different lengths are put together: MetaL 1; '
                  'D4PG 2.', reductions.of(grid))

  def test_power(self):
    self.assertEqual(reductions.power(1),
                     'n = 1: no standard deviation and no test.')
    self.assertRegex(reductions.power(3), r'3\.07 .*Underpowered')
    self.assertRegex(reductions.power(5), r'2\.02 .*80 % power\.$')


class DocumentTest(absltest.TestCase):

  def test_text_is_escaped(self):
    table = document.table(pd.DataFrame(
        [['x | <b> & `c`', 'a sentence of more than 24 letters']],
        columns=['a', 'b']))
    text = '\n\n'.join(['## h', '**t** <script>1</script> <http://a.b>',
                        document.items(['i']), table])
    self.assertIn(r'| x \| <b> & `c` |', text)
    page = document.to_html('T', text, {})
    self.assertIn('x | &lt;b&gt; &amp; <code>c</code>', page)
    self.assertIn('<strong>t</strong> &lt;script&gt;1', page)
    self.assertIn('<h2>h</h2>', page)
    self.assertIn('<li>i</li>', page)
    self.assertNotIn('<a ', page)
    latex = document.to_latex(
        pd.DataFrame({'x': ['1 % & β a_b {‡}']}), 'x ≤ 1')
    self.assertIn(r'1 \% \& $\beta$ a\_b \{$^\ddagger$\} \\', latex)
    self.assertIn(r'\caption{x $\leq$ 1}', latex)

  def test_only_what_is_meant_is_folded(self):
    text = '\n\n'.join(['a', *document.fold('More & more', '**b**', 'c'),
                        '</details> d', '<script>'])
    page = document.to_html('T', text, {})
    self.assertIn('<p>a</p>\n<details><summary>More &amp; more</summary>\n'
                  '<p><strong>b</strong></p>\n<p>c</p>\n</details>\n'
                  '<p>&lt;/details&gt; d</p>\n<p>&lt;script&gt;</p>', page)

  def test_numbers_are_set_right_and_sentences_may_wrap(self):
    table = document.table(pd.DataFrame([
        ['MetaL', 'RS-1.0', '−1.5 ± 0.2', 'a sentence of more than 24 letters'],
        ['D4PG', '', '–', '']], columns=list('abcd')))
    self.assertEqual(table.splitlines()[1], '| --- | --- | ---: | :--- |')


if __name__ == '__main__':
  absltest.main()
