"""Our tasks against trajectories recorded from the real suite.

50 steps at 1e-9: another processor rounds differently, and contacts amplify it.
`parity_test.py` asks for exact equality over whole episodes where the suite is
installed.
"""

import json
import os

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from metal_tf import environments
from metal_tf.environments import tasks

_DIRECTORY = os.path.join(
    os.path.dirname(os.path.abspath(__file__)), '..', '..', 'testdata',
    'golden_trajectories')
_TOLERANCE = 1e-9


class GoldenTest(parameterized.TestCase):

  @parameterized.product(domain=tuple(tasks.TASKS), safety_coeff=(0.1, 0.3))
  def test_follows_the_suite(self, domain, safety_coeff):
    path = os.path.join(_DIRECTORY, f'{domain}_{safety_coeff}.npz')
    with np.load(path, allow_pickle=False) as golden:
      meta = json.loads(str(golden['meta']))
      golden = dict(golden)
    info = tasks.TASKS[domain]
    self.assertEqual(meta['commit'], tasks.SUITE_COMMIT)
    self.assertEqual(meta['task'], info.task)
    self.assertEqual(meta['constraints'],
                     [f'{name}_constraint' for name in info.constraint_names])
    environment = environments.make(
        domain, meta['task'], safety_coeff=meta['safety_coeff'],
        seed=meta['seed'], suite='builtin',
        constraints=[(name, 0.1) for name in info.constraint_names])
    where = f'recorded with {meta["versions"]}'
    time_step = environment.reset()
    self._check_observation(environment, time_step, golden, 0, where)
    self.assertLen(golden['actions'], 50)
    for step, action in enumerate(golden['actions'], start=1):
      time_step = environment.step(action)
      self._check_observation(environment, time_step, golden, step, where)
      self.assertAlmostEqual(time_step.reward, golden['rewards'][step - 1],
                             delta=_TOLERANCE, msg=where)
      self.assertEqual(time_step.discount, golden['discounts'][step - 1])
      np.testing.assert_array_equal(
          time_step.penalty, 1.0 - golden['bits'][step - 1],
          f'step {step}, {where}')

  def _check_observation(self, environment, time_step, golden, step, where):
    """Compares in float64, before the wrapper's rounding, and after it."""
    expected = golden['observations'][step]
    raw = environment.environment.task.get_observation(
        environment.environment.physics)
    raw = np.concatenate([np.ravel(value) for value in raw.values()])
    np.testing.assert_allclose(raw, expected, rtol=0, atol=_TOLERANCE,
                               err_msg=f'step {step}, {where}')
    np.testing.assert_allclose(time_step.observation, expected, rtol=1e-6,
                               atol=1e-6, err_msg=f'step {step}, {where}')
    self.assertEqual(int(time_step.step_type), golden['step_types'][step])


if __name__ == '__main__':
  absltest.main()
