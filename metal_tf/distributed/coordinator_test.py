"""Tests of the coordinator, with the test in the roles of all workers."""

import threading
import time
from unittest import mock

from absl.testing import absltest
import launchpad as lp

from metal_tf.distributed import coordinator as coordinator_lib
from metal_tf.distributed import leash as leash_lib

Phase = coordinator_lib.Phase

_WORKERS = [('replay', Phase.STOP_SERVING), ('learner', Phase.STOP_LEARNING),
            ('actor 0', Phase.STOP_ACTING), ('actor 1', Phase.STOP_ACTING)]
_LONG = 30.0


class CoordinatorTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self._launchpads_stop = threading.Event()  # Needs a thread of Launchpad's.
    self.enter_context(mock.patch.object(
        lp, 'stop_event', lambda: self._launchpads_stop))
    self.enter_context(mock.patch.object(
        coordinator_lib, '_PERIOD_SECONDS', 0.01))
    self._error = None

  def _make(self, stall_seconds=_LONG, patient=_LONG, hurried=_LONG):
    for name, seconds in (('_PATIENT', patient), ('_HURRIED', hurried)):
      self.enter_context(mock.patch.object(
          coordinator_lib, name, {phase: seconds for phase in Phase}))
    coordinator = coordinator_lib.Coordinator(
        _WORKERS, 10, stall_seconds, loopback_only=True)

    def serve():
      try:
        coordinator._serve()
      except RuntimeError as error:
        self._error = error

    self._thread = threading.Thread(target=serve, daemon=True)
    self._thread.start()
    return coordinator

  def _wait_for_phase(self, coordinator, phase):
    deadline = time.monotonic() + _LONG
    while coordinator.beat('actor 0', 'acting', 0)[0] < phase:
      self.assertLess(time.monotonic(), deadline)
      time.sleep(0.002)
    self.assertEqual(coordinator.beat('actor 0', 'acting', 0)[0], phase)

  def _count(self, coordinator, episodes):
    coordinator.beat('counter', 'counting', episodes)

  def _finish(self):
    self._thread.join(_LONG)
    self.assertFalse(self._thread.is_alive())

  def test_phases_come_in_order_as_their_workers_end(self):
    coordinator = self._make()
    self.assertEqual(coordinator.beat('learner', 'learning', 1),
                     (Phase.RUN, False))
    self._count(coordinator, 10)
    self._wait_for_phase(coordinator, Phase.STOP_ACTING)
    coordinator.done('actor 1')
    time.sleep(0.05)
    self._wait_for_phase(coordinator, Phase.STOP_ACTING)  # Actor 0 is there.
    coordinator.done('actor 0')
    self._wait_for_phase(coordinator, Phase.STOP_LEARNING)
    coordinator.done('learner')
    self._wait_for_phase(coordinator, Phase.STOP_SERVING)
    coordinator.done('replay')
    self._finish()
    self.assertEqual(coordinator.overview()['reason'], '')
    self.assertEqual(coordinator.notes(0), [])
    self.assertIsNone(self._error)

  def test_an_early_end_is_hurried_and_names_who_is_late(self):
    coordinator = self._make(hurried=0.05)
    coordinator.done('actor 1')
    coordinator.ask_stop('SIGTERM', failed=False)
    coordinator.ask_stop('a later reason', failed=False)
    self._finish()
    self.assertEqual(coordinator.overview()['reason'], 'SIGTERM')
    self.assertEqual(coordinator.beat('learner', 'saving', 1)[1], True)
    self.assertEqual(coordinator.notes(0), [
        'Warning: actor 0 did not stop in 0.05 s.',
        'Warning: learner did not stop in 0.05 s.',
        'Warning: replay did not stop in 0.05 s.'])

  def test_several_late_workers_are_named_together(self):
    coordinator = self._make(patient=0.02)
    coordinator.done('learner')
    self._count(coordinator, 10)
    self._finish()
    self.assertEqual(coordinator.notes(0)[0],
                     'Warning: actor 0, actor 1 did not stop in 0.02 s.')
    self.assertIsNone(self._error)

  def test_a_learner_that_does_not_end_is_a_failure(self):
    coordinator = self._make(patient=0.05, hurried=0.05)
    for name in ('actor 0', 'actor 1', 'replay'):
      coordinator.done(name)
    self._count(coordinator, 10)
    self._finish()
    self.assertEqual(str(self._error), 'learner did not stop in 0.05 s')

  def test_who_has_not_come_is_named_before_the_run_is_given_up(self):
    with mock.patch.object(leash_lib, 'START_SECONDS', 2.0):
      coordinator = self._make(stall_seconds=0.01, hurried=0.01)
      for name, _ in _WORKERS[1:]:
        coordinator.hello(name, 11)
      self._finish()
    self.assertRegex(coordinator.notes(0)[0],
                     r'nothing has moved for \d+ s: replay not there yet')
    self.assertIn('replay not there yet', str(self._error))

  def test_the_launcher_may_ask_through_launchpad(self):
    coordinator = self._make(hurried=0.01)
    self._launchpads_stop.set()
    self._finish()
    self.assertEqual(coordinator.overview()['reason'],
                     'the coordinator was asked to stop')
    self.assertIsInstance(self._error, RuntimeError)

  def test_a_run_that_is_stuck_is_told_of_and_then_stopped(self):
    coordinator = self._make(stall_seconds=0.5, hurried=0.01)
    for name, _ in _WORKERS[1:]:
      coordinator.hello(name, 11)
    coordinator.beat('learner', 'waiting for samples', 7)
    time.sleep(1.0)  # One worker is still being started.
    self.assertEqual(coordinator.overview()['reason'], '')
    coordinator.hello(_WORKERS[0][0], 11)
    coordinator.beat('actor 0', 'acting', 3)
    self._finish()
    self.assertRegex(
        coordinator.notes(0)[1],  # Behind the list of processes.
        r'Warning: nothing has moved for \d+ s: learner waiting for samples '
        r'\(7\), actor 0 acting \(3\)\.')
    self.assertIn('nothing has moved', coordinator.overview()['reason'])
    self.assertIsInstance(self._error, RuntimeError)
    self.assertIn('actor 0 acting (3)', str(self._error))

  def test_a_run_that_moves_is_not_stuck(self):
    coordinator = self._make(stall_seconds=0.5)
    for count in range(30):
      coordinator.beat('actor 0', 'acting', count)
      time.sleep(0.02)
    self.assertEqual(coordinator.beat('actor 0', 'acting', 30),
                     (Phase.RUN, False))
    self.assertEqual(coordinator.overview()['reason'], '')

  def test_restarts_are_counted_and_told(self):
    coordinator = self._make()
    self.assertEqual(coordinator.hello('actor 0', 11), 0)
    self.assertEqual(coordinator.hello('actor 1', 12), 0)
    self.assertEqual(coordinator.overview()['restarts'], 0)
    self.assertEqual(coordinator.hello('actor 0', 13), 1)
    self.assertEqual(coordinator.hello('actor 0', 14), 2)
    self.assertEqual(coordinator.overview()['restarts'], 2)
    notes = coordinator.notes(0)
    self.assertLen(notes, 2)
    self.assertIn('actor 0 died and was started again, as process 13',
                  notes[0])
    self.assertIn('process 14 (time 2)', notes[1])

  def test_a_learner_that_was_started_again_ends_the_run(self):
    coordinator = self._make()
    coordinator.hello('learner', 11)
    coordinator.hello('learner', 12)
    self.assertEqual(coordinator.overview()['reason'], 'learner died')

  def test_a_worker_that_says_hello_twice_was_not_restarted(self):
    coordinator = self._make()
    self.assertEqual(coordinator.hello('learner', 11, 'host'), 0)
    self.assertEqual(coordinator.hello('learner', 11, 'host'), 0)
    self.assertEqual(coordinator.overview()['reason'], '')
    self.assertEqual(coordinator.hello('learner', 11, 'another'), 1)

  def test_all_processes_are_named_once_they_are_there(self):
    coordinator = self._make()
    for pid, (name, _) in enumerate(_WORKERS, 1):
      self.assertEqual(coordinator.notes(0), [])
      coordinator.hello(name, pid)
    [note] = coordinator.notes(0)
    self.assertStartsWith(
        note, 'Processes: replay 1, learner 2, actor 0 3, actor 1 4, '
        'coordinator ')

  def test_notes_are_read_before_it_ends(self):
    coordinator = self._make()
    coordinator.note('one')
    self.assertEqual(coordinator.notes(0), ['one'])
    for name, _ in _WORKERS:
      coordinator.done(name)
    coordinator.note('two')
    self._count(coordinator, 10)
    self._wait_for_phase(coordinator, Phase.STOP_SERVING)
    self._thread.join(0.1)
    self.assertTrue(self._thread.is_alive())
    self.assertEqual(coordinator.notes(1), ['two'])
    self._finish()

  def test_a_screen_that_is_gone_does_not_hold_it_up(self):
    coordinator = self._make(patient=0.05)
    coordinator.done('learner')
    coordinator.note('nobody reads this')
    self._count(coordinator, 10)
    self._finish()


if __name__ == '__main__':
  absltest.main()
