"""Tests of the time left."""

from absl.testing import absltest

from metal_tf.benchmarks import progress


class ProgressTest(absltest.TestCase):

  def test_time_left(self):
    now, lines = [100.0], []
    told = progress.Progress(
        {'learners': 40.0, 'runs': 20.0, 'insert': 10.0}, lines.append,
        lambda: now[0])
    told.begin('learners')
    now[0] += 10.0
    self.assertEqual(told.seconds_left, 60.0)
    now[0] += 70.0  # Twice as long as expected.
    self.assertEqual(told.seconds_left, 0.0)
    told.begin('runs')
    self.assertEqual(told.seconds_left, 60.0)
    now[0] += 15.0
    told.say('round 1')
    self.assertEqual(lines, ['[  95 s, about 45 s left] runs: round 1'])


if __name__ == '__main__':
  absltest.main()
