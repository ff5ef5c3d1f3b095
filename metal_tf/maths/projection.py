"""Projection of a shifted value distribution back onto the fixed atoms.

The categorical projection of C51 (Bellemare et al., 2017), as D4PG uses it,
with one demand more: MetaL differentiates the critic's target with respect to
the multiplier, so the projection must be differentiable in the atoms' shifted
positions. It is piecewise linear in them. At a kink (a position exactly on an
atom) the derivative from the right is taken, so that a shift still moves mass;
beyond the ends of the support, where the position is clipped, it is zero.
"""

from typing import NamedTuple

import tensorflow as tf

from metal_tf.maths import shapes


class Support(NamedTuple):
  """The fixed, evenly spaced atoms of the value distribution.

  Attributes:
    vmin: the lowest atom, in units of discounted return.
    vmax: the highest atom.
    num_atoms: N, at least 2.
  """
  vmin: float
  vmax: float
  num_atoms: int

  @property
  def spacing(self) -> float:
    return (self.vmax - self.vmin) / (self.num_atoms - 1)

  def atoms(self, dtype: tf.DType = tf.float32) -> tf.Tensor:
    """Returns the atoms, `[N]`."""
    return tf.linspace(
        tf.constant(self.vmin, dtype), tf.constant(self.vmax, dtype),
        self.num_atoms)


def project(positions: tf.Tensor, probabilities: tf.Tensor,
            support: Support) -> tf.Tensor:
  """Splits each atom's mass between its two neighbours on the support.

  Args:
    positions: where the atoms have moved to, `[B, N]`.
    probabilities: their mass, `[B, N]`.
    support: the atoms to project onto.

  Returns:
    The projected probabilities `[B, N]`; each row keeps its mass. A position
    outside the support counts as its nearest end.

  Raises:
    ValueError: for shapes other than `[B, N]`.
  """
  n = support.num_atoms
  shapes.check('positions', positions, [None, n])
  shapes.check('probabilities', probabilities, [positions.shape[0], n])
  # No minimum or maximum here: compiled by XLA they make a number of NaN, and
  # the learner would not see that one went in.
  index = (_clip(positions, support.vmin, support.vmax)
           - support.vmin) / support.spacing
  # Rounding may put an index a hair beyond the last one.
  index = _clip(index, 0, n - 1)
  lower = tf.stop_gradient(tf.where(
      index < n - 1, tf.floor(index), tf.constant(n - 2, index.dtype)))
  fraction = index - lower  # In [0, 1]; the only path for gradients.
  mass_above = fraction * probabilities
  # One sum over the atoms that the mass goes to, rather than [B, N, N] products
  # of which all but 2 N a row are zero.
  batch_size = probabilities.shape[0]
  below = tf.cast(lower, tf.int32) + n * tf.range(batch_size)[:, None]
  return tf.reshape(
      tf.math.unsorted_segment_sum(
          tf.concat([probabilities - mass_above, mass_above], axis=1),
          tf.concat([below, below + 1], axis=1), batch_size * n),
      [batch_size, n])


def _clip(x: tf.Tensor, low: float, high: float) -> tf.Tensor:
  """Clips, with zero gradient beyond the ends; NaN stays NaN."""
  low, high = tf.constant(low, x.dtype), tf.constant(high, x.dtype)
  x = tf.where(x < low, low, x)
  return tf.where(x > high, high, x)


def clipped_mass(positions: tf.Tensor, probabilities: tf.Tensor,
                 support: Support) -> tf.Tensor:
  """Returns the mean share of mass that lies outside the support, `[]`.

  Mass at the clipped ends carries no gradient to the multiplier, so a large
  share says that `vmin` and `vmax` are too tight for `lambda * J_C`.
  """
  outside = tf.logical_or(positions < support.vmin, positions > support.vmax)
  share = tf.reduce_sum(
      tf.where(outside, probabilities, tf.zeros_like(probabilities)), axis=1)
  return tf.reduce_mean(share)
