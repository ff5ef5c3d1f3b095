"""Flat float32 observations out of whatever a dm_env environment observes."""

import math
from typing import (
  Any,
  Iterator,
  List,
  Mapping,
  Optional,
  Sequence,
  Tuple,
  Union,
)

import numpy as np

# Where an entry is: the keys to follow.
_Path = Tuple[Union[str, int], ...]


class ObservationFlattener:
  """Writes an observation into one float32 vector, entry after entry.

  Entries keep the order of the observation spec (no sorting), nested mappings,
  tuples and lists are followed depth first, scalars take one element.
  """

  def __init__(self, observation_spec: Any,
               observation_keys: Optional[Sequence[str]] = None):
    """Remembers the entries of an observation.

    Args:
      observation_spec: an array spec, or a (nested) mapping, tuple or list of
        array specs.
      observation_keys: the top-level entries to keep, in this order; all of
        them in the spec's order if None.

    Raises:
      ValueError: for an unknown or repeated key, keys for an observation that
        is no mapping, an entry that is no number, or nothing to observe.
    """
    if observation_keys is not None:
      observation_spec = _select(observation_spec, observation_keys)
    # Path, shape and size of each entry.
    self._entries: List[Tuple[_Path, Tuple[int, ...], int]] = []
    for path, spec in _leaves(observation_spec):
      if not hasattr(spec, 'dtype') or not hasattr(spec, 'shape'):
        raise ValueError(f'observation {describe(path)}'.rstrip() + ' must be '
                         f'described by an array spec, got {spec!r}')
      if np.dtype(spec.dtype).kind not in 'fiub':
        raise ValueError(f'observation {describe(path)} must be numeric, got '
                         f'dtype {spec.dtype}')
      shape = tuple(spec.shape)
      self._entries.append((path, shape, int(np.prod(shape))))
    self.size = sum(size for _, _, size in self._entries)
    if not self.size:
      raise ValueError('the observation is empty: a flat observation needs at '
                       f'least one number, got {observation_spec!r}')

  @property
  def entries(self) -> Tuple[Tuple[str, int], ...]:
    """Name (`arm/velocity`; 'observation' for a plain array) and size.

    An entry of a tuple is named by its number.
    """
    return tuple((_joined(path) or 'observation', size)
                 for path, _, size in self._entries)

  def __call__(self, observation: Any, out: np.ndarray) -> None:
    """Writes `observation` into the first `size` elements of `out`.

    Args:
      observation: as the spec describes it.
      out: float32 `[>= size]`.

    Raises:
      BadEntry: if an entry is missing, misshapen, NaN or infinite.
    """
    start = 0
    for path, shape, size in self._entries:
      entry = observation
      for key in path:
        try:
          entry = entry[key]
        except (KeyError, TypeError, IndexError):
          raise BadEntry(path, 'expected an entry of shape '
                         f'{shape}, got none') from None
      # Much faster for an array than np.shape.
      got = getattr(entry, 'shape', None)
      if got is None:
        got = np.shape(entry)
      if got != shape:
        raise BadEntry(path, f'expected shape {shape}, got {got}')
      stop = start + size
      if len(shape) <= 1:
        out[start:stop] = entry
      else:
        out[start:stop] = np.ravel(entry)
      start = stop
    flat = out[:start]
    # One product instead of a look at each element. Finite but very large
    # numbers may overflow here, so only the exact check may raise.
    if not math.isfinite(flat.dot(flat)):
      self._check_finite(flat)

  def _check_finite(self, flat: np.ndarray) -> None:
    start = 0
    for path, _, size in self._entries:
      part = flat[start:start + size]
      start += size
      if not np.isfinite(part).all():
        index = int(np.flatnonzero(~np.isfinite(part))[0])
        raise BadEntry(path, 'expected finite float32 numbers, got '
                       f'{part[index]} at element {index}')


class BadEntry(ValueError):
  """An observation that does not fit its spec: `entry` and `detail`."""

  def __init__(self, path: _Path, detail: str):
    super().__init__(f'{describe(path)}: {detail}')
    self.entry = describe(path)
    self.detail = detail


def describe(path: _Path) -> str:
  """Names an entry, e.g. `'arm/velocity'`; empty for a plain array."""
  return repr(_joined(path)) if path else ''


def _joined(path: _Path) -> str:
  return '/'.join(map(str, path))


def _leaves(spec: Any, path: _Path = ()) -> Iterator[Tuple[_Path, Any]]:
  if isinstance(spec, Mapping):
    for key, value in spec.items():
      yield from _leaves(value, path + (key,))
  elif isinstance(spec, (tuple, list)):
    for index, value in enumerate(spec):
      yield from _leaves(value, path + (index,))
  else:
    yield path, spec


def _select(spec: Any, keys: Sequence[str]) -> Mapping[str, Any]:
  if not isinstance(spec, Mapping):
    raise ValueError('observation_keys need an observation with keys, got '
                     f'{spec!r}')
  if len(set(keys)) != len(keys):
    raise ValueError(f'observation_keys repeat a key: {list(keys)}')
  unknown = [key for key in keys if key not in spec]
  if unknown:
    raise ValueError(f'unknown observation_keys {unknown}, the environment '
                     f'has {list(spec)}')
  return {key: spec[key] for key in keys}
