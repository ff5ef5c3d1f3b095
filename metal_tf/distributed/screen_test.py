"""Tests of what a person sees of a program's workers."""

import threading
import time
from unittest import mock

from absl.testing import absltest
import numpy as np

from metal_tf.distributed import leash as leash_lib
from metal_tf.distributed import screen as screen_lib

_LONG = 30.0


class _Coordinator:
  """Has notes, and remembers the reasons it was given."""

  def __init__(self):
    self.all_notes = []
    self.reasons = []
    self.doing = {}
    self.gone = False

  def notes(self, since):
    if self.gone:
      raise RuntimeError('nobody is there')
    return self.all_notes[since:]

  def ask_stop(self, reason, failed):
    assert not failed  # The launcher's own wish.
    self.reasons.append(reason)

  def overview(self):
    return dict(doing=self.doing, restarts=0, reason='')


class _Counter:
  """Has episodes."""

  def __init__(self):
    self.episodes = []

  def news(self, since):
    return dict(
        episodes=self.episodes[since:], num_episodes=7 + len(self.episodes),
        multiplier=np.array([0.5]), meta_parameter=np.array([0.25]),
        effective_rate=np.array([0.125]))


class _Progress:
  """Remembers what was shown; numbers are due all the time."""
  due = True

  def __init__(self):
    self.notes = []
    self.episodes = []
    self.updates = []

  def note(self, text):
    self.notes.append(text)

  def episode(self, episode_return, episode_penalty, multiplier):
    self.episodes.append(
        (episode_return, list(episode_penalty), list(multiplier)))

  def update(self, *numbers):
    self.updates.append(numbers)


class ScreenTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self._coordinator = _Coordinator()
    self._counter = _Counter()
    self._progress = _Progress()
    self._killed = threading.Event()
    self._kills = 0
    self._failures = []
    period = screen_lib._PERIOD_SECONDS
    self.addCleanup(setattr, screen_lib, '_PERIOD_SECONDS', period)
    screen_lib._PERIOD_SECONDS = 0.01

  def _kill(self):
    self._kills += 1
    self._killed.set()

  def _make(self, grace_seconds=_LONG, stall_seconds=_LONG):
    screen = screen_lib.Screen(
        self._coordinator, self._counter, self._progress, self._kill,
        grace_seconds, self._failures.append, stall_seconds)
    self.addCleanup(screen.close)
    return screen

  def _wait_for_updates(self, more=2):
    wanted = len(self._progress.updates) + more
    self._wait(lambda: len(self._progress.updates) >= wanted)

  def _wait(self, condition):
    deadline = time.monotonic() + _LONG
    while not condition():
      self.assertLess(time.monotonic(), deadline)
      time.sleep(0.005)

  def test_notes_are_shown_once_each_and_in_order(self):
    self._coordinator.all_notes = ['a', 'b']
    self._make()
    self._wait_for_updates()
    self.assertEqual(self._progress.notes, ['a', 'b'])
    self._coordinator.all_notes = ['a', 'b', 'c']
    self._wait_for_updates()
    self.assertEqual(self._progress.notes, ['a', 'b', 'c'])

  def test_numbers_are_shown_and_each_episode_once(self):
    lambda_ = np.array([0.5])
    self._counter.episodes = [
        (10.0, np.array([0.1]), lambda_), (12.0, np.array([0.2]), lambda_)]
    self._coordinator.doing = {
        'learner': ('learning', 30), 'actor 0': ('acting', 100),
        'actor 1': ('acting', 200), 'counter': ('counting', 2)}
    self._make()
    self._wait_for_updates()
    self._counter.episodes.append((14.0, np.array([0.3]), lambda_))
    self._wait_for_updates(3)
    self.assertEqual(self._progress.episodes, [
        (10.0, [0.1], [0.5]), (12.0, [0.2], [0.5]), (14.0, [0.3], [0.5])])
    self.assertEqual(self._progress.updates[-1], (
        'learning', 10, 300, np.array([0.5]), np.array([0.25]),
        np.array([0.125])))

  def test_the_phase_is_what_the_learner_does(self):
    self._make()
    for doing, shown in ((None, 'starting'),
                         (('waiting for samples', 0), 'filling replay'),
                         (('waiting for samples', 5), 'learning'),
                         (('saving', 5), 'saving')):
      if doing:
        self._coordinator.doing = {'learner': doing}
      self._wait_for_updates()
      self.assertEqual(self._progress.updates[-1][0], shown)

  def test_workers_that_are_not_there_yet_are_waited_for(self):
    self._coordinator.gone = True
    self._make()
    time.sleep(0.05)
    self.assertEmpty(self._progress.updates)
    self._coordinator.gone = False
    self._wait_for_updates()

  def test_who_asks_to_stop_is_heard_once(self):
    screen = self._make()
    screen.stop('SIGTERM')
    screen.stop('something else')
    self._wait_for_updates(4)
    self.assertEqual(self._coordinator.reasons, ['SIGTERM'])
    self.assertEqual(self._kills, 0)

  def test_after_the_grace_all_are_killed_once(self):
    screen = self._make(grace_seconds=0.1)
    started = time.monotonic()
    screen.stop('SIGINT')
    self.assertTrue(self._killed.wait(_LONG))
    self.assertGreaterEqual(time.monotonic() - started, 0.1)
    self.assertEqual(self._progress.notes, [
        'Workers that did not stop are killed now.'])
    self._wait_for_updates(4)
    self.assertEqual(self._kills, 1)

  def test_the_grace_counts_from_the_first_time(self):
    screen = self._make(grace_seconds=0.2)
    screen.stop('')
    for _ in range(5):
      time.sleep(0.03)
      screen.stop('')
    self.assertTrue(self._killed.wait(_LONG))
    self.assertEqual(self._kills, 1)
    self.assertEmpty(self._coordinator.reasons)

  def test_the_grace_holds_without_a_coordinator(self):
    self._coordinator.gone = True
    self._make(grace_seconds=0.05).stop('SIGINT')
    self.assertTrue(self._killed.wait(_LONG))

  def test_a_coordinator_that_falls_silent_is_told_of_and_then_given_up(self):
    self._make(stall_seconds=0.5)
    self._wait_for_updates()
    self.assertEmpty(self._progress.notes)
    self._coordinator.gone = True
    self._wait(lambda: self._failures)
    self.assertStartsWith(
        self._failures[0], 'no answer from the coordinator for ')
    [note] = self._progress.notes
    self.assertStartsWith(note, 'Warning: no answer from the coordinator for ')

  def test_a_coordinator_that_never_answers_has_as_long_as_a_start(self):
    self._coordinator.gone = True
    with mock.patch.object(leash_lib, 'START_SECONDS', 0.5):
      self._make(stall_seconds=0.01)
    started = time.monotonic()
    self._wait(lambda: self._failures)
    self.assertGreaterEqual(time.monotonic() - started, 0.4)
    self.assertLen(self._progress.notes, 1)

  def test_an_unread_screen_does_not_keep_workers_alive(self):
    with mock.patch.object(self._progress, 'note', side_effect=OSError('gone')):
      self._make(grace_seconds=0.05).stop('SIGTERM')
      self.assertTrue(self._killed.wait(_LONG))

  def test_nobody_is_killed_when_all_ended_in_time(self):
    screen = self._make(grace_seconds=0.1)
    screen.stop('')
    screen.close()
    time.sleep(0.15)
    self.assertEqual(self._kills, 0)


if __name__ == '__main__':
  absltest.main()
