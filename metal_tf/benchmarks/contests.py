"""Who competes with whom, and the rows that come of it.

Within a contest contestants take turns, so that all numbers that are compared
come from the same minutes of the same machine.
"""

import os
from typing import Any, Callable, Dict, List, NamedTuple, Sequence

import numpy as np

from metal_tf.benchmarks import rows as rows_lib
from metal_tf.benchmarks import turns

# Compared with the peer. What takes longest to prepare comes first.
_AGENTS = ('metal', 'd4pg')
_DOMAIN = 'quadruped'  # Of insertion and memory: the largest observation.


class Scale(NamedTuple):
  """What learners and runs are compared at.

  Attributes:
    settings: domain, and preset of sizes.
    cores: of each contestant, and its threads; 0: all.
    learner_steps: that a learner makes in a turn.
  """
  settings: Dict[str, str]
  cores: int
  learner_steps: int


# By what the rows' names end with.
SCALES = {
    'small': Scale(dict(domain='cartpole', preset='small'), 1, 160),
    'one_thread': Scale(dict(domain='cartpole'), 1, 48),
    'cartpole': Scale(dict(domain='cartpole'), 0, 64),
    'quadruped': Scale(dict(domain='quadruped'), 0, 64),
}


class Contests:
  """All contests, each a method that returns rows."""

  def __init__(self, directory: str, rounds: int, say: Callable[[str], None]):
    """Starts nothing yet.

    Args:
      directory: for the contestants' files.
      rounds: turns of each contestant; 0: as many as usual.
      say: takes a line about what is going on.
    """
    self._directory = directory
    self._rounds = rounds
    self._say = say
    self._all_cores = len(os.sched_getaffinity(0))
    # The peer's settings that are left, by the number of cores.
    self._peers: Dict[int, List[str]] = {}

  def measure(self, contest: str) -> List[rows_lib.Row]:
    """Holds one contest.

    Args:
      contest: a key of `rows.CONTESTS`.

    Raises:
      ContestantFailed: if a contestant died or hung.
    """
    method, *arguments = contest.split()
    return getattr(self, method)(*arguments)

  # --- The contests ----------------------------------------------------------

  def learners(self, scale: str) -> List[rows_lib.Row]:
    """Learners against Acme's, at the same sizes and number of threads."""
    settings, cores, steps = SCALES[scale]
    ours = {agent: self._job('learners.ours', steps, cores, algorithm=agent,
                             **settings) for agent in _AGENTS}
    return self._against_acme(
        'learner', scale, ours, self._job(
            'learners.acme', steps, cores, **settings), rounds=9)

  def runs(self, scale: str) -> List[rows_lib.Row]:
    """Whole runs against Acme's agent in Acme's loop, an episode a turn."""
    settings, cores, _ = SCALES[scale]
    ours = {agent: self._job('runs.ours', 1, cores, algorithm=agent, **settings)
            for agent in _AGENTS
            if f'run_{agent}_vs_acme_{scale}' in rows_lib.TARGETS}
    return self._against_acme(
        'run', scale, ours, self._job('runs.acme', 1, cores, **settings),
        rounds=5)

  def d4pg(self) -> List[rows_lib.Row]:
    """Our D4PG learner against RC-D4PG's and against matrix products."""
    settings, cores, steps = SCALES['cartpole']
    jobs = {agent: self._job('learners.ours', steps, cores, algorithm=agent,
                             **settings) for agent in ('rc_d4pg', 'd4pg')}
    libraries = ('numpy', 'tensorflow')
    for library in libraries:
      jobs[library] = self._job('components.products', 10, cores,
                                library=library)
    with turns.started(jobs, self._directory) as contestants:
      seconds = self._take(contestants, jobs, rounds=9)
      operations = {name: c.ready for name, c in contestants.items()}
    gflops = {name: operations[name] / 1e9 / seconds[name]
              for name in ('d4pg', *libraries)}
    best = max(libraries, key=lambda name: np.median(gflops[name]))
    share = gflops['d4pg'] / gflops[best]
    return [
        rows_lib.Row(
            'learner_d4pg_sgemm_share',
            float(np.median(gflops['d4pg']) / np.median(gflops[best])),
            f'{np.median(gflops["d4pg"]):.4g} of {np.median(gflops[best]):.4g} '
            f'GFLOP/s ({best}); {operations["d4pg"] / 1e9:.3g} GFLOP a step; '
            + _spread(share)),
        _ratio('learner_rc_d4pg_vs_d4pg', seconds['rc_d4pg'], seconds['d4pg'])]

  def environments(self, domain: str) -> List[rows_lib.Row]:
    """The builtin task against the suite's."""
    seconds = self._race({
        suite: self._job('components.environment', 5000, domain=domain,
                         suite=suite)
        for suite in ('builtin', 'realworldrl')}, rounds=9)
    return [_ratio(f'environment_vs_suite_{domain}', seconds['builtin'],
                   seconds['realworldrl'])]

  def insertion(self) -> List[rows_lib.Row]:
    """The actor's side of an insertion, in both forms of a run."""
    server = {'server': self._job('components.server', 0, domain=_DOMAIN)}
    with turns.started(server, self._directory) as started:
      seconds = self._race({
          form: self._job('components.insert', 10_000, domain=_DOMAIN,
                          address=address)
          for form, address in (('one process', ''),
                                ('program', started['server'].ready))},
                           rounds=9)
    slower = max(seconds, key=lambda form: np.median(seconds[form]))
    medians = ', '.join(f'{form} {1e3 * np.median(each):.3g} ms'
                        for form, each in seconds.items())
    return [rows_lib.Row(
        'insert_ms', float(1e3 * np.median(seconds[slower])),
        f'{medians}, of which the slower counts; '
        + _spread(1e3 * seconds[slower]))]

  def memory(self) -> List[rows_lib.Row]:
    """What transitions take in the default replay of one process."""
    steps = 100_000
    [overhead] = self._race({'memory': self._job(
        'components.memory', steps, domain=_DOMAIN)}, rounds=1).values()
    return [rows_lib.Row('replay_overhead', float(overhead[0]),
                         f'{steps} transitions of {_DOMAIN}; n = 1')]

  def checkpoints(self) -> List[rows_lib.Row]:
    """The share of saving in a run that saves every minute.

    In the run with small networks, which has the most new transitions to save.
    """
    every = 60.0
    settings = dict(domain='humanoid', preset='small')
    [step] = self._race({'run': self._job(
        'runs.ours', 1, algorithm='d4pg', **settings)}, rounds=3).values()
    inserts = round(every / np.median(step))
    [seconds] = self._race({'saving': self._job(
        'components.checkpoint', inserts, **settings)}, rounds=3).values()
    return [rows_lib.Row(
        'checkpoint_share', float(np.median(seconds) / every),
        f'{np.median(seconds):.3g} s every {every:g} s, with {inserts} new '
        'transitions in a store of 1e6; ' + _spread(seconds / every))]

  def start(self) -> List[rows_lib.Row]:
    """From the start of MetaL's launcher to its first learner step."""
    seconds = []
    for _ in range(self._rounds or 3):
      with turns.started({'launcher': self._job('runs.first_step', 0)},
                         self._directory) as contestants:
        seconds.append(contestants['launcher'].start_seconds)
    return [rows_lib.Row('first_step_s', float(np.median(seconds)),
                         _spread(np.array(seconds)))]

  # --- How they are held -----------------------------------------------------

  def _job(self, kind: str, amount: int, cores: int = 0,
           **arguments: Any) -> turns.Job:
    return turns.Job(kind, amount, arguments, cores or self._all_cores)

  def _race(self, jobs: Dict[str, turns.Job], rounds: int,
            peers: Sequence[str] = ()) -> Dict[str, np.ndarray]:
    """Returns what each one answered per round, see `turns.take`."""
    with turns.started(jobs, self._directory) as contestants:
      return self._take(contestants, jobs, rounds, peers)

  def _take(self, contestants: Dict[str, turns.Contestant],
            jobs: Dict[str, turns.Job], rounds: int,
            peers: Sequence[str] = ()) -> Dict[str, np.ndarray]:
    answers = turns.take(contestants, jobs, self._rounds or rounds, peers)
    self._say('medians: ' + ', '.join(
        f'{name} {np.median(each):.4g}' for name, each in answers.items()))
    return {name: np.array(each) for name, each in answers.items()}

  def _against_acme(self, what: str, scale: str, ours: Dict[str, turns.Job],
                    acme: turns.Job, rounds: int) -> List[rows_lib.Row]:
    """Rows of `ours` over Acme with the best of its settings."""
    settings = _acme_settings(acme.cores)
    names = self._peers.get(acme.cores, list(settings))
    peers = {name: acme._replace(environment=settings[name]) for name in names}
    seconds = self._race({**ours, **peers}, rounds, list(peers))
    left = [name for name in peers if name in seconds]
    self._peers[acme.cores] = left
    best = min(left, key=lambda name: np.median(seconds[name]))
    return [_ratio(f'{what}_{agent}_vs_acme_{scale}', seconds[agent],
                   seconds[best], best) for agent in ours]


