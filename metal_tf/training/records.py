"""What a run has done and measured: counters, both logs, the summary.

Shared by both forms of a run: it knows no learner, replay or process.
"""

from typing import (
  Any,
  Callable,
  Dict,
  List,
  Mapping,
  NamedTuple,
  Optional,
  Tuple,
)

import numpy as np

from metal_tf import metrics
from metal_tf import types
from metal_tf.acting import episode as episode_lib
from metal_tf.runs import checkpoint as checkpoint_lib
from metal_tf.runs import log_tables
from metal_tf.training import episode_log

# Share of the critic's target beyond its atoms that is worth a word.
_CLIPPED = 0.05


class LearnerReport(NamedTuple):
  """What is told of the learner, in plain numbers that can travel.

  Attributes:
    steps: learner steps done, skipped ones included.
    skipped: of these, how many were dropped for a NaN or infinity.
    multiplier: lambda, `[K]`.
    meta_parameter: alpha_lambda, `[K]`.
    effective_rate: alpha_1 exp(alpha_lambda), `[K]`.
    means: of losses and the like since the last report, by name: `[]`, and
      `[K]` for the terms of the meta-gradient.
    skipped_in_a_row: the newest steps, if they were all skipped.
  """
  steps: int
  skipped: int
  multiplier: np.ndarray
  meta_parameter: np.ndarray
  effective_rate: np.ndarray
  means: Dict[str, np.ndarray]
  skipped_in_a_row: int = 0


