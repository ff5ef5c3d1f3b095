"""Tests of the wrapper on a scripted environment, against values by hand."""

import collections
import math
import pickle
import types as python_types

from absl.testing import absltest
from absl.testing import parameterized
import dm_env
from dm_env import specs
import numpy as np

from metal_tf import environments
from metal_tf.environments import wrapper

# After metal_tf, which says that no renderer is needed.
from dm_control.rl import control  # pylint: disable=g-bad-import-order

_OBSERVATION_SPEC = collections.OrderedDict(
    position=specs.Array((2,), np.float64),
    arm=collections.OrderedDict(
        height=specs.Array((), np.float64),
        touch=specs.Array((1, 2), np.int32)))

# Position, height and touch of one observation.
_OBSERVATION = (1.0, 2.0, 3.0, 4, 5)


def _observation(numbers=_OBSERVATION):
  return collections.OrderedDict(
      position=np.array(numbers[:2]),
      arm=collections.OrderedDict(
          height=numbers[2], touch=np.array([numbers[3:]])))


class _Scripted(dm_env.Environment):
  """Plays back (observation, reward, last), or raises an exception.

  Attributes:
    physics: its `value` counts the steps since the reset.
    actions: all that arrived.
    resets: how many there were.
  """

  def __init__(self, script=(), observation_spec=_OBSERVATION_SPEC,
               first=None, action_spec=None):
    self._script = list(script)
    self._observation_spec = observation_spec
    self._first = _observation() if first is None else first
    self._action_spec = action_spec or specs.BoundedArray(
        (2,), np.float64, [-1.0, -2.0], 1.0)
    self.physics = python_types.SimpleNamespace(value=0)
    self.actions = []
    self.resets = 0

  def reset(self):
    self.resets += 1
    self.physics.value = 0
    return dm_env.restart(self._first)

  def step(self, action):
    self.actions.append(action)
    entry = self._script[self.physics.value]
    self.physics.value += 1
    if isinstance(entry, Exception):
      raise entry
    observation, reward, last = entry
    if last:
      return dm_env.truncation(reward, observation)
    return dm_env.transition(reward, observation, 0.5)

  def observation_spec(self):
    return self._observation_spec

  def action_spec(self):
    return self._action_spec


def _constant(value, name='limit', threshold=0.1):
  return environments.Constraint.of_physics(name, lambda _: value, threshold)


def _started(script, constraints=None, **kwargs):
  environment = environments.ConstrainedEnvironment(
      _Scripted(script), constraints or [_constant(False)], name='fake',
      **kwargs)
  environment.reset()
  return environment


_ACTION = np.zeros(2, np.float32)
_GOOD = (_observation(), 0.25, False)


