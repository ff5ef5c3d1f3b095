r"""Your own plant in dm_control: a hoist that saves energy and is not fast.

    metal train --environment=docs/examples/hoist.py:make --num_episodes=200
    metal sweep --environment=docs/examples/hoist.py:make --workdir=runs/hoist \
        --environment_kwargs='{"mass": 1.0}' \
        --environment_kwargs='{"mass": 1.5}' --seeds=0,1 --num_episodes=200

A load hangs on a vertical rail and is to be held at a height that is drawn for
each episode.
"""

import collections

from dm_control import mujoco
from dm_control.rl import control
from dm_control.utils import rewards
import numpy as np

import metal_tf

_MODEL = """
<mujoco model="hoist">
  <option timestep="0.01"/>
  <worldbody>
    <light pos="0 -2 3"/>
    <camera name="side" pos="0 -3 1" xyaxes="1 0 0 0 0 1"/>
    <geom name="ground" type="plane" size="2 2 0.1" rgba="0.8 0.8 0.8 1"/>
    <body name="load" pos="0 0 0.1">
      <joint name="rail" type="slide" axis="0 0 1" limited="true" range="0 2"/>
      <geom name="box" type="box" size="0.1 0.1 0.1" mass="{mass}"/>
    </body>
  </worldbody>
  <actuator>
    <motor name="winch" joint="rail" gear="30" ctrllimited="true"
           ctrlrange="-1 1"/>
  </actuator>
</mujoco>
"""


class Hold(control.Task):
  """Pays for the load being at the height of the episode."""

  def __init__(self, seed):
    # metal_tf seeds this generator before each episode.
    self.random = np.random.RandomState(seed)
    self.goal = 1.0

  def initialize_episode(self, physics):
    self.goal = self.random.uniform(0.5, 1.5)
    physics.named.data.qpos['rail'] = self.random.uniform(0.0, 2.0)

  def before_step(self, action, physics):
    physics.set_control(action)

  def after_step(self, physics):
    pass

  def action_spec(self, physics):
    return mujoco.action_spec(physics)

  def get_observation(self, physics):
    return collections.OrderedDict(
        height=physics.named.data.qpos['rail'].copy(),
        speed=physics.named.data.qvel['rail'].copy(),
        goal=np.array([self.goal]))

  def get_reward(self, physics):
    height = physics.named.data.qpos['rail'].item()
    return rewards.tolerance(height - self.goal, bounds=(-0.05, 0.05), margin=1)


def make(seed, mass=1.0, max_speed=0.5):
  """Makes the plant.

  Args:
    seed: of the episodes' starts.
    mass: of the load, in kg.
    max_speed: in m/s, to be kept in 9 steps of 10.
  """
  physics = mujoco.Physics.from_xml_string(_MODEL.format(mass=mass))
  environment = control.Environment(
      physics, Hold(seed), time_limit=5.0, control_timestep=0.05)
  return metal_tf.ConstrainedEnvironment(environment, [
      # Holding 1 kg takes about 0.33 of the winch, which is 0.11 here.
      metal_tf.Constraint.of_physics(
          'energy', lambda physics: float(physics.control()[0]) ** 2,
          threshold=0.15, description='mean squared effort of the winch'),
      metal_tf.Constraint.of_physics(
          'speed', lambda physics: abs(
              physics.named.data.qvel['rail'].item()) > max_speed,
          threshold=0.1, description=f'load at most {max_speed:g} m/s'),
  ], name='hoist')
