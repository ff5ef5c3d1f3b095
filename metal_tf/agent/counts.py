"""How many steps a learner made, and how many of them it skipped."""

import tensorflow as tf


class Counts:
  """Counters that the compiled step itself advances.

  Attributes:
    steps: steps made, skipped ones included, int64 `[]`.
    skipped: of these, those dropped for a NaN or infinity.
    skipped_in_a_row: the newest of them, if they were all skipped; else 0.
  """

  def __init__(self):
    """Starts at 0."""
    self.steps, self.skipped, self.skipped_in_a_row = (
        tf.Variable(0, dtype=tf.int64, trainable=False, name=name)
        for name in ('steps', 'skipped', 'skipped_in_a_row'))

  def add(self, finite: tf.Tensor) -> None:
    """Counts a step; `finite`, bool `[]`, says whether it was made."""
    self.steps.assign_add(1)
    skipped = tf.cast(tf.logical_not(finite), tf.int64)
    self.skipped.assign_add(skipped)
    self.skipped_in_a_row.assign(
        skipped * (self.skipped_in_a_row.read_value() + 1))
