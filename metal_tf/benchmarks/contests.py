"""What is measured, and how rows are made of it.

Within a contest, workers take turns, so that all numbers that are compared come
from the same minutes of the same machine.
"""

import time
from typing import (
    Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple)

import numpy as np

from metal_tf.benchmarks import protocol
from metal_tf.benchmarks import rows as rows_lib
from metal_tf.benchmarks import threads

_MEMORY_TRANSITIONS = 100_000
_POLL_SECONDS = 0.05

# Compared with the peer; that which takes longest to compile comes first, so
# that it is not the last one for which all others have to wait.
_ALGORITHMS = ('metal', 'd4pg')


class Amounts(NamedTuple):
  """How much each worker measures in a turn, and how many turns there are.

  Attributes:
    learner_steps: of a learner.
    episodes: of a run.
    environment_steps: of an environment.
    inserts: of a replay.
    products: of matrices.
    rounds: of every contest but the runs'.
    run_rounds: of the runs' contest.
    scan_rounds: of choosing the peer's threads.
  """
  learner_steps: int
  episodes: int
  environment_steps: int
  inserts: int
  products: int
  rounds: int
  run_rounds: int
  scan_rounds: int


QUICK = Amounts(25, 1, 800, 2000, 4, 3, 1, 1)
FULL = Amounts(60, 1, 5000, 10_000, 10, 9, 5, 3)


class Speeds(NamedTuple):
  """Of one worker, per round."""
  rates: np.ndarray  # Calls per second, `[rounds]`.

  @property
  def median(self) -> float:
    return float(np.median(self.rates))


def speeds(answers: Mapping[str, Sequence[Mapping[str, Any]]]
          ) -> Dict[str, Speeds]:
  """Turns what `protocol.take_turns` returned into calls per second."""
  return {name: Speeds(np.array([a['count'] / a['seconds'] for a in each]))
          for name, each in answers.items()}


def ratio(name: str, ours: Speeds, peer: Speeds,
          remark: str = '') -> rows_lib.Row:
  """The ratio of two medians, with quartiles of the rounds' own ratios.

  Args:
    name: of the row.
    ours: what is measured.
    peer: what it is compared with, in the same rounds.
    remark: more to say.
  """
  low, high = np.percentile(ours.rates / peer.rates, [25, 75])
  note = (f'{ours.median:.4g}/s : {peer.median:.4g}/s; quartiles '
          f'{low:.2f} to {high:.2f}, n = {len(ours.rates)}')
  return rows_lib.Row(name, ours.median / peer.median,
                      '; '.join(filter(None, [note, remark])))


