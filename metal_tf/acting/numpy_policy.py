"""The policy network in numpy, one observation at a time.

A TensorFlow call costs more than the whole network at batch size 1, so actors
do without TensorFlow.
"""

import math
from typing import Any, Dict, List, Sequence

import numpy as np

# Sonnet's default; part of the network's definition.
_LAYER_NORM_EPSILON = 1e-5


class NumpyPolicy:
  """pi(o): Linear, LayerNorm, tanh, [Linear, ELU] ..., Linear, tanh to bounds.

  It equals, in float32,

      snt.Sequential([
          acme.tf.networks.LayerNormMLP(sizes, activate_final=True),
          acme.tf.networks.NearZeroInitializedLinear(A),
          acme.tf.networks.TanhToSpec(action_spec)])

  Weights are one flat list in the order of the computation: w0 `[O, H0]`,
  b0 `[H0]`, ln_scale `[H0]`, ln_offset `[H0]`, then w_i `[H_{i-1}, H_i]`, b_i
  `[H_i]` of each further hidden layer, then w_head `[H, A]`, b_head `[A]`.
  """

  def __init__(self, weights: Sequence[np.ndarray], action_minimum: np.ndarray,
               action_maximum: np.ndarray) -> None:
    """Makes the policy.

    Args:
      weights: see the class; their shapes stay those of this first list.
      action_minimum: lower bounds, `[A]`.
      action_maximum: upper bounds, `[A]`.

    Raises:
      ValueError: if a shape does not fit.
    """
    minimum = np.asarray(action_minimum, np.float64)
    maximum = np.asarray(action_maximum, np.float64)
    self._half_range = np.float32((maximum - minimum) / 2.)
    self._centre = np.float32((maximum + minimum) / 2.)
    self._shapes = [np.shape(w) for w in weights]
    _check_shapes(self._shapes, minimum.shape)
    self.update(weights)

  def update(self, weights: Sequence[np.ndarray]) -> None:
    """Takes new weights, copied.

    Raises:
      ValueError: if a shape differs from the first list's.
    """
    shapes = [np.shape(w) for w in weights]
    if shapes != self._shapes:
      raise ValueError(f'weights: got shapes {shapes}, expected {self._shapes}')
    # Copies of our own: the learner's arrays change while we act.
    w, b, self._ln_scale, self._ln_offset = (
        np.array(x, np.float32) for x in weights[:4])
    # LayerNorm subtracts the mean of the first layer's outputs. That mean is
    # linear in the input, so it is taken out of the weights once instead.
    self._w0 = np.float32(w - w.mean(axis=1, keepdims=True, dtype=np.float64))
    self._b0 = np.float32(b - b.mean(dtype=np.float64))
    arrays = [np.array(x, np.float32, order='C') for x in weights[4:]]
    self._hidden = [(w, b, np.zeros_like(b))
                    for w, b in zip(arrays[:-2:2], arrays[1:-2:2])]
    self._w_head, self._b_head = arrays[-2:]

  def __call__(self, observation: np.ndarray) -> np.ndarray:
    """Returns the action float32 `[A]` for an observation float32 `[O]`."""
    h = observation @ self._w0
    h += self._b0
    h *= self._ln_scale * (
        1. / math.sqrt(float(h @ h) / h.size + _LAYER_NORM_EPSILON))
    h += self._ln_offset
    np.tanh(h, out=h)
    for w, b, zeros in self._hidden:
      h = h @ w
      h += b
      # ELU(x) = max(x, exp(min(x, 0)) - 1), as exp(x) - 1 >= x everywhere.
      negative = np.minimum(h, zeros)
      np.exp(negative, out=negative)
      negative -= 1.
      np.maximum(h, negative, out=h)
    h = h @ self._w_head
    h += self._b_head
    np.tanh(h, out=h)
    h *= self._half_range
    h += self._centre
    return h


def ordered_variables(policy: Any) -> List[Any]:
  """The variables of a Sonnet policy in the order of `NumpyPolicy`'s list.

  Sonnet sorts variables by name inside a layer (b before w, offset before
  scale) and keeps layers in the order of their use.

  Args:
    policy: the network in the docstring of `NumpyPolicy`, variables created.

  Returns:
    w0, b0, ln_scale, ln_offset, w1, b1, ..., w_head, b_head.

  Raises:
    ValueError: if the network is built in another way.
  """
  layers: Dict[str, Dict[str, Any]] = {}
  for variable in policy.variables:
    layer, _, leaf = variable.name.partition(':')[0].rpartition('/')
    layers.setdefault(layer, {})[leaf] = variable
  kinds = [sorted(layer) for layer in layers.values()]
  linear, norm = ['b', 'w'], ['offset', 'scale']
  if (len(kinds) < 3 or kinds[:2] != [linear, norm]
      or any(kind != linear for kind in kinds[2:])):
    raise ValueError(
        f'policy: got layers with variables {kinds}, expected {linear}, {norm} '
        f'and then at least one more {linear}')
  variables: List[Any] = []
  for layer, kind in zip(layers.values(), kinds):
    names = ('w', 'b') if kind == linear else ('scale', 'offset')
    variables.extend(layer[name] for name in names)
  return variables


def policy_weights(policy: Any) -> List[np.ndarray]:
  """The present weights of a Sonnet policy, as `NumpyPolicy` takes them.

  Raises:
    ValueError: if the network is built in another way.
  """
  return [variable.numpy() for variable in ordered_variables(policy)]


def _check_shapes(shapes: Sequence[Any], action_shape: Any) -> None:
  """Raises ValueError unless the shapes chain up from layer to layer."""
  if len(shapes) < 6 or len(shapes) % 2:
    raise ValueError(
        f'weights: got {len(shapes)} arrays, expected [w0, b0, ln_scale, '
        'ln_offset, w1, b1, ..., w_head, b_head]')
  linears = [(0, 1)] + [(i, i + 1) for i in range(4, len(shapes), 2)]
  width = None
  for w, b in linears:
    if len(shapes[w]) != 2 or (width is not None and shapes[w][0] != width):
      raise ValueError(f'weights[{w}]: got shape {tuple(shapes[w])}, expected '
                       f'({"any" if width is None else width}, any)')
    width = shapes[w][1]
    _check_shape(b, shapes[b], (width,))
    if w == 0:
      _check_shape(2, shapes[2], (width,))
      _check_shape(3, shapes[3], (width,))
  _check_shape(len(shapes) - 1, shapes[-1], action_shape)


def _check_shape(index: int, shape: Any, expected: Any) -> None:
  if tuple(shape) != tuple(expected):
    raise ValueError(f'weights[{index}]: got shape {tuple(shape)}, expected '
                     f'{tuple(expected)}')
