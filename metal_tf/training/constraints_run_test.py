"""Whole runs of several constraints on the paper's tasks."""

import contextlib
import io
import json
import os

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from metal_tf import environments
from metal_tf import validation
from metal_tf.agent import agents
from metal_tf.environments import constraint
from metal_tf.environments import tasks
from metal_tf.environments import wrapper
from metal_tf.runs import log_tables
from metal_tf.training import feasibility
from metal_tf.training import run
from metal_tf.training import testing

_STEPS = 40


def _short(config):
  """Makes the configured task as the launchers do, with short episodes."""
  task = validation.resolve_task(config)

  def make(seed):
    environment = environments.make(
        config.domain, safety_coeff=config.safety_coeff, seed=seed,
        constraints=[(c.name, c.threshold) for c in task.constraints],
        suite='builtin')
    environment.environment._step_limit = _STEPS
    return environment

  return make


def _slack_and_binding(seed):
  return wrapper.ConstrainedEnvironment(testing.Slope(seed), [
      constraint.Constraint.of_time_step('slack', lambda step: False, 0.1),
      constraint.Constraint.of_time_step('binding', lambda step: True, 0.5)])


def setUpModule():
  testing.share_learners()


class ConstraintsRunTest(parameterized.TestCase):

  def _train(self, make=None, which=agents.METAL, **changes):
    """Returns the run's folder and what was printed."""
    path = os.path.join(self.create_tempdir().full_path, 'run')
    config = testing.small_config(path, **changes)
    with contextlib.redirect_stdout(io.StringIO()) as out:
      run.train(which, config, make or _short(config))
    return path, out.getvalue()

  def _json(self, path, name):
    with open(os.path.join(path, name), encoding='utf-8') as stream:
      return json.load(stream)

  @parameterized.parameters(
      ('cartpole', ('balance_velocity:0.115', 'slider_pos:0.2')),
      ('cartpole', ('slider_accel', 'slider_pos:0.2', 'balance_velocity')),
      ('walker', ('torso_upright:0.3', 'dangerous_fall', 'joint_velocity')),
      ('quadruped', ('upright:0.2', 'joint_angle', 'foot_force:0')),
      ('humanoid', ('foot_force:0', 'upright:0.2', 'joint_angle:0.478')))
  def test_every_domain(self, domain, chosen):
    path, out = self._train(
        domain=domain, constraints=chosen, num_episodes=2, threshold=0.25,
        feasibility_episodes=1, evaluation_period=2, lagrange_lr=0.1)
    names = [text.partition(':')[0] for text in chosen]
    thresholds = [float(text.partition(':')[2] or 0.25) for text in chosen]
    rows = log_tables.read(path)
    self.assertEqual(list(rows), log_tables.EPISODES.columns(names))
    evaluations = log_tables.read(path, log_tables.EVALUATIONS)
    self.assertEqual(list(evaluations), log_tables.EVALUATIONS.columns(names))
    self.assertTrue(np.isfinite(rows['critic_loss'][1]))
    overshoots = 0.0
    for k, name in enumerate(names):
      np.testing.assert_array_equal(rows[f'threshold/{name}'], thresholds[k])
      np.testing.assert_allclose(
          rows[f'overshoot/{name}'],
          np.maximum(0.0, rows[f'penalty/{name}'] - thresholds[k]), atol=1e-8)
      overshoots = overshoots + rows[f'overshoot/{name}']
      # The penalty table: lambda follows the first episode's own J_C.
      excess = rows[f'penalty/{name}'][0] - thresholds[k]
      self.assertEqual(rows[f'lambda/{name}'][1] > 0, excess > 0, name)
      self.assertIn(f'  {name}: J_C ', out)
    np.testing.assert_allclose(
        rows['penalized_return'], rows['episode_return'] - 1000 * overshoots,
        rtol=1e-6)
    for content in [self._json(path, 'summary.json'),
                    self._json(path, 'config.json'),
                    *self._json(path, feasibility.FILE)['policies']]:
      self.assertEqual(
          [(c['name'], c['threshold']) for c in content['constraints']],
          list(zip(names, thresholds)))
    tags = testing.read_tensorboard(os.path.join(path, 'tensorboard'))
    for name in names:
      self.assertLen(tags[f'constraint/lambda/{name}'], 2)
      self.assertLen(tags[f'constraint/penalty/{name}'], 2)

  # Agents are tuples, which absl would unpack.
  @parameterized.parameters((agents.METAL,), (agents.RC_D4PG,))
  def test_only_the_binding_constraints_lambda_grows(self, which):
    path, out = self._train(_slack_and_binding, which, num_episodes=12)
    rows = log_tables.read(path)
    np.testing.assert_array_equal(rows['lambda/slack'], np.zeros(12))
    self.assertTrue((np.diff(rows['lambda/binding']) > 0).all())
    if which is agents.RC_D4PG:  # 11 episodes of 10 steps at alpha_1 = 0.01.
      np.testing.assert_allclose(
          rows['lambda/binding'][-1], 110 * 0.01 * (1.0 - 0.5), rtol=1e-5)
    slack, binding = self._json(path, 'summary.json')['constraints']
    self.assertTrue(slack['satisfied'])
    self.assertFalse(binding['satisfied'])
    self.assertRegex(
        out, r'slack: J_C 0\.0000, .*\n +\(satisfied\), lambda 0,')
    self.assertRegex(
        out, r'binding: J_C 1\.0000, .*\n +\(not satisfied, infeas')

  def test_every_constraint_of_a_domain_at_once(self):
    for domain, info in tasks.TASKS.items():
      config = testing.small_config(
          '', domain=domain, constraints=info.constraint_names, threshold=0.1)
      environment = _short(config)(0)
      environment.reset()
      step = environment.step(environment.spec.action_minimum)
      self.assertEqual(environment.spec.constraint_names,
                       info.constraint_names)
      self.assertLen(step.penalty, len(info.constraint_names))


if __name__ == '__main__':
  absltest.main()