class StepTest(parameterized.TestCase):

  def test_values_by_hand(self):
    environment = environments.ConstrainedEnvironment(
        _Scripted([(_observation((6.0, 7.0, 8.0, 9, 10)), 0.25, False),
                   (_observation(), np.float64(0.5), True)]),
        [environments.Constraint.of_physics(
            'late', lambda physics: physics.value > 1, 0.1),
         environments.Constraint.of_time_step(
             'cost', lambda step: 2.5 * step.observation['position'][0], 3)])
    time_step = environment.reset()
    self.assertTrue(time_step.first())
    np.testing.assert_array_equal(time_step.observation, _OBSERVATION)
    self.assertEqual(time_step.observation.dtype, np.float32)
    self.assertIsNone(time_step.penalty)
    self.assertIsNone(time_step.reward)
    time_step = environment.step(_ACTION)
    self.assertTrue(time_step.mid())
    np.testing.assert_array_equal(time_step.observation, [6, 7, 8, 9, 10])
    np.testing.assert_array_equal(time_step.penalty, [0.0, 15.0])
    self.assertEqual(time_step.penalty.dtype, np.float32)
    self.assertEqual((time_step.reward, time_step.discount), (0.25, 0.5))
    time_step = environment.step(_ACTION)
    self.assertTrue(time_step.last())
    np.testing.assert_array_equal(time_step.penalty, [1.0, 2.5])
    self.assertEqual((time_step.reward, time_step.discount), (0.5, 1.0))
    self.assertTrue(environment.step(_ACTION).first())

  def test_spec(self):
    environment = environments.ConstrainedEnvironment(
        _Scripted(), [_constant(0, 'a', 0.25), _constant(0, 'b', 2)],
        episode_steps=7)
    spec = environment.spec
    self.assertEqual(spec.observation_size, 5)
    np.testing.assert_array_equal(spec.action_minimum, [-1, -2])
    np.testing.assert_array_equal(spec.action_maximum, [1, 1])
    self.assertEqual(spec.action_minimum.dtype, np.float32)
    self.assertEqual(spec.constraint_names, ('a', 'b'))
    np.testing.assert_array_equal(spec.thresholds, [0.25, 2])
    self.assertEqual(spec.episode_steps, 7)

  def test_unknown_episode_length_is_zero(self):
    environment = environments.ConstrainedEnvironment(
        _Scripted(), [_constant(0)])
    self.assertEqual(environment.spec.episode_steps, 0)

  def test_penalties_in_observation(self):
    environment = environments.ConstrainedEnvironment(
        _Scripted([_GOOD]), [_constant(0.5, 'a'), _constant(True, 'b')],
        include_penalties_in_observation=True)
    self.assertEqual(environment.spec.observation_size, 7)
    self.assertEqual(
        environment.spec.observation_entries,
        (('position', 2), ('arm/height', 1), ('arm/touch', 2),
         ('penalty', 2)))
    np.testing.assert_array_equal(environment.reset().observation[5:], [0, 0])
    np.testing.assert_array_equal(
        environment.step(_ACTION).observation, _OBSERVATION + (0.5, 1.0))

  def test_observation_keys_select_and_order(self):
    environment = environments.ConstrainedEnvironment(
        _Scripted(), [_constant(0)], observation_keys=['arm', 'position'])
    np.testing.assert_array_equal(environment.reset().observation,
                                  [3, 4, 5, 1, 2])
    self.assertEqual(environment.spec.observation_entries,
                     (('arm/height', 1), ('arm/touch', 2), ('position', 2)))

  def test_array_observation(self):
    environment = environments.ConstrainedEnvironment(
        _Scripted(observation_spec=specs.Array((2, 2), np.float32),
                  first=np.arange(4.0).reshape(2, 2)), [_constant(0)])
    np.testing.assert_array_equal(environment.reset().observation,
                                  [0, 1, 2, 3])
    self.assertEqual(environment.spec.observation_entries,
                     (('observation', 4),))

  def test_large_finite_observation(self):
    first = np.full(4, 3e38)
    environment = environments.ConstrainedEnvironment(
        _Scripted(observation_spec=specs.Array((4,), np.float64), first=first),
        [_constant(0)])
    np.testing.assert_array_equal(environment.reset().observation,
                                  first.astype(np.float32))

  def test_action_arrives_in_the_dtype_of_the_spec(self):
    environment = _started([_GOOD])
    environment.step(np.array([0.1, -0.3], np.float32))
    [action] = environment.environment.actions
    self.assertEqual(action.dtype, np.float64)
    np.testing.assert_array_equal(action, np.array([0.1, -0.3], np.float32))

  def test_action_of_wrong_shape(self):
    environment = _started([_GOOD])
    with self.assertRaisesRegex(
        ValueError, r'fake: expected an action of shape \(2,\), got \(3,\)'):
      environment.step(np.zeros(3))

  def test_restart_by_the_wrapped_environment(self):
    scripted = _Scripted([_GOOD])
    environment = environments.ConstrainedEnvironment(
        scripted, [_constant(0)])
    environment.reset()
    scripted.step = lambda _: scripted.reset()
    time_step = environment.step(_ACTION)
    self.assertTrue(time_step.first())
    self.assertIsNone(time_step.penalty)


