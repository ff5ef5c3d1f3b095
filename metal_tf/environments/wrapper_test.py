"""Tests of the wrapper on a scripted environment, against values by hand."""

import collections
import math
import pickle
import types as python_types
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import dm_env
from dm_env import specs
import numpy as np

from metal_tf import environments
from metal_tf.environments import constraint
from metal_tf.environments import testing
from metal_tf.environments import wrapper

# isort: split
# After metal_tf, which says that no renderer is needed.
from dm_control.rl import control

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

  @parameterized.named_parameters(
      ('float32', np.float32), ('float64', np.float64))
  def test_actions_are_not_shared(self, dtype):
    environment = environments.ConstrainedEnvironment(
        _Scripted([_GOOD], action_spec=specs.BoundedArray(
            (2,), dtype, -1.0, 1.0)), [_constant(0)])
    environment.reset()
    action = np.array([0.5, -0.5], dtype)
    environment.step(action)
    environment.environment.actions[0][:] = 9.0
    np.testing.assert_array_equal(action, np.array([0.5, -0.5], dtype))

  def test_what_comes_back_is_not_shared(self):
    # An environment that reuses its arrays, and a constraint that writes.
    observation = np.array([1.0, 2.0], np.float32)
    reward = np.array(0.25)

    def write(step):
      step.observation[0] = 7.0
      return step.observation[0]

    environment = environments.ConstrainedEnvironment(
        _Scripted([(observation, reward, False)] * 2, first=observation,
                  observation_spec=specs.Array((2,), np.float32)),
        [environments.Constraint.of_time_step('written', write, 0.1)])
    first = environment.reset()
    second = environment.step(_ACTION)
    observation[:], reward[...] = -1.0, -1.0
    np.testing.assert_array_equal(first.observation, [1.0, 2.0])
    np.testing.assert_array_equal(second.observation, [1.0, 2.0])
    np.testing.assert_array_equal(second.penalty, [7.0])
    self.assertEqual(second.reward, 0.25)

  def test_actions_lie_within_the_environments_own_bounds(self):
    # float32 rounds 0.1 up and -0.3 down, out of these bounds.
    spec = specs.BoundedArray((2,), np.float64, [-0.3, -2.0], [1.0, 0.1])
    environment = environments.ConstrainedEnvironment(
        _Scripted([_GOOD, _GOOD], action_spec=spec), [_constant(0)])
    environment.reset()
    extreme = np.array([environment.spec.action_minimum[0],
                        environment.spec.action_maximum[1]])
    self.assertLess(float(extreme[0]), -0.3)
    self.assertGreater(float(extreme[1]), 0.1)
    environment.step(extreme)
    environment.step(np.array([-9.0, 9.0], np.float32))
    for action in environment.environment.actions:
      np.testing.assert_array_equal(action, [-0.3, 0.1])
      spec.validate(action)

  @parameterized.named_parameters(
      ('tuple', (specs.Array((2,), float), specs.Array((), float)),
       (np.array([1.0, 2.0]), 3.0), (('0', 2), ('1', 1))),
      ('within_a_dict', {'arm': [specs.Array((2,), float),
                                 {'hand': specs.Array((), float)}]},
       {'arm': [np.array([1.0, 2.0]), {'hand': 3.0}]},
       (('arm/0', 2), ('arm/1/hand', 1))))
  def test_tuples_of_observations(self, spec, first, entries):
    environment = environments.ConstrainedEnvironment(
        _Scripted(observation_spec=spec, first=first), [_constant(0)])
    np.testing.assert_array_equal(environment.reset().observation, [1, 2, 3])
    self.assertEqual(environment.spec.observation_entries, entries)

  @parameterized.named_parameters(
      ('bool', True, 1.0), ('numpys_bool', np.bool_(False), 0.0),
      ('credit', -0.5, -0.5), ('whole_number', 3, 3.0),
      ('array', np.array(0.5), 0.5))
  def test_kinds_of_penalties(self, value, expected):
    environment = _started([_GOOD], [_constant(value)])
    np.testing.assert_array_equal(environment.step(_ACTION).penalty, [expected])


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
      ('text', '3', "expected one number, got '3'"),
      ('vector', np.zeros(1), r'expected one number, got array\(\[0'))
  def test_reward_and_penalty(self, value, detail):
    self._check([_GOOD, (_observation(), value, False)],
                f'fake: bad reward at step 2 of the episode: {detail}')
    values = iter([0.0, value])
    self._check([_GOOD, _GOOD],
                f"bad penalty 'own' at step 2 of the episode: {detail}",
                [_constant(0), environments.Constraint.of_physics(
                    'own', lambda _: next(values), 0.1)])

  @parameterized.parameters(-0.1, 1.5)
  def test_discount(self, discount):
    environment = _started([_GOOD])
    environment.environment.step = lambda _: dm_env.transition(
        0.0, _observation(), discount)
    with self.assertRaisesRegex(
        environments.BadEnvironmentOutput, 'fake: bad discount at step 1 of '
        fr'the episode: expected a number in \[0, 1\], got {discount}'):
      environment.step(_ACTION)

  def test_restart_within_an_episode(self):
    environment = _started([_GOOD])
    environment.environment.step = lambda _: dm_env.restart(_observation())
    with self.assertRaisesRegex(
        environments.BadEnvironmentOutput, 'bad step type at step 1 .* expected'
        ' a mid or a last step, got a first one: the environment restarted'):
      environment.step(_ACTION)
    self.assertTrue(environment.step(_ACTION).first())

  def test_reset_that_starts_nothing(self):
    environment = _started([_GOOD])
    environment.environment.reset = lambda: dm_env.transition(
        0.0, _observation())
    with self.assertRaisesRegex(environments.BadEnvironmentOutput,
                                'expected a first step from reset'):
      environment.reset()

  def test_something_that_is_no_step(self):
    environment = _started([_GOOD])
    environment.environment.step = lambda _: (_observation(), 0.0, False, {})
    with self.assertRaisesRegex(environments.BadEnvironmentOutput,
                                'expected a dm_env.TimeStep, got tuple'):
      environment.step(_ACTION)

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

  def test_a_lost_connection_is_the_environments(self):
    environment = _started([_GOOD, ConnectionResetError('gone')])
    environment.step(_ACTION)
    with self.assertRaisesRegex(
        environments.BadEnvironmentOutput, 'fake: bad simulator at step 2 of '
        'the episode: it raised ConnectionResetError: gone') as caught:
      environment.step(_ACTION)
    self.assertIsInstance(caught.exception.__cause__, ConnectionResetError)
    environment.environment.close = mock.Mock(side_effect=BrokenPipeError)
    environment.close()
    self.assertTrue(environment.closed)

  def test_so_is_one_that_a_penalty_asks_for(self):
    def ask(step):
      raise TimeoutError('no answer')
    environment = wrapper.ConstrainedEnvironment(
        _started([_GOOD]).environment,
        [constraint.Constraint.of_time_step('asked', ask, 0.1)], name='fake')
    environment.reset()
    with self.assertRaisesRegex(environments.BadEnvironmentOutput,
                                'fake: bad simulator at step 1'):
      environment.step(_ACTION)

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


