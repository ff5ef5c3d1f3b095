"""MeSh: a scale and an offset of the shaped reward, around Algorithm 1."""

from typing import Dict, Tuple

import tensorflow as tf

from metal_tf import config as config_lib
from metal_tf import types
from metal_tf.agent import algorithm1
from metal_tf.agent import networks
from metal_tf.maths import losses
from metal_tf.maths import meta_gradient
from metal_tf.maths import optimizers


class Shaping:
  """A small network of (s, a), learned by the outer loss.

  Attributes:
    variables: its weights.
  """

  def __init__(self, spec: types.EnvironmentSpec, config: config_lib.Config,
               dtype: tf.DType):
    """Builds the network, which changes nothing yet."""

    def make() -> networks.ShapingNetwork:
      return networks.ShapingNetwork(config.mesh_layer_sizes)

    example = (tf.zeros([1, spec.observation_size], dtype),
               tf.zeros([1, spec.action_size], dtype))
    module = make()
    module(*example)
    self._apply = networks.Function(make, *example)
    self._optimizer = optimizers.clipped_adam(config.mesh_lr, config.clip_norm)
    self.variables = module.trainable_variables

  def update(
      self, state: algorithm1.TrainingState, sample: types.Sample,
      output_t: tf.Tensor, setup: algorithm1.Setup
  ) -> Tuple[algorithm1.StepOutput, Dict[str, tf.Tensor]]:
    """Makes an iteration of Algorithm 1 on transitions with shaped rewards.

    The training part is shaped, which the critic learns from; the validation
    part is not. The outer loss depends on the network through the new critic.

    Args:
      state: the training state.
      sample: B transitions and M episode penalties.
      output_t: as `algorithm1.update` has it, `[B, N]`.
      setup: of Algorithm 1, with a meta-optimizer that leaves alpha_lambda
        where it is.

    Returns:
      What the step leads to, the network's own step included, and the means of
      scale and offset, `[]` each, by name.
    """
    training, validation = meta_gradient.split_batch(
        sample.transitions, setup.num_training)
    assert validation is not None  # MeSh has an outer loss.
    with tf.GradientTape(watch_accessed_variables=False) as tape:
      tape.watch(state.shaping)
      scale, offset = self._apply(
          state.shaping, training.o_tm1, training.a_tm1)
      shaped = losses.scale_and_offset(training, scale, offset)
      output = algorithm1.update(state, sample._replace(
          transitions=types.Transition(*(
              tf.concat(parts, 0) for parts in zip(shaped, validation)))),
                                 output_t, setup)
    weights, slots, _ = self._optimizer(
        state.shaping,
        tape.gradient(output.losses['outer_loss'], state.shaping),
        state.shaping_slots)
    return (
        output._replace(state=output.state._replace(
            shaping=weights, shaping_slots=slots)),
        dict(shaping_scale=tf.reduce_mean(scale),
             shaping_offset=tf.reduce_mean(offset)))
