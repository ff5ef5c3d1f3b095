"""Flat float32 observations out of whatever a dm_env environment observes."""

from typing import Any, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np

# Where an entry is: the keys to follow, and the shape it must have.
_Path = Tuple[str, ...]


class ObservationFlattener:
  """Writes an observation into one float32 vector, entry after entry.

  Entries keep the order of the observation spec (no sorting), nested mappings
  are followed depth first, scalars take one element.
  """

  def __init__(self, observation_spec: Any,
               observation_keys: Optional[Sequence[str]] = None):
    """Remembers the entries of an observation.

    Args:
      observation_spec: an array spec, or a (nested) mapping of array specs.
      observation_keys: the top-level entries to keep, in this order; all of
        them in the spec's order if None.

    Raises:
      ValueError: for an unknown or repeated key, keys for an observation that
        is no mapping, an entry that is no number, or nothing to observe.
    """
    if observation_keys is not None:
      observation_spec = _select(observation_spec, observation_keys)
    self._entries: List[Tuple[_Path, Tuple[int, ...]]] = []
    for path, spec in _leaves(observation_spec):
      if np.dtype(spec.dtype).kind not in 'fiub':
        raise ValueError(f'observation {describe(path)} must be numeric, got '
                         f'dtype {spec.dtype}')
      self._entries.append((path, tuple(spec.shape)))
    self.size = sum(int(np.prod(shape)) for _, shape in self._entries)
    if not self.size:
      raise ValueError('the observation is empty: a flat observation needs at '
                       f'least one number, got {observation_spec!r}')

  def __call__(self, observation: Any, out: np.ndarray) -> None:
    """Writes `observation` into the first `size` elements of `out`.

    Args:
      observation: as the spec describes it.
      out: float32 `[>= size]`.

    Raises:
      BadEntry: if an entry is missing, misshapen, NaN or infinite.
    """
    start = 0
    for path, shape in self._entries:
      entry = observation
      for key in path:
        try:
          entry = entry[key]
        except (KeyError, TypeError, IndexError):
          raise BadEntry(path, 'expected an entry of shape '
                         f'{shape}, got none') from None
      if np.shape(entry) != shape:
        raise BadEntry(path, f'expected shape {shape}, got {np.shape(entry)}')
      if shape == ():
        out[start] = entry
        start += 1
      else:
        entry = np.asarray(entry)
        stop = start + entry.size
        out[start:stop] = entry if entry.ndim == 1 else entry.ravel()
        start = stop
    if not np.isfinite(out[:start]).all():
      raise self._not_finite(out)

  def _not_finite(self, flat: np.ndarray) -> 'BadEntry':
    start = 0
    for path, shape in self._entries:
      part = flat[start:start + int(np.prod(shape))]
      start += part.size
      if not np.isfinite(part).all():
        index = int(np.flatnonzero(~np.isfinite(part))[0])
        return BadEntry(path, 'expected finite float32 numbers, got '
                        f'{part[index]} at element {index}')
    raise AssertionError('called without a bad entry')


class BadEntry(ValueError):
  """An observation that does not fit its spec: `entry` and `detail`."""

  def __init__(self, path: _Path, detail: str):
    super().__init__(f'{describe(path)}: {detail}')
    self.entry = describe(path)
    self.detail = detail


def describe(path: _Path) -> str:
  """Names an entry, e.g. `'arm/velocity'`; empty for a plain array."""
  return repr('/'.join(path)) if path else ''


def _leaves(spec: Any, path: _Path = ()) -> Iterator[Tuple[_Path, Any]]:
  if isinstance(spec, Mapping):
    for key, value in spec.items():
      yield from _leaves(value, path + (key,))
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
