r"""A Gymnasium environment with a budget: Pendulum-v1 that saves energy.

    metal train --environment=docs/examples/pendulum_budget.py:make \
        --vmin=-1700 --vmax=0

Its rewards are costs, down to -16 a step, so the critic's atoms begin lower
than for the paper's tasks. A film needs pygame, with which Gymnasium draws this
one and which is not in the lock.
"""

import gymnasium

import metal_tf


class Energy(gymnasium.Wrapper):
  """Puts what the motor takes into `info`: its torque, as a share, squared."""

  def step(self, action):
    observation, reward, terminated, truncated, info = self.env.step(action)
    share = float(action[0]) / float(self.action_space.high[0])
    return observation, reward, terminated, truncated, {
        **info, 'energy': share ** 2}


def make(seed, budget=20.0):
  """Makes the plant.

  Args:
    seed: not needed here: metal_tf seeds each reset.
    budget: of energy in an episode of 200 steps, of which full torque all the
      time would take 200.
  """
  del seed
  environment = Energy(gymnasium.make('Pendulum-v1', render_mode='rgb_array'))
  return environment, [metal_tf.Constraint.of_info(
      'energy', 'energy', budget=budget, per_steps=200,
      description='mean squared torque, as a share of the largest')]
