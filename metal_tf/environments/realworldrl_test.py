"""The adapter to the real suite; runs only where that is installed."""

import importlib.util

from absl.testing import absltest
import numpy as np

from metal_tf import environments
from metal_tf.environments import contract
from metal_tf.environments import registry

_INSTALLED = importlib.util.find_spec('realworldrl_suite') is not None
_REASON = ('realworldrl_suite is not installed: only its replacement, the '
           'builtin suite, is tested on this machine')
if not _INSTALLED:
  print(f'SKIPPED: {_REASON}', flush=True)


def _make(safety_coeff=0.3, domain='cartpole', **kwargs):
  names = registry.TASKS[domain].constraint_names
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
                     r'^realworldrl \(realworldrl_suite ([0-9a-f]{40}|of unknown '
                     r'commit)\)$')

  def test_agrees_with_the_registry(self):
    for domain, info in registry.TASKS.items():
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


if __name__ == '__main__':
  absltest.main()
