"""Who competes with whom, and the rows that come of it.

Within a contest contestants take turns, so that all numbers that are compared
come from the same minutes of the same machine.
"""

import contextlib
import os
import subprocess
import sys
import time
from typing import Any, Callable, Dict, List, Mapping, Sequence, Tuple

import numpy as np

from metal_tf.benchmarks import rows as rows_lib
from metal_tf.benchmarks import turns

# What learners and runs are compared at, by what the rows' names end with: the
# task and the sizes, cores and so threads (0: all), learner steps in a turn.
_SCALES: Dict[str, Tuple[Dict[str, Any], int]] = {
    'small': (dict(domain='cartpole', preset='small', cores=1), 128),
    'one_thread': (dict(domain='cartpole', cores=1), 32),
    'cartpole': (dict(domain='cartpole'), 48),
    'quadruped': (dict(domain='quadruped'), 48),
}
_DOMAIN = 'quadruped'  # Of insertion and memory.
_SAVING_SECONDS = 60.0  # Between two checkpoints.


class Contests:
  """All contests, each a method that returns rows."""

  def __init__(self, directory: str, rounds: int, say: Callable[[str], None]):
    """Starts nothing yet.

    Args:
      directory: for the contestants' files.
      rounds: turns of each contestant; 0: as many as usual.
      say: takes a line about what was measured.
    """
    self._directory = directory
    self._rounds = rounds
    self._say = say
    # The peer's settings that were not left behind, by the number of cores.
    self._peers: Dict[int, List[str]] = {}

  def learners(self, scale: str) -> List[rows_lib.Row]:
    """Learners against Acme's, at the same sizes and number of threads."""
    settings, steps = _SCALES[scale]
    return self._against_acme('learner', scale, 9, amount=steps, **settings)

  def runs(self, scale: str) -> List[rows_lib.Row]:
    """Whole runs against Acme's agent in Acme's loop, an episode a turn."""
    settings, _ = _SCALES[scale]
    return self._against_acme('run', scale, 5, **settings)

  def d4pg(self) -> List[rows_lib.Row]:
    """Our D4PG learner against RC-D4PG's and against matrix products."""
    settings, steps = _SCALES['cartpole']
    libraries = ('numpy', 'tensorflow')
    contestants = {agent: turns.Contestant(
        'learners.ours', steps, algorithm=agent, **settings)
                   for agent in ('rc_d4pg', 'd4pg')}
    contestants.update({library: turns.Contestant(
        'components.products', 10, library=library, environment={
            'OPENBLAS_NUM_THREADS': str(len(os.sched_getaffinity(0)))})
                        for library in libraries})
    seconds = self._race(contestants, 9)
    operations = {name: contestants[name].ready for name in seconds}
    rates = {name: operations[name] / 1e9 / seconds[name]
             for name in ('d4pg', *libraries)}
    best = max(libraries, key=lambda name: np.median(rates[name]))
    ours, possible = np.median(rates['d4pg']), np.median(rates[best])
    return [
        rows_lib.Row(
            'learner_d4pg_sgemm_share', ours / possible,
            f'{ours:.4g} of {possible:.4g} GFLOP/s ({best}); '
            f'{operations["d4pg"] / 1e9:.3g} GFLOP a step; '
            + _spread(rates['d4pg'] / rates[best])),
        _ratio('learner_rc_d4pg_vs_d4pg', seconds['rc_d4pg'], seconds['d4pg'])]

  def environments(self, domain: str) -> List[rows_lib.Row]:
    """The builtin task against the suite's."""
    seconds = self._race({suite: turns.Contestant(
        'components.environment', 3000, domain=domain, suite=suite)
                          for suite in ('builtin', 'realworldrl')}, 9)
    return [_ratio(f'environment_vs_suite_{domain}', seconds['builtin'],
                   seconds['realworldrl'])]

  def insertion(self) -> List[rows_lib.Row]:
    """The actor's side of an insertion, in both forms of a run."""
    server = turns.Contestant('components.server', domain=_DOMAIN)
    with contextlib.ExitStack() as stack:
      server.start(self._directory)
      stack.callback(server.stop)
      server.wait_until_ready()
      addresses = {'one process': '', 'program': server.ready}
      seconds = self._race({form: turns.Contestant(
          'components.insert', 10_000, domain=_DOMAIN, address=address)
                            for form, address in addresses.items()}, 9)
    ms = {form: 1e3 * each for form, each in seconds.items()}
    slower = max(ms, key=lambda form: np.median(ms[form]))
    return [rows_lib.Row(
        'insert_ms', np.median(ms[slower]), ', '.join(
            f'{form} {np.median(each):.3g}' for form, each in ms.items())
        + f': the slower counts; {_spread(ms[slower])}')]

  def memory(self) -> List[rows_lib.Row]:
    """What transitions take in the default replay of one process."""
    steps = 100_000
    [overhead] = turns.race({'memory': turns.Contestant(
        'components.memory', steps, domain=_DOMAIN)}, self._directory,
                            rounds=1)['memory']
    return [rows_lib.Row('replay_overhead', overhead,
                         f'{steps} transitions of {_DOMAIN}; n = 1')]

  def checkpoints(self) -> List[rows_lib.Row]:
    """The share of saving in a run that saves every minute.

    It has small networks: no other run has as much that is new to save.
    """
    settings: Dict[str, Any] = dict(domain='humanoid', preset='small')
    step = np.median(self._race({'run': turns.Contestant(
        'runs.ours', algorithm='d4pg', **settings)}, 3)['run'])
    inserts = round(_SAVING_SECONDS / step)
    seconds = self._race({'saving': turns.Contestant(
        'components.checkpoint', inserts, **settings)}, 3)['saving']
    return [rows_lib.Row(
        'checkpoint_share', np.median(seconds) / _SAVING_SECONDS,
        f'{np.median(seconds):.3g} s every {_SAVING_SECONDS:g} s, with '
        f'{inserts} new transitions in a store of 1e6; '
        + _spread(seconds / _SAVING_SECONDS))]

  def start(self) -> List[rows_lib.Row]:
    """From the start of MetaL's launcher to its first learner step."""
    seconds = []
    for number in range(self._rounds or 3):
      started = time.monotonic()
      ended = subprocess.run(
          [sys.executable, '-m', 'metal_tf.benchmarks.first_step',
           f'--workdir={self._directory}/first_step-{number}'],
          env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
          check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
          encoding='utf-8')
      seconds.append(time.monotonic() - started)
      if ended.returncode:
        raise turns.ContestantFailed(
            f'The launcher ended with exit status {ended.returncode}. It said:'
            f'\n{ended.stdout}')
    return [rows_lib.Row('first_step_s', float(np.median(seconds)),
                         _spread(np.array(seconds)))]

  def _race(self, contestants: Mapping[str, turns.Contestant], rounds: int,
            peers: Sequence[str] = ()) -> Dict[str, np.ndarray]:
    """Returns what each one answered per round; see `turns.race`."""
    answers = turns.race(
        contestants, self._directory, self._rounds or rounds, peers)
    self._say('medians: ' + ', '.join(
        f'{name} {np.median(each):.4g}' for name, each in answers.items()))
    return {name: np.array(each) for name, each in answers.items()}

  def _against_acme(self, what: str, scale: str, rounds: int, cores: int = 0,
                    **settings: Any) -> List[rows_lib.Row]:
    """Rows of our agents over Acme with the best of its settings."""
    rows = {agent: f'{what}_{agent}_vs_acme_{scale}'
            for agent in ('metal', 'd4pg')}  # What compiles longest is first.
    rows = {agent: row for agent, row in rows.items()
            if row in rows_lib.TARGETS}
    acme = _acme_settings(cores or len(os.sched_getaffinity(0)))
    peers = self._peers.get(cores, list(acme))
    seconds = self._race({
        **{agent: turns.Contestant(f'{what}s.ours', cores=cores,
                                   algorithm=agent, **settings)
           for agent in rows},
        **{name: turns.Contestant(f'{what}s.acme', cores=cores,
                                  environment=acme[name], **settings)
           for name in peers}}, rounds, peers)
    self._peers[cores] = [name for name in peers if name in seconds]
    best = min(self._peers[cores], key=lambda name: np.median(seconds[name]))
    return [_ratio(row, seconds[agent], seconds[best], best)
            for agent, row in rows.items()]


