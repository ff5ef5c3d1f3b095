"""What a run is trained on: simulator, name, interface, constraints.

`describe` is written to `config.json` once; whoever resumes, evaluates, exports
or reports a run tells tasks apart by it.
"""

import hashlib
import json
import os
from typing import Any, Dict, Iterator, Mapping, Tuple

from metal_tf import types

# How `ConstrainedEnvironment.suite` begins where `environments.make` made it;
# everything else is a task of the user's own.
_PAPERS = ('builtin', 'realworldrl')


def describe(spec: types.EnvironmentSpec, suite: str) -> Dict[str, Any]:
  """The entries of `config.json` about the environment.

  Args:
    spec: the environment's.
    suite: where the task comes from.
  """
  return {
      'suite': suite,
      'constraints': [
          {'name': name, 'threshold': float(threshold)}
          for name, threshold in zip(spec.constraint_names, spec.thresholds)],
      'environment': {
          'name': spec.name,
          'observation_size': spec.observation_size,
          'action_size': spec.action_size,
          'episode_steps': spec.episode_steps,
      },
      'interface': {
          'observation': [{'name': name, 'size': size}
                          for name, size in spec.observation_entries],
          'action_minimum': spec.action_minimum.tolist(),
          'action_maximum': spec.action_maximum.tolist(),
      },
  }


def differences(
    saved: Mapping[str, Any], given: Mapping[str, Any]
) -> Iterator[Tuple[str, Any, Any]]:
  """Yields what tells two tasks apart: an entry's name and both values.

  Args:
    saved: what `describe` gave, as a run's `config.json` has it; entries that
      its version did not write yet are not compared.
    given: likewise, of today's version.
  """
  before = _entries(saved)
  for name, value in _entries(given).items():
    if name in before and before[name] != value:
      yield name, before[name], value


def is_own(suite: str) -> bool:
  """Whether a task is of the user's own, and none of the paper's."""
  return not suite.startswith(_PAPERS)


def own_task(description: Mapping[str, Any]) -> str:
  """Names a task of the user's own so that no two different ones agree.

  Args:
    description: content of a run's `config.json`.

  Returns:
    The task's name with its own settings, the function that makes it where a
    program was given one, and a digest of its interface; '' for the paper's
    tasks.
  """
  if not is_own(description['suite']):
    return ''
  name = description.get('environment', {}).get('name') or 'own task'
  config = description.get('config', {})
  if config.get('environment_kwargs'):
    name += f' {config["environment_kwargs"]}'
  parts = []
  if config.get('environment'):  # Its folder is another on another machine.
    parts.append(os.path.basename(config['environment']))
  interface = description.get('interface')
  if interface is not None:  # Else of a version that did not write it.
    digest = hashlib.sha256(json.dumps(interface, sort_keys=True).encode())
    parts.append(f'interface {digest.hexdigest()[:6]}')
  return f'{name} ({", ".join(parts)})' if parts else name


def _entries(description: Mapping[str, Any]) -> Dict[str, Any]:
  """By the names that messages have: `task` is a setting already."""
  sizes = dict(description['environment'])
  entries = dict(simulator=description['suite'],
                 constrained=description['constraints'])
  if sizes.get('name'):
    entries['environment'] = sizes['name']
  sizes.pop('name', None)
  return {**entries, **sizes, **description.get('interface', {})}
