"""Tests of the figure of alpha_lambda over lambda."""

from absl.testing import absltest
import numpy as np

from metal_tf.report import alpha_lambda
from metal_tf.report import style
from metal_tf.report import testing


def _run(alpha_eta, factor, label='MetaL', safety_coeff=0.3, **settings):
  """A run in which alpha_lambda is -factor alpha_eta lambda^2."""
  multiplier = np.linspace(0, 0.2, 50)
  settings = {'meta_optimizer': 'sgd', 'outer_divergence': 'td', **settings}
  return testing.made_run(
      label, 0, 800.0, 0.2, safety_coeff, meta_lr=alpha_eta, columns={
          'penalty': np.full(50, 0.2), 'lambda': multiplier,
          'alpha_lambda': -factor * alpha_eta * multiplier**2}, **settings)


class AlphaLambdaTest(absltest.TestCase):

  def test_tells_the_factor_of_runs_with_different_rates(self):
    outcome = alpha_lambda.figure(testing.grid_of(
        _run(28.125, 0.5), _run(94.0, 0.75, 'MetaL [meta_lr=94]'),
        _run(2.8, 2.0, 'MetaL [meta_lr=2.8]', 0.05)))
    self.assertIsInstance(outcome, style.Made)
    self.assertIn('A line for each of 3 runs', outcome.caption)
    self.assertIn('alpha_lambda = -0.75 alpha_eta lambda²', outcome.caption)
    self.assertIn('the factor is 0.5 to 2.', outcome.caption)
    text = outcome.svg.decode()
    for drawn in ('coefficient 0.05', 'coefficient 0.3', 'alpha_eta ≈ 30',
                  'alpha_eta ≈ 90', 'alpha_eta ≈ 3'):
      self.assertIn(f'<!-- {drawn} -->', text)

  def test_agents_that_differ_in_more_than_rates_are_left_out(self):
    other = _run(28.125, 0.05, 'MetaL [n_step=1]')
    other = other._replace(variant=other.variant._replace(
        settings=(('n_step', '1'),)))
    outcome = alpha_lambda.figure(testing.grid_of(_run(28.125, 0.5), other))
    self.assertIn('A line for each of 1 runs', outcome.caption)

  def test_is_about_gradient_descent_on_the_squared_error_alone(self):
    outcome = alpha_lambda.figure(testing.grid_of(
        _run(1e-3, 1.0, meta_optimizer='adam'),
        _run(1e3, 1.0, outer_divergence='kl'),
        _run(28.125, 1.0, 'RC-D4PG'),
        # Lambda did not rise from 0, or did not rise.
        _run(28.125, 1.0, lagrange_multiplier=0.1),
        testing.made_run('MetaL', 0, 800, 0.1, meta_lr=28.125,
                         meta_optimizer='sgd', outer_divergence='td')))
    self.assertIsInstance(outcome, style.Missing)
    self.assertIn('gradient descent on alpha_lambda', outcome.why)


if __name__ == '__main__':
  absltest.main()