def _acme_settings(cores: int) -> Dict[str, Dict[str, str]]:
  """All ways to set up Acme's process with up to so many threads."""
  return {
      f'Acme with intra {intra}, inter {inter}, oneDNN {onednn}': {
          'TF_NUM_INTRAOP_THREADS': str(intra),
          'TF_NUM_INTEROP_THREADS': str(inter),
          'TF_ENABLE_ONEDNN_OPTS': str(int(onednn == 'on'))}
      for onednn in ('on', 'off') for inter in sorted({1, cores})
      for intra in sorted({1, cores})}


def _ratio(name: str, ours: np.ndarray, peer: np.ndarray,
           remark: str = '') -> rows_lib.Row:
  """The row of the ratio of two medians.

  Args:
    name: of the row.
    ours: seconds per round.
    peer: of what it is compared with, in the same rounds.
    remark: more to say.
  """
  ms = [f'{1e3 * np.median(each):.4g}' for each in (ours, peer)]
  return rows_lib.Row(
      name, float(np.median(peer) / np.median(ours)),
      '; '.join(filter(None, [f'{ms[0]} and {ms[1]} ms', _spread(peer / ours),
                              remark])))


def _spread(values: np.ndarray) -> str:
  low, high = np.percentile(values, [25, 75])
  return f'quartiles {low:.3g} to {high:.3g}, n = {len(values)}'
