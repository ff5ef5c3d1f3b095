"""Means of what learner steps measured, by hand."""

from absl.testing import absltest
import numpy as np

from metal_tf import config as config_lib
from metal_tf.agent import agents
from metal_tf.agent import step_metrics


class MeansTest(absltest.TestCase):

  def test_means_are_over_the_steps_that_were_summed(self):
    told = step_metrics.means(
        dict(critic_loss=np.array(6.0),
             meta_gradient_direct=np.array([3.0, -9.0])), 3, 10, 2)
    self.assertEqual(told['critic_loss'], 2.0)
    np.testing.assert_array_equal(told['meta_gradient_direct'], [1.0, -3.0])

  def test_what_an_agent_does_not_have_and_what_no_step_measured_is_nan(self):
    for summed in (0, 3):
      sums = dict(critic_loss=np.array(6.0)) if not summed else {}
      told = step_metrics.means(sums, summed, summed, 2)
      for name, value in told.items():
        self.assertTrue(np.isnan(value).all(), name)
        per_constraint = name in ('td_error_violating', 'alpha_lambda_at_limit')
        self.assertEqual(
            value.shape, (2,) if per_constraint or name.startswith('meta_')
            else (), name)

  def test_the_theorems_error_is_the_runs_and_may_be_exactly_zero(self):
    for error in (0.0, 0.25):
      sums = dict(theorem_error=np.array(error))
      # Whether or not there were steps since it was last read.
      for summed in (0, 4):
        self.assertEqual(
            step_metrics.means(sums, summed, 10, 1)['theorem_error'], error)
      self.assertTrue(np.isnan(
          step_metrics.means(sums, 0, 0, 1)['theorem_error']))

  def test_the_td_error_is_weighted_by_penalties(self):
    sums = dict(td_error_times_penalty=np.array([-3.0, 0.0, 1.0]),
                validation_penalty=np.array([1.5, 0.0, 4.0]))
    told = step_metrics.means(sums, 2, 2, 3)
    np.testing.assert_array_equal(
        told['td_error_violating'], [-2.0, np.nan, 0.25])
    self.assertNotIn('validation_penalty', told)
    self.assertNotIn('td_error_times_penalty', told)


class ApplicableTest(absltest.TestCase):

  def test_each_agent_has_its_own(self):
    config = config_lib.Config(outer_loss='actor_critic')
    always = {'critic_loss', 'critic_gradient_norm', 'clipped_mass',
              'policy_loss', 'policy_gradient_norm'}
    outer = {'outer_loss', 'outer_actor_loss', 'outer_critic_loss'}
    meta = {'meta_gradient_direct', 'meta_gradient_weights',
            'meta_gradient_direct_share', 'alpha_lambda_at_limit',
            'td_error_times_penalty', 'validation_penalty'}
    theorems = config.replace(critic='scalar', inner_optimizer='sgd',
                              outer_loss='critic')
    for algorithm, settings, expected in (
        (agents.D4PG, config, always),
        (agents.RC_D4PG, config, always),
        (agents.METAL, config, always | outer | meta),
        (agents.METAL, theorems,
         always | outer - {'outer_actor_loss'} | meta | {'theorem_error'}),
        (agents.RC_D4PG, theorems, always),
        (agents.MESH, config.replace(outer_loss='critic'),
         always | outer - {'outer_actor_loss'} | {
             'shaping_scale', 'shaping_offset'})):
      with self.subTest(algorithm.name):
        self.assertEqual(
            step_metrics.applicable(algorithm, settings), expected)
        zeros = step_metrics.zeros(algorithm, settings, 2)
        self.assertEqual(set(zeros), expected)
        self.assertEqual(
            {name for name, zero in zeros.items() if zero.shape == (2,)},
            expected & meta)


if __name__ == '__main__':
  absltest.main()
