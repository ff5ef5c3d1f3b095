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
from typing import Any, Callable, Dict, List, Mapping, Tuple, Union

from metal_tf.environments import tasks

_COMBINED = 'combined_challenge'

# Tells a value's fault in words ("a number >= 0"), or '' if it has none.
_Check = Callable[[Any], str]
_Tree = Dict[str, Union[_Check, '_Tree']]


def _is_number(value: Any) -> bool:
  return (isinstance(value, (int, float)) and not isinstance(value, bool) and
          math.isfinite(value))


def _flag(value: Any) -> str:
  return '' if isinstance(value, bool) else 'true or false'


def _number(value: Any) -> str:
  return '' if _is_number(value) else 'a number'


def _not_negative(value: Any) -> str:
  return '' if _is_number(value) and value >= 0 else 'a number >= 0'


def _share(value: Any) -> str:
  return '' if _is_number(value) and 0 <= value <= 1 else 'a number in [0, 1]'


def _whole(minimum: int) -> _Check:
  def check(value: Any) -> str:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return '' if whole and value >= minimum else (
        f'a whole number >= {minimum}')
  return check


def _one_of(*choices: str) -> _Check:
  return lambda value: '' if value in choices else (
      'one of ' + ', '.join(choices))


_PARAMETERS: Dict[str, Tuple[str, ...]] = {
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


def _tree(domain: str) -> _Tree:
  """The keys that a spec may have, with the checks of their values."""
  lasting: _Tree = {
      'enable': _flag, 'observations_prob': _share,
      'observations_steps': _whole(1), 'actions_prob': _share,
      'actions_steps': _whole(1)}
  return {
      'delay_spec': {
          'enable': _flag, 'actions': _whole(0), 'observations': _whole(0),
          'rewards': _whole(0)},
      'noise_spec': {
          'gaussian': {'enable': _flag, 'actions': _not_negative,
                       'observations': _not_negative},
          'dropped': lasting,
          'stuck': lasting,
          'repetition': {'enable': _flag, 'actions_prob': _share,
                         'actions_steps': _whole(1)}},
      'perturb_spec': {
          'enable': _flag, 'period': _whole(1),
          'param': _one_of(*_PARAMETERS[domain]),
          'scheduler': _one_of(*_FRESH_SCHEDULERS, *_WALKING_SCHEDULERS),
          'start': _number, 'min': _number, 'max': _number,
          'std': _not_negative},
      'dimensionality_spec': {
          'enable': _flag, 'num_random_state_observations': _whole(0)},
      'multiobj_spec': {
          'enable': _flag, 'objective': _one_of('safety'), 'reward': _flag,
          'coeff': _share, 'observed': _flag},
      _COMBINED: _one_of('easy', 'medium', 'hard'),
  }


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
  if _COMBINED in spec and len(spec) > 1:
    others = [key for key in spec if key not in (_COMBINED, 'multiobj_spec')]
    if others:
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


def _check(spec: Any, tree: _Tree, path: str) -> None:
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
    allowed = rule(value)
    if allowed:
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
