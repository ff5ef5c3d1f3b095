"""A plant of a user's own as a file, for tests of the programs."""

import os

# Pushes a weight; the reward is its mass, so that settings are seen in it.
PLANT = '''
import gymnasium
import numpy as np
from gymnasium import spaces
from metal_tf import environments


class Push(gymnasium.Env):
  metadata = {'render_fps': 10}
  observation_space = spaces.Box(-1, 1, (2,), np.float32)
  action_space = spaces.Box(-1, 1, (1,), np.float32)

  def __init__(self, seed, mass, render_mode):
    self.start, self.mass, self.render_mode = seed, mass, render_mode
    self.time = 0

  def reset(self, *, seed=None, options=None):
    self.time = 0
    return np.full(2, self.start, np.float32), {}

  def step(self, action):
    self.time += 1
    info = {'cost': float(action[0] ** 2)}
    return np.zeros(2, np.float32), self.mass, False, self.time == 20, info

  def render(self):
    if self.render_mode == 'rgb_array':
      return np.full((48, 64, 3), 10 * self.time, np.uint8)
    raise RuntimeError('there is no screen')


def make(seed, mass=1.0, render_mode='rgb_array'):
  return Push(seed, mass, render_mode), [
      environments.Constraint.of_info('energy', 'cost', threshold=0.3)]


def fails(seed):
  return helper(seed)


def helper(seed):
  raise KeyError('no\\nkey')


def leaves(seed):
  raise SystemExit('no licence')


def gives(seed):
  return {'a': seed}


number = 3
'''


def write_plant(folder: str, name: str = 'push.py') -> str:
  """Writes the plant; returns its path.

  Args:
    folder: where to.
    name: of the file.
  """
  path = os.path.join(folder, name)
  with open(path, 'w', encoding='utf-8') as stream:
    stream.write(PLANT)
  return path
