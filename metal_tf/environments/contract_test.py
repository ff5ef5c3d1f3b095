"""The contract, for the paper's tasks and for a task of a user's own."""

import itertools
import unittest

from absl.testing import absltest
from absl.testing import parameterized
import dm_env
import numpy as np

from metal_tf import environments
from metal_tf.environments import contract
from metal_tf.environments import tasks

# isort: split
# After metal_tf, which says that no renderer is needed.
from dm_control import suite


class _PaperTaskTest(contract.ConstrainedEnvironmentTestMixin):
  domain = None

  def make_environment(self):
    names = tasks.TASKS[self.domain].constraint_names
    return environments.make(
        self.domain, safety_coeff=0.2, seed=3, suite='builtin',
        constraints=[(name, 0.1 * k) for k, name in enumerate(names)])


class CartpoleTest(_PaperTaskTest, absltest.TestCase):
  domain = 'cartpole'


class WalkerTest(_PaperTaskTest, absltest.TestCase):
  domain = 'walker'


class QuadrupedTest(_PaperTaskTest, absltest.TestCase):
  domain = 'quadruped'


class HumanoidTest(_PaperTaskTest, absltest.TestCase):
  domain = 'humanoid'


class PenaltiesInObservationTest(contract.ConstrainedEnvironmentTestMixin,
                                 absltest.TestCase):

  def make_environment(self):
    return environments.make(
        'cartpole', safety_coeff=0.05, seed=3, suite='builtin',
        constraints=[('slider_pos', 0.1)],
        include_penalties_in_observation=True)


class UserTaskTest(contract.ConstrainedEnvironmentTestMixin,
                   absltest.TestCase):
  """The README's example."""

  def make_environment(self):
    slow = environments.Constraint.of_physics(
        'slow', lambda physics: abs(physics.angular_velocity()[0]) > 2.0,
        threshold=0.1, description='pole at most 2 rad/s')
    task = suite.load('pendulum', 'swingup', task_kwargs={'random': 1})
    return environments.ConstrainedEnvironment(task, [slow])

  def test_penalty_follows_the_velocity(self):
    environment = self.make_environment()
    environment.reset()
    penalties = set()
    for _ in range(100):
      time_step = environment.step(np.ones(1, np.float32))
      velocity = environment.environment.physics.angular_velocity()[0]
      self.assertEqual(time_step.penalty[0], float(abs(velocity) > 2.0))
      penalties.add(float(time_step.penalty[0]))
    self.assertEqual(penalties, {0.0, 1.0})


def _pendulum(wrapper=environments.ConstrainedEnvironment, seed=1):
  constraint = environments.Constraint.of_physics(
      'slow', lambda physics: abs(physics.angular_velocity()[0]) > 2.0, 0.1)
  return wrapper(
      suite.load('pendulum', 'swingup', task_kwargs={'random': seed}),
      [constraint])


class _SharedArray(environments.ConstrainedEnvironment):
  """Returns one observation array again and again."""

  _shared = np.zeros(3, np.float32)

  def step(self, action):
    time_step = super().step(action)
    self._shared[:] = time_step.observation
    return time_step._replace(observation=self._shared)


class _PenaltyAtReset(environments.ConstrainedEnvironment):

  def reset(self):
    return super().reset()._replace(penalty=np.zeros(1, np.float32))


class _DoublePenalty(environments.ConstrainedEnvironment):

  def step(self, action):
    time_step = super().step(action)
    if time_step.first():
      return time_step
    return time_step._replace(penalty=time_step.penalty.astype(np.float64))


class _ShortEpisode(environments.ConstrainedEnvironment):
  """Says 1000 steps and ends after ten."""

  def step(self, action):
    time_step = super().step(action)
    if not time_step.first() and self._step == 10:
      self._reset_next_step = True
      return time_step._replace(step_type=dm_env.StepType.LAST)
    return time_step


class MixinCatchesTest(parameterized.TestCase):
  """The mixin fails, and in the right place, where the contract is broken."""

  @parameterized.named_parameters(
      ('shared_array', _SharedArray, 'test_arrays_are_fresh'),
      ('penalty_at_reset', _PenaltyAtReset, 'test_first_step'),
      ('double_penalty', _DoublePenalty, 'test_steps'),
      ('short_episode', _ShortEpisode, 'test_whole_episode'))
  def test_broken(self, wrapper, expected):
    self.assertIn(expected, _failures(lambda: _pendulum(wrapper)))

  def test_other_seeds(self):
    seeds = itertools.count()
    self.assertEqual(_failures(lambda: _pendulum(seed=next(seeds))),
                     {'test_same_seed_gives_same_episode'})

  def test_sound(self):
    self.assertEqual(_failures(_pendulum), set())


def _failures(make_environment):
  """Names of the mixin's tests that fail for an environment."""

  class Contract(contract.ConstrainedEnvironmentTestMixin, absltest.TestCase):

    def make_environment(self):
      return make_environment()

  result = unittest.TestResult()
  unittest.defaultTestLoader.loadTestsFromTestCase(Contract).run(result)
  assert result.testsRun >= 7 and not result.errors, result.errors
  return {test.id().split('.')[-1] for test, _ in result.failures}


if __name__ == '__main__':
  absltest.main()
