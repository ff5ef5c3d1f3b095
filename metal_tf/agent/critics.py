"""What sets the two critics apart: output, target, losses, expected value.

The paper's agents have a distributional critic (footnote 2), its notation and
Theorem 1 a scalar one. The learner knows neither: it asks its head. Shapes: `B`
batch, `K` constraints, `N` outputs of the critic.
"""

from typing import Any, Protocol

import tensorflow as tf

from metal_tf import config as config_lib
from metal_tf import types
from metal_tf.maths import losses
from metal_tf.maths import projection

_DIVERGENCES = {
    'cross_entropy': losses.cross_entropy,
    'kl': losses.kl_divergence,
}


class Distributional:
  """Logits of a distribution on fixed atoms; cross entropy.

  Attributes:
    size: N, the critic's outputs.
  """

  def __init__(self, support: projection.Support, outer_divergence: str):
    """Takes the atoms, and what the outer loss measures.

    Args:
      support: the atoms.
      outer_divergence: 'td', the squared TD error of the means, or the
        distributions' 'cross_entropy' or 'kl'.
    """
    self.size = support.num_atoms
    self._support = support
    self._divergence = _DIVERGENCES.get(outer_divergence)

  def target(self, batch: types.Transition, multiplier: tf.Tensor,
             output_t: tf.Tensor) -> losses.Target:
    """The target, given the target critic's output `[B, N]`."""
    return losses.critic_target(batch, multiplier, output_t, self._support)

  def loss(self, critic: losses.Critic, batch: types.Transition,
           target: losses.Target) -> tf.Tensor:
    """The inner loss of each transition, `[B]`."""
    return losses.critic_loss(critic, batch, target)

  def outer_loss(self, critic: losses.Critic, batch: types.Transition,
                 target: losses.Target) -> tf.Tensor:
    """The outer loss of each transition, `[B]`."""
    if self._divergence is None:
      return tf.square(
          losses.mean_td_error(critic, batch, target, self._support))
    return losses.critic_loss(critic, batch, target, self._divergence)

  def td_error(self, critic: losses.Critic, batch: types.Transition,
               target: losses.Target) -> tf.Tensor:
    """delta of the distributions' means, `[B]`."""
    return losses.mean_td_error(critic, batch, target, self._support)

  def priorities(self, critic: losses.Critic, batch: types.Transition,
                 target: losses.Target) -> tf.Tensor:
    """How urgent each transition is for prioritized replay, `[B]`."""
    return losses.priorities(critic, batch, target)

  def value(self, output: tf.Tensor) -> tf.Tensor:
    """Q from the critic's output: `[B, N]` to `[B]`."""
    return losses.expected_value(output, self._support)


class Scalar:
  """One value; squared TD error, inner and outer, as in Theorem 1.

  Attributes:
    size: 1, the critic's outputs.
  """
  size = 1

  def target(self, batch: types.Transition, multiplier: tf.Tensor,
             output_t: tf.Tensor) -> losses.ScalarTarget:
    """The target, given the target critic's output `[B, 1]`."""
    return losses.scalar_target(batch, multiplier, self.value(output_t))

  def loss(self, critic: losses.Critic, batch: types.Transition,
           target: losses.ScalarTarget) -> tf.Tensor:
    """The inner loss of each transition, `[B]`."""
    return losses.squared_td_error(critic, batch, target)

  outer_loss = loss

  def td_error(self, critic: losses.Critic, batch: types.Transition,
               target: losses.ScalarTarget) -> tf.Tensor:
    """delta, `[B]`."""
    return losses.td_error(critic, batch, target)

  def priorities(self, critic: losses.Critic, batch: types.Transition,
                 target: losses.ScalarTarget) -> tf.Tensor:
    """How urgent each transition is for prioritized replay, `[B]`."""
    return losses.scalar_priorities(critic, batch, target)

  def value(self, output: tf.Tensor) -> tf.Tensor:
    """Q from the critic's output: `[B, 1]` to `[B]`."""
    return output[:, 0]


class Head(Protocol):
  """What both have; a target is what the head's own `target` returns."""
  size: int

  def target(self, batch: types.Transition, multiplier: tf.Tensor,
             output_t: tf.Tensor) -> Any:
    """See `Distributional.target`."""

  def loss(self, critic: losses.Critic, batch: types.Transition,
           target: Any) -> tf.Tensor:
    """See `Distributional.loss`."""

  def outer_loss(self, critic: losses.Critic, batch: types.Transition,
                 target: Any) -> tf.Tensor:
    """See `Distributional.outer_loss`."""

  def td_error(self, critic: losses.Critic, batch: types.Transition,
               target: Any) -> tf.Tensor:
    """See `Distributional.td_error`."""

  def priorities(self, critic: losses.Critic, batch: types.Transition,
                 target: Any) -> tf.Tensor:
    """See `Distributional.priorities`."""

  def value(self, output: tf.Tensor) -> tf.Tensor:
    """See `Distributional.value`."""


def make(config: config_lib.Config) -> Head:
  """Returns the head that the configuration asks for."""
  if config.critic == 'scalar':
    return Scalar()
  return Distributional(
      projection.Support(config.vmin, config.vmax, config.num_atoms),
      config.outer_divergence)
