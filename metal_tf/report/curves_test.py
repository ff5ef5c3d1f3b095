"""Tests of the numbers behind the figures over training, and of the front."""

from unittest import mock

from absl.testing import absltest
from matplotlib import container
import numpy as np

from metal_tf.report import aggregate
from metal_tf.report import bars
from metal_tf.report import curves
from metal_tf.report import dynamics
from metal_tf.report import naming
from metal_tf.report import style
from metal_tf.report import testing


class CurvesTest(absltest.TestCase):

  def test_smoothing_against_a_naive_mean(self):
    values = np.random.default_rng(0).normal(size=(20, 2))
    values[3:6, 0] = np.nan
    found = curves.smooth(values, 3)
    for i in range(20):
      for k in range(2):
        part = values[max(0, i - 2):i + 1, k]
        part = part[np.isfinite(part)]
        expected = part.mean() if part.size else np.nan
        np.testing.assert_allclose(found[i, k], expected)

  def test_window(self):
    self.assertEqual([curves.window(n) for n in (1, 8, 40, 400, 20000)],
                     [1, 1, 2, 20, 100])

  def test_share_of_the_weights(self):
    run = testing.made_run('MetaL', 0, 0, 0, columns={
        'penalty': [0, 0], 'meta_gradient_direct': [-3, 0],
        'meta_gradient_weights': [1, 0]})
    np.testing.assert_array_equal(
        curves.weights_share(curves.gradient_sizes(run)), [[0.25], [np.nan]])

  def test_pareto_front(self):
    # (0.2, 5) is beaten by (0.1, 6), (0.3, 6) by (0.1, 6) as well.
    points = [(0.3, 6), (0.1, 6), (0.2, 5), (0.4, 9), (0.1, 2), (0.0, 1)]
    self.assertEqual(bars.pareto(points), [(0.0, 1), (0.1, 6), (0.4, 9)])

  def test_as_many_conditions_are_not_the_same_ones(self):
    runs = [testing.made_run('MetaL', 0, 900, 0.1),
            testing.made_run('RC-D4PG', 0, 800, 0.1),
            testing.made_run('D4PG', 0, 950, 0.1, domain='walker')]
    looks = style.looks([run.label for run in runs])
    for grid, hollow in ((testing.grid_of(*runs), True),
                         (testing.grid_of(*runs[:2]), False)):
      figure = bars.trade_off(grid, looks)
      self.assertEqual('Hollow' in figure.caption, hollow)
      figure = bars.by_coefficient(grid, looks, all_agents=False)
      self.assertEqual(
          'Not comparable: D4PG at 0.3: other conditions' in figure.caption,
          hollow)


  def test_whiskers_are_of_both_returns_and_of_five_seeds(self):
    def draw(*runs):
      [row] = aggregate.rows(testing.grid_of(*(
          testing.made_run('MetaL', seed, episode_return, penalty)
          for seed, (episode_return, penalty) in enumerate(runs))))
      axes = style.new(4, 3).subplots()
      bars._bar(axes, 0, 1, row, style.looks(['MetaL'])['MetaL'])  # pylint: disable=protected-access
      return ([drawn.lines[2][0].get_segments()[0][:, 1]
               for drawn in axes.containers
               if isinstance(drawn, container.ErrorbarContainer)],
              [list(drawn.get_offsets()[:, 1]) for drawn in axes.collections
               if drawn.get_offsets().shape[0] == len(runs)])

    # R of five seeds 900, 700, 800, ...; penalized ones 800, 700, 750, ...
    five = [(900, 0.215), (700, 0.115), *[(800, 0.165)] * 3]
    whiskers, _ = draw(*five)
    np.testing.assert_allclose(whiskers, [
        [750 - 1250**0.5, 750 + 1250**0.5], [800 - 5000**0.5, 800 + 5000**0.5]])
    whiskers, seeds = draw(*five[:4])
    self.assertEmpty(whiskers)
    np.testing.assert_allclose(
        seeds, [[900, 700, 800, 800], [800, 700, 750, 750]])

  def test_coefficients_have_one_order_and_captions_say_n(self):
    columns = {'penalty': [0.1], 'lambda': [0], 'alpha_lambda': [0],
               'effective_rate': [1e-4]}
    grid = testing.grid_of(*(
        testing.made_run('MetaL', seed, 900, 0.1, coefficient, columns=columns)
        for seed in range(3) for coefficient in (0.05, 0.3)
        if (seed, coefficient) != (2, 0.3)), testing.made_run(
            'D4PG', 0, 900, 0.1, columns=columns))
    looks = style.looks(grid.labels)
    drawn = {}

    def made(stem, title, see, caption, figure):
      del title, see
      drawn[stem] = figure, caption
      return stem

    with mock.patch.object(style, 'made', made):
      curves.figure_4(grid, looks)
      bars.by_coefficient(grid, looks, all_agents=False)
      curves.glance(grid, looks)
    figure, caption = drawn['figure4']
    self.assertEqual(
        [axes.get_title().split()[-1] for axes in figure.axes[:2]],
        ['0.05', '0.3'])
    for name in ('J_C', 'λ', 'α_λ', 'α_1 exp(α_λ)'):
      self.assertIn(f' {name}: ', caption)
    lines = [line for line in figure.axes[0].lines if line.get_xdata().size]
    self.assertCountEqual(
        [(line.get_marker(), line.get_linewidth(), line.get_markevery())
         for line in lines],
        [(looks['MetaL'].marker, 0.5, [-1])] * 3 +
        [(looks['MetaL'].marker, 1.8, (0, 1))])
    axes = drawn.pop('glance')[0].axes
    self.assertEqual([ax.get_yscale() for ax in axes], ['linear'] * 3)
    for _, caption in drawn.values():
      self.assertIn('MetaL n = 2 to 3; D4PG n = 1.', caption)
    [axes] = drawn['figure1_right'][0].axes
    self.assertEqual([label.get_text() for label in axes.get_xticklabels()],
                     ['0.05', '0.3'])


  def test_a_multiplier_that_runs_away_bends_its_axis(self):
    grid = testing.grid_of(*(
        testing.made_run('MetaL', seed, 900, 0.1, 0.05, columns={
            'penalty': [0.1], 'lambda': [size]})
        for seed, size in enumerate((0.2, 25))))
    with mock.patch.object(style, 'made', lambda *parts: parts):
      *_, caption, figure = curves.glance(grid, style.looks(grid.labels))
    self.assertIn('where it exceeds 1, its axis is logarithmic', caption)
    self.assertIn('no interval below n = 5', caption)
    self.assertEqual([axes.get_yscale() for axes in figure.axes],
                     ['linear', 'linear', 'symlog'])
    self.assertEqual([x.get_text() for x in figure.axes[2].get_yticklabels()],
                     ['0', '0.5', '1', '10'])


  def test_a_logarithmic_axis_has_two_numbers_or_more(self):
    def numbers(*rates):
      """On the axis that both coefficients share."""
      grid = testing.grid_of(*(
          testing.made_run('MetaL', 0, 900, 0.1, coefficient, columns={
              'penalty': [0.1], 'lambda': [0.1], 'alpha_lambda': [0],
              'effective_rate': [rate, rate]})
          for coefficient, rate in zip((0.05, 0.3), rates)))
      with mock.patch.object(style, 'made', lambda *parts: parts):
        *_, figure = curves.figure_4(grid, style.looks(grid.labels))
      axes = figure.axes[-2]
      figure.canvas.draw()
      low, high = axes.get_ylim()
      return [text.get_text() for minor in (False, True) for at, text in zip(
          axes.get_yticks(minor=minor), axes.get_yticklabels(minor=minor))
              if low <= at <= high and text.get_text()]

    self.assertEqual(numbers(2e-6, 4e-5), [
        r'$\mathdefault{3\times10^{-6}}$', r'$\mathdefault{10^{-5}}$',
        r'$\mathdefault{3\times10^{-5}}$'])
    # In either order of a wide and a narrow panel, and where all is one number.
    for rates in ((1e-9, 3e-5), (3e-5, 1e-9), (4.2e-6, 4.2e-6)):
      self.assertBetween(len(numbers(*rates)), 2, 5)
    self.assertEqual(numbers(1e-7, 3e-5)[:2], [
        r'$\mathdefault{10^{-7}}$', r'$\mathdefault{10^{-6}}$'])

  def test_says_who_ends_within_the_threshold(self):
    grid = testing.grid_of(*(
        testing.made_run(label, seed, 900, penalty, 0.05, columns={
            'penalty': [penalty], 'lambda': [1]})
        for label, second in (('MetaL', 0.125), ('RC-D4PG', 0.14))
        for seed, penalty in enumerate((0.1, second))))
    figure = curves.glance(grid, style.looks(grid.labels))
    self.assertEndsWith(figure.see, ' 100 episodes: MetaL at coefficient 0.05.')

  def test_agents_of_the_paper_differ_without_colour(self):
    looks = style.looks(naming.PAPER).values()
    self.assertLen({look.marker for look in looks}, len(naming.PAPER))
    self.assertLen({look.dashes for look in looks}, len(naming.PAPER))


