"""Before training: what policies that learned nothing come to.

J_C of a zero and of a random policy beside each threshold shows in seconds how
far a constraint is from holding by itself. Neither verdict is final: a
constraint may bind only where a trained policy comes (a pole that is up), and
one that both violate may be learned.
"""

import contextlib
import time
from typing import (
  Any,
  Callable,
  Dict,
  List,
  Mapping,
  NamedTuple,
  Optional,
  Sequence,
)

import numpy as np

from metal_tf import config as config_lib
from metal_tf import types
from metal_tf.acting import episode as episode_lib
from metal_tf.environments import errors
from metal_tf.runs import rates
from metal_tf.runs import workdir as workdir_lib
from metal_tf.training import hints
from metal_tf.training import seeding

FILE = 'feasibility.json'

_QUIET_SECONDS = 10.0  # Longer measurements say how long they will take.


class PolicyResult(NamedTuple):
  """What a policy came to, as means over episodes.

  Attributes:
    policy: 'zero' or 'random'.
    episode_return: mean undiscounted return.
    penalty: mean J_C, `[K]`.
    steps: environment steps in all.
    largest: the largest penalty of a step, `[K]`.
    cut: whether an episode was cut because it did not end.
  """
  policy: str
  episode_return: float
  penalty: np.ndarray
  steps: int
  largest: np.ndarray
  cut: bool = False


class _Zero:
  """Does nothing: zero, or the bound next to it."""
  name = 'zero'

  def __init__(self, spec: types.EnvironmentSpec, seed: int):
    del seed
    self._action: np.ndarray = np.asarray(np.clip(
        np.float32(0), spec.action_minimum, spec.action_maximum))

  def begin_episode(self) -> None:
    pass

  def select_action(self, observation: np.ndarray) -> np.ndarray:
    del observation
    return self._action.copy()


class _Random:
  """Draws every action uniformly between the bounds."""
  name = 'random'

  def __init__(self, spec: types.EnvironmentSpec, seed: int):
    self._spec = spec
    self._rng = np.random.default_rng(seed)

  def begin_episode(self) -> None:
    pass

  def select_action(self, observation: np.ndarray) -> np.ndarray:
    del observation
    return self._rng.uniform(
        self._spec.action_minimum, self._spec.action_maximum
    ).astype(np.float32)


def show(workdir: workdir_lib.Workdir,
         make_environment: seeding.EnvironmentFactory,
         config: config_lib.Config, note: Callable[[str], None],
         stop: Callable[[], bool] = lambda: False) -> None:
  """Runs both policies, shows what they came to, and writes it down.

  It has an environment and random numbers of its own, so that training is the
  same with and without.

  Args:
    workdir: the run's folder; gets `feasibility.json`.
    make_environment: makes the environment from a seed.
    config: the run's settings; `feasibility_episodes` says how many episodes
      each policy has, 0 for nothing at all.
    note: takes lines for the user.
    stop: asked at every step; then nothing is shown or written.

  Raises:
    BadEnvironmentOutput: if the environment delivers NaN or a wrong shape.
    EpisodeCut: if the simulator gives up 10 times in a row.
  """
  if not config.feasibility_episodes:
    return
  note('Before training, a policy that does nothing and a random one show how '
       f'far the constraints are from holding ({config.feasibility_episodes} '
       'episodes each; --feasibility_episodes=0 leaves this out).')
  with contextlib.closing(seeding.SeededEnvironment(
      make_environment, 'feasibility', config)) as environment:
    spec = environment.spec
    results = _Runner(environment, config, note, stop).run([
        policy(spec, seeding.seed_of('feasibility', config.seed))
        for policy in (_Zero, _Random)])
  if results is None:
    return
  note(table(results, spec))
  for result in results:
    if result.cut:
      note(f'  Episodes of the {result.policy} policy did not end by '
           'themselves.')
  hints.tell_units(
      config, spec, np.max([result.largest for result in results], axis=0),
      note)
  try:
    workdir.write_json(
        FILE, _content(results, spec, config.feasibility_episodes))
  except OSError as error:
    note(f'Warning: {FILE} is not written ({error}); training goes on.')


