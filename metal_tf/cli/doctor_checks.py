"""The doctor's checks: what training needs of a machine, one by one.

Only Python's own library is imported here, and what imports nothing else, since
on a machine that needs a doctor nothing else may load. Whatever needs more runs
in another process.
"""

from importlib import metadata
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from typing import Callable, Iterator, List, NamedTuple, Sequence, Tuple

from metal_tf.system import versions

OK, NOTE, PROBLEM = 'OK', 'note', 'problem'

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
_LOCK = os.path.join(_ROOT, 'requirements.txt')

_INSTALL = ('start with ./bazelw, which makes the right environment, or '
            'install requirements.txt into an environment of its own (pip '
            'install --no-deps --no-build-isolation -r requirements.txt)')

_GIB = 2**30
# A checkpoint with the replay of a short run; two are there while one is
# written.
_LEAST_FREE = 0.2 * _GIB
# The same for a full replay of humanoid, 1e6 transitions of 160 numbers.
_COMFORTABLE_FREE = 3 * _GIB
_ENOUGH_MEMORY = 3 * _GIB

_LOAD_PROGRAM = """
import os
os.environ['TF_CPP_MIN_LOG_LEVEL'] = '2'
import tensorflow as tf
import reverb
import launchpad
print('devices:', len(tf.config.list_physical_devices('GPU')))
"""
_SUITE_PROGRAM = """
from metal_tf import environments
print('suite:', environments.resolve_suite('auto'))
"""
# Lines that Reverb, TensorFlow and absl log.
_LOGGED = (r'\[reverb/|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWE] |'
           r'[IWE]\d{4} \d\d:\d\d:')
_LOAD_SECONDS, _SMOKE_SECONDS = 180, 300

# Training as everybody's first command has it, but short and small. The replay
# runs on Reverb.
_SMOKE = (
    '--domain=cartpole', '--num_episodes=3', '--policy_layer_sizes=16,16',
    '--critic_layer_sizes=16,16', '--batch_size=32', '--samples_per_insert=1',
    '--noxla')


class Finding(NamedTuple):
  """What a check found.

  Attributes:
    status: OK, NOTE (training works all the same) or PROBLEM.
    subject: what was looked at.
    text: what there is.
    advice: what to do, or ''.
  """
  status: str
  subject: str
  text: str
  advice: str = ''


def check_lock(installed: Callable[[str], str] = metadata.version) -> Finding:
  """Compares every package of requirements.txt with what is installed.

  Beside a wheel there is no such file, but the pins that the wheel was made
  with.
  """
  lock = 'requirements.txt'
  try:
    with open(_LOCK, encoding='utf-8') as stream:
      text = stream.read()
  except FileNotFoundError:
    lock, text = 'the wheel', '\n'.join(metadata.requires('metal_tf') or ())
  locked = re.findall(r'^([\w.-]+)==([^\s;]+)', text, re.M)
  wrong: List[str] = []
  for name, version in locked:
    try:
      found = installed(name)
    except metadata.PackageNotFoundError:
      found = 'not installed'
    if found != version:
      wrong.append(f'{name} {found} (locked: {version})')
  if not wrong:
    return Finding(OK, 'packages', f'all {len(locked)} as in {lock}')
  more = f' and {len(wrong) - 5} more' if len(wrong) > 5 else ''
  return Finding(PROBLEM, 'packages', ', '.join(wrong[:5]) + more, _INSTALL)


def check_versions() -> Finding:
  """Whether TensorFlow, Reverb and Launchpad are made for each other."""
  try:
    versions.check()
  except ImportError as error:  # Its message is a sentence with the remedy.
    return Finding(PROBLEM, 'versions', str(error))
  return Finding(OK, 'versions', ', '.join(
      f'{name} {versions.installed_version(name) or "missing"}'
      for name in ('tensorflow', *versions.COMPILED_FOR_TENSORFLOW)))


