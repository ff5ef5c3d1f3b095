"""Tests of environments that come in other forms: Gymnasium above all."""

import importlib.util

from absl.testing import absltest
from absl.testing import parameterized
import dm_env
from dm_env import specs
import gymnasium
from gymnasium import spaces
import numpy as np

from metal_tf import environments
from metal_tf.environments import contract

_STEPS = 12
_COST = environments.Constraint.of_info('energy', 'cost', threshold=0.3)


class Cart(gymnasium.Env):
  """Built like Safety-Gymnasium's tasks: a cost in `info`, a reused buffer.

  The cart is pushed along a line; the cost of a step is the push squared. It
  falls off at +-2.5, and the time is over after so many steps.

  Attributes:
    seeds: what resets were given.
    closed: whether it was closed.
  """

  observation_space = spaces.Dict({
      'place': spaces.Box(-np.inf, np.inf, (2,), np.float64),
      'sensors': spaces.Dict({
          'wall': spaces.Box(0, 255, (1, 2), np.uint8)})})
  action_space = spaces.Box(-1.0, 1.0, (1,), np.float32)
  metadata = {'render_modes': ['rgb_array'], 'render_fps': 25}

  def __init__(self, steps=_STEPS, render_mode=None):
    self._steps = steps
    self.render_mode = render_mode
    self.seeds = []
    self.closed = False
    self._place = np.zeros(2)
    self._info = {}

  def reset(self, *, seed=None, options=None):
    super().reset(seed=seed)
    self.seeds.append(seed)
    self._t = 0
    self._place[:] = self.np_random.uniform(-0.1, 0.1), 0.0
    return self._observation(), {}

  def step(self, action):
    self._t += 1
    self._place[1] = action[0]
    self._place[0] += action[0]
    self._info['cost'] = float(action[0])**2
    action[0] = np.nan  # What it does to the array is its own business.
    return (self._observation(), 1.0 - abs(self._place[0]),
            bool(abs(self._place[0]) > 2.5), self._t >= self._steps, self._info)

  def render(self):
    return np.full((48, 64, 3), 20 * self._t, np.uint8)

  def close(self):
    self.closed = True

  def _observation(self):
    return {'place': self._place,
            'sensors': {'wall': np.array([[1, 2]], np.uint8)}}


class SixValues(Cart):
  """As Safety-Gymnasium's own `step` has it."""

  def step(self, action):
    *others, info = super().step(action)
    return (*others[:2], info['cost'], *others[2:], {})


def _cart(**kwargs):
  return environments.from_gymnasium(Cart(**kwargs), [_COST])


def _push(*values):
  return np.array(values, np.float32)


class CartContractTest(contract.ConstrainedEnvironmentTestMixin,
                       absltest.TestCase):

  def make_environment(self):
    environment = _cart()
    environment.reseed(1)
    return environment


class PendulumContractTest(contract.ConstrainedEnvironmentTestMixin,
                           absltest.TestCase):

  def make_environment(self):
    environment = environments.from_gymnasium(
        gymnasium.make('Pendulum-v1'), [environments.Constraint.of_time_step(
            'fast', lambda step: abs(step.observation[2]) > 4.0, 0.2)])
    environment.reseed(1)
    return environment