class _Runner:
  """Runs the episodes of one policy after the other."""

  def __init__(self, environment: seeding.SeededEnvironment,
               config: config_lib.Config, note: Callable[[str], None],
               stop: Callable[[], bool]):
    self._environment = environment
    self._episodes = config.feasibility_episodes
    self._max_steps = hints.max_episode_steps(config, environment.spec)
    self._largest = np.zeros(0)  # Penalty of a step of the policy, `[K]`.
    self._note = note
    self._stop = stop
    self._started = self._told = time.monotonic()

  def run(self, policies: Sequence[Any]) -> Optional[List[PolicyResult]]:
    """Runs all episodes of each policy; None if it was stopped."""
    total = len(policies) * self._episodes
    measured: List[PolicyResult] = []
    for policy in policies:
      results: List[episode_lib.EpisodeResult] = []
      self._largest = np.full(self._environment.spec.num_constraints, -np.inf)
      for number in range(1, self._episodes + 1):
        result = self._run_episode(number, policy)
        if result is None:
          return None
        results.append(result)
        self._tell(len(measured) * self._episodes + number, total)
      measured.append(PolicyResult(
          policy.name, float(np.mean([r.episode_return for r in results])),
          np.mean([r.episode_penalty for r in results], axis=0),
          sum(r.steps for r in results), self._largest,
          any(r.cut for r in results)))
    return measured

  def _run_episode(self, number: int,
                   policy: Any) -> Optional[episode_lib.EpisodeResult]:
    """Runs an episode, again if the simulator gives it up."""
    attempt = 0
    while True:
      # Both policies start from the same states, where there is a seed.
      running = episode_lib.Episode(
          self._environment.begin(number, attempt), policy, self._max_steps)
      try:
        for step in running:
          self._largest = np.maximum(self._largest, step.penalty)
          if self._stop():
            return None
        return running.result
      except errors.EpisodeCut as cut:
        attempt += 1
        self._note(f'Episode cut and run again: {cut}')
        if attempt >= episode_lib.MAX_CUTS_IN_A_ROW:
          raise

  def _tell(self, done: int, total: int) -> None:
    """Says now and then how far it is."""
    now = time.monotonic()
    if now - self._told < _QUIET_SECONDS or done == total:
      return
    self._told = now
    left = (now - self._started) / done * (total - done)
    self._note(f'  {done} of {total} episodes, ETA {rates.duration(left)}')


def table(results: Sequence[PolicyResult],
          spec: types.EnvironmentSpec) -> str:
  """The results as a small table, a line for each policy and constraint.

  Args:
    results: of the policies.
    spec: the environment's.
  """
  width = max(map(len, ('constraint', *spec.constraint_names)))
  lines = [f'  policy    return  {"constraint":{width}}       J_C  threshold']
  for result in results:
    head = f'{result.policy:6} {result.episode_return:9.2f}'
    for k, name in enumerate(spec.constraint_names):
      verdict = ('satisfied' if _satisfied(result, spec)[k]
                 else 'not satisfied')
      lines.append(
          f'  {head:16}  {name:{width}}  {result.penalty[k]:8.4f}  '
          f'{spec.thresholds[k]:9.4g}  {verdict}')
      head = ''
  for k, name in enumerate(spec.constraint_names):
    if not any(_satisfied(result, spec)[k] for result in results):
      lines.append(f'  Neither satisfies {name}; whether a trained policy can '
                   'is open.')
  return '\n'.join(lines)


def _satisfied(result: PolicyResult,
               spec: types.EnvironmentSpec) -> np.ndarray:
  return result.penalty <= spec.thresholds


def _content(results: Sequence[PolicyResult], spec: types.EnvironmentSpec,
             episodes: int) -> Dict[str, Any]:
  """The content of `feasibility.json`."""

  def described(result: PolicyResult) -> Mapping[str, Any]:
    return {
        'policy': result.policy,
        'return': result.episode_return,
        'steps': result.steps,
        'constraints': [{
            'name': name,
            'penalty': float(result.penalty[k]),
            'threshold': float(spec.thresholds[k]),
            'satisfied': bool(_satisfied(result, spec)[k]),
        } for k, name in enumerate(spec.constraint_names)],
    }

  return {'episodes': episodes,
          'policies': [described(result) for result in results]}
