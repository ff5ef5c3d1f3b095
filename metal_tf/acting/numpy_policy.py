"""The policy network in numpy, one observation at a time.

A TensorFlow call costs more than the whole network at batch size 1, so actors
do without TensorFlow.
"""

from typing import Any, List, Sequence

import numpy as np

# Sonnet's default; part of the network's definition.
_LAYER_NORM_EPSILON = np.float32(1e-5)


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
    self._minimum = np.asarray(action_minimum, np.float32)
    self._scale = np.asarray(action_maximum, np.float32) - self._minimum
    _check_shapes([np.shape(w) for w in weights], self._minimum.shape)
    self._shapes = [np.shape(w) for w in weights]
    self.update(weights)

  def update(self, weights: Sequence[np.ndarray]) -> None:
    """Takes new weights, copied.

    Raises:
      ValueError: if a shape differs from the first list's.
    """
    shapes = [np.shape(w) for w in weights]
    if shapes != self._shapes:
      raise ValueError(f'weights: got shapes {shapes}, expected {self._shapes}')
    # A copy of its own: the learner's arrays change while we act.
    arrays = [np.array(w, np.float32, order='C') for w in weights]
    self._first = arrays[:4]
    self._hidden = list(zip(arrays[4:-2:2], arrays[5:-2:2]))
    self._head = arrays[-2:]

  def __call__(self, observation: np.ndarray) -> np.ndarray:
    """Returns the action float32 `[A]` for an observation float32 `[O]`."""
    w, b, scale, offset = self._first
    h = observation @ w
    h += b
    size = np.float32(h.size)
    h -= h.sum() / size
    h *= scale / np.sqrt(h @ h / size + _LAYER_NORM_EPSILON)
    h += offset
    np.tanh(h, out=h)
    for w, b in self._hidden:
      h = h @ w
      h += b
      # ELU without a branch: exp(x) - 1 below zero, x above.
      h = np.maximum(h, 0) + np.expm1(np.minimum(h, 0))
    w, b = self._head
    h = np.tanh(h @ w + b)
    return np.float32(0.5) * (h + np.float32(1)) * self._scale + self._minimum


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
  layers = {}
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
  variables = []
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
