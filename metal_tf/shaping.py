"""MeSh's scale and offset of the shaped reward: network, optimizer, update."""

from typing import Dict, NamedTuple, Sequence, Tuple

import tensorflow as tf

from metal_tf import adam as adam_lib
from metal_tf import config as config_lib
from metal_tf import networks
from metal_tf import types
from metal_tf.maths import losses


class Shaped(NamedTuple):
  """A training part as the critic shall see it.

  Attributes:
    batch: with rewards and penalties scaled and moved, `[B, ...]`.
    metrics: means of scale and offset, `[]` each, by name.
  """
  batch: types.Transition
  metrics: Dict[str, tf.Tensor]


class Shaping:
  """A small network of (s, a), learned by the outer loss."""

  def __init__(self, spec: types.EnvironmentSpec, config: config_lib.Config,
               dtype: tf.DType):
    """Builds the network, which changes nothing yet, and its optimizer."""
    self._network = networks.ShapingNetwork(config.mesh_layer_sizes)
    self._network(tf.zeros([1, spec.observation_size], dtype),
                  tf.zeros([1, spec.action_size], dtype))
    self._rate = config.mesh_lr
    self._clip_norm = config.clip_norm
    self.variables = self._network.trainable_variables
    self._adam = adam_lib.Adam(self.variables, 'shaping_adam')

  @property
  def slots(self) -> Sequence[tf.Variable]:
    """The optimizer's state."""
    return self._adam.variables

  def apply(self, batch: types.Transition) -> Shaped:
    """Shapes the n-step sums at (s_t, a_t); differentiable in the variables."""
    scale, offset = self._network(batch.o_tm1, batch.a_tm1)
    return Shaped(losses.scale_and_offset(batch, scale, offset), dict(
        shaping_scale=tf.reduce_mean(scale),
        shaping_offset=tf.reduce_mean(offset)))

  def descend(
      self, gradients: Sequence[tf.Tensor]
  ) -> Tuple[Sequence[tf.Tensor], Sequence[tf.Tensor], tf.Tensor]:
    """Makes a step of Adam; assigns nothing.

    Args:
      gradients: the outer loss's, one per variable.

    Returns:
      New values of `variables` and of `slots`, and the gradients' norm `[]`.
    """
    weights, slots, norm = self._adam.descend(
        gradients, self._rate, self._clip_norm)
    return weights, adam_lib.values(slots), norm
