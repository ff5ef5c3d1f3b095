"""Tests of the plain facts, among them against the environments themselves."""

import subprocess
import sys

from absl.testing import absltest
from absl.testing import parameterized

from metal_tf import environments
from metal_tf.environments import tasks

_LABELS = ('paper', 'checked', 'recalled', 'our choice')


class RegistryTest(parameterized.TestCase):

  @parameterized.parameters(*tasks.TASKS)
  def test_agrees_with_the_environment(self, domain):
    info = tasks.TASKS[domain]
    environment = environments.make(
        domain, safety_coeff=0.2, seed=0, suite='builtin',
        constraints=[(info.default_constraint, info.default_threshold)])
    spec = environment.spec
    self.assertEqual(spec.observation_size, info.observation_size)
    self.assertEqual(spec.action_size, info.action_size)
    self.assertEqual(spec.episode_steps, info.episode_steps)
    self.assertEqual(spec.constraint_names, (info.default_constraint,))
    self.assertEqual(spec.thresholds[0], info.default_threshold)
    self.assertAlmostEqual(environment.environment.control_timestep(),
                           info.control_timestep, delta=1e-12)
    self.assertEqual(environment.name, f'{domain}/{info.task}')
    self.assertRegex(environment.suite, r'^builtin \(dm-control [\d.]+, mujoco')

  @parameterized.parameters(*tasks.TASKS)
  def test_defaults_are_among_the_listed(self, domain):
    info = tasks.TASKS[domain]
    self.assertEqual(info.domain, domain)
    self.assertIn(info.default_constraint, info.constraint_names)
    self.assertIn((info.default_threshold, info.default_threshold_label),
                  info.thresholds)
    self.assertEqual(info.default_threshold, max(info.thresholds)[0])
    for label in (info.default_constraint_label,) + tuple(
        label for _, label in info.thresholds):
      self.assertIn(label, _LABELS)

  def test_paper_threshold(self):
    info = tasks.TASKS['cartpole']
    self.assertEqual((info.default_constraint, info.default_threshold,
                      info.default_threshold_label),
                     ('balance_velocity', 0.115, 'paper'))

  def test_names_in_suite_order(self):
    self.assertEqual(
        {domain: info.constraint_names
         for domain, info in tasks.TASKS.items()},
        {'cartpole': ('slider_pos', 'slider_accel', 'balance_velocity'),
         'walker': ('joint_angle', 'joint_velocity', 'dangerous_fall',
                    'torso_upright'),
         'quadruped': ('joint_angle', 'joint_velocity', 'upright',
                       'foot_force'),
         'humanoid': ('joint_angle', 'joint_velocity', 'upright',
                      'dangerous_fall', 'foot_force')})

  def test_descriptions_carry_the_limit(self):
    info = tasks.TASKS['cartpole']
    self.assertEqual(
        [c.describe(0.3) for c in info.constraints],
        ['cart strictly between -0.6 and 0.6 m',
         'cart acceleration below 39 m/s^2',
         'pole at most 0.15 rad/s where its cosine exceeds cos(1.55 rad)'])
    for info in tasks.TASKS.values():
      for constraint in info.constraints:
        self.assertNotEqual(constraint.describe(0.05), constraint.describe(0.3))
        self.assertNotRegex(constraint.describe(0.3), '[{}]')

  @parameterized.parameters(
      ('cartpole', None), ('cartpole', 'swingup'),
      ('cartpole', 'realworld_swingup'), ('humanoid', 'walk'))
  def test_lookup(self, domain, task):
    self.assertIs(tasks.lookup(domain, task), tasks.TASKS[domain])

  @parameterized.parameters(
      ('cartpol', None, "unknown domain: 'cartpol', expected one of cartpole, "
       'walker, quadruped, humanoid; did you mean cartpole'),
      ('cartpole', 'balance', "unknown task of cartpole: 'balance', expected "
       'one of realworld_swingup, swingup'),
      ('walker', 'realworld_walks', 'did you mean realworld_walk'))
  def test_unknown_task(self, domain, task, message):
    with self.assertRaisesRegex(ValueError, message):
      tasks.lookup(domain, task)

  def test_unknown_constraint(self):
    with self.assertRaisesRegex(
        ValueError, "unknown constraint of cartpole: 'slider_position', "
        'expected one of slider_pos, slider_accel, balance_velocity; did you '
        'mean slider_pos'):
      tasks.TASKS['cartpole'].constraint('slider_position')

  @parameterized.parameters(-0.01, 1.01, float('nan'))
  def test_safety_coefficient(self, safety_coeff):
    with self.assertRaisesRegex(
        ValueError, rf'safety_coeff must be in \[0, 1\], got {safety_coeff}'):
      tasks.check_safety_coeff(safety_coeff)

  def test_needs_no_simulator(self):
    code = ('import sys; from metal_tf.environments import tasks; '
            'import metal_tf.environments; '
            'heavy = {"dm_control", "mujoco", "tensorflow", "gymnasium"} & '
            'set(sys.modules); sys.exit(str(heavy) if heavy else 0)')
    environment = {'PYTHONPATH': ':'.join(sys.path), 'PATH': ''}
    subprocess.run([sys.executable, '-c', code], check=True, env=environment)


if __name__ == '__main__':
  absltest.main()
