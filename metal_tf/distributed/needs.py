"""What workers on a cluster need, as a plain table, and what a launch needs."""

import importlib.metadata
import math
import sys
from typing import Dict, NamedTuple

from metal_tf import config as config_lib
from metal_tf import types
from metal_tf import validation

# Where Vertex AI shows every worker the buckets of Cloud Storage.
SHARED_ROOT = '/gcs/'

# Launchpad 0.5.0 calls classes that 0.1.4 renamed; 0.1.0 starts one worker
# where several are asked for.
_XMANAGER_VERSIONS = ('0.1.1', '0.1.2', '0.1.3')
# The second pin keeps what TensorFlow 2.8 needs.
XMANAGER_PACKAGES = 'xmanager==0.1.3 protobuf==3.19.6'

# Reverb's own memory for an item, beside its content, and what is left free.
_ITEM_BYTES = 950
_SPARE = 1.25
_GIB = 2**30


class Needs(NamedTuple):
  """What one worker needs of its machine, at least.

  Attributes:
    cpus: number of virtual CPUs.
    ram_gib: memory in GiB.
    accelerator: of the cluster's names, e.g. 't4', one of it; '' for none.
  """
  cpus: int
  ram_gib: int
  accelerator: str = ''


def table(spec: types.EnvironmentSpec, config: config_lib.Config,
          accelerator: str = '') -> Dict[str, Needs]:
  """Returns the needs of each group of the program.

  Vertex AI takes at most four kinds of machines. The first has to be a single
  machine, whose end is the end of the job; so the coordinator, which ends last,
  has a kind of its own.

  Args:
    spec: the environment's; says how large a transition is.
    config: the run's settings.
    accelerator: for the learner, '' for none.
  """
  small = Needs(cpus=1, ram_gib=4)
  return {
      'coordinator': Needs(cpus=1, ram_gib=2),
      'replay': Needs(cpus=4, ram_gib=max(15, replay_gib(spec, config))),
      'counter': small,
      # Sizes of a machine of Vertex AI: xmanager looks for the least memory
      # first, and may take four times the CPUs to save some.
      'learner': Needs(cpus=8, ram_gib=30, accelerator=accelerator),
      'actor': small,
      'evaluator': small,
  }


def replay_gib(spec: types.EnvironmentSpec, config: config_lib.Config) -> int:
  """Memory of a full replay, in whole GiB, the server's own included."""
  floats = (2 * spec.observation_size + spec.action_size +
            spec.num_constraints + 2)  # As `replay.layout` packs them.
  content = config.replay_capacity * (_ITEM_BYTES + 4 * floats)
  return math.ceil(_SPARE * content / _GIB) + 2


def check_xmanager() -> None:
  """Checks that Launchpad can be taken to a cluster from here.

  Raises:
    ConfigError: if there is no xmanager, or one that Launchpad cannot use.
  """
  try:
    version = importlib.metadata.version('xmanager')
  except importlib.metadata.PackageNotFoundError:
    version = 'none'
  if version not in _XMANAGER_VERSIONS:
    raise validation.ConfigError(
        'lp_launch_type', 'vertex_ai',
        'local_mp and local_mt until xmanager 0.1.3 is installed (found: '
        f'{version})',
        f'To install it: {sys.executable} -m pip install {XMANAGER_PACKAGES}')


def check_workdir(workdir: str) -> None:
  """Checks that workers on other machines can see the run's folder.

  Args:
    workdir: absolute path.

  Raises:
    ConfigError: if they cannot.
  """
  if not workdir.startswith(SHARED_ROOT):
    raise validation.ConfigError(
        'workdir', workdir, f'a folder below {SHARED_ROOT}<bucket>/, which all '
        'workers on Vertex AI and this machine have in common',
        'See docs/distributed.md.')
