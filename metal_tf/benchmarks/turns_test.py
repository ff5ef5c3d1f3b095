"""Tests of contestants' processes, with contestants of this file."""

import multiprocessing
import os
import sys
import time
from unittest import mock

from absl.testing import absltest

from metal_tf.benchmarks import turns as turns_lib


def records(turns, *, path, name, answer):
  """Writes down every turn."""
  amount = turns.next(f'{name} is here')
  while True:
    with open(path, 'a', encoding='utf-8') as stream:
      stream.write(f'{name}{amount} ')
    amount = turns.next(answer)


def sleeps(turns):
  turns.serve(lambda amount: time.sleep(0.01 * amount))


def tells(turns):
  turns.next([len(os.sched_getaffinity(0)), os.environ.get('FOR_A_TEST')])


def dies(turns):
  turns.next()
  print('out of ideas', file=sys.stderr)
  sys.exit(3)


def hangs(turns):
  turns.next()
  time.sleep(1000)


class TurnsTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self._directory = self.create_tempdir().full_path
    self._before = os.sched_getaffinity(0), dict(os.environ)

  def tearDown(self):
    super().tearDown()
    self.assertEmpty(multiprocessing.active_children())
    self.assertEqual((os.sched_getaffinity(0), dict(os.environ)), self._before)

  def _race(self, contestants, **more):
    return turns_lib.race(contestants, self._directory, **more)

  def test_they_take_turns_and_slow_peers_are_left_behind(self):
    path = os.path.join(self._directory, 'turns')
    contestants = {
        name: turns_lib.Contestant('turns_test.records', amount, path=path,
                                   name=name, answer=answer)
        for name, amount, answer in (
            ('a', 1, 0.5), ('b', 20, 3.0), ('c', 20, 1.0), ('d', 20, 2.0))}
    answers = self._race(contestants, rounds=4, peers=['b', 'c', 'd'])
    self.assertEqual(answers, dict(a=[0.5] * 4, c=[1.0] * 4, d=[2.0] * 4))
    self.assertEqual(contestants['b'].ready, 'b is here')
    with open(path, encoding='utf-8') as stream:
      self.assertEqual(stream.read().split(), [
          'a1', 'b20', 'c20', 'd20', 'd20', 'c20', 'b20', 'a1',
          'a1', 'c20', 'd20', 'd20', 'c20', 'a1'])

  def test_the_answer_is_seconds_of_one(self):
    [answers] = self._race(
        {'sleeps': turns_lib.Contestant('turns_test.sleeps', 3)},
        rounds=2).values()
    self.assertLen(answers, 2)
    self.assertGreaterEqual(min(answers), 0.01)

  def test_cores_and_environment(self):
    contestant = turns_lib.Contestant(
        'turns_test.tells', cores=1, environment={'FOR_A_TEST': 'yes'})
    self._race({'tells': contestant}, rounds=0)
    self.assertEqual(contestant.ready, [1, 'yes'])

  def test_one_that_dies_is_named_with_its_output(self):
    with self.assertRaisesRegex(
        turns_lib.ContestantFailed,
        'turns_test.dies {} ended with exit status 3.*\n(.|\n)*out of ideas'):
      self._race({'poor': turns_lib.Contestant('turns_test.dies')}, rounds=1)

  def test_one_that_cannot_be_prepared_ends_all(self):
    with self.assertRaisesRegex(
        turns_lib.ContestantFailed, 'ended (.|\n)*no_such_kind'):
      self._race({'one': turns_lib.Contestant('turns_test.hangs'),
                  'other': turns_lib.Contestant('turns_test.no_such_kind')},
                 rounds=1)

  @mock.patch.object(turns_lib, '_DEADLINE_SECONDS', 1.0)
  def test_one_that_hangs(self):
    with self.assertRaisesRegex(
        turns_lib.ContestantFailed, 'said nothing for 1 s'):
      self._race({'lazy': turns_lib.Contestant('turns_test.hangs')}, rounds=1)


if __name__ == '__main__':
  absltest.main()
