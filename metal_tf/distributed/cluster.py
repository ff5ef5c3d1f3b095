"""Takes a run's program to Vertex AI, through Launchpad and xmanager.

xmanager is not in the lock, so it is imported where it is needed only. What
could be tried without a cluster is said in docs/distributed.md.
"""

import contextlib
import importlib.util
import os
import shutil
import tempfile
from typing import Any, Callable, Dict, Iterator, List, Mapping, Sequence

import launchpad as lp

from metal_tf.distributed import needs
from metal_tf.distributed import program as program_lib

LAUNCH_TYPE = 'vertex_ai'

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
_LOCK = 'requirements.txt'
_DOCKERFILE = os.path.join('tools', 'cluster.Dockerfile')
_CODE = ('metal_tf', 'launchers', 'baselines')
# Pure Python, and on no package index: the copy here goes along.
_SUITE = 'realworldrl_suite'


def submit(run: program_lib.Run, note: Callable[[str], None],
           accelerator: str = '') -> None:
  """Builds the images, submits the program and returns.

  Args:
    run: what the program is made from; with `loopback_only=False`, and folders
      that all workers can reach.
    note: takes lines for the user.
    accelerator: for the learner, e.g. 't4'; '' for none.

  Raises:
    ConfigError: without a usable xmanager.
  """
  needs.check_xmanager()
  program, _ = program_lib.make_program(run)
  table = needs.table(run.spec, run.config, accelerator)
  with staged_source() as source, _locked_images():
    lp.launch(program, LAUNCH_TYPE, xm_resources=make_resources(table, source))
  note('The program is on Vertex AI now, and goes on without this machine. Its '
       f'coordinator ends it after {run.config.num_episodes} episodes; to end '
       'it before, cancel the job there. Everything of this run is in '
       f'{run.directory}')


def make_resources(table: Mapping[str, needs.Needs],
                   source: str) -> Dict[str, Any]:
  """Turns the table into Launchpad's launch configurations.

  Args:
    table: needs of each group.
    source: folder that becomes the image's content, the lock in it.

  Returns:
    A `DockerConfig` for each group. Launchpad puts those into one pool of
    machines whose requirements are equal in words.
  """
  from launchpad.nodes.python import xm_docker
  from xmanager import xm

  def requirements(need: needs.Needs) -> Any:
    accelerator = {need.accelerator: 1} if need.accelerator else {}
    return xm.JobRequirements(
        cpu=need.cpus, ram=need.ram_gib * xm.GiB, **accelerator)

  return {
      group: xm_docker.DockerConfig(
          code_directory=source,
          docker_requirements=os.path.join(source, _LOCK),
          hw_requirements=requirements(need))
      for group, need in table.items()
  }


@contextlib.contextmanager
def staged_source() -> Iterator[str]:
  """A folder, for a while, with what an image is made from and nothing else."""
  with tempfile.TemporaryDirectory() as folder:
    ignore = shutil.ignore_patterns('__pycache__', '*_test.py', 'BUILD')
    for package in _CODE:
      if os.path.isdir(os.path.join(_ROOT, package)):  # Bazel has what is used.
        shutil.copytree(os.path.join(_ROOT, package),
                        os.path.join(folder, package), ignore=ignore)
    suite = importlib.util.find_spec(_SUITE)
    if suite is not None and suite.submodule_search_locations:
      shutil.copytree(suite.submodule_search_locations[0],
                      os.path.join(folder, _SUITE), ignore=ignore)
    shutil.copy(os.path.join(_ROOT, _LOCK), os.path.join(folder, _LOCK))
    shutil.copy(os.path.join(_ROOT, _DOCKERFILE),
                os.path.join(folder, 'Dockerfile'))
    yield folder


@contextlib.contextmanager
def _locked_images() -> Iterator[None]:
  """Lets Launchpad build its images by our Dockerfile.

  Its own recipe, which cannot be chosen, installs the newest xmanager and then
  the requirements, and a Debian package that python:3.10's Debian has no more.
  """
  from launchpad.nodes.python import xm_docker
  from xmanager import xm
  original = xm_docker.to_docker_executables

  def to_docker_executables(nodes: Sequence[Any], label: str,
                            docker_config: Any) -> List[Any]:
    for node in nodes:
      # It is pickled with the node, and would need xmanager in the image.
      context = node.launch_context
      context.initialize(context.launch_type, None, context.program_stopper)
    return [(xm.Dockerfile(path=container.path), requirements)
            for container, requirements in original(
                nodes, label, docker_config)]

  xm_docker.to_docker_executables = to_docker_executables
  try:
    yield
  finally:
    xm_docker.to_docker_executables = original