class DynamicsTest(absltest.TestCase):

  def test_the_halves_are_those_of_the_scored_window(self):
    returns = np.arange(1.0, 251)
    run = testing.made_run('MetaL', 0, 0, 0, columns={
        'penalty': np.zeros(250), 'lambda': np.arange(250.0)})
    run.run.episodes['episode_return'] = returns
    text = dynamics.history([run])
    # Of 151 to 200, and of 201 to 250.
    self.assertIn('halves of the scored window 175.5 then 225.5', text)
    # Lambda from index 187 to 249, smoothed return over the last 12.
    self.assertIn('moved by +25 % in the last quarter', text)
    self.assertIn('highest smoothed return 244', text)


class GradientPartsTest(absltest.TestCase):

  def test_runs_with_other_constraints_and_without_a_gradient(self):
    one = testing.made_run('MetaL', 0, 0, 0, columns={
        'penalty': [0], 'lambda': [1], 'alpha_lambda': [2],
        'meta_gradient_direct': [-3], 'meta_gradient_weights': [1]})
    one.run.episodes['clipped_mass'] = np.zeros(1)
    names = ('balance_velocity', 'slider_pos')
    two = one._replace(run=one.run._replace(
        constraint_names=names, episodes={
            **one.run.episodes, **{
                key.replace('balance', 'slider').replace('velocity', 'pos'):
                values for key, values in one.run.episodes.items()}}))
    self.assertIn('through the weights 0.25;',
                  dynamics.gradient_parts([one, two]))
    for name in ('direct', 'weights'):
      one.run.episodes[f'meta_gradient_{name}/balance_velocity'] = np.zeros(1)
    text = dynamics.gradient_parts([one])
    self.assertNotIn('nan', text)
    self.assertIn('through the weights 0;', text)


if __name__ == '__main__':
  absltest.main()
