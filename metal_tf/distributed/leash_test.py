"""Tests of what ties a worker to its run."""

from concurrent import futures
import threading
import time
import types
from unittest import mock

from absl.testing import absltest
import launchpad as lp

from metal_tf.distributed import leash as leash_lib

_LONG = 30.0


class _Coordinator:
  """Says the phase that the test wants, and remembers what it was told."""

  def __init__(self):
    self.phase = 0
    self.hurried = False
    self.lost = False
    self.beats = []
    self.asked = []
    self.ended = []

  def hello(self, name, pid, host):
    del name, pid, host
    if self.lost:
      raise RuntimeError('nobody is there')
    return 3

  def beat(self, name, doing, count):
    if self.lost:
      raise RuntimeError('nobody is there')
    self.beats.append((name, doing, count))
    return self.phase, self.hurried

  def ask_stop(self, reason):
    self.asked.append(reason)

  def done(self, name):
    if self.lost:
      raise RuntimeError('nobody is there')
    self.ended.append(name)


class LeashTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self._launchpads_stop = threading.Event()
    self.enter_context(mock.patch.object(
        lp, 'stop_event', lambda: self._launchpads_stop))
    self.enter_context(mock.patch.object(leash_lib, '_PERIOD_SECONDS', 0.005))
    self._coordinator = _Coordinator()
    self._leash = leash_lib.Leash(self._coordinator, 'actor 2', 2)

  def _wait_for_beats(self, more=2):
    wanted = len(self._coordinator.beats) + more
    deadline = time.monotonic() + _LONG
    while len(self._coordinator.beats) < wanted:
      self.assertLess(time.monotonic(), deadline)
      time.sleep(0.002)

  def test_it_says_what_the_worker_does(self):
    self._leash.doing = 'acting'
    self._leash.count = 5
    self._wait_for_beats()
    self.assertEqual(self._coordinator.beats[-1], ('actor 2', 'acting', 5))
    self._leash.close()

  def test_it_says_hello_until_it_is_heard(self):
    coordinator = _Coordinator()
    coordinator.lost = True
    threading.Timer(0.05, setattr, (coordinator, 'lost', False)).start()
    leash = leash_lib.Leash(coordinator, 'actor 1', 2)
    self.assertFalse(coordinator.lost)
    self.assertEqual(leash.starts_before, 3)
    leash.close()

  def test_a_worker_stops_at_its_phase_and_not_before(self):
    self._coordinator.phase = 1
    self._wait_for_beats()
    self.assertFalse(self._leash.stopping)
    self.assertFalse(self._leash.wait(0.01))
    self._coordinator.phase = 2
    self.assertTrue(self._leash.wait(_LONG))
    self.assertTrue(self._leash.stopping)
    self._wait_for_beats()  # It lives on until it is closed.
    self._leash.close()

  def test_a_later_phase_stops_it_too(self):
    self._coordinator.phase = 3
    self.assertTrue(self._leash.wait(_LONG))
    self._leash.close()

  def test_launchpads_stop_is_passed_on_once(self):
    self._wait_for_beats()
    self.assertEmpty(self._coordinator.asked)
    self._launchpads_stop.set()
    self._wait_for_beats(5)
    self.assertEqual(self._coordinator.asked, ['actor 2 was asked to stop'])
    self.assertFalse(self._leash.stopping)  # In its turn, not at once.
    self._leash.close()

  def test_without_a_coordinator_it_stops_by_itself(self):
    self._wait_for_beats()
    self._coordinator.lost = True
    self.assertTrue(self._leash.wait(_LONG))
    self.assertTrue(self._leash.hurried)
    self._leash.close()  # Raises nothing.

  def test_one_lost_answer_is_forgiven(self):
    answers = iter([RuntimeError('busy'), RuntimeError('busy'), 0] * 4)

    def beat(*arguments):
      answer = next(answers, 0)
      self._coordinator.beats.append(arguments)
      if isinstance(answer, Exception):
        raise answer
      return answer, False

    with mock.patch.object(self._coordinator, 'beat', beat):
      self._wait_for_beats(13)
    self.assertFalse(self._leash.stopping)
    self._leash.close()

  def _asked(self, answer):
    """A client whose method `add` gives that answer, and its calls."""
    calls = []

    def add(*arguments):
      calls.append(arguments)
      return answer

    return types.SimpleNamespace(futures=types.SimpleNamespace(add=add)), calls

  def test_an_answer_is_waited_for(self):
    answer = futures.Future()
    client, calls = self._asked(answer)
    threading.Timer(0.05, answer.set_result, ['three']).start()
    self.assertEqual(self._leash.ask(client, 'add', 1, 2), 'three')
    self.assertEqual(calls, [(1, 2)])
    self._leash.close()

  def test_what_was_raised_over_there_is_raised_here(self):
    answer = futures.Future()
    answer.set_exception(ValueError('no'))
    with self.assertRaisesRegex(ValueError, 'no'):
      self._leash.ask(self._asked(answer)[0], 'add')
    self._leash.close()

  def test_at_the_normal_end_a_slow_answer_is_waited_for(self):
    self._coordinator.phase = 2
    self.assertTrue(self._leash.wait(_LONG))
    answer = futures.Future()
    # Far beyond the patience of an end in a hurry.
    threading.Timer(0.3, answer.set_result, ['saved']).start()
    self.assertEqual(
        self._leash.ask(self._asked(answer)[0], 'add', patience=0.01), 'saved')
    self._leash.close()

  def test_who_loses_patience_is_heard_while_an_answer_is_waited_for(self):
    self._coordinator.phase = 2
    self.assertTrue(self._leash.wait(_LONG))
    threading.Timer(
        0.05, setattr, (self._coordinator, 'hurried', True)).start()
    with self.assertRaises(leash_lib.Stopped):
      self._leash.ask(self._asked(futures.Future())[0], 'add', patience=0.01)
    self._leash.close()

  def test_who_has_to_stop_in_a_hurry_waits_for_an_answer_only_a_while(self):
    self._coordinator.phase, self._coordinator.hurried = 2, True
    self.assertTrue(self._leash.wait(_LONG))
    answer = futures.Future()
    with mock.patch.object(leash_lib, '_LAST_ANSWER_SECONDS', 0.05):
      with self.assertRaisesRegex(
          leash_lib.Stopped, 'actor 2: no answer from add'):
        self._leash.ask(self._asked(answer)[0], 'add')
    self.assertTrue(answer.cancelled())
    there = futures.Future()
    there.set_result(4)
    self.assertEqual(self._leash.ask(self._asked(there)[0], 'add'), 4)
    self._leash.close()

  def test_close_says_done_and_ends_the_conversation(self):
    self._leash.close()
    self.assertEqual(self._coordinator.ended, ['actor 2'])
    before = len(self._coordinator.beats)
    time.sleep(0.03)
    self.assertLen(self._coordinator.beats, before)


if __name__ == '__main__':
  absltest.main()