class SeedingTest(absltest.TestCase):

  def _with(self, **attributes):
    environment = _started([_GOOD])
    for name, value in attributes.items():
      setattr(environment.environment, name, value)
    return environment

  def test_methods_come_first(self):
    seeds = []
    self.assertTrue(self._with(reseed=seeds.append).reseed(5))
    self.assertTrue(self._with(reseed=None, seed=seeds.append).reseed(6))
    self.assertEqual(seeds, [5, 6])
    self.assertFalse(self._with().reseed(7))

  def test_a_method_that_is_not_implemented(self):
    def seed(_):
      raise NotImplementedError
    self.assertFalse(self._with(seed=seed).reseed(5))
    random = np.random.RandomState(0)
    self.assertTrue(self._with(seed=seed, random_state=random).reseed(5))

  def test_a_method_that_fails(self):
    def seed(_):
      raise KeyError('generator')
    with self.assertRaisesRegex(
        environments.BadEnvironmentOutput, r"fake: bad seeding .* seed\(5\) "
        "raised KeyError: 'generator'"):
      self._with(seed=seed).reseed(5)

  def test_a_generator_of_its_own(self):
    for names in (['random_state'], ['task', 'random']):
      random = np.random.RandomState(0)
      value = random
      for name in names[:0:-1]:
        value = python_types.SimpleNamespace(**{name: value})
      self.assertTrue(self._with(**{names[0]: value}).reseed(5))
      self.assertEqual(random.uniform(), np.random.RandomState(5).uniform())

  def test_composers_environments(self):
    environment = environments.ConstrainedEnvironment(
        testing.endless_pendulum(), [_constant(0)])
    starts = []
    for seed in (5, 5, 6):
      self.assertTrue(environment.reseed(seed))
      starts.append(environment.reset().observation[0])
    self.assertEqual(starts[0], starts[1])
    self.assertNotEqual(starts[0], starts[2])


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

  def test_budget(self):
    for threshold, arguments in (
        (0.025, dict(budget=25, per_steps=1000)), (0.0, dict(
            budget=0, per_steps=10))):
      for made in (
          environments.Constraint.of_physics('a', len, **arguments),
          environments.Constraint.of_time_step('a', len, **arguments),
          environments.Constraint.of_info('a', 'cost', **arguments)):
        self.assertEqual(made.threshold, threshold)

  @parameterized.parameters(
      (dict(threshold=0.1, budget=25, per_steps=1000), 'got both'),
      (dict(budget=25), 'per_steps must be a finite number > 0, got None'),
      (dict(per_steps=25), 'budget must be a finite number >= 0, got None'),
      (dict(budget=25, per_steps=0), 'per_steps must .* > 0, got 0'),
      (dict(budget=-1, per_steps=9), 'budget must .* >= 0, got -1'),
      (dict(), 'threshold must be a finite number >= 0, got None'))
  def test_budget_that_is_none(self, arguments, message):
    with self.assertRaisesRegex(ValueError, f'constraint a: .*{message}'):
      environments.Constraint.of_info('a', 'cost', **arguments)

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
       'finite action bounds'),
      ('none', specs.BoundedArray((0,), np.float32, -1, 1),
       'of at least one number'),
      ('beyond_float32', specs.BoundedArray((1,), np.float64, -1e39, 1),
       'bounds within float32'),
      ('several', {'left': specs.BoundedArray((1,), np.float32, -1, 1)},
       'put together into one vector'))
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
