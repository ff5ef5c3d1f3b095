"""What `--rwrl_spec` may ask of the real suite, checked before it is loaded.

The suite's loaders take delays, noise, perturbations, further observations and
further objectives as nested dicts, and silently ignore a key that they do not
know and a spec without `"enable": true`. Here both are errors. Keys, choices
and the specs that exclude each other are those of `tasks.SUITE_COMMIT`
(checked). Imports no simulator.
"""

import json
import math
import os
import sys
from typing import Any, Dict, List, Mapping, Tuple

from metal_tf.environments import tasks

_COMBINED = 'combined_challenge'

_PARAMETERS = {
    'cartpole': ('pole_length', 'pole_mass', 'joint_damping', 'slider_damping'),
    'walker': ('thigh_length', 'torso_length', 'joint_damping',
               'contact_friction'),
    'quadruped': ('shin_length', 'torso_density', 'joint_damping',
                  'contact_friction'),
    'humanoid': ('joint_damping', 'contact_friction', 'head_size'),
}
_FRESH_SCHEDULERS = ('constant', 'uniform')
_WALKING_SCHEDULERS = ('random_walk', 'drift_pos', 'drift_neg', 'cyclic_pos',
                       'cyclic_neg', 'saw_wave')

# What a value may be, in words and as a type and its lowest and highest.
_FLAG = 'true or false', bool, False, True
_COUNT = 'a whole number >= 0', int, 0, math.inf
_STEPS = 'a whole number >= 1', int, 1, math.inf
_NUMBER = 'a number', (int, float), -sys.float_info.max, sys.float_info.max
_SCALE = 'a number >= 0', (int, float), 0, sys.float_info.max
_SHARE = 'a number in [0, 1]', (int, float), 0, 1


def _choices(*names: str) -> Tuple[Any, ...]:
  return 'one of ' + ', '.join(names), names


def _tree(domain: str) -> Dict[str, Any]:
  """The keys that a spec may have, and what their values may be."""
  on = {'enable': _FLAG}
  lasting = {**on, 'observations_prob': _SHARE, 'observations_steps': _STEPS,
             'actions_prob': _SHARE, 'actions_steps': _STEPS}
  return {
      'delay_spec': {**on, 'actions': _COUNT, 'observations': _COUNT,
                     'rewards': _COUNT},
      'noise_spec': {
          'gaussian': {**on, 'actions': _SCALE, 'observations': _SCALE},
          'dropped': lasting, 'stuck': lasting,
          'repetition': {**on, 'actions_prob': _SHARE,
                         'actions_steps': _STEPS}},
      'perturb_spec': {
          **on, 'period': _STEPS, 'param': _choices(*_PARAMETERS[domain]),
          'scheduler': _choices(*_FRESH_SCHEDULERS, *_WALKING_SCHEDULERS),
          'start': _NUMBER, 'min': _NUMBER, 'max': _NUMBER, 'std': _SCALE},
      'dimensionality_spec': {**on, 'num_random_state_observations': _COUNT},
      'multiobj_spec': {**on, 'objective': _choices('safety'), 'reward': _FLAG,
                        'coeff': _SHARE, 'observed': _FLAG},
      _COMBINED: _choices('easy', 'medium', 'hard'),
  }


def _is_allowed(value: Any, kind: Any, *bounds: float) -> bool:
  """Whether a value is one of some names, or of a type and within bounds."""
  if not bounds:
    return value in kind
  low, high = bounds
  # A bool is an int for Python, but no number here.
  return (isinstance(value, kind) and isinstance(value, bool) == (kind is bool)
          and low <= value <= high)


