"""Tests for the doctor, on this machine and on broken ones."""

import os
import re
import socket
import subprocess
import sys
from unittest import mock

from absl.testing import absltest

from metal_tf.cli import doctor_checks


class DoctorTest(absltest.TestCase):

  def _doctor(self, first_on_path=''):
    folder = self.create_tempdir().full_path
    ended = subprocess.run(
        [sys.executable, '-m', 'metal_tf.cli', 'doctor',
         f'--workdir={folder}/runs'],
        env={**os.environ, 'METAL_TF_CACHE': folder, 'COLUMNS': '1000',
             'PYTHONPATH': os.pathsep.join([first_on_path, *sys.path])},
        cwd=folder, capture_output=True, text=True, check=False)
    self.assertEmpty(os.listdir(folder))
    self.assertEqual(ended.stderr, '')
    _, *lines, verdict = ended.stdout.splitlines()
    self.assertNotEmpty(lines)
    for line in lines:
      self.assertRegex(line, '^(OK     |note   |problem) [^:]+: ')
    return ended.returncode, lines, verdict

  def test_a_good_machine(self):
    status, lines, verdict = self._doctor()
    self.assertEqual(status, 0, lines)
    self.assertEqual(verdict, 'Training works here.')
    self.assertFalse([line for line in lines if line.startswith('problem')])
    self.assertRegex(lines[0], r'^OK      packages: all \d+ as in')
    self.assertRegex(
        lines[-1], r'^OK      training: 3 episodes of cartpole, [1-9]\d* ')
    subjects = [re.split(r' +', line, maxsplit=1)[1].partition(':')[0]
                for line in lines]
    self.assertContainsSubset(
        ['versions', 'CPU', 'disk of runs', 'ports', 'GPU', 'suite',
         'rendering'], subjects)

  def test_a_broken_pin(self):
    site = self.create_tempdir().full_path
    os.makedirs(f'{site}/tensorflow-2.12.1.dist-info')
    with open(f'{site}/tensorflow-2.12.1.dist-info/METADATA', 'w',
              encoding='utf-8') as stream:
      stream.write('Metadata-Version: 2.1\nName: tensorflow\nVersion: 2.12.1\n')
    status, lines, verdict = self._doctor(first_on_path=site)
    self.assertEqual(status, 1)
    self.assertEqual(verdict, '2 problems.')
    self.assertStartsWith(
        lines[0],
        'problem packages: tensorflow 2.12.1 (locked: 2.8.4) -> start with')
    self.assertRegex(lines[1], '^problem versions: tensorflow 2.12.1: '
                     'dm-reverb .* load only together with .* ./bazelw')
    self.assertStartsWith(lines[-1], 'note    the rest: ')


