"""What is measured, and how rows are made of it.

Within a contest, workers take turns, so that all numbers that are compared come
from the same minutes of the same machine.
"""

import collections
from typing import (
    Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple)

import numpy as np

from metal_tf import config as config_lib
from metal_tf import environments
from metal_tf.benchmarks import flops
from metal_tf.benchmarks import protocol
from metal_tf.benchmarks import rows as rows_lib
from metal_tf.benchmarks import threads

_MEMORY_TRANSITIONS = 100_000


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

  @property
  def scan(self) -> List[str]:
    """Lines of a table of all that was tried for the peer."""
    return ['| Acme\'s learner on | threads | updates/s |', '| --- | --- | --- |'
           ] + [f'| {domain} | {setting} | {speed.median:.1f} |'
                for domain, setting, speed in self._scan]

  # --- Contests --------------------------------------------------------------

  def learners(self, domain: str) -> List[rows_lib.Row]:
    """Learners of one domain, against Acme's, against each other and products.

    The first time, this also chooses the peer's threads.
    """
    settings = threads.of_the_peer(self._quick)
    jobs = [self._job('acme_learner', setting.environment(), setting,
                      domain=domain) for setting in settings]
    wanted = {
        algorithm: any(name in self._names for name in names)
        for algorithm, names in {
            'd4pg': [f'learner_d4pg_vs_acme_{domain}',
                     'learner_d4pg_sgemm_share', 'learner_rc_d4pg_vs_d4pg'],
            'metal': [f'learner_metal_vs_acme_{domain}'],
            'rc_d4pg': ['learner_rc_d4pg_vs_d4pg']}.items()}
    on_cartpole = domain == 'cartpole'
    if not on_cartpole:
      wanted = {a: f'learner_{a}_vs_acme_{domain}' in self._names
                for a in wanted}
    ours = {algorithm: self._job('learner', self._ours, algorithm=algorithm,
                                 domain=domain)
            for algorithm, want in wanted.items() if want}
    with_products = (
        on_cartpole and 'learner_d4pg_sgemm_share' in self._names)
    products = {library: self._job('sgemm', self._products_environment(),
                                   library=library)
                for library in ('numpy', 'tensorflow') if with_products}
    started = self._prepare([*jobs, *ours.values(), *products.values()])
    peer = self._choose(domain, dict(zip(settings, started)))
    contestants = dict(zip([*ours, *products], started[len(jobs):]))
    if not contestants:
      return []
    result = self._take_turns(
        {**contestants, 'acme': peer},
        {name: self._amounts.products if name in products
               else self._amounts.learner_steps
         for name in [*contestants, 'acme']}, self._amounts.rounds)
    peers = str(self._peers[domain][0])
    rows = [ratio(f'learner_{name}_vs_acme_{domain}', result[name],
                  result['acme'], f'Acme with {peers}')
            for name in ('d4pg', 'metal') if name in result]
    if 'rc_d4pg' in result:
      rows.append(ratio('learner_rc_d4pg_vs_d4pg', result['rc_d4pg'],
                        result['d4pg']))
    if with_products:
      per_product = contestants['numpy'].ready['flops']
      rows.append(_sgemm_share(result, per_product))
    return [row for row in rows if row.name in self._names]

  def runs(self, domain: str) -> List[rows_lib.Row]:
    """Whole runs of one domain against Acme's agent in Acme's loop."""
    if domain not in self._peers:
      names, self._names = self._names, set()
      self.learners(domain)  # Only chooses.
      self._names = names
    # Acting may like other threads than learning: two of them run where there
    # is time, and the faster counts.
    settings = self._peers[domain][:1 if self._quick else 2]
    algorithms = [a for a in ('d4pg', 'metal')
                  if f'run_{a}_vs_acme_{domain}' in self._names]
    started = self._prepare(
        [self._job('acme_run', setting.environment(), setting, domain=domain)
         for setting in settings] +
        [self._job('run', self._ours, algorithm=algorithm, domain=domain)
         for algorithm in algorithms])
    peers = [f'Acme with {setting}' for setting in settings]
    contestants = dict(zip([*peers, *algorithms], started))
    result = self._take_turns(
        contestants, {name: self._amounts.episodes for name in contestants},
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
        contestants, {suite: self._amounts.environment_steps
                      for suite in suites}, self._amounts.rounds)
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
        contestants, {form: self._amounts.inserts for form in forms},
        self._amounts.rounds)
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
    # Once before, so that its files are in memory.
    seconds = []
    for _ in range(1 if self._quick else 2):
      [worker] = self._prepare([self._job('first_step', self._ours)])
      worker.close()
      seconds.append(worker.start_seconds)
    return [rows_lib.Row('first_step_s', seconds[-1])]

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
