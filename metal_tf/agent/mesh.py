"""MeSh's scale and offset of the shaped reward: network, optimizer, update."""

from typing import Dict, NamedTuple, Sequence, Tuple

import tensorflow as tf

from metal_tf.agent import adam as adam_lib
from metal_tf.agent import networks
from metal_tf import config as config_lib
from metal_tf.maths import losses
from metal_tf.maths import optimizers
from metal_tf import types


class Shaped(NamedTuple):
  """A training part as the critic shall see it.

  Attributes:
    batch: with rewards and penalties scaled and moved, `[B, ...]`.
    metrics: means of scale and offset, `[]` each, by name.
  """
  batch: types.Transition
  metrics: Dict[str, tf.Tensor]


class Shaping:
  """A small network of (s, a), learned by the outer loss.

  Attributes:
    variables: its weights.
    slots: its optimizer's state.
  """

  def __init__(self, spec: types.EnvironmentSpec, config: config_lib.Config,
               dtype: tf.DType):
    """Builds the network, which changes nothing yet, and its optimizer."""

    def make() -> networks.ShapingNetwork:
      return networks.ShapingNetwork(config.mesh_layer_sizes)

    example = (tf.zeros([1, spec.observation_size], dtype),
               tf.zeros([1, spec.action_size], dtype))
    module = make()
    module(*example)
    self._apply = networks.Function(make, *example)
    self._rate = config.mesh_lr
    self._clip_norm = config.clip_norm
    self.variables = module.trainable_variables
    self.slots = adam_lib.make_slots(self.variables, 'shaping_adam')

  def apply(self, weights: Sequence[tf.Tensor],
            batch: types.Transition) -> Shaped:
    """Shapes the n-step sums at (s_t, a_t); differentiable in the weights."""
    scale, offset = self._apply(weights, batch.o_tm1, batch.a_tm1)
    return Shaped(losses.scale_and_offset(batch, scale, offset), dict(
        shaping_scale=tf.reduce_mean(scale),
        shaping_offset=tf.reduce_mean(offset)))

  def descend(
      self, weights: Sequence[tf.Tensor], slots: optimizers.AdamSlots,
      gradients: Sequence[tf.Tensor]
  ) -> Tuple[Sequence[tf.Tensor], optimizers.AdamSlots, tf.Tensor]:
    """Makes a step of Adam; assigns nothing.

    Args:
      weights: the network's.
      slots: the optimizer's state.
      gradients: the outer loss's, one per weight.

    Returns:
      New weights and slots, and the gradients' norm `[]`.
    """
    return optimizers.clipped_adam_update(
        weights, gradients, slots, self._rate, self._clip_norm)