class FromGymnasiumTest(parameterized.TestCase):

  def test_values_by_hand(self):
    environment = _cart()
    environment.reseed(3)
    first = environment.reset()
    self.assertEqual(environment.environment.gymnasium.seeds, [3])
    self.assertEqual(environment.spec.observation_entries,
                     (('place', 2), ('sensors/wall', 2)))
    np.testing.assert_array_equal(first.observation[1:], [0, 1, 2])
    step = environment.step(_push(0.5))
    np.testing.assert_array_equal(step.penalty, [0.25])
    np.testing.assert_allclose(step.observation,
                               [first.observation[0] + 0.5, 0.5, 1, 2])
    self.assertEqual(step.discount, 1.0)
    self.assertAlmostEqual(step.reward, 1.0 - abs(step.observation[0]), 6)
    environment.reset()  # No new seed: the generator goes on.
    self.assertEqual(environment.environment.gymnasium.seeds, [3, None])

  @parameterized.named_parameters(
      ('goes_on', 0.0, 5, 2, dm_env.StepType.MID, 1.0),
      ('time_is_over', 0.0, 2, 2, dm_env.StepType.LAST, 1.0),
      ('fallen', 1.0, 5, 3, dm_env.StepType.LAST, 0.0),
      ('both_at_once', 1.0, 3, 3, dm_env.StepType.LAST, 0.0))
  def test_ends(self, push, limit, steps, step_type, discount):
    environment = _cart(steps=limit)
    environment.reset()
    for _ in range(steps):
      step = environment.step(_push(push))
    self.assertEqual((step.step_type, step.discount), (step_type, discount))

  def test_arrays_stay_on_their_side(self):
    environment = _cart()
    first = environment.reset()
    before = first.observation.copy()
    action = _push(0.5)
    second = environment.step(action)
    environment.step(action)
    np.testing.assert_array_equal(action, [0.5])
    np.testing.assert_array_equal(first.observation, before)
    self.assertEqual(second.penalty, [0.25])

  def test_six_values(self):
    environment = environments.from_gymnasium(SixValues(), [_COST])
    environment.reset()
    np.testing.assert_array_equal(environment.step(_push(0.5)).penalty, [0.25])

  def test_a_cost_that_is_missing_is_named(self):
    environment = environments.from_gymnasium(Cart(), [
        environments.Constraint.of_info('energy', 'costs', threshold=0.3)])
    environment.reset()  # Nothing is read here.
    with self.assertRaisesRegex(
        environments.BadEnvironmentOutput, "Cart: bad penalty 'energy' at step "
        r"1 of the episode: expected info\['costs'\], but info has 'cost'"):
      environment.step(_push(0.0))

  def test_a_registered_one_says_its_name_and_length(self):
    environment = environments.from_gymnasium(
        gymnasium.make('Pendulum-v1'), [environments.Constraint.of_time_step(
            'up', lambda step: step.observation[0] > 0, 0.5)])
    self.assertEqual(environment.spec.name, 'Pendulum-v1')
    self.assertEqual(environment.spec.episode_steps, 200)
    self.assertEqual(_cart().spec.name, 'Cart')
    self.assertEqual(_cart().spec.episode_steps, 0)

  @parameterized.named_parameters(
      ('discrete', spaces.Discrete(3), 'no discrete actions: use a continuous'),
      ('several_discrete', spaces.MultiDiscrete([2, 3]), 'no discrete'),
      ('dict', spaces.Dict({'a': spaces.Box(0, 1)}), 'one vector with'),
      ('infinite', spaces.Box(-np.inf, 1., (2,)), r'finite bounds .*Box\(low'),
      ('matrix', spaces.Box(0, 1, (2, 2)), 'a vector of floats'),
      ('whole_numbers', spaces.Box(0, 5, (2,), np.int32), 'a vector of floats'),
      ('none', spaces.Box(0, 1, (0,)), 'at least one number'))
  def test_refuses_actions(self, space, message):
    cart = Cart()
    cart.action_space = space
    with self.assertRaisesRegex(ValueError, f'Cart: expected .*{message}'):
      environments.from_gymnasium(cart, [_COST])

  def test_refuses_observations(self):
    cart = Cart()
    cart.observation_space = spaces.Dict({
        'inner': spaces.Dict({'gear': spaces.Discrete(5)})})
    with self.assertRaisesRegex(
        ValueError, r"observation 'inner/gear', got Discrete\(5\); .*"
        'FlattenObservation'):
      environments.from_gymnasium(cart, [_COST])

  @parameterized.named_parameters(
      ('reset', 'reset', lambda **_: np.zeros(2),
       r'bad reset at step 0 .* \(observation, info\), .* got ndarray'),
      ('step', 'step', lambda _: (np.zeros(2), 0.0, False, {}),
       'bad step at step 1 .* truncated, info.* got tuple of 4'))
  def test_the_interface_of_before_026_is_refused(self, name, method, message):
    environment = _cart()
    environment.reset()
    setattr(environment.environment.gymnasium, name, method)
    with self.assertRaisesRegex(environments.BadEnvironmentOutput, message):
      environment.step(_push(0.0)) if name == 'step' else environment.reset()

  def test_closing_closes(self):
    environment = _cart()
    environment.close()
    self.assertTrue(environment.environment.gymnasium.closed)