class Records:
  """Counts and logs a run's episodes, and goes on from a checkpoint."""

  def __init__(self, directory: str, spec: types.EnvironmentSpec,
               saved: Optional[checkpoint_lib.Checkpoint],
               warn: Callable[[str], None]):
    """Opens the logs; what is beyond the checkpoint is cut.

    Args:
      directory: of the run.
      spec: the environment's.
      saved: checkpoint to go on from; its `run` has what `position` gave.
      warn: takes one line.

    Raises:
      CheckpointError: if the logs have less than the checkpoint knows of.
    """
    self._directory = directory
    self._spec = spec
    self._warn = warn
    run = saved.run if saved else {}
    self._episode: int = run.get('episode', 0)
    self._actor_steps: int = run.get('actor_steps', 0)
    self._seconds: float = run.get('seconds', 0.0)
    self._cut_episodes: int = run.get('cut_episodes', 0)
    try:
      self._log, self._evaluations = (
          episode_log.EpisodeLog(
              directory, table, spec.constraint_names, run.get('logs'))
          for table in (log_tables.EPISODES, log_tables.EVALUATIONS))
      rows = log_tables.read(directory)
      evaluated = log_tables.read(directory, log_tables.EVALUATIONS)
    except (OSError, ValueError) as error:
      raise checkpoint_lib.CheckpointError(
          f'{saved.path if saved else directory} and the logs do not fit '
          f'({error}); choose another --workdir.') from error
    self._returns: List[float] = list(rows['episode_return'])
    self._penalties: List[np.ndarray] = list(np.stack(
        [rows[f'penalty/{name}'] for name in spec.constraint_names], axis=1))
    self._last_evaluated = int(max(evaluated['episode'], default=0))
    self._told_clipping = False
    self._told_limit = False

  # --- Counters --------------------------------------------------------------

  @property
  def episode(self) -> int:
    """Training episodes done."""
    return self._episode

  @property
  def actor_steps(self) -> int:
    """Environment steps of these episodes and of cut ones."""
    return self._actor_steps

  @property
  def seconds(self) -> float:
    """Seconds of training, over all sessions of the run."""
    return self._seconds

  @property
  def cut_episodes(self) -> int:
    """Episodes that the simulator gave up; they are run again."""
    return self._cut_episodes

  def last_evaluated(self) -> int:
    """Episode number of the last row of `evaluations.csv`, 0 if none."""
    return self._last_evaluated

  def satisfied_episodes(self) -> List[int]:
    """How many episodes so far satisfied each of the K constraints."""
    satisfied = np.array(self._penalties).reshape(
        -1, self._spec.num_constraints) <= self._spec.thresholds
    return [int(count) for count in satisfied.sum(axis=0)]

  # --- What happens ----------------------------------------------------------

  def add_episode(self, result: episode_lib.EpisodeResult, seconds: float,
                  learned: LearnerReport) -> None:
    """Counts a finished training episode and writes its row.

    A disk that does not take the row is a warning; the row waits.

    Args:
      result: the episode.
      seconds: of training since the last one.
      learned: the learner now.
    """
    self._episode += 1
    self._actor_steps += result.steps
    self._seconds += seconds
    self._returns.append(result.episode_return)
    self._penalties.append(result.episode_penalty)
    means = learned.means
    per_constraint = {
        name: mean for name, mean in means.items() if np.ndim(mean) == 1}
    record: Dict[str, Any] = dict(
        episode=self._episode, actor_steps=self._actor_steps,
        learner_steps=learned.steps, seconds=self._seconds,
        skipped_updates=learned.skipped, **self._measured(result),
        **self._named({
            'lambda': learned.multiplier,
            'alpha_lambda': learned.meta_parameter,
            'effective_rate': learned.effective_rate,
            **per_constraint,
        }), **{name: mean for name, mean in means.items()
               if name not in per_constraint})
    self._write(self._log, record, 'episode')
    self._look_at_length(result)
    self._look_at_clipping(learned)

  def add_cut(self, steps: int = 0) -> None:
    """Counts an episode that the simulator gave up after so many steps."""
    self._cut_episodes += 1
    self._actor_steps += steps

  def add_evaluation(self, episode: int, result: episode_lib.EpisodeResult,
                     learner_steps: int) -> None:
    """Writes the row of an episode without exploration.

    Args:
      episode: training episodes done when its policy was taken.
      result: what it came to.
      learner_steps: done then.
    """
    self._last_evaluated = episode
    record = dict(episode=episode, learner_steps=learner_steps,
                  seconds=self._seconds, **self._measured(result))
    self._write(self._evaluations, record, 'evaluation at episode')

  def position(self) -> Dict[str, Any]:
    """What a checkpoint needs to go on from here; the logs are on disk then.

    Raises:
      OSError: if they cannot be brought there.
    """
    return {
        'episode': self._episode,
        'actor_steps': self._actor_steps,
        'seconds': self._seconds,
        'cut_episodes': self._cut_episodes,
        'logs': {**self._log.position(), **self._evaluations.position()},
    }

  def summary(self, algorithm_name: str, learned: LearnerReport,
              extra: Mapping[str, Any]) -> Tuple[metrics.Score, Dict[str, Any]]:
    """The paper's metrics and the content of `summary.json`.

    Args:
      algorithm_name: which agent.
      learned: the learner at the end.
      extra: more entries.

    Raises:
      ValueError: before the first episode.
    """
    thresholds = self._spec.thresholds
    score = metrics.score(self._returns, self._penalties, thresholds)
    satisfied = self.satisfied_episodes()
    if not learned.steps:
      self._warn('Warning: nothing was learned, since the run ended before '
                 'learning began (see --min_replay_size); the policy is as it '
                 'was at the start.')
    return score, {
        'algorithm': algorithm_name,
        'episodes': self._episode,
        'window': score.episodes,
        'return': score.episode_return,
        'penalized_return': score.penalized_return,
        'learner_steps': learned.steps,
        'actor_steps': self._actor_steps,
        'seconds': self._seconds,
        'skipped_updates': learned.skipped,
        'cut_episodes': self._cut_episodes,
        'constraints': [{
            'name': name,
            'penalty': float(score.penalty[k]),
            'threshold': float(thresholds[k]),
            'overshoot': float(score.overshoot[k]),
            'satisfied': bool(score.overshoot[k] == 0),
            'satisfied_episodes': satisfied[k],
            'lambda': float(learned.multiplier[k]),
            'alpha_lambda': float(learned.meta_parameter[k]),
        } for k, name in enumerate(self._spec.constraint_names)],
        **extra,
    }

  def close(self) -> None:
    """Closes the logs; rows that never reached the disk are a warning."""
    for log in (self._log, self._evaluations):
      try:
        log.close()
      except OSError as error:
        self._warn(f'Warning: rows of {self._directory} are lost ({error}).')

  # --- Records ---------------------------------------------------------------

  def _look_at_length(self, result: episode_lib.EpisodeResult) -> None:
    """Says once in a session that an episode did not end by itself."""
    if result.cut and not self._told_limit:
      self._told_limit = True
      self._warn(
          f'Episode {self._episode} had not ended after {result.steps} steps '
          'and was cut (--max_episode_steps); the value of its last state is '
          'bootstrapped, as at a time limit.')

  def _look_at_clipping(self, learned: LearnerReport) -> None:
    """Says once in a session that returns have left the critic's atoms."""
    clipped = learned.means.get('clipped_mass', np.nan)
    if self._told_clipping or not clipped > _CLIPPED:
      return
    self._told_clipping = True
    multipliers = ', '.join(f'{value:.3g}' for value in learned.multiplier)
    self._warn(
        f'Warning: in episode {self._episode}, {clipped:.0%} of the critic\'s '
        'target lay below --vmin or above --vmax, with lambda at '
        f'{multipliers}. It is moved to the outermost atom, so the critic does '
        'not learn how far such returns go, and no meta-gradient comes from '
        'them; clipped_mass in episodes.csv says how much it is. A new run '
        'may have other --vmin and --vmax.')

  def _measured(self, result: episode_lib.EpisodeResult) -> Dict[str, float]:
    """The columns that both logs have."""
    thresholds = self._spec.thresholds
    return dict(
        episode_return=result.episode_return,
        penalized_return=metrics.penalized_return(
            result.episode_return, result.episode_penalty, thresholds),
        **self._named({
            'penalty': result.episode_penalty,
            'threshold': thresholds,
            'overshoot': metrics.overshoot(result.episode_penalty, thresholds),
        }))

  def _named(self, columns: Mapping[str, np.ndarray]) -> Dict[str, float]:
    """Splits arrays `[K]` into one column per constraint."""
    return {f'{column}/{constraint}': value
            for column, values in columns.items()
            for constraint, value in zip(self._spec.constraint_names, values)}

  def _write(self, log: episode_log.EpisodeLog, record: Mapping[str, float],
             what: str) -> None:
    try:
      log.write(record)
    except OSError as error:
      self._warn(f'Warning: {what} {record["episode"]} is not on disk yet '
                 f'({error}); training goes on.')
