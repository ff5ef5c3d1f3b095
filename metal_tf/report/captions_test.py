"""Tests of the words that captions share."""

from absl.testing import absltest

from metal_tf.report import captions


class CaptionsTest(absltest.TestCase):

  def test_span(self):
    self.assertEqual(captions.span([3, 1, 2]), '1 to 3')
    self.assertEqual(captions.span(n for n in (4, 4)), '4')

  def test_seeds(self):
    self.assertEqual(captions.seeds({'A': [3, 3], 'B': [3]}),
                     'Seeds per agent and condition: n = 3.')
    self.assertEqual(captions.seeds({'A': [2, 3], 'B': [1], 'C': [3, 2]}),
                     'Seeds per condition: A, C n = 2 to 3; B n = 1.')


if __name__ == '__main__':
  absltest.main()