class ChecksTest(absltest.TestCase):

  def _assert(self, finding, status, pattern):
    self.assertEqual(finding.status, status, finding)
    self.assertRegex(finding.text, pattern)
    if status == doctor_checks.PROBLEM:
      self.assertNotEmpty(finding.advice)

  def test_lock(self):
    def installed(name):
      if name == 'rich':
        raise doctor_checks.metadata.PackageNotFoundError(name)
      return '9.9' if name == 'scipy' else doctor_checks.metadata.version(name)
    self._assert(
        doctor_checks.check_lock(installed), doctor_checks.PROBLEM,
        r'^rich not installed \(locked: [\d.]+\), '
        r'scipy 9.9 \(locked: [\d.]+\)$')
    self._assert(doctor_checks.check_lock(lambda name: '0'),
                 doctor_checks.PROBLEM, r' and \d+ more$')

  def test_disk(self):
    folder = self.create_tempdir().full_path
    self.assertIn('GiB free', doctor_checks.check_disk('', folder).text)
    blocking = self.create_tempfile().full_path
    self._assert(doctor_checks.check_disk('', f'{blocking}/runs'),
                 doctor_checks.PROBLEM, 'cannot be written to')
    for free, status in ((2**20, doctor_checks.PROBLEM),
                         (2**30, doctor_checks.NOTE),
                         (2**40, doctor_checks.OK)):
      with mock.patch.object(doctor_checks.shutil, 'disk_usage') as usage:
        usage.return_value.free = free
        self._assert(doctor_checks.check_disk('', f'{folder}/a/b'), status,
                     f'^{folder}/a/b, ')

  def test_ports(self):
    self._assert(doctor_checks.check_ports(), doctor_checks.OK, '127.0.0.1')
    with mock.patch.object(
        socket, 'create_server', side_effect=OSError('no loopback')):
      self._assert(doctor_checks.check_ports(), doctor_checks.PROBLEM,
                   'no loopback')

  def test_loading(self):
    with mock.patch.object(
        doctor_checks, '_LOAD_PROGRAM',
        'raise ImportError("undefined symbol")'):
      [finding] = doctor_checks.check_loading()
    self._assert(finding, doctor_checks.PROBLEM, 'undefined symbol')
    for devices, status in ((0, doctor_checks.NOTE), (2, doctor_checks.OK)):
      with mock.patch.object(
          doctor_checks, '_LOAD_PROGRAM', f'print("devices:", {devices})'):
        _, gpu = doctor_checks.check_loading()
      self.assertEqual(gpu.status, status)

  def test_an_abort(self):
    with mock.patch.object(
        doctor_checks, '_LOAD_PROGRAM', 'import os; os.abort()'):
      [finding] = doctor_checks.check_loading()
    self._assert(finding, doctor_checks.PROBLEM, 'killed by SIGABRT')

  def _why(self, code):
    status, _, why = doctor_checks._run([sys.executable, '-c', code], 100)
    self.assertNotEqual(status, 0)
    return why

  def test_the_cause_of_a_failure_is_not_what_is_logged_last(self):
    log = ("import sys; print('[reverb/cc/platform/default/server.cc:84] "
           "Shutting down replay server\\n2026-01-02 03:04:05.678901: W "
           "tensorflow/core/a.cc:64] later', file=sys.stderr); ")
    self.assertEqual(
        self._why(f'import atexit; atexit.register(lambda: exec({log!r}))\n'
                  'raise ValueError("the replay is full\\nof holes")'),
        'ValueError: the replay is full')
    self.assertEqual(
        self._why('import sys; print("Gym is old", file=sys.stderr); '
                  'print("metal: no room left", file=sys.stderr); '
                  f'{log}sys.exit(1)'), 'metal: no room left')
    self.assertEqual(
        self._why('class A:\n  def __del__(self): raise KeyError("late")\n'
                  'a = A()\nraise RuntimeError("early")'),
        'RuntimeError: early')
    self.assertEqual(self._why(f'{log}sys.exit(3)'), 'status 3')

  def test_what_a_program_did_that_hangs(self):
    expired = subprocess.TimeoutExpired([], 5, b'one\nfilling replay\n')
    with mock.patch.object(subprocess, 'run', side_effect=expired):
      self.assertEqual(
          self._why(''), 'not done after 100 s; it said last: filling replay')

  def test_suite(self):
    with mock.patch.object(
        doctor_checks, '_SUITE_PROGRAM', 'print("suite: realworldrl")'):
      self._assert(doctor_checks.check_suite(), doctor_checks.OK, 'realworldrl')

  def test_no_renderer_is_a_note(self):
    with mock.patch.object(
        doctor_checks, '_run', return_value=(1, 'install libegl1\n', '')):
      self._assert(doctor_checks.check_rendering(), doctor_checks.NOTE,
                   '^install libegl1$')

  def test_training_that_fails(self):
    with mock.patch.object(doctor_checks, '_SMOKE', ('--domain=cartpol',)):
      self._assert(doctor_checks.check_training(), doctor_checks.PROBLEM,
                   'Did you mean cartpole')
    with mock.patch.object(doctor_checks, '_run', return_value=(0, '', '')):
      self._assert(doctor_checks.check_training(), doctor_checks.PROBLEM,
                   'left no summary.json')


if __name__ == '__main__':
  absltest.main()
