"""Tests of the protocol, with workers that are small scripts."""

import os
import time

from absl.testing import absltest

from metal_tf.benchmarks import protocol

# A worker that writes its name into a common file at each of its turns.
_FAKE = '''
import json, sys, time
name, path = sys.argv[1:]
print('a library says hello', file=sys.stderr)
print(json.dumps({'hello': name}), flush=True)
for line in sys.stdin:
  if name == 'dies':
    sys.exit('out of ideas')
  if name == 'hangs':
    time.sleep(1000)
  with open(path, 'a') as stream:
    stream.write(f'{name}{line.strip()} ')
  print(json.dumps({'count': int(line), 'seconds': 0.5}), flush=True)
'''

# One that has a child which must not outlive it.
_PARENT = '''
import json, subprocess, sys
child = subprocess.Popen(['sleep', '1000'])
print(json.dumps({'child': child.pid}), flush=True)
sys.stdin.readline()
'''


def _runs(pid):
  """Whether a process exists and is not a zombie."""
  try:
    with open(f'/proc/{pid}/stat', encoding='utf-8') as stream:
      return stream.read().rpartition(')')[2].split()[0] != 'Z'
  except FileNotFoundError:
    return False


class ProtocolTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self._directory = self.create_tempdir().full_path
    self._path = os.path.join(self._directory, 'turns')

  def _start(self, workers, name):
    return workers.start_command(name, ['-c', _FAKE, name, self._path], {})

  def test_they_take_turns_in_alternating_order(self):
    with protocol.Workers(self._directory) as workers:
      started = {name: self._start(workers, name) for name in 'abc'}
      for name, worker in started.items():
        self.assertEqual(worker.wait_until_ready(), {'hello': name})
        self.assertGreater(worker.start_seconds, 0)
      answers = protocol.take_turns(started, dict(a=1, b=20, c=3), 3)
    with open(self._path, encoding='utf-8') as stream:
      self.assertEqual(stream.read().split(), [
          'a1', 'b20', 'c3', 'c3', 'b20', 'a1', 'a1', 'b20', 'c3'])
    self.assertEqual(answers['b'], [dict(count=20, seconds=0.5)] * 3)

  def test_one_that_dies_is_named_with_its_output(self):
    with protocol.Workers(self._directory) as workers:
      worker = self._start(workers, 'dies')
      worker.wait_until_ready()
      with self.assertRaisesRegex(
          protocol.WorkerFailed,
          'dies ended while measuring, exit status 1(.|\n)*says hello\n'
          'out of ideas'):
        worker.measure(1)

  def test_one_that_cannot_start(self):
    with protocol.Workers(self._directory) as workers:
      worker = workers.start('nobody', 'no such role', {})
      with self.assertRaisesRegex(
          protocol.WorkerFailed, "while preparing(.|\n)*'no such role'"):
        worker.wait_until_ready()

  def test_one_that_hangs_is_killed(self):
    with protocol.Workers(self._directory, deadline_seconds=3.0) as workers:
      worker = self._start(workers, 'hangs')
      worker.wait_until_ready()
      started = time.monotonic()
      with self.assertRaisesRegex(
          protocol.WorkerFailed, 'hangs did not end measuring within 3 s'):
        worker.measure(1)
      self.assertLess(time.monotonic() - started, 100)

  def test_nothing_is_left_after_an_interruption(self):
    with self.assertRaises(KeyboardInterrupt):
      with protocol.Workers(self._directory) as workers:
        worker = workers.start_command('parent', ['-c', _PARENT], {})
        child = worker.wait_until_ready()['child']
        self.assertTrue(_runs(child))
        raise KeyboardInterrupt
    for _ in range(100):
      if not _runs(child):
        break
      time.sleep(0.1)
    self.assertFalse(_runs(child))


if __name__ == '__main__':
  absltest.main()