class Contests:
  """All measurements, each a method that returns rows."""

  def __init__(self, names: Sequence[str], workers: protocol.Workers,
               amounts: Amounts, quick: bool, say: Callable[[str], None]):
    """Measures nothing yet.

    Args:
      names: of the rows that are wanted.
      workers: starts them.
      amounts: how much to measure.
      quick: whether to try only few settings for the peer.
      say: takes a line about what is going on.
    """
    self._names = set(names)
    self._workers = workers
    self._amounts = amounts
    self._quick = quick
    self._say = say
    self._ours = threads.ours().environment()
    # Per domain the peer's settings, the fastest first.
    self._peers: Dict[str, List[threads.Threads]] = {}
    self._scan: List[Tuple[str, threads.Threads, Speeds]] = []
    self._ran = False  # Whether a whole run of ours has been started.

  @property
  def scan(self) -> List[str]:
    """Lines of a table of all that was tried for the peer."""
    return [
        '| Acme\'s learner on | threads | updates/s |', '| --- | --- | --- |'
    ] + [f'| {domain} | {setting} | {speed.median:.1f} |'
         for domain, setting, speed in self._scan]

  # --- Contests --------------------------------------------------------------

  def learners(self, domain: str) -> List[rows_lib.Row]:
    """Learners of one domain, against Acme's, against each other and products.

    The first time, this also chooses the peer's threads.
    """
    peers = {
        setting: self._job('acme_learner', setting.environment(), setting,
                           domain=domain) for setting in self._settings()}
    ours = {algorithm: self._job('learner', self._ours, algorithm=algorithm,
                                 domain=domain)
            for algorithm in self._learners_wanted(domain)}
    products = {}
    if domain == 'cartpole' and 'learner_d4pg_sgemm_share' in self._names:
      cores = threads.num_cores()
      products = {
          library: self._job(
              'sgemm', threads.Threads(cores, cores, True).environment(),
              library=library) for library in ('numpy', 'tensorflow')}
    started = self._prepare([*ours.values(), *products.values(),
                             *peers.values()])
    contestants = dict(zip([*ours, *products], started))
    acme = self._choose(domain, dict(zip(peers, started[len(contestants):])))
    if not contestants:
      acme.close()
      return []
    result = self._take_turns({**contestants, 'acme': acme}, {
        **dict.fromkeys([*ours, 'acme'], self._amounts.learner_steps),
        **dict.fromkeys(products, self._amounts.products)},
                              self._amounts.rounds)
    remark = f'Acme with {self._peers[domain][0]}'
    rows = [ratio(f'learner_{name}_vs_acme_{domain}', result[name],
                  result['acme'], remark)
            for name in _ALGORITHMS if name in result]
    if 'rc_d4pg' in result:
      rows.append(ratio('learner_rc_d4pg_vs_d4pg', result['rc_d4pg'],
                        result['d4pg']))
    if products:
      rows.append(_sgemm_share(
          result, contestants['d4pg'].ready, contestants['numpy'].ready))
    return [row for row in rows if row.name in self._names]

  def runs(self, domain: str) -> List[rows_lib.Row]:
    """Whole runs of one domain against Acme's agent in Acme's loop."""
    if domain not in self._peers:
      self.learners(domain)  # Of rows that nobody wants: only chooses.
    # Acting may like other threads than learning: two of them run where there
    # is time, and the faster counts.
    settings = self._peers[domain][:1 if self._quick else 2]
    algorithms = [a for a in _ALGORITHMS
                  if f'run_{a}_vs_acme_{domain}' in self._names]
    started = self._prepare(
        [self._job('run', self._ours, algorithm=algorithm, domain=domain)
         for algorithm in algorithms] +
        [self._job('acme_run', setting.environment(), setting, domain=domain)
         for setting in settings])
    peers = [f'Acme with {setting}' for setting in settings]
    contestants = dict(zip([*algorithms, *peers], started))
    self._ran = True
    result = self._take_turns(
        contestants, dict.fromkeys(contestants, self._amounts.episodes),
        self._amounts.run_rounds)
    peer = max(peers, key=lambda name: result[name].median)
    return [ratio(f'run_{algorithm}_vs_acme_{domain}', result[algorithm],
                  result[peer], peer) for algorithm in algorithms]

  def environment(self, domain: str) -> List[rows_lib.Row]:
    """The builtin task against the suite's, where that is installed."""
    suites = ('builtin', 'realworldrl')
    contestants = dict(zip(suites, self._prepare([
        self._job('environment', self._ours, domain=domain, suite=suite)
        for suite in suites])))
    result = self._take_turns(
        contestants, dict.fromkeys(suites, self._amounts.environment_steps),
        self._amounts.rounds)
    return [ratio(f'environment_vs_suite_{domain}', result['builtin'],
                  result['realworldrl'])]

  def insert(self) -> List[rows_lib.Row]:
    """The actor's side of an insertion, in both forms of a run."""
    [server] = self._prepare([self._job('server', self._ours)])
    forms = {
        'insert_one_process_ms': self._job('insert', self._ours),
        'insert_program_ms': self._job(
            'insert', self._ours, address=server.ready['address'])}
    contestants = dict(zip(forms, self._prepare(list(forms.values()))))
    result = self._take_turns(
        contestants, dict.fromkeys(forms, self._amounts.inserts),
        self._amounts.rounds)
    server.close()
    rows = []
    for name, speed in result.items():
      low, high = 1e3 / np.percentile(speed.rates, [75, 25])
      rows.append(rows_lib.Row(
          name, 1e3 / speed.median,
          f'quartiles {low:.3f} to {high:.3f}, n = {len(speed.rates)}'))
    slower = max(rows, key=lambda row: row.value)
    rows.insert(0, slower._replace(
        name='insert_ms', note=f'the slower form, {slower.name}'))
    return [row for row in rows if row.name in self._names]

  def first_step(self) -> List[rows_lib.Row]:
    """From a launcher's start to its first learner step."""
    # A run before has read the same files, so that they are in memory.
    for _ in range(1 if self._ran else 2):
      [worker] = self._prepare([self._job('first_step', self._ours)])
      worker.close()
      self._ran = True
    return [rows_lib.Row('first_step_s', worker.start_seconds)]

  def memory(self) -> List[rows_lib.Row]:
    """What transitions take in the default replay of one process."""
    [worker] = self._prepare([self._job('memory', self._ours)])
    measured = worker.measure(_MEMORY_TRANSITIONS)
    worker.close()
    return [rows_lib.Row(
        'replay_overhead', measured['bytes'] / measured['content'],
        f'{measured["bytes"] / 2**20:.0f} MiB for '
        f'{measured["content"] / 2**20:.0f} MiB in '
        f'{measured["transitions"]} transitions')]

  # --- How they are made -----------------------------------------------------

  def _learners_wanted(self, domain: str) -> List[str]:
    """Our algorithms that the wanted rows of a domain compare."""
    wanted = [algorithm for algorithm in _ALGORITHMS
              if f'learner_{algorithm}_vs_acme_{domain}' in self._names]
    if domain == 'cartpole':
      if 'learner_rc_d4pg_vs_d4pg' in self._names:
        wanted += ['d4pg', 'rc_d4pg']
      if 'learner_d4pg_sgemm_share' in self._names:
        wanted += ['d4pg']
    return list(dict.fromkeys(wanted))

  def _settings(self) -> List[threads.Threads]:
    """What to try for the peer; a quick benchmark chooses only once."""
    if self._quick and self._peers:
      return next(iter(self._peers.values()))[:1]
    return threads.of_the_peer(self._quick)

  def _job(self, role: str, environment: Mapping[str, str],
           setting: Optional[threads.Threads] = None,
           **arguments: Any) -> '_Job':
    words = [role, *map(str, arguments.values())]
    return _Job(' '.join(words) + (f' ({setting})' if setting else ''), role,
                environment, arguments)

  def _prepare(self, jobs: Sequence['_Job']) -> List[protocol.Worker]:
    """Starts workers, as many at once as there are cores; waits for all."""
    started: List[protocol.Worker] = []
    for job in jobs:
      while sum(not w.has_answered for w in started) >= threads.num_cores():
        time.sleep(_POLL_SECONDS)
      self._say(f'preparing {job.name}')
      started.append(self._workers.start(
          job.name, job.role, job.environment, job.arguments))
    for worker in started:
      worker.wait_until_ready()
    return started

  def _take_turns(self, contestants: Mapping[str, protocol.Worker],
                  amounts: Mapping[str, int], rounds: int) -> Dict[str, Speeds]:
    """Measures and ends the workers."""
    self._say(f'{rounds} round(s) of {", ".join(contestants)}')
    answers = protocol.take_turns(contestants, amounts, rounds)
    for worker in contestants.values():
      worker.close()
    return speeds(answers)

  def _choose(self, domain: str,
              peers: Mapping[threads.Threads, protocol.Worker]
             ) -> protocol.Worker:
    """Measures the peer's settings, keeps the fastest and ends the others."""
    self._say(f'choosing Acme\'s threads out of {len(peers)}')
    steps = self._amounts.learner_steps
    result = speeds(protocol.take_turns(
        peers, dict.fromkeys(peers, steps), self._amounts.scan_rounds))
    self._scan += [(domain, setting, result[setting]) for setting in peers]
    best, *others = sorted(peers, key=lambda setting: -result[setting].median)
    self._peers[domain] = [best, *others]
    for setting in others:
      peers[setting].close()
    return peers[best]


class _Job(NamedTuple):
  """A worker to be started; its name is for messages."""
  name: str
  role: str
  environment: Mapping[str, str]
  arguments: Mapping[str, Any]


def _sgemm_share(result: Mapping[str, Speeds], learner: Mapping[str, Any],
                 product: Mapping[str, Any]) -> rows_lib.Row:
  """The matrix products of a D4PG step per second, of those of large ones."""
  needed = learner['flops'] * result['d4pg'].median
  library = max(('numpy', 'tensorflow'), key=lambda name: result[name].median)
  possible = product['flops'] * result[library].median
  return rows_lib.Row(
      'learner_d4pg_sgemm_share', needed / possible,
      f'{needed / 1e9:.1f} of {possible / 1e9:.1f} GFLOP/s ({library}); '
      f'{learner["flops"] / 1e9:.2f} GFLOP a step')
