"""Starts runs as processes of their own and looks at what they leave."""

import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from absl.testing import absltest
import numpy as np

from metal_tf import types
from metal_tf.faults import forking
from metal_tf.faults import small_run
from metal_tf.runs import checkpoint
from metal_tf.runs import log_tables

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
_SMALL_RUN = os.path.join(_ROOT, 'metal_tf', 'faults', 'small_run.py')
SECONDS = 180  # A process that takes longer hangs.
# Settings of a run whose agent is all the same: where it is a process that is
# stopped, a file that is damaged or an environment that breaks. Most of a small
# run's time goes into tracing a learner step, and this one has the least.
ANY_AGENT = {'algorithm': 'd4pg', 'steps_per_call': 1}


class Ended(NamedTuple):
  """A process that has ended: status (negative for a signal) and its text."""
  status: int
  out: str
  err: str


class FaultTestCase(absltest.TestCase):
  """A test with a scratch folder and processes in sessions of their own.

  Each test method is called `test_f<number>_...`; the first line of its
  docstring is `<what is injected> -> <what must happen>`, which
  `table.py` shows.
  """

  def setUp(self) -> None:
    super().setUp()
    self.scratch = tempfile.mkdtemp()
    self.addCleanup(shutil.rmtree, self.scratch)
    self.workdir = os.path.join(self.scratch, 'run')
    self.home = os.path.join(self.scratch, 'home')
    os.makedirs(self.home)
    self._started: List[subprocess.Popen] = []
    self.addCleanup(self._end_all)

  # --- Processes -------------------------------------------------------------

  def start(
      self, command: List[str],
      instead: Optional[Callable[[], None]] = None) -> subprocess.Popen:
    """Starts a command whose only place to write to is the scratch folder.

    Args:
      command: program and arguments.
      instead: what a fork of this process does in place of the command.
    """
    environment = {
        **os.environ, 'PYTHONPATH': os.pathsep.join([_ROOT, *sys.path]),
        'HOME': self.home, 'TMPDIR': self.home, 'MUJOCO_GL': 'disable',
        'TF_CPP_MIN_LOG_LEVEL': '2', 'PYTHONDONTWRITEBYTECODE': '1',
        'BUILD_WORKING_DIRECTORY': self.home}
    process = subprocess.Popen(
        command, env=environment, cwd=self.home, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=instead and functools.partial(
            forking.become, command, environment, instead))
    self._started.append(process)
    return process

  def small_command(self, fault: Any = None, world: str = 'slope',
                    workdir: str = '', launch_type: str = '',
                    broken: bool = False, algorithm: str = 'metal',
                    *, forked: bool = True, **config: Any) -> List[str]:
    """The command of `small_run.py`; saves after every second episode."""
    settings = {'workdir': workdir or self.workdir, 'checkpoint_seconds': 0.0,
                **config}
    return [sys.executable, _SMALL_RUN, json.dumps(
        {'config': settings, 'world': world, 'fault': fault,
         'launch_type': launch_type, 'broken': broken, 'algorithm': algorithm,
         'forked': forked})]

  def start_small(self, *arguments: Any, forked: bool = True,
                  **config: Any) -> subprocess.Popen:
    """Starts `small_run.py`.

    Half of the time of a small run is the import of TensorFlow, which this
    process has behind it. So a run is a fork of this process where that is
    possible, and its workers are forks of the run; each is the same program in
    a process of its own. `cli/main_test.py` starts workers as users do.
    """
    command = self.small_command(*arguments, forked=forked, **config)
    if not forked or not forking.possible():
      return self.start(command)
    return self.start(command, small_run.main)

  def small(self, *arguments: Any, **config: Any) -> Ended:
    """Runs `small_run.py` to its end."""
    return self.end(self.start_small(*arguments, **config))

  def launch(self, name: str, *flags: str) -> Ended:
    """Runs an agent's program to its end."""
    return self.end(self.start(
        [sys.executable, '-m', 'metal_tf.cli', name, *flags]))

  def end(self, process: subprocess.Popen,
          seconds: float = SECONDS) -> Ended:
    """Waits for the end of a process."""
    out, err = process.communicate(timeout=seconds)
    return Ended(process.returncode, out, err)

  def wait_until(self, condition: Callable[[], bool],
                 seconds: float = SECONDS) -> None:
    """Waits until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
      self.assertLess(time.monotonic(), deadline, 'it never came to that')
      time.sleep(0.02)

  def assert_ended(self, ended: Ended, status: int) -> None:
    self.assertEqual(ended.status, status, f'{ended.out}\n{ended.err}')

  def assert_no_process_left(self, process: subprocess.Popen) -> None:
    """No process of its session is alive or a zombie."""
    self.assertEmpty(session(process.pid))

  def _end_all(self) -> None:
    for process in self._started:
      if process.poll() is None:
        process.kill()
      process.communicate()

  # --- What a run leaves -----------------------------------------------------

  def rows(self, workdir: Optional[str] = None,
           evaluations: bool = False) -> Dict[str, np.ndarray]:
    return log_tables.read(
        workdir or self.workdir,
        log_tables.EVALUATIONS if evaluations else log_tables.EPISODES)

  def num_checkpoints(self) -> int:
    """Checkpoints of the run so far."""
    path = os.path.join(self.workdir, 'checkpoints')
    return sum(name.startswith('episode-') for name in os.listdir(
        path)) if os.path.isdir(path) else 0

  def num_rows(self) -> int:
    """Rows of `episodes.csv` so far, 0 before there is one."""
    path = os.path.join(self.workdir, 'episodes.csv')
    if not os.path.exists(path):
      return 0
    with open(path, encoding='utf-8') as stream:
      return max(0, stream.read().count('\n') - 1)

  def newest(self, workdir: Optional[str] = None) -> checkpoint.Checkpoint:
    warnings: List[str] = []
    loaded = checkpoint.Checkpointer(
        os.path.join(workdir or self.workdir, 'checkpoints'),
        warnings.append).load_newest()
    self.assertEmpty(warnings)
    assert loaded is not None, 'there is no checkpoint'
    return loaded

  def snapshot(self, workdir: Optional[str] = None) -> types.ReplaySnapshot:
    """What the newest checkpoint has of the run's own store."""
    saved = self.newest(workdir).replay
    assert isinstance(saved, types.ReplaySnapshot), saved
    return saved

  def replay_arrays(self, workdir: Optional[str] = None
                   ) -> Dict[str, np.ndarray]:
    """What the run's own store held at the newest checkpoint."""
    state, arrays, segments = self.snapshot(workdir)
    rows = np.concatenate(
        [segment.read() for segment in segments] + [arrays.pop('tail')])
    held = min(state['inserts'], state['settings']['capacity'])
    return {'transitions': rows[-held:], **arrays}

  def summary(self) -> Dict[str, Any]:
    with open(os.path.join(self.workdir, 'summary.json'),
              encoding='utf-8') as stream:
      return json.load(stream)

  def read(self, name: str, workdir: Optional[str] = None) -> bytes:
    with open(os.path.join(workdir or self.workdir, name), 'rb') as stream:
      return stream.read()

  def assert_same_run(self, one: str, two: str) -> None:
    """Both logs but for times, and all saved numbers, are equal bit for bit."""
    for table in (log_tables.EPISODES, log_tables.EVALUATIONS):
      rows_one, rows_two = (
          log_tables.read(path, table) for path in (one, two))
      self.assertEqual(list(rows_one), list(rows_two))
      for name in rows_one:
        if name != 'seconds':
          np.testing.assert_array_equal(rows_one[name], rows_two[name], name)
    newest_one, newest_two = self.newest(one), self.newest(two)
    self.assertEqual(newest_one.run['exploration'],
                     newest_two.run['exploration'])
    self.assertEqual(set(newest_one.learner), set(newest_two.learner))
    for name, array in newest_one.learner.items():
      np.testing.assert_array_equal(array, newest_two.learner[name], name)
    self.assertEqual(self.snapshot(one).state, self.snapshot(two).state)
    arrays_one, arrays_two = (
        self.replay_arrays(path) for path in (one, two))
    for name, array in arrays_one.items():
      np.testing.assert_array_equal(array, arrays_two[name], name)
    weights = 'export/variables/variables.data-00000-of-00001'
    self.assertEqual(self.read(weights, one), self.read(weights, two))


def damage(path: str) -> None:
  """Flips a bit in the middle of a file."""
  with open(path, 'r+b') as stream:
    content = stream.read()
    stream.seek(len(content) // 2)
    stream.write(bytes([content[len(content) // 2] ^ 1]))


def session(leader: int) -> List[int]:
  """Processes of a session, by /proc."""
  found = []
  for name in os.listdir('/proc'):
    if not name.isdigit():
      continue
    try:
      with open(f'/proc/{name}/stat', encoding='utf-8') as stream:
        fields = stream.read().rpartition(')')[2].split()
    except OSError:  # It has just ended.
      continue
    if int(fields[3]) == leader:
      found.append(int(name))
  return found