def read(path_or_text: str) -> str:
  """Returns the content of a spec's file in one form, however it is written.

  Args:
    path_or_text: a path, or JSON itself (it begins with a brace); '' for none.

  Returns:
    JSON with sorted keys and without needless spaces; '' for none.

  Raises:
    ValueError: if there is no such file or it does not hold a JSON object.
  """
  if not path_or_text:
    return ''
  if path_or_text.lstrip().startswith('{'):
    text, name = path_or_text, 'the text'
  else:
    name = path_or_text
    try:
      with open(path_or_text, encoding='utf-8') as stream:
        text = stream.read()
    except (OSError, UnicodeDecodeError) as error:
      reason = getattr(error, 'strerror', None) or 'is not text'
      raise ValueError(f'{os.path.abspath(name)}: {reason}') from error
  spec = _loads(text, name)
  return json.dumps(spec, sort_keys=True) if spec else ''


def parse(text: str, domain: str) -> Dict[str, Any]:
  """Checks a spec.

  Args:
    text: as `read` returned it.
    domain: which the spec is for, e.g. 'cartpole'.

  Returns:
    Keyword arguments for the suite's loader; empty for ''.

  Raises:
    ValueError: for anything that the suite would refuse or ignore, with the
      key's path and, for an unknown key, the nearest name.
  """
  if not text:
    return {}
  spec = _loads(text, 'the text')
  if 'safety_spec' in spec:
    raise ValueError('safety_spec is set by --safety_coeff and --constraints, '
                     'not here')
  _check(spec, _tree(domain), '')
  others = [key for key in spec if key not in (_COMBINED, 'multiobj_spec')]
  if _COMBINED in spec and others:
    raise ValueError(f'{_COMBINED} sets {others[0]} itself: give one of the '
                     'two')
  multiobj = spec.get('multiobj_spec', {})
  if multiobj.get('enable') and 'objective' not in multiobj:
    raise ValueError('multiobj_spec needs an "objective": "safety"')
  return spec


def walks(spec: Mapping[str, Any]) -> bool:
  """Whether an episode's physics follow from those of the episodes before.

  Args:
    spec: as `parse` returned it.
  """
  perturb = spec.get('perturb_spec', {})
  scheduler = perturb.get('scheduler', 'constant')
  return bool(perturb.get('enable')) and (
      scheduler in _WALKING_SCHEDULERS or
      (scheduler == 'uniform' and perturb.get('period', 1) > 1))


def _check(spec: Any, tree: Mapping[str, Any], path: str) -> None:
  """Compares a spec with the keys there are, and its values with theirs."""
  if not isinstance(spec, dict):
    raise ValueError(f'{path}: got {json.dumps(spec)}, expected an object with '
                     f'keys {", ".join(tree)}')
  if 'enable' in tree and 'enable' not in spec:
    raise ValueError(f'{path} has no "enable": true, without which the suite '
                     'ignores it')
  for key, value in spec.items():
    here = f'{path}.{key}' if path else key
    if key not in tree:
      raise ValueError(tasks.unknown(
          f'key of {path}' if path else 'key', key, tree))
    rule = tree[key]
    if isinstance(rule, dict):
      _check(value, rule, here)
      continue
    allowed, *values = rule
    if not _is_allowed(value, *values):
      raise ValueError(
          f'{here}: got {json.dumps(value)}, allowed: {allowed}')


def _loads(text: str, name: str) -> Dict[str, Any]:
  """Reads a JSON object; ValueError says where it is not one."""

  def pairs(items: List[Tuple[str, Any]]) -> Dict[str, Any]:
    keys = [key for key, _ in items]
    for key in keys:
      if keys.count(key) > 1:
        raise ValueError(f'{name} has {key!r} twice')
    return dict(items)

  try:
    spec = json.loads(text, object_pairs_hook=pairs)
  except json.JSONDecodeError as error:
    raise ValueError(
        f'{name} is not JSON: {error.msg} at line {error.lineno}, column '
        f'{error.colno}') from error
  if not isinstance(spec, dict):
    raise ValueError(f'{name} must hold a JSON object, got {json.dumps(spec)}')
  return spec