def check_loading() -> Sequence[Finding]:
  """Whether they load in one process, and which GPUs TensorFlow sees."""
  status, out, problem = _run([sys.executable, '-c', _LOAD_PROGRAM],
                              _LOAD_SECONDS)
  if status:
    return [Finding(PROBLEM, 'loading',
                    f'TensorFlow, Reverb and Launchpad do not load: {problem}',
                    _INSTALL)]
  devices = int(out.rpartition('devices:')[2])
  gpu = (Finding(OK, 'GPU', f'{devices} that TensorFlow can use') if devices
         else Finding(NOTE, 'GPU', 'none that TensorFlow can use',
                      'nothing: the networks are small, and the CPU trains '
                      'them'))
  return [Finding(OK, 'loading', 'TensorFlow, Reverb and Launchpad load '
                  'together'), gpu]


def check_cpu() -> Finding:
  """How many cores this process may use."""
  cores = len(os.sched_getaffinity(0))
  load = os.getloadavg()[0]
  text = f'{cores} core{"s" * (cores > 1)}, load {load:.1f}'
  if load > cores:
    return Finding(NOTE, 'CPU', text, 'others are using it; training will be '
                   'slow until they are done')
  return Finding(OK, 'CPU', text)


def check_memory() -> Finding:
  """How much memory is free, as the kernel estimates it."""
  try:
    with open('/proc/meminfo', encoding='utf-8') as stream:
      found = re.search(r'MemAvailable:\s+(\d+)', stream.read())
  except OSError:
    found = None
  if found is None:
    return Finding(NOTE, 'memory', 'unknown, there is no /proc/meminfo')
  free = 1024 * int(found[1])
  text = f'{free / _GIB:.1f} GiB free'
  if free < _ENOUGH_MEMORY:
    return Finding(NOTE, 'memory', text, 'a full replay of humanoid needs '
                   'more: lower --replay_capacity there')
  return Finding(OK, 'memory', text)


def check_disk(subject: str, path: str) -> Finding:
  """Whether a folder, there or not yet, can be written to and has room."""
  there = os.path.abspath(path)
  while not os.path.lexists(there):
    there = os.path.dirname(there)
  try:
    with tempfile.TemporaryFile(dir=there):
      pass
    free = shutil.disk_usage(there).free
  except OSError as error:
    return Finding(PROBLEM, subject, f'{path} cannot be written to '
                   f'({error.strerror})', 'choose another folder')
  text = f'{path}, {free / _GIB:.1f} GiB free'
  if free < _LEAST_FREE:
    return Finding(PROBLEM, subject, text, 'make room')
  if free < _COMFORTABLE_FREE:
    return Finding(NOTE, subject, text, 'enough to begin with; a full replay '
                   'in a checkpoint takes up to 1.5 GiB')
  return Finding(OK, subject, text)


def check_ports() -> Finding:
  """Whether a server can listen on the loopback device and be reached."""
  try:
    with socket.create_server(('127.0.0.1', 0)) as server:
      port = server.getsockname()[1]
      with socket.create_connection(('127.0.0.1', port), timeout=5):
        pass
  except OSError as error:
    return Finding(PROBLEM, 'ports', f'no server on 127.0.0.1 ({error})',
                   'bring up the loopback device (ip link set lo up), or ask '
                   'for it where this container is made')
  return Finding(OK, 'ports', 'free ones on 127.0.0.1')


def check_suite() -> Finding:
  """Which implementation of the paper's tasks is used."""
  status, out, problem = _run([sys.executable, '-c', _SUITE_PROGRAM],
                              _LOAD_SECONDS)
  if status:
    return Finding(PROBLEM, 'suite', problem, _INSTALL)
  suite = out.rpartition('suite:')[2].strip()
  if suite == 'builtin':
    return Finding(
        OK, 'suite', 'builtin, equal to realworldrl_suite bit for bit')
  return Finding(OK, 'suite', suite)


