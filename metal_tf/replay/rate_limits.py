"""The ratio of samples to insertions and the window around it."""

import sys
from typing import NamedTuple

# The ratio may be off by this share of the samples that the smallest sampled
# memory stands for (the tolerance Acme's D4PG uses).
_TOLERANCE = 0.1


class RateLimiterWindow(NamedTuple):
  """How far sampling and inserting may run apart.

  The balance is `inserts * samples_per_insert - samples`. It may stay in
  `[min_diff, max_diff]`: sampling waits below, inserting above.

  Attributes:
    samples_per_insert: how often an inserted transition is sampled on average.
    min_size: transitions that must be there before the first sample.
    min_diff: smallest balance.
    max_diff: largest balance; the largest float where insertion never waits.
    description: one line for the user.
  """
  samples_per_insert: float
  min_size: int
  min_diff: float
  max_diff: float
  description: str

  def batches_due(self, inserts: int, samples: int, batch_size: int) -> int:
    """Batches to draw until samples match the insertions beyond min_size.

    Args:
      inserts: transitions ever inserted.
      samples: transitions ever sampled.
      batch_size: transitions in a batch.

    Returns:
      The number of whole batches, 0 when sampling is ahead.
    """
    owed = (inserts - self.min_size) * self.samples_per_insert - samples
    return max(0, int(owed // batch_size))

  def admits_batch(self, inserts: int, samples: int, batch_size: int) -> bool:
    """Whether one more batch stays inside the window."""
    balance = inserts * self.samples_per_insert - samples - batch_size
    return balance >= self.min_diff


def rate_limiter_window(*,
                        samples_per_insert: float,
                        min_size: int,
                        capacity: int,
                        batch_size: int,
                        prefetched_batches: int,
                        first_inserts: int) -> RateLimiterWindow:
  """Computes and checks the window in which the ratio is kept.

  The episode penalties are sampled with the transitions, and none is there
  before an episode has ended. So the window has to admit a whole episode of
  insertions before the first sample; otherwise the actors would wait for the
  learner, and the learner for the actors, for ever.

  Args:
    samples_per_insert: samples per inserted transition, > 0.
    min_size: transitions before the first sample, in [1, capacity].
    capacity: largest number of transitions held.
    batch_size: transitions in a batch.
    prefetched_batches: batches that may be drawn ahead of the learner.
    first_inserts: transitions that may come before the first episode penalty.
      0 lets insertion never wait: for one thread that does both, where it would
      wait for itself.

  Returns:
    The window. The ratio may be off by the smallest safe number of samples, or
    by a tenth of `min_size * samples_per_insert` if that is larger; too few
    samples may be as many as `first_inserts` asks for.

  Raises:
    ValueError: naming the field, what it was and what is allowed.
  """
  for name, value in (('min_size', min_size), ('capacity', capacity),
                      ('batch_size', batch_size)):
    if value < 1:
      raise ValueError(f'{name}: got {value}, allowed are integers >= 1')
  if not 0. < samples_per_insert < float('inf'):
    raise ValueError(f'samples_per_insert: got {samples_per_insert}, allowed '
                     'are numbers > 0')
  if min_size > capacity:
    raise ValueError(f'min_size: got {min_size}, allowed is 1 to the capacity '
                     f'{capacity}')

  # A batch becomes due only when it is complete, so the balance swings by one
  # batch and one insertion even if the loop never lags.
  swing = (prefetched_batches + 1) * batch_size + max(1., samples_per_insert)
  more = max(swing, _TOLERANCE * min_size * samples_per_insert)
  fewer = max(more, samples_per_insert * (first_inserts - min_size))

  centre = min_size * samples_per_insert
  bounded = first_inserts > 0
  return RateLimiterWindow(
      samples_per_insert=float(samples_per_insert),
      min_size=min_size,
      min_diff=centre - more,
      max_diff=centre + fewer if bounded else sys.float_info.max,
      description=(
          f'replay: learning starts at {min_size} transitions and draws '
          f'{samples_per_insert:g} samples for each new one, '
          f'at most {more:g} too many'
          + (f' and {fewer:g} too few' if bounded else '')))


def check_penalty_sizes(num_penalty_samples: int,
                        penalty_capacity: int) -> None:
  """Raises ValueError, as above, unless both are at least 1."""
  for name, value in (('num_penalty_samples', num_penalty_samples),
                      ('penalty_capacity', penalty_capacity)):
    if value < 1:
      raise ValueError(f'{name}: got {value}, allowed are integers >= 1')
