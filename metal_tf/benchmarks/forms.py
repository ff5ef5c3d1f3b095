"""How fast one process, threads and processes with several actors train.

    ./bazelw run //metal_tf/benchmarks:forms -- --seconds=60

Every form trains for a while as a user would run it, from a launcher; what it
did after learning had begun is read from its `episodes.csv`. Forms take turns
only as whole runs, so compare large differences.
"""

import csv
import os
import signal
import subprocess
import sys
import tempfile
import time
from typing import Dict, List, NamedTuple, Sequence

from absl import app
from absl import flags

_SECONDS = flags.DEFINE_float(
    'seconds', 60.0, 'Training per form, after learning has begun.',
    lower_bound=10.0)
_DOMAINS = flags.DEFINE_list('domains', ['cartpole', 'quadruped'], 'Domains.')
_ACTORS = flags.DEFINE_list('actors', ['1', '2', '4'], 'Numbers of actors.')
_ALGORITHM = flags.DEFINE_string('algorithm', 'd4pg', 'Launcher.')

_LONGEST_START_SECONDS = 300.0


class Speed(NamedTuple):
  """Rates of one form of a run, per second."""
  form: str
  learner_steps: float
  actor_steps: float
  start_seconds: float


def measure(form: str, domain: str, more: Sequence[str]) -> Speed:
  """Trains for a while and reads the rates.

  Args:
    form: name for the table.
    domain: of the task.
    more: further flags.
  """
  with tempfile.TemporaryDirectory() as directory:
    with open(os.path.join(directory, 'out'), 'w', encoding='utf-8') as out:
      started = time.monotonic()
      process = subprocess.Popen(  # pylint: disable=consider-using-with
          [sys.executable, '-m', 'metal_tf.cli', _ALGORITHM.value,
           f'--domain={domain}', f'--workdir={directory}',
           '--evaluation_period=0', '--checkpoint_seconds=1000000', *more],
          env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
          stdout=out, stderr=subprocess.STDOUT)
      try:
        while not _learning(directory):
          if (process.poll() is not None or
              time.monotonic() - started > _LONGEST_START_SECONDS):
            raise RuntimeError(f'{form} did not begin to learn.')
          time.sleep(0.5)
        start_seconds = time.monotonic() - started
        time.sleep(_SECONDS.value)
        rows = _learning(directory)
      finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
  first, last = rows[0], rows[-1]
  seconds = float(last['seconds']) - float(first['seconds'])
  if not seconds:
    raise RuntimeError(f'{form}: no two episodes in {_SECONDS.value:g} s.')
  return Speed(
      form,
      (float(last['learner_steps']) - float(first['learner_steps'])) / seconds,
      (float(last['actor_steps']) - float(first['actor_steps'])) / seconds,
      start_seconds)


def _learning(directory: str) -> List[Dict[str, str]]:
  """The episodes that ended after learning had begun; the last row whole."""
  path = os.path.join(directory, 'episodes.csv')
  if not os.path.exists(path):
    return []
  with open(path, encoding='utf-8', newline='') as stream:
    complete = stream.read().rpartition('\n')[0]
  rows = list(csv.DictReader(complete.splitlines()))
  return [row for row in rows if float(row['learner_steps']) > 0]


def main(_: List[str]) -> None:
  forms = [('one process', [])]
  for name, launch_type in (('threads', 'local_mt'), ('processes', 'local_mp')):
    forms += [(f'{name}, {n} actor{"s" * (n != "1")}',
               [f'--lp_launch_type={launch_type}', f'--num_actors={n}'])
              for n in _ACTORS.value]
  print(f'{os.cpu_count()} cores, load before: {os.getloadavg()[0]:.1f}, '
        f'{_ALGORITHM.value}, {_SECONDS.value:g} s each\n')
  print('| domain | form | learner steps/s | actor steps/s | '
        's to the first learning episode\'s end |')
  print('| --- | --- | --- | --- | --- |')
  for domain in _DOMAINS.value:
    for form, more in forms:
      speed = measure(form, domain, more)
      print(f'| {domain} | {speed.form} | {speed.learner_steps:.1f} | '
            f'{speed.actor_steps:.0f} | {speed.start_seconds:.0f} |',
            flush=True)


if __name__ == '__main__':
  app.run(main)
