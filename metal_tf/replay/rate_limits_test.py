"""Tests for `rate_limits`."""

import sys

from absl.testing import absltest
from absl.testing import parameterized

from metal_tf.replay import rate_limits

_SETTINGS = dict(samples_per_insert=32., min_size=1000, capacity=10**6,
                 batch_size=256, prefetched_batches=2, first_inserts=1000)


class RateLimiterWindowTest(parameterized.TestCase):

  def test_default_is_a_tenth_of_the_smallest_memory(self):
    window = rate_limits.rate_limiter_window(**_SETTINGS)
    self.assertEqual((window.min_diff, window.max_diff), (28800., 35200.))
    self.assertEqual(
        window.description,
        'replay: learning starts at 1000 transitions and draws 32 samples for '
        'each new one, at most 3200 too many and 3200 too few')

  def test_admits_the_first_episode(self):
    window = rate_limits.rate_limiter_window(
        **{**_SETTINGS, 'first_inserts': 4000})
    # Inserting waits above max_diff, and nothing has been sampled yet.
    self.assertGreaterEqual(window.max_diff, 4000 * 32)
    # It does not let the learner run ahead.
    self.assertEqual(window.min_diff, 28800.)

  def test_admits_the_samples_in_flight(self):
    window = rate_limits.rate_limiter_window(
        **{**_SETTINGS, 'min_size': 1, 'first_inserts': 1})
    self.assertLessEqual(window.min_diff, 32 - 3 * 256)

  @parameterized.parameters((0.25, 8 + 1), (4.0, 8 + 4))
  def test_the_balance_swings_by_a_batch_and_an_insertion(self, ratio, swing):
    window = rate_limits.rate_limiter_window(
        samples_per_insert=ratio, min_size=1, capacity=100, batch_size=8,
        prefetched_batches=0, first_inserts=1)
    self.assertEqual((window.min_diff, window.max_diff),
                     (ratio - swing, ratio + swing))

  def test_insertion_need_not_wait(self):
    window = rate_limits.rate_limiter_window(
        **{**_SETTINGS, 'first_inserts': 0})
    self.assertEqual(window.max_diff, sys.float_info.max)
    self.assertEndsWith(window.description, 'at most 3200 too many')

  @parameterized.parameters(
      (dict(samples_per_insert=0.), 'samples_per_insert: got 0.0, allowed'),
      (dict(samples_per_insert=float('nan')), 'samples_per_insert: got nan'),
      (dict(samples_per_insert=float('inf')), 'samples_per_insert: got inf'),
      (dict(min_size=0), 'min_size: got 0, allowed are integers >= 1'),
      (dict(batch_size=0), 'batch_size: got 0, allowed are integers >= 1'),
      (dict(capacity=0), 'capacity: got 0, allowed are integers >= 1'),
      (dict(capacity=999), 'min_size: got 1000, allowed is 1 to .* 999'))
  def test_errors_name_field_value_and_what_is_allowed(self, changes, message):
    with self.assertRaisesRegex(ValueError, message):
      rate_limits.rate_limiter_window(**{**_SETTINGS, **changes})

  def test_batches_are_due_after_min_size(self):
    window = rate_limits.rate_limiter_window(**_SETTINGS)
    self.assertEqual(window.batches_due(1000, 0, 256), 0)
    self.assertEqual(window.batches_due(1007, 0, 256), 0)
    self.assertEqual(window.batches_due(1008, 0, 256), 1)
    self.assertEqual(window.batches_due(1024, 256, 256), 2)
    self.assertEqual(window.batches_due(1000, 512, 256), 0)

  def test_a_batch_is_admitted_down_to_the_lower_end(self):
    window = rate_limits.rate_limiter_window(**_SETTINGS)
    self.assertTrue(window.admits_batch(1000, 2944, 256))
    self.assertFalse(window.admits_batch(1000, 2945, 256))


if __name__ == '__main__':
  absltest.main()
