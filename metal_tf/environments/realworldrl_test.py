"""The adapter to the real suite; most runs only where that is installed."""

import collections
import copy
import importlib.machinery
import importlib.util
import json
import sys
import types
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from metal_tf import environments
from metal_tf.environments import builtin
from metal_tf.environments import contract
from metal_tf.environments import tasks

_INSTALLED = importlib.util.find_spec('realworldrl_suite') is not None
_REASON = ('realworldrl_suite is not installed: only its replacement, the '
           'builtin suite, is tested on this machine')
if not _INSTALLED:
  print(f'SKIPPED: {_REASON}', flush=True)


def _make(safety_coeff=0.3, domain='cartpole', **kwargs):
  names = tasks.TASKS[domain].constraint_names
  return environments.make(
      domain, safety_coeff=safety_coeff, seed=3, suite='realworldrl',
      constraints=[(name, 0.1) for name in names], **kwargs)


@absltest.skipUnless(_INSTALLED, _REASON)
class ContractTest(contract.ConstrainedEnvironmentTestMixin,
                   absltest.TestCase):

  def make_environment(self):
    return _make()


@absltest.skipUnless(_INSTALLED, _REASON)
class RealworldrlTest(absltest.TestCase):

  def test_auto_takes_it(self):
    self.assertEqual(environments.resolve_suite('auto'), 'realworldrl')
    self.assertRegex(_make().suite,
                     r'^realworldrl \(realworldrl_suite '
                     r'([0-9a-f]{40}|of unknown commit)\)$')

  def test_agrees_with_the_registry(self):
    for domain, info in tasks.TASKS.items():
      spec = _make(domain=domain).spec
      self.assertEqual(spec.observation_size, info.observation_size, domain)
      self.assertEqual(spec.action_size, info.action_size, domain)
      self.assertEqual(spec.episode_steps, info.episode_steps, domain)

  def test_coefficients_do_not_mix(self):
    """The suite writes limits into its caller's dict, which must be fresh."""
    penalties = []
    for environment in [_make(0.3), _make(0.05)]:
      environment.reset()
      environment.environment.physics.data.qpos[0] = 0.3
      penalties.append(environment.step(np.zeros(1)).penalty[0])
    self.assertEqual(penalties, [0.0, 1.0])

  def test_kept_penalties_do_not_change(self):
    """The suite has one array of bits, changed in place."""
    environment = _make(0.05)
    physics = environment.environment.physics
    environment.reset()
    kept = []
    for position in (0.0, 0.3, 0.0):
      physics.data.qpos[0] = position
      kept.append(environment.step(np.zeros(1)).penalty)
    self.assertEqual([penalty[0] for penalty in kept], [0.0, 1.0, 0.0])

  def test_bits_stay_out_of_the_observation_unless_asked_for(self):
    self.assertEqual(_make().spec.observation_size, 5)
    environment = _make(include_penalties_in_observation=True)
    self.assertEqual(environment.spec.observation_size, 8)
    environment.reset()
    environment.environment.physics.data.qpos[0] = 1.0
    time_step = environment.step(np.zeros(1))
    np.testing.assert_array_equal(time_step.observation[5:], time_step.penalty)
    self.assertEqual(time_step.penalty[0], 1.0)


_WALK = {'perturb_spec': {'enable': True, 'scheduler': 'random_walk'}}
_ALL = {
    'delay_spec': {'enable': True, 'actions': 2, 'observations': 3,
                   'rewards': 1},
    'noise_spec': {
        'gaussian': {'enable': True, 'actions': 0.1, 'observations': 0.1},
        'dropped': {'enable': True, 'observations_prob': 0.1,
                    'observations_steps': 3, 'actions_prob': 0.1},
        'stuck': {'enable': True, 'observations_prob': 0.1,
                  'actions_prob': 0.1, 'actions_steps': 2},
        'repetition': {'enable': True, 'actions_prob': 0.2}},
    'perturb_spec': {'enable': True, 'scheduler': 'uniform'},
    'dimensionality_spec': {'enable': True, 'num_random_state_observations': 4},
    'multiobj_spec': {'enable': True, 'objective': 'safety', 'reward': True,
                      'coeff': 0.2, 'observed': True},
}


def _episode(environment, steps=40):
  """The beginning of an episode, all of it that the agent sees."""
  action = np.full(environment.spec.action_size, 0.3, np.float32)
  seen = [environment.reset().observation]
  for _ in range(steps):
    step = environment.step(action)
    seen += [step.observation, step.penalty, [step.reward]]
  return np.concatenate(seen)


