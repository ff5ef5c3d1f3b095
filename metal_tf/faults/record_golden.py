"""Records testdata/golden_checkpoint, which later versions have to load.

Run by hand, only when the format number of checkpoints is raised; the old one
then stays where it can be read:

    ./bazelw run //metal_tf/faults:record_golden
"""

import json
import os
import shutil
import tempfile

import numpy as np

from metal_tf import config as config_lib
from metal_tf import types
from metal_tf.acting import numpy_policy
from metal_tf.agent import agents
from metal_tf.runs import checkpoint
from metal_tf.training import parts
from metal_tf.training import run
from metal_tf.training import testing

_ROOT = os.environ.get('BUILD_WORKSPACE_DIRECTORY', os.path.dirname(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
_FOLDER = os.path.join(_ROOT, 'testdata', 'golden_checkpoint')
CHECKPOINTS = os.path.join(_FOLDER, 'checkpoints')
ACTION = os.path.join(_FOLDER, 'action.json')

_OBSERVATION = (-0.25, 1.0, 0.25)


def spec() -> types.EnvironmentSpec:
  """Of the small world that the checkpoint was trained on."""
  return testing.make_environment(0).spec


def config(workdir: str) -> config_lib.Config:
  """Of the checkpoint's run, with the defaults of its time."""
  return testing.small_config(
      workdir, num_episodes=3, meta_optimizer='adam', meta_lr=1e-3,
      outer_divergence='cross_entropy')


def _main() -> None:
  with tempfile.TemporaryDirectory() as workdir:
    run.train(agents.METAL, config(workdir), testing.make_environment)
    shutil.rmtree(CHECKPOINTS, ignore_errors=True)
    shutil.copytree(os.path.join(workdir, 'checkpoints'), CHECKPOINTS)
    loaded = checkpoint.Checkpointer(CHECKPOINTS, print).load_newest()
    assert loaded is not None  # It was saved just now.
    learner = parts.make_learner(spec(), agents.METAL, config(workdir))
    learner.set_state(loaded.learner)
    policy = numpy_policy.NumpyPolicy(
        parts.policy_weights(learner)(), spec().action_minimum,
        spec().action_maximum)
    action = policy(np.array(_OBSERVATION, np.float32))
  with open(ACTION, 'w', encoding='utf-8') as stream:
    json.dump({'observation': _OBSERVATION,
               'action': [float(number) for number in action],
               'learner_steps': learner.num_steps,
               'transitions': loaded.run['actor_steps']}, stream, indent=2)


if __name__ == '__main__':
  _main()
