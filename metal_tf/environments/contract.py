"""The contract of a constrained environment, as tests for your own one.

  class MyTaskTest(contract.ConstrainedEnvironmentTestMixin, absltest.TestCase):

    def make_environment(self):
      return ConstrainedEnvironment(my_task(seed=1), [my_constraint])
"""

import dm_env
import numpy as np

from metal_tf.environments import wrapper


class ConstrainedEnvironmentTestMixin:
  """Tests that hold for every environment which metal_tf can train on.

  Mix it into an `absltest.TestCase` and define `make_environment`.

  Attributes:
    num_steps: steps that most tests make.
    max_episode_steps: within so many steps an episode must have ended.
    penalty_range: smallest and largest penalty of a step that is right.
  """
  num_steps = 20
  max_episode_steps = 1000
  penalty_range = (0.0, 1.0)

  def make_environment(self) -> wrapper.ConstrainedEnvironment:
    """Returns a new environment with the same fixed seed each time."""
    raise NotImplementedError

  def make_action(self, environment: wrapper.ConstrainedEnvironment,
                  random: np.random.RandomState) -> np.ndarray:
    """Returns an action, float32 `[A]`; uniform within the bounds."""
    spec = environment.spec
    return random.uniform(spec.action_minimum, spec.action_maximum).astype(
        np.float32)

  def test_spec_is_consistent(self):
    environment = self.make_environment()
    spec = environment.spec
    self.assertGreater(spec.observation_size, 0)
    self.assertGreater(spec.action_size, 0)
    self.assertEqual(environment.observation_spec().shape,
                     (spec.observation_size,))
    self.assertEqual(environment.action_spec().shape, (spec.action_size,))
    self.assertEqual(environment.penalty_spec().shape, (spec.num_constraints,))
    for bound in (spec.action_minimum, spec.action_maximum):
      self.assertEqual(bound.dtype, np.float32)
      self.assertEqual(bound.shape, (spec.action_size,))
    self.assertTrue((spec.action_minimum < spec.action_maximum).all())

  def test_thresholds_stand_beside_names(self):
    environment = self.make_environment()
    spec = environment.spec
    self.assertGreaterEqual(spec.num_constraints, 1)
    self.assertLen(set(spec.constraint_names), spec.num_constraints)
    self.assertEqual(spec.thresholds.dtype, np.float64)
    self.assertEqual(spec.thresholds.shape, (spec.num_constraints,))
    self.assertEqual(
        [(c.name, c.threshold) for c in environment.constraints],
        list(zip(spec.constraint_names, spec.thresholds)))

  def test_first_step(self):
    environment = self.make_environment()
    # The first call may be either, as in dm_env.
    for time_step in (environment.step(self._action(environment)),
                      environment.reset()):
      self.assertTrue(time_step.first())
      self.assertIsNone(time_step.reward)
      self.assertIsNone(time_step.discount)
      self.assertIsNone(time_step.penalty)
      self._check_observation(environment, time_step)

  def test_steps(self):
    environment = self.make_environment()
    for time_step in self._run(environment, self.num_steps):
      self._check_observation(environment, time_step)
      if not time_step.first():
        self._check_transition(environment, time_step)

  def test_arrays_are_fresh(self):
    kept = []
    for time_step in self._run(self.make_environment(), self.num_steps):
      for array in (time_step.observation, time_step.penalty):
        if array is not None:
          kept.append((array, array.copy()))
    for index, (array, copy) in enumerate(kept):
      np.testing.assert_array_equal(array, copy)
      for other, _ in kept[:index]:
        self.assertFalse(np.shares_memory(array, other))

  def test_same_seed_gives_same_episode(self):
    runs = [self._run(self.make_environment(), self.num_steps)
            for _ in range(2)]
    for one, other in zip(*runs):
      self.assertEqual(one.step_type, other.step_type)
      self.assertEqual(one.reward, other.reward)
      self.assertEqual(one.discount, other.discount)
      np.testing.assert_array_equal(one.observation, other.observation)
      if not one.first():
        np.testing.assert_array_equal(one.penalty, other.penalty)

  def test_reseeding_repeats_an_episode(self):
    environment = self.make_environment()
    if not environment.reseed(5):
      self.skipTest('this environment cannot be seeded, only made anew')
    one = self._run(environment, self.num_steps)
    self._run(environment, 3)
    environment.reseed(5)
    for before, after in zip(one, self._run(environment, self.num_steps)):
      np.testing.assert_array_equal(before.observation, after.observation)
      self.assertEqual(before.reward, after.reward)

  def test_whole_episode(self):
    environment = self.make_environment()
    random = np.random.RandomState(1)
    penalties = []
    time_step = environment.reset()
    while not time_step.last():
      self.assertLess(len(penalties), self.max_episode_steps,
                      'the episode did not end')
      time_step = environment.step(self.make_action(environment, random))
      self._check_transition(environment, time_step)
      penalties.append(time_step.penalty)
      self.assertFalse(time_step.first())
    if environment.spec.episode_steps and time_step.discount == 1.0:
      # No step but the time limit ends an episode with a discount of 1.
      self.assertLen(penalties, environment.spec.episode_steps)
    episode_penalty = np.mean(penalties, axis=0)
    self.assertEqual(episode_penalty.shape, environment.spec.thresholds.shape)
    self.assertTrue((episode_penalty >= self.penalty_range[0]).all())
    self.assertTrue((episode_penalty <= self.penalty_range[1]).all())
    self.assertTrue(environment.step(self._action(environment)).first(),
                    'a step after the last one must start a new episode')

  def _run(self, environment, num_steps):
    random = np.random.RandomState(0)
    time_steps = [environment.reset()]
    while len(time_steps) <= num_steps:
      time_steps.append(
          environment.step(self.make_action(environment, random)))
    return time_steps

  def _action(self, environment):
    return self.make_action(environment, np.random.RandomState(0))

  def _check_observation(self, environment, time_step):
    observation = time_step.observation
    self.assertIsInstance(observation, np.ndarray)
    self.assertEqual(observation.dtype, np.float32)
    self.assertEqual(observation.shape, (environment.spec.observation_size,))
    self.assertTrue(np.isfinite(observation).all())

  def _check_transition(self, environment, time_step):
    self.assertIn(time_step.step_type,
                  (dm_env.StepType.MID, dm_env.StepType.LAST))
    self.assertIsInstance(time_step.reward, float)
    self.assertTrue(np.isfinite(time_step.reward))
    self.assertIsInstance(time_step.discount, float)
    self.assertBetween(time_step.discount, 0.0, 1.0)
    penalty = time_step.penalty
    self.assertIsInstance(penalty, np.ndarray)
    self.assertEqual(penalty.dtype, np.float32)
    self.assertEqual(penalty.shape, (environment.spec.num_constraints,))
    self.assertTrue((penalty >= self.penalty_range[0]).all(), penalty)
    self.assertTrue((penalty <= self.penalty_range[1]).all(), penalty)
