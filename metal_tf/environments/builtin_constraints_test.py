"""Each of the suite's constraints on both sides of its limit.

States are made by hand; the limits below are written out, not taken from the
registry, for the safety coefficient 0.3.
"""

import math

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from metal_tf import environments
from metal_tf.environments import builtin_constraints
from metal_tf.environments import tasks

_COEFFICIENT = 0.3
_EPSILON = 1e-9


def _constraints(domain):
  environment = environments.make(
      domain, safety_coeff=_COEFFICIENT, seed=0, suite='builtin',
      constraints=[(name, 0.1)
                   for name in tasks.TASKS[domain].constraint_names])
  environment.reset()
  physics = environment.environment.physics
  return physics, {c.name: c.function for c in environment.constraints}


class ConstraintsTest(parameterized.TestCase):

  def _check(self, domain, name, write, held, violated):
    """Checks values that must hold and values that must be violations."""
    physics, constraints = _constraints(domain)
    for value, expected in [(v, False) for v in held] + [
        (v, True) for v in violated]:
      write(physics, value)
      got = constraints[name](physics)
      self.assertIsInstance(got, bool)
      self.assertEqual(got, expected, f'{domain} {name} at {value}')

  def _check_limit(self, domain, name, write, limit):
    """Holds strictly below the limit."""
    self._check(domain, name, write, [limit - _EPSILON],
                [limit, limit + _EPSILON])

  def test_every_constraint_is_built(self):
    self.assertEqual(
        set(builtin_constraints.VIOLATED),
        {(domain, name) for domain, info in tasks.TASKS.items()
         for name in info.constraint_names})

  def test_cartpole_slider_pos(self):
    def write(physics, value):
      physics.named.data.qpos['slider'] = value
    self._check('cartpole', 'slider_pos', write, [0, 0.599999, -0.599999],
                [0.6, -0.6, 0.61, -2])

  def test_cartpole_slider_accel(self):
    def write(physics, value):
      physics.named.data.qacc['slider'] = value
    self._check('cartpole', 'slider_accel', write, [0, 38.999, -38.999],
                [39.0, -39.0, 200])

  @parameterized.parameters(1, -1)
  def test_cartpole_balance_velocity(self, sign):
    # Upright means a cosine above cos(0.7 / 0.5 + 0.15 rad).
    upright = math.cos(1.55)
    def write(physics, value):
      cosine, velocity = value
      physics.named.data.xmat['pole_1', 'zz'] = cosine
      physics.named.data.qvel['hinge_1'] = sign * velocity
    self._check(
        'cartpole', 'balance_velocity', write,
        [(1, 0), (1, 0.15), (-1, 5), (upright - _EPSILON, 5)],
        [(1, 0.1501), (1, 5), (upright + _EPSILON, 5)])

  def test_walker_joint_angle(self):
    """Violated only if all joints are too low, or all are too high."""
    joints = ['left_hip', 'right_hip', 'left_knee', 'right_knee', 'left_ankle',
              'right_ankle']
    low = np.radians([-9, -9, -48, -48, -22.5, -22.5])
    high = np.radians([33, 33, 4.5, 4.5, 18, 18])
    def write(physics, value):
      for joint, angle in zip(joints, value):
        physics.named.data.qpos[joint] = angle
    one = np.eye(6) * 1e-3
    self._check('walker', 'joint_angle', write,
                [0 * low, low + 1e-3, high - 1e-3, low - 1e-3 + 2 * one[2],
                 high + 1e-3 - 2 * one[5]],
                [low - 1e-3, high + 1e-3])

  @parameterized.parameters('right_hip', 'left_ankle')
  def test_walker_joint_velocity(self, joint):
    def write(physics, value):
      physics.data.qvel[:] = 0
      physics.named.data.qvel['rootx'] = 100
      physics.named.data.qvel[joint] = value
    self._check('walker', 'joint_velocity', write, [19.4999, -19.4999],
                [19.5, -19.5])

  def test_walker_dangerous_fall(self):
    def write(physics, value):
      physics.named.data.xmat['torso', 'zx'] = value
    # Forward is -zx, and must exceed -0.5 s.
    self._check('walker', 'dangerous_fall', write, [-1, 0, 0.149999],
                [0.15, 0.2, 1])

  @parameterized.parameters(('walker', 'torso_upright', 0.7),
                            ('quadruped', 'upright', 0.79),
                            ('humanoid', 'upright', 0.7))
  def test_upright(self, domain, name, limit):
    def write(physics, value):
      physics.named.data.xmat['torso', 'zz'] = value
    self._check(domain, name, write, [1, limit + _EPSILON],
                [limit - _EPSILON, -1])

  @parameterized.parameters('yaw_front_left', 'knee_back_right')
  def test_quadruped_joint_angle(self, joint):
    def write(physics, value):
      physics.data.qpos[7:] = 0
      physics.named.data.qpos[joint] = value
    for sign in (1, -1):
      self._check_limit('quadruped', 'joint_angle',
                        lambda physics, v, s=sign: write(physics, s * v),
                        math.radians(18))

  @parameterized.parameters(1, -1)
  def test_quadruped_joint_velocity(self, sign):
    def write(physics, value):
      physics.data.qvel[:6] = 100  # The root does not count.
      physics.data.qvel[6:] = 0
      physics.named.data.qvel['pitch_front_right'] = sign * value
    self._check_limit('quadruped', 'joint_velocity', write, 6.0)

  @parameterized.parameters('front_left', 'front_right', 'back_left',
                            'back_right')
  def test_quadruped_foot_force(self, toe):
    def write(physics, value):
      physics.data.sensordata[:] = 0
      # A vector of this length: 2-3-6 has length 7.
      physics.named.data.sensordata[f'force_toe_{toe}'] = (
          np.array([2, -3, 6]) * value / 7)
    self._check('quadruped', 'foot_force', write, [0, 5999.99],
                [6000.01, 1e5])

  @parameterized.parameters(1, -1)
  def test_humanoid_joint_angle(self, sign):
    def write(physics, value):
      physics.data.qpos[:7] = 9  # The root does not count.
      physics.data.qpos[7:] = 0
      physics.named.data.qpos['left_elbow'] = sign * value
    self._check('humanoid', 'joint_angle', write, [0, 0.3 * math.pi - _EPSILON],
                [0.3 * math.pi + _EPSILON, 3])

  def test_humanoid_joint_velocity(self):
    def write(physics, value):
      joint, velocity = value
      physics.data.qvel[:] = 0
      physics.named.data.qvel[joint] = velocity
    # The suite leaves out the first joint, abdomen_z.
    self._check(
        'humanoid', 'joint_velocity', write,
        [('abdomen_z', 100), ('abdomen_y', 26.9999), ('left_elbow', -26.9999)],
        [('abdomen_y', 27), ('left_elbow', -27.0001)])

  @parameterized.parameters(
      ('dangerous_fall', 'head_touch', 30),
      ('dangerous_fall', 'torso_touch', 30),
      ('foot_force', 'right_left_foot_touch', 2400),
      ('foot_force', 'right_right_foot_touch', 2400),
      ('foot_force', 'left_left_foot_touch', 2400),
      ('foot_force', 'left_right_foot_touch', 2400))
  def test_humanoid_touch(self, name, sensor, limit):
    def write(physics, value):
      physics.data.sensordata[:] = 0
      physics.named.data.sensordata[sensor] = value
    self._check('humanoid', name, write, [0, limit - 1e-6], [limit, limit + 1])


if __name__ == '__main__':
  absltest.main()
