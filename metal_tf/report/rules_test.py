"""Tests of what makes a verdict."""

import math

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from metal_tf.report import rules
from metal_tf.report import statistics


class EffectTest(parameterized.TestCase):

  @parameterized.parameters(
      (1, 2, rules.SEEN), (-2, -1, rules.NOT_SEEN), (-1, 1, rules.UNDECIDED),
      (float('nan'), float('nan'), rules.UNDECIDED))
  def test_above_zero(self, low, high, expected):
    effect = rules.Effect('', statistics.Interval(0, low, high))
    self.assertEqual(effect.verdict(), expected)

  @parameterized.parameters(
      (-5, 5, rules.SEEN), (5, 15, rules.UNDECIDED),
      (11, 12, rules.NOT_SEEN), (-12, -11, rules.NOT_SEEN),
      (-20, 20, rules.UNDECIDED))
  def test_between(self, low, high, expected):
    effect = rules.Effect('', statistics.Interval(0, low, high), -10, 10)
    self.assertEqual(effect.verdict(), expected)

  def test_all_effects_have_to_be_seen(self):
    seen, not_seen, undecided = (
        rules.Effect('', statistics.Interval(0, low, high))
        for low, high in ((1, 2), (-2, -1), (-1, 1)))
    self.assertEqual(rules.judge([seen, seen]), rules.SEEN)
    self.assertEqual(rules.judge([seen, undecided]), rules.UNDECIDED)
    self.assertEqual(rules.judge([undecided, not_seen]), rules.NOT_SEEN)
    self.assertEqual(rules.judge([]), rules.UNDECIDED)


def _effect(low, high, name='', **bounds):
  return rules.Effect(name, statistics.Interval((low + high) / 2, low, high),
                      **bounds)


class ConcludeTest(parameterized.TestCase):

  def _conclude(self, *effects, **against):
    return rules.conclude('x', 'a claim', effects, ['a note', ''], {
        rules.SEEN: against.get('seen', []),
        rules.NOT_SEEN: against.get('not_seen', [])})

  def test_the_effect_that_decides_is_shown(self):
    seen, undecided, elsewhere, other = (
        _effect(1, 2, 'one'), _effect(-1, 1, 'two'), _effect(-2, -1, 'three'),
        _effect(-3, -2, 'four'))
    for effects, verdict, shown in (
        ((seen, undecided, elsewhere, other), rules.NOT_SEEN, elsewhere),
        ((seen, undecided), rules.UNDECIDED, undecided),
        ((seen, seen._replace(name='other')), rules.SEEN, seen)):
      found = self._conclude(*effects)
      self.assertEqual((found.verdict, found.effect), (verdict, shown))
      self.assertEqual(found.interval, shown.interval)
      self.assertEqual(found.why, '')

  def test_a_reason_keeps_it_from_that_verdict_alone(self):
    found = self._conclude(_effect(1, 2, 'one', n=5), seen=['half is missing'])
    self.assertEqual((found.verdict, found.why),
                     (rules.UNDECIDED, 'half is missing'))
    self.assertEqual(
        found.diagnosis, 'one (n = 5): 1.5 [1, 2] (95 %); by its intervals '
        'seen, but: half is missing; a note.')
    for effect, verdict in ((_effect(-2, -1), rules.NOT_SEEN),
                            (_effect(-1, 1), rules.UNDECIDED)):
      found = self._conclude(effect, seen=['half is missing'])
      self.assertEqual((found.verdict, found.why), (verdict, ''))
      self.assertIn('half is missing', found.diagnosis)  # Told all the same.

  def test_one_effect_elsewhere_or_all_in_place_would_decide_it(self):
    # Estimates above 0 are where the claim says.
    near, far, elsewhere = (
        rules.Effect('', statistics.Interval(estimate, -9, 9), seeds=seeds)
        for estimate, seeds in ((1, 30.0), (2, 12.0), (-1, 20.0)))
    for effects, seeds in (((near, far), 30), ((near, far, elsewhere), 20),
                           ((_effect(1, 2), _effect(-2, -1)), math.nan)):
      np.testing.assert_equal(self._conclude(*effects).seeds, seeds)
    self.assertStartsWith(
        self._conclude(near._replace(seeds=math.inf)).would_decide,
        'it would take more than 1000 seeds')
    for effect, seeds in ((near, math.nan), (elsewhere, 20)):
      np.testing.assert_equal(
          self._conclude(effect, seen=['half is missing']).seeds, seeds)
    self.assertEqual(self._conclude(_effect(1, 2)).would_decide, '')

  def test_n_is_that_of_the_effect_shown_and_the_fewest_are_told(self):
    found = self._conclude(_effect(1, 2, 'one', n=8), _effect(1, 2, n=4))
    self.assertEqual(found.n, 8)
    self.assertEndsWith(found.diagnosis, 'underpowered: n = 4, fewer than 5.')
    self.assertNotIn('underpowered', self._conclude(
        _effect(1, 2, n=5)).diagnosis)

  def test_nothing_measured(self):
    found = self._conclude()
    self.assertEqual((found.verdict, found.n, found.why, found.effect),
                     (rules.UNDECIDED, 0, 'no runs to compare', None))
    self.assertTrue(math.isnan(found.interval.estimate))


class ContrastTest(absltest.TestCase):

  def test_the_interval_is_widened_for_a_family(self):
    terms = [(1, [1.0, 2.0, 4.0]), (-1, [0.0, 0.5, 0.25])]
    found = rules.contrast('x', terms, 4)
    self.assertEqual(found.interval, statistics.contrast(terms, 0.0125))
    self.assertIn('(98.75 %)', str(found))

  def test_copies_and_two_seeds_have_no_interval(self):
    for other in ([1.0] * 3, [1.0, 1.01]):
      found = rules.contrast('x', [(1, [11.0, 12.0, 14.0]), (-1, other)])
      self.assertTrue(math.isnan(found.interval.low))
      self.assertEqual(found.verdict(), rules.UNDECIDED)
      self.assertIn('no interval: fewer than 3 seeds, or all alike', str(found))


if __name__ == '__main__':
  absltest.main()