class BadOutputTest(parameterized.TestCase):

  @parameterized.named_parameters(
      ('nan', (1.0, math.nan, 3.0, 4, 5),
       r"fake: bad observation 'position' at step 2 of the episode: expected "
       r'finite float32 numbers, got nan at element 1'),
      ('inf', (1.0, 2.0, math.inf, 4, 5),
       r"bad observation 'arm/height' at step 2 .* got inf at element 0"),
      ('too_large_for_float32', (1e39, 2.0, 3.0, 4, 5),
       r"bad observation 'position' at step 2 .* got inf at element 0"))
  def test_number_in_observation(self, numbers, message):
    with np.errstate(over='ignore'):
      self._check([_GOOD, (_observation(numbers), 0.0, False)], message)

  def test_shape_of_observation(self):
    observation = _observation()
    observation['position'] = np.zeros(3)
    self._check([_GOOD, (observation, 0.0, False)],
                r"bad observation 'position' at step 2 .* expected shape "
                r'\(2,\), got \(3,\)')

  def test_entry_missing_in_observation(self):
    observation = _observation()
    del observation['arm']['height']
    self._check([_GOOD, (observation, 0.0, False)],
                r"bad observation 'arm/height' at step 2 .* expected an entry "
                r'of shape \(\), got none')

  @parameterized.named_parameters(
      ('nan', math.nan, 'expected a finite float32 number, got nan'),
      ('inf', -np.inf, 'expected a finite float32 number, got -inf'),
      ('large', 1e39, 'expected a finite float32 number, got 1e'),
      ('none', None, 'expected one number, got None'),
      ('vector', np.zeros(1), r'expected one number, got array\(\[0'))
  def test_reward_and_penalty(self, value, detail):
    self._check([_GOOD, (_observation(), value, False)],
                f'fake: bad reward at step 2 of the episode: {detail}')
    values = iter([0.0, value])
    self._check([_GOOD, _GOOD],
                f"bad penalty 'own' at step 2 of the episode: {detail}",
                [_constant(0), environments.Constraint.of_physics(
                    'own', lambda _: next(values), 0.1)])

  def test_first_observation(self):
    environment = environments.ConstrainedEnvironment(
        _Scripted(first=_observation((math.nan, 0.0, 0.0, 0, 0))),
        [_constant(0)])
    with self.assertRaisesRegex(environments.BadEnvironmentOutput,
                                "_Scripted: bad observation 'position' at step "
                                '0'):
      environment.reset()

  def _check(self, script, message, constraints=None):
    environment = _started(script, constraints)
    environment.step(_ACTION)
    with self.assertRaisesRegex(environments.BadEnvironmentOutput, message):
      environment.step(_ACTION)
    # The next step starts an episode.
    self.assertTrue(environment.step(_ACTION).first())


class EpisodeCutTest(absltest.TestCase):

  def test_physics_error_in_a_step(self):
    environment = _started([_GOOD, control.PhysicsError('state is divergent')])
    environment.step(_ACTION)
    with self.assertRaisesRegex(
        environments.EpisodeCut, 'fake: the simulator gave up at step 2 of the '
        'episode: state is divergent') as caught:
      environment.step(_ACTION)
    self.assertIsInstance(caught.exception.__cause__, control.PhysicsError)
    self.assertTrue(environment.step(_ACTION).first())
    self.assertEqual(environment.environment.resets, 2)

  def test_physics_error_in_a_reset(self):
    environment = _started([])
    def fail():
      raise control.PhysicsError('no')
    environment.environment.reset = fail
    with self.assertRaisesRegex(environments.EpisodeCut, 'step 0'):
      environment.reset()

  def test_other_errors_pass_unchanged(self):
    error = RuntimeError('something else')
    environment = _started([error])
    with self.assertRaisesRegex(RuntimeError, 'something else') as caught:
      environment.step(_ACTION)
    self.assertIs(caught.exception, error)

  def test_real_simulator(self):
    environment = environments.make(
        'cartpole', safety_coeff=0.3, constraints=[('slider_pos', 0.1)],
        seed=0, suite='builtin')
    environment.reset()
    environment.environment.physics.data.qvel[:] = 1e12
    with self.assertRaisesRegex(
        environments.EpisodeCut, 'cartpole/realworld_swingup: .* step 1 '):
      environment.step(np.zeros(1))
    self.assertTrue(environment.step(np.zeros(1)).first())
    self.assertTrue(environment.step(np.zeros(1)).mid())

  def test_errors_survive_pickling(self):
    for error in (environments.EpisodeCut('fake', 3, 'reason'),
                  environments.BadEnvironmentOutput('fake', 'reward', 3, 'x')):
      copy = pickle.loads(pickle.dumps(error))
      self.assertEqual(str(copy), str(error))
      self.assertEqual(copy.step, 3)