class _Point(dm_env.Environment):
  """The least that dm_env asks for."""

  def reset(self):
    return dm_env.restart(np.zeros(1))

  def step(self, action):
    return dm_env.transition(0.0, np.zeros(1))

  def observation_spec(self):
    return specs.Array((1,), np.float64)

  def action_spec(self):
    return specs.BoundedArray((1,), np.float64, -1.0, 1.0)


class AdaptTest(parameterized.TestCase):

  def test_one_that_is_ready_stays(self):
    environment = _cart()
    self.assertIs(environments.adapt(environment), environment)

  def test_pairs(self):
    limit = environments.Constraint.of_time_step('limit', lambda _: False, 0.1)
    for environment, name in ((_Point(), '_Point'), (Cart(), 'Cart')):
      adapted = environments.adapt((environment, [limit]))
      self.assertEqual(adapted.spec.name, name)
      self.assertEqual(adapted.spec.constraint_names, ('limit',))
      self.assertEqual(
          environments.adapt((environment, [limit]), name='mine').spec.name,
          'mine')

  @parameterized.named_parameters(
      ('nothing', None, r'got NoneType$'),
      ('dm_env_alone', _Point(), 'got _Point without constraints'),
      ('gymnasium_alone', Cart(), 'got Cart without constraints'),
      ('three', (1, 2, 3), 'got tuple$'),
      ('no_environment', ('cart', [_COST]), 'str is no dm_env environment: it '
       'has no reset'),
      ('no_list', (Cart(), _COST), 'expected a list of Constraints, got Const'),
      ('not_constraints', (Cart(), ['cost']), 'expected a list of Constraints'),
      ('no_info', (_Point(), [_COST]), 'constraint energy is a function of the '
       'info, but _Point has no `info`; .* from_gymnasium'))
  def test_refuses(self, made, message):
    with self.assertRaisesRegex(ValueError, message):
      environments.adapt(made)

  def test_a_wrapper_on_its_own_names_the_way(self):
    with self.assertRaisesRegex(ValueError, 'no observation_spec.*; a '
                                'Gymnasium one goes through from_gymnasium'):
      environments.ConstrainedEnvironment(Cart(), [_COST])


class SafetyGymnasiumTest(absltest.TestCase):
  """The recipe of docs/own_environments.md, where that package is there."""

  def test_the_recipe(self):
    if importlib.util.find_spec('safety_gymnasium') is None:
      reason = ('safety_gymnasium is not installed here; Cart and SixValues '
                'above stand in for it')
      print(reason)
      self.skipTest(reason)
    import safety_gymnasium
    environment = environments.from_gymnasium(
        safety_gymnasium.make('SafetyPointGoal1-v0'), [
            environments.Constraint.of_info(
                'hazards', 'cost', budget=25, per_steps=1000)])
    self.assertAlmostEqual(environment.spec.thresholds[0], 0.025)
    environment.reseed(0)
    step = environment.reset()
    for _ in range(5):
      step = environment.step(np.zeros(environment.spec.action_size))
    self.assertEqual(step.penalty.shape, (1,))
    environment.close()


if __name__ == '__main__':
  absltest.main()
