"""A policy to be exported, for tests."""

from typing import Any, Dict, Tuple

import numpy as np
import sonnet as snt
import tensorflow as tf

from metal_tf import types
from metal_tf.agent import networks

SPEC = types.EnvironmentSpec(
    observation_size=5, action_minimum=np.array([-1., -3.], np.float32),
    action_maximum=np.array([1., 0.5], np.float32),
    constraint_names=('left',), thresholds=np.array([0.25]))


def make_policy(seed: int = 0) -> Tuple[snt.Module, Dict[str, Any]]:
  """Returns a policy whose weights are all random, and its description."""
  policy = networks.make_policy(SPEC, (16, 8))
  policy(tf.zeros([1, SPEC.observation_size]))
  rng = np.random.default_rng(seed)
  for variable in policy.variables:
    variable.assign(variable + rng.normal(scale=0.3, size=variable.shape))
  return policy, {
      'observation': {'size': SPEC.observation_size},
      'action': {'size': SPEC.action_size},
      'constraints': [{'name': 'left', 'threshold': 0.25}],
  }