def check_rendering() -> Finding:
  """Which back ends can render a film."""
  status, out, problem = _run(
      [sys.executable, '-m', 'metal_tf.assessment.rendering'], _LOAD_SECONDS)
  if status == 0:
    return Finding(OK, 'rendering', out.strip())
  return Finding(NOTE, 'rendering', out.strip() or problem,
                 'only --video of evaluate needs it')


def check_training() -> Finding:
  """Trains small networks for some seconds, in a folder that goes again."""
  with tempfile.TemporaryDirectory() as folder:
    status, _, problem = _run(
        [sys.executable, '-m', 'metal_tf.cli', 'train',
         f'--workdir={folder}/run', *_SMOKE], _SMOKE_SECONDS)
    steps, left = _what_training_left(os.path.join(folder, 'run'))
  if status or not steps or left:
    return Finding(PROBLEM, 'training',
                   problem if status else left or 'no learner step was made',
                   'mend what is named above first; if there is nothing, train '
                   'with --num_episodes=3 and see the whole output')
  return Finding(OK, 'training', f'3 episodes of cartpole, {steps} learner '
                 'steps of small networks, a checkpoint and an export')


def _what_training_left(folder: str) -> Tuple[int, str]:
  """The learner steps of a finished run, and what is missing of it or ''."""
  for name in ('summary.json', 'checkpoints', 'export'):
    if not os.path.exists(os.path.join(folder, name)):
      return 0, f'the run left no {name}'
  with open(os.path.join(folder, 'summary.json'), encoding='utf-8') as stream:
    return json.load(stream)['learner_steps'], ''


def all_checks(workdir: str, cache: str) -> Iterator[Finding]:
  """Makes every check that makes sense after those before it.

  Args:
    workdir: where runs are to go.
    cache: where the environment and Bazel's output are.
  """
  yield check_lock()
  fit = check_versions()
  yield fit
  yield check_cpu()
  yield check_memory()
  yield check_disk('disk of runs', workdir)
  yield check_disk('disk of the cache', cache)
  yield check_ports()
  if fit.status == PROBLEM:
    yield Finding(NOTE, 'the rest', 'loading, GPU, suite, rendering and '
                  'training were not tried', 'mend the versions first')
    return
  yield from check_loading()
  yield check_suite()
  yield check_rendering()
  yield check_training()


def _run(command: Sequence[str], seconds: float) -> Tuple[int, str, str]:
  """Runs a program; returns its status, its text and why it failed."""
  try:
    ended = subprocess.run(
        command, env={**os.environ,
                      'PYTHONPATH': os.pathsep.join([_ROOT, *sys.path])},
        capture_output=True, text=True, errors='replace', timeout=seconds,
        check=False)
  except subprocess.TimeoutExpired as error:
    *_, doing = ['nothing', *(error.stdout or b'').decode(
        errors='replace').strip().splitlines()]
    return 1, '', f'not done after {seconds} s; it said last: {doing[:300]}'
  status = ended.returncode
  said = _cause(ended.stderr)
  if status < 0:  # What a signal ends has rarely had the time to say why.
    name = signal.Signals(-status).name
    said = f'killed by {name}' + (f' behind: {said}' if said else '')
  return status, ended.stdout, said or f'status {status}'


def _cause(text: str) -> str:
  """The line of a failed program's standard error that says why, or ''.

  Rarely the last one: libraries log as they close, and destructors fail.
  """
  lines = [line for line in text.splitlines()
           if line.strip() and not re.match(_LOGGED, line)]
  for number, line in enumerate(lines):
    if line.startswith('Exception ignored in'):
      del lines[number:]
      break
  for number in reversed(range(len(lines))):
    if lines[number].startswith('Traceback (most recent call last)'):
      # Behind the frames, which are indented; a message may have more lines.
      lines = [line for line in lines[number + 1:] if line[0] != ' '][:1]
      break
  return lines[-1][:300] if lines else ''