def _acme_settings(cores: int) -> Dict[str, Dict[str, str]]:
  """All ways to set up Acme's process on so many cores, by name."""
  return {
      f'Acme with intra {intra}, inter {inter}, oneDNN {onednn}': {
          'TF_NUM_INTRAOP_THREADS': str(intra),
          'TF_NUM_INTEROP_THREADS': str(inter),
          'TF_ENABLE_ONEDNN_OPTS': str(int(onednn == 'on'))}
      for onednn in ('on', 'off') for inter in {1, cores}
      for intra in {1, cores}}


def _ratio(name: str, ours: np.ndarray, peer: np.ndarray,
           remark: str = '') -> rows_lib.Row:
  """A row of how many times as fast as a peer we are: of two medians.

  Args:
    name: of the row.
    ours: seconds per round, for one of what is measured.
    peer: of what it is compared with, in the same rounds.
    remark: more to say.
  """
  medians = [np.median(each) for each in (ours, peer)]
  shown = ' : '.join(f'{1e3 * median:.4g} ms' for median in medians)
  return rows_lib.Row(
      name, medians[1] / medians[0],
      '; '.join(filter(None, [shown, _spread(peer / ours), remark])))


def _spread(values: np.ndarray) -> str:
  """Quartiles of the rounds' own values."""
  low, high = np.percentile(values, [25, 75])
  return f'quartiles {low:.3g} to {high:.3g}, n = {len(values)}'