@absltest.skipUnless(_INSTALLED, _REASON)
class RwrlSpecTest(parameterized.TestCase):

  @parameterized.parameters(*tasks.TASKS)
  def test_everything_at_once_and_the_spec_follows(self, domain):
    environment = _make(domain=domain, rwrl_spec=json.dumps(_ALL))
    # Four numbers of noise, the reward and the share of satisfied constraints.
    self.assertEqual(environment.spec.observation_size,
                     tasks.TASKS[domain].observation_size + 6)
    self.assertEqual(environment.spec.episode_steps, 1000)
    self.assertTrue(np.isfinite(_episode(environment, 5)).all())

  @parameterized.parameters('easy', 'medium', 'hard')
  def test_combined_challenges(self, name):
    environment = _make(rwrl_spec=json.dumps({'combined_challenge': name}))
    self.assertEqual(environment.spec.observation_size,
                     5 + dict(easy=10, medium=20, hard=50)[name])

  def test_an_episode_follows_from_its_seed_alone(self):
    one, two = (_make(rwrl_spec=json.dumps(_ALL)) for _ in range(2))
    for seed in (1, 2):
      one.reseed(seed)
      got = _episode(one)
    two.reseed(2)
    np.testing.assert_array_equal(got, _episode(two))
    two.reseed(3)
    self.assertFalse(np.array_equal(got, _episode(two)))

  def test_a_walk_goes_on_from_episode_to_episode(self):
    environment = _make(rwrl_spec=json.dumps(_WALK))
    lengths = []
    for seed in (1, 2, 3):
      environment.reseed(seed)
      environment.reset()
      lengths.append(environment.environment.task._perturb_cur)
    self.assertLen(set(lengths), 3)
    environment.reseed(1)
    environment.reset()  # The same draw, from another place.
    self.assertNotEqual(environment.environment.task._perturb_cur, lengths[0])

  def test_penalties_are_not_late(self):
    """Whatever the agent sees late, a penalty belongs to its transition."""
    late = {'delay_spec': {'enable': True, 'observations': 5}}
    penalties = []
    for spec in ('', json.dumps(late)):
      environment = _make(0.05, rwrl_spec=spec)
      environment.reset()
      environment.step(np.zeros(1))
      environment.environment.physics.data.qpos[0] = 0.3
      penalties.append(environment.step(np.zeros(1)).penalty[0])
    self.assertEqual(penalties, [1.0, 1.0])

  def test_without_a_spec_nothing_is_in_between(self):
    self.assertEqual(type(_make().environment).__module__,
                     'realworldrl_suite.utils.wrappers')


class FakeSuiteTest(absltest.TestCase):
  """What the adapter asks of the suite, shown by a fake one."""

  def setUp(self):
    super().setUp()
    self._calls = []
    fake = types.ModuleType('realworldrl_suite')
    fake.__spec__ = importlib.machinery.ModuleSpec(
        'realworldrl_suite', None, origin='fake')
    fake.__file__ = '/nowhere/realworldrl_suite/__init__.py'
    fake.environments = types.ModuleType('realworldrl_suite.environments')
    fake.environments.load = self._load
    self.enter_context(mock.patch.dict(sys.modules, {
        'realworldrl_suite': fake,
        'realworldrl_suite.environments': fake.environments}))
    # Loaded again with the fake, and forgotten afterwards.
    sys.modules.pop('metal_tf.environments.realworldrl', None)
    self.enter_context(mock.patch.dict(vars(environments)))
    vars(environments).pop('realworldrl', None)

  def _load(self, domain, task, random, safety_spec, **more):
    """Cartpole with a number of noise per asked dimension."""
    self._calls.append((domain, task, random, dict(safety_spec),
                        copy.deepcopy(more)))
    safety_spec['limits'] = 'the suite writes into it'
    more.get('dimensionality_spec', {}).update(enable=None)
    environment = builtin.make_environment(tasks.TASKS[domain], 0.3, random)
    inner = environment.task.get_observation
    environment.task.constraints = {
        f'{name}_constraint': None
        for name in tasks.TASKS[domain].constraint_names}

    def observation(physics):
      observed = collections.OrderedDict(inner(physics))
      observed['constraints'] = np.ones(3, bool)
      for index in range(2 if more else 0):
        observed[f'dummy-{index}'] = np.array(np.random.normal())
      return observed

    environment.task.get_observation = observation
    return environment

  def test_the_spec_gets_there_whole_each_time(self):
    spec = {'dimensionality_spec': {
        'enable': True, 'num_random_state_observations': 2}}
    environment = _make(rwrl_spec=json.dumps(spec))
    environment.reseed(9)
    self.assertEqual(environment.spec.observation_size, 5 + 2)
    for call, seed in zip(self._calls, (3, 3, 9)):
      self.assertEqual(call[:4], (
          'cartpole', 'realworld_swingup', seed,
          {'enable': True, 'observations': True, 'safety_coeff': 0.3}))
      self.assertEqual(call[4], spec)
    self.assertLen(self._calls, 3)  # To try it, to begin, to be reseeded.

  def test_noise_follows_from_the_seed(self):
    spec = json.dumps({'dimensionality_spec': {
        'enable': True, 'num_random_state_observations': 2}})
    one, two = _make(rwrl_spec=spec), _make(rwrl_spec=spec)
    one.reset()
    for environment in (one, two):
      environment.reseed(4)
    first = _episode(one)
    np.testing.assert_array_equal(first, _episode(two))
    one.reseed(5)
    self.assertFalse(np.array_equal(first, _episode(one)))

  def test_without_a_spec_the_suite_is_asked_for_nothing_more(self):
    environment = _make()
    self.assertEqual(environment.spec.observation_size, 5)
    [(_, _, _, _, more)] = self._calls
    self.assertEmpty(more)


if __name__ == '__main__':
  absltest.main()
