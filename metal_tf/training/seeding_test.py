"""Tests that an episode follows from the seed and its number alone."""

from absl.testing import absltest
from absl.testing import parameterized
from dm_control import suite
import numpy as np

from metal_tf import environments
from metal_tf.environments import constraint
from metal_tf.environments import seeded_noise
from metal_tf.environments import wrapper
from metal_tf.training import seeding
from metal_tf.training import testing

_CONSTRAINT = constraint.Constraint.of_time_step(
    'never', lambda step: False, threshold=0.5)


class _Unseedable(testing.Slope):
  """Takes a seed only when it is made."""
  reseed = None


def _pendulum(seed):
  return wrapper.ConstrainedEnvironment(
      suite.load('pendulum', 'swingup', task_kwargs={'random': seed}),
      [_CONSTRAINT])


def _cartpole(seed):
  return environments.make(
      'cartpole', safety_coeff=0.3, constraints=[('slider_pos', 0.1)],
      seed=seed, suite='builtin')


def _unseedable(seed):
  return wrapper.ConstrainedEnvironment(_Unseedable(seed), [_CONSTRAINT])


class _Noisy(testing.Slope):
  """Observes noise of numpy's global generator, late by one observation."""
  reseed = None
  late = 0.0

  def _observation(self):
    observation = super()._observation()
    noise = np.random.normal()
    observation[1:], self.late = (noise, self.late), noise
    return observation


def _noisy(seed):
  return wrapper.ConstrainedEnvironment(
      seeded_noise.SeededNoise(_Noisy, seed, episodes_apart=True),
      [_CONSTRAINT])


def _start(seeded, episode, attempt=0):
  return seeded.begin(episode, attempt).reset().observation


class SeedingTest(parameterized.TestCase):

  def _seeded(self, make, role='environment', **changes):
    return seeding.SeededEnvironment(
        make, role, testing.small_config('', **changes))

  @parameterized.parameters(
      _pendulum, _cartpole, _unseedable, _noisy, testing.make_environment)
  def test_an_episode_does_not_depend_on_those_before(self, make):
    one, two = self._seeded(make), self._seeded(make)
    starts = [_start(one, episode) for episode in (1, 2, 3)]
    np.testing.assert_array_equal(starts[2], _start(two, 3))
    self.assertFalse(np.array_equal(starts[0], starts[1]))

  def test_roles_seeds_and_attempts_differ(self):
    make = testing.make_environment
    starts = [
        _start(self._seeded(make), 1), _start(self._seeded(make), 1, 1),
        _start(self._seeded(make, seed=1), 1),
        _start(self._seeded(make, 'evaluation'), 1)]
    self.assertLen({float(start[0]) for start in starts}, 4)

  def test_so_do_several_of_a_role(self):
    starts = [_start(seeding.SeededEnvironment(
        testing.make_environment, 'environment', testing.small_config(''),
        *numbers), 1) for numbers in ((), (0,), (1,), (0, 1))]
    self.assertLen({float(start[0]) for start in starts}, 4)


if __name__ == '__main__':
  absltest.main()