class RefusalTest(parameterized.TestCase):

  @parameterized.named_parameters(
      ('none', [], 'at least one constraint, got none'),
      ('repeated', [_constant(0, 'a'), _constant(0, 'b'), _constant(1, 'a')],
       'names must differ, repeated: a'))
  def test_constraints(self, constraints, message):
    with self.assertRaisesRegex(ValueError, message):
      environments.ConstrainedEnvironment(_Scripted(), constraints)

  def test_no_physics(self):
    scripted = _Scripted()
    del scripted.physics
    with self.assertRaisesRegex(
        ValueError, 'constraint limit is a function of the physics, but '
        '_Scripted has no `physics`; use Constraint.of_time_step'):
      environments.ConstrainedEnvironment(scripted, [_constant(0)])

  @parameterized.parameters(-0.1, math.nan, math.inf, None, 'much')
  def test_threshold(self, threshold):
    with self.assertRaisesRegex(
        ValueError, 'constraint limit: threshold must be a finite number >= 0, '
        f'got {threshold!r}'):
      _constant(0, threshold=threshold)

  @parameterized.parameters('', '1st', 'a:b', 'a,b', 'a b', None)
  def test_name(self, name):
    with self.assertRaisesRegex(ValueError, 'a constraint name must start'):
      _constant(0, name=name)

  def test_function(self):
    with self.assertRaisesRegex(
        ValueError, 'constraint a: expected a function of the physics'):
      environments.Constraint.of_physics('a', 0.5, 0.1)

  @parameterized.named_parameters(
      ('unbounded', specs.Array((2,), np.float32), 'bounded 1-d float action'),
      ('integer', specs.DiscreteArray(3), 'bounded 1-d float action'),
      ('matrix', specs.BoundedArray((2, 2), np.float32, -1, 1),
       'bounded 1-d float action'),
      ('infinite', specs.BoundedArray((2,), np.float32, -1, np.inf),
       'finite action bounds'))
  def test_action(self, action_spec, message):
    with self.assertRaisesRegex(ValueError, message):
      environments.ConstrainedEnvironment(
          _Scripted(action_spec=action_spec), [_constant(0)])

  @parameterized.named_parameters(
      ('unknown', ['position', 'speed'], r"unknown observation_keys \['speed'\]"
       r", the environment has \['position', 'arm'\]"),
      ('repeated', ['position', 'position'], 'repeat a key'),
      ('empty', [], 'the observation is empty'))
  def test_observation_keys(self, keys, message):
    with self.assertRaisesRegex(ValueError, message):
      environments.ConstrainedEnvironment(_Scripted(), [_constant(0)],
                                          observation_keys=keys)

  def test_observation_that_is_no_number(self):
    spec = {'text': specs.Array((), np.dtype('<U3'))}
    with self.assertRaisesRegex(ValueError, "'text' must be numeric"):
      environments.ConstrainedEnvironment(
          _Scripted(observation_spec=spec), [_constant(0)])


class TimeStepTest(absltest.TestCase):

  def test_step_types(self):
    for step_type in dm_env.StepType:
      time_step = wrapper.TimeStep(step_type, None, None, np.zeros(1), None)
      self.assertEqual(
          (time_step.first(), time_step.mid(), time_step.last()),
          tuple(step_type == other for other in dm_env.StepType))


if __name__ == '__main__':
  absltest.main()
