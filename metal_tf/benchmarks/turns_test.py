"""Tests of contestants' processes, with contestants of this file."""

import multiprocessing
import os
import sys
import time

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

  def _started(self, **kinds):
    self._directory = self.create_tempdir().full_path
    return turns_lib.started(
        {name: self._job(kind) for name, kind in kinds.items()},
        self._directory)

  def _job(self, kind, amount=1, cores=1, **arguments):
    return turns_lib.Job(f'turns_test.{kind}', amount, arguments, cores,
                         {'FOR_A_TEST': 'yes'})

  def test_they_take_turns_and_slow_peers_are_left_behind(self):
    path = self.create_tempfile().full_path
    jobs = {name: self._job('records', amount, path=path, name=name,
                            answer=answer)
            for name, amount, answer in (
                ('a', 1, 0.5), ('b', 20, 3.0), ('c', 20, 1.0), ('d', 20, 2.0))}
    with turns_lib.started(jobs, os.path.dirname(path)) as contestants:
      self.assertEqual(contestants['b'].ready, 'b is here')
      answers = turns_lib.take(contestants, 4, peers=['b', 'c', 'd'])
    self.assertEqual(answers, dict(a=[0.5] * 4, c=[1.0] * 4, d=[2.0] * 4))
    with open(path, encoding='utf-8') as stream:
      self.assertEqual(stream.read().split(), [
          'a1', 'b20', 'c20', 'd20', 'd20', 'c20', 'b20', 'a1',
          'a1', 'c20', 'd20', 'd20', 'c20', 'a1'])
    self.assertEmpty(multiprocessing.active_children())

  def test_the_answer_is_seconds_of_one(self):
    with self._started(sleeps='sleeps') as contestants:
      self.assertGreaterEqual(contestants['sleeps'].turn(), 0.01)

  def test_cores_and_environment(self):
    before = os.sched_getaffinity(0)
    with self._started(tells='tells') as contestants:
      self.assertEqual(contestants['tells'].ready, [1, 'yes'])
    self.assertEqual(os.sched_getaffinity(0), before)

  def test_one_that_dies_is_named_with_its_output(self):
    with self.assertRaisesRegex(
        turns_lib.ContestantFailed,
        'poor ended with exit status 3.*\n(.|\n)*out of ideas'):
      with self._started(poor='dies') as contestants:
        contestants['poor'].turn()

  def test_one_that_cannot_be_prepared_ends_all(self):
    with self.assertRaisesRegex(
        turns_lib.ContestantFailed, 'other ended (.|\n)*no_such_kind'):
      with self._started(one='hangs', other='no_such_kind'):
        self.fail('It began all the same.')
    self.assertEmpty(multiprocessing.active_children())

  def test_one_that_hangs(self):
    contestant = turns_lib.Contestant(
        'lazy', self._job('hangs'), self.create_tempdir().full_path,
        deadline_seconds=1.0)
    with self.assertRaisesRegex(
        turns_lib.ContestantFailed, 'lazy said nothing for 1 s'):
      contestant.prepared()
      contestant.turn()
    contestant.close()
    self.assertEmpty(multiprocessing.active_children())


if __name__ == '__main__':
  absltest.main()
