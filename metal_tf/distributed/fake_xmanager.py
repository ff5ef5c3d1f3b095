"""A minimal fake of xmanager 0.1.3, for tests: it submits nothing.

It has what Launchpad's launch for Vertex AI uses, and no more.
"""

import contextlib
import importlib.metadata
import sys
import types
from unittest import mock

_NEEDS_XMANAGER = ('launchpad.nodes.python.xm_docker',
                   'launchpad.launch.xm_docker.launch')


class _JobRequirements:
  """As xmanager's: resources by name, one replica, equal text if equal."""

  def __init__(self, **resources):
    self.resources = resources
    self.replicas = 1

  def __repr__(self):
    return f'JobRequirements({sorted(self.resources.items())})'


class Experiment:
  """Remembers what would be submitted."""

  def __init__(self):
    self.jobs = None

  def __enter__(self):
    return self

  def __exit__(self, *unused):
    return None

  def package(self, packageables):
    return packageables

  def add(self, jobs):
    self.jobs = jobs


def _record(name, *fields):
  """A class that keeps its keyword arguments."""
  return type(name, (types.SimpleNamespace,), {'__annotations__': fields})


@contextlib.contextmanager
def installed(experiment):
  """Puts the fake in place of the real one, installed or not."""
  xm = types.ModuleType('xmanager.xm')
  xm.GiB = 2**30
  xm.JobRequirements = _JobRequirements
  for name in ('Dockerfile', 'PythonContainer', 'Packageable', 'Job'):
    setattr(xm, name, _record(name))
  xm.CommandList = list
  xm.JobGroup = lambda **jobs: jobs
  xm_local = types.ModuleType('xmanager.xm_local')
  xm_local.Caip = _record('Caip')
  xm_local.Caip.Spec = _record('CaipSpec')
  xm_local.create_experiment = lambda experiment_title: experiment
  package = types.ModuleType('xmanager')
  package.xm, package.xm_local = xm, xm_local
  fakes = {
      'xmanager': package, 'xmanager.xm': xm, 'xmanager.xm_local': xm_local}
  with mock.patch.dict(sys.modules, fakes), mock.patch.object(
      importlib.metadata, 'version', return_value='0.1.3'):
    for name in _NEEDS_XMANAGER:  # Loaded anew, with the fake.
      sys.modules.pop(name, None)
      parent, _, leaf = name.rpartition('.')
      vars(sys.modules.get(parent, package)).pop(leaf, None)
    yield
