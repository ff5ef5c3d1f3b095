"""A training run in one process.

    environment -> actor -> n-step accumulator -> replay (two tables) -> learner
                     ^                                                      |
                     +------------------ policy weights --------------------+

Acting and learning take turns in one thread; the replay says how many learner
steps are due, so the ratio of samples to insertions is kept.
"""

import contextlib
import os
import signal
import time
from typing import Any, Callable, Dict, List, Optional

import numpy as np

from metal_tf import algorithm as algorithm_lib
from metal_tf import config as config_lib
from metal_tf import metrics
from metal_tf import validation
from metal_tf.acting import episode as episode_lib
from metal_tf.environments import errors
from metal_tf.environments import wrapper
from metal_tf.experiment import checkpoint as checkpoint_lib
from metal_tf.experiment import episode_log
from metal_tf.experiment import parts
from metal_tf.experiment import progress as progress_lib
from metal_tf.experiment import provenance
from metal_tf.experiment import workdir as workdir_lib
from metal_tf.replay import replay as replay_lib

_MAX_CUTS_IN_A_ROW = 10

EnvironmentFactory = Callable[[int], wrapper.ConstrainedEnvironment]


def train(algorithm: algorithm_lib.Algorithm, config: config_lib.Config,
          make_environment: EnvironmentFactory) -> metrics.Score:
  """Trains an agent, or resumes a run that was stopped.

  Args:
    algorithm: which agent.
    config: its settings; `domain`, `task`, `constraints` and `suite` describe
      the environment and are only recorded here.
    make_environment: makes the environment from a seed.

  Returns:
    The paper's metrics over the last 100 training episodes.

  Raises:
    ConfigError: for a setting that cannot be used.
    WorkdirError: if the folder cannot be used.
    CheckpointError: if the newest checkpoint cannot be read.
    BadEnvironmentOutput: if the environment delivers NaN or a wrong shape.
    EpisodeCut: if the simulator gives up 10 times in a row.
    SystemExit: with status 128 + n when stopped by SIGTERM or SIGINT, after a
      last checkpoint.
  """
  validation.check_settings(config, algorithm)
  if not config.workdir:
    raise validation.ConfigError('workdir', '', 'a folder for the run')
  workdir = workdir_lib.Workdir(os.path.abspath(config.workdir))
  with contextlib.ExitStack() as stack:
    stack.callback(workdir.close)
    run = Run(algorithm, config, make_environment, workdir, stack)
    return run.run()


class Run:
  """The parts of a run, and the loop through them."""

  def __init__(self, algorithm: algorithm_lib.Algorithm,
               config: config_lib.Config, make_environment: EnvironmentFactory,
               workdir: workdir_lib.Workdir, stack: contextlib.ExitStack):
    """Assembles a run and takes over its newest checkpoint, if there is one.

    Args:
      algorithm: which agent.
      config: its settings.
      make_environment: makes the environment from a seed.
      workdir: the run's folder, locked.
      stack: closes what the run opens.

    Raises:
      WorkdirError: if the folder holds a run with other settings.
      CheckpointError: if the newest checkpoint cannot be read.
    """
    self._algorithm = algorithm
    self._config = config
    self._workdir = workdir
    saved_config = workdir.read_json('config.json')
    self._checkpoints = checkpoint_lib.Checkpointer(
        workdir.file('checkpoints'), print)
    saved = self._checkpoints.load_newest()
    done = saved.run['episode'] if saved else 0
    self._environment = make_environment(
        parts.seed_of('environment', config.seed, done))
    stack.callback(self._environment.close)
    self._spec = self._environment.spec
    description = self._describe()
    if saved_config is not None:
      workdir_lib.check_same_run(saved_config, description)
    self._learner = parts.make_learner(self._spec, algorithm, config)
    self._actor = parts.make_actor(self._spec, self._learner, config)
    self._accumulator = parts.make_accumulator(config)
    self._progress = progress_lib.Progress(
        config.num_episodes, self._spec.constraint_names,
        self._spec.thresholds)
    stack.callback(self._progress.close)
    self._replay = self._make_replay(saved)
    stack.callback(self._replay.close)
    self._progress.note(self._replay.window.description)
    self._episode = 0
    self._actor_steps = 0
    self._seconds = 0.0
    self._returns: List[float] = []
    self._penalties: List[np.ndarray] = []
    self._signal: Optional[int] = None
    self._cuts_in_a_row = 0
    if saved is not None:
      self._restore(saved)
    elif saved_config is not None:
      self._progress.note('The run in this folder ended before its first '
                          'checkpoint; starting again.')
    self._log = self._open_log(saved)
    stack.callback(self._log.close)
    workdir.write_json('config.json', description)

  # --- The loop --------------------------------------------------------------

  def run(self) -> metrics.Score:
    """Trains to the end; see `train`."""
    handlers = {
        number: signal.signal(number, self._on_signal)
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
      self._loop()
    finally:
      for number, handler in handlers.items():
        signal.signal(number, handler)
    if self._signal is not None:
      name = signal.Signals(self._signal).name
      self._progress.note(
          f'Stopped by {name} after episode {self._episode}; the same command '
          'again goes on from there.')
      raise SystemExit(128 + self._signal)
    return self._summarize()

  def _loop(self) -> None:
    saved_at = time.monotonic()
    saved_episode = self._episode
    while self._episode < self._config.num_episodes and self._signal is None:
      started = time.monotonic()
      result = self._run_episode()
      if result is None:  # Interrupted or cut; the episode does not count.
        continue
      self._episode += 1
      self._seconds += time.monotonic() - started
      self._log_episode(result)
      if time.monotonic() - saved_at >= self._config.checkpoint_seconds:
        if self._save():
          saved_episode = self._episode
        saved_at = time.monotonic()
    if self._episode > saved_episode:
      self._save()

  def _run_episode(self) -> Optional[episode_lib.EpisodeResult]:
    """Acts through one episode and learns as the replay's ratio asks.

    Returns:
      The episode, or None if a signal or the simulator ended it early.
    """
    self._accumulator.reset()
    episode = episode_lib.Episode(self._environment, self._actor)
    try:
      for steps, step in enumerate(episode, 1):
        for transition in self._accumulator.append(*step):
          self._replay.insert(transition)
        self._actor_steps += 1
        self._learn()
        self._show(steps)
        if self._signal is not None:
          return None
    except errors.EpisodeCut as cut:
      self._count_cut(cut)
      return None
    self._cuts_in_a_row = 0
    self._replay.insert_episode_penalty(episode.result.j_c)
    self._learn()
    return episode.result

  def _count_cut(self, cut: errors.EpisodeCut) -> None:
    """Tolerates a diverged simulation now and then, but not for ever."""
    self._cuts_in_a_row += 1
    self._progress.note(f'Episode cut and run again: {cut}')
    if self._cuts_in_a_row >= _MAX_CUTS_IN_A_ROW:
      raise cut

  def _learn(self) -> None:
    """Makes the learner steps that are due.

    Asked anew after each: a pause (compilation) lets a prefetch run out, and
    what it held counts as sampled.
    """
    while self._replay.batches_due():
      if self._learner.num_traces == 0:
        self._progress.note('Compiling the learner step; this takes half a '
                            'minute or so.')
      self._learner.step(*self._replay.sample())

  # --- What it tells ---------------------------------------------------------

  def _show(self, steps: int) -> None:
    if not self._progress.due:
      return
    phase = 'learning' if self._learner.num_traces else 'filling replay'
    part = steps / self._spec.episode_steps if self._spec.episode_steps else 0.0
    self._progress.update(
        phase, self._episode + part, self._actor_steps,
        self._learner.multiplier.numpy(), self._learner.meta_parameter.numpy(),
        self._learner.effective_rate)

  def _log_episode(self, result: episode_lib.EpisodeResult) -> None:
    """Writes the finished episode's record."""
    threshold = self._spec.thresholds
    self._returns.append(result.episode_return)
    self._penalties.append(result.j_c)
    self._progress.episode(result.episode_return, result.j_c)
    learned = self._learner.read_metrics()
    record: Dict[str, float] = dict(
        episode=self._episode,
        actor_steps=self._actor_steps,
        learner_steps=self._learner.num_steps,
        seconds=self._seconds,
        episode_return=result.episode_return,
        penalized_return=metrics.penalized_return(
            result.episode_return, result.j_c, threshold),
        skipped_updates=self._learner.num_skipped)
    per_constraint = {
        'penalty': result.j_c,
        'threshold': threshold,
        'overshoot': metrics.overshoot(result.j_c, threshold),
        'lambda': self._learner.multiplier.numpy(),
        'alpha_lambda': self._learner.meta_parameter.numpy(),
        'effective_rate': self._learner.effective_rate,
        'meta_gradient_direct': learned.pop('meta_gradient_direct'),
        'meta_gradient_weights': learned.pop('meta_gradient_weights'),
    }
    for name, values in per_constraint.items():
      for constraint, value in zip(self._spec.constraint_names, values):
        record[f'{name}/{constraint}'] = value
    try:
      self._log.write({**record, **learned})
    except OSError as error:  # The rows wait in memory for the next try.
      self._progress.note(f'Warning: episode {self._episode} is not on disk yet '
                          f'({error}); training goes on.')

  def _summarize(self) -> metrics.Score:
    """Writes `summary.json` and prints the paper's metrics."""
    score = metrics.score(
        self._returns, self._penalties, self._spec.thresholds)
    multiplier = self._learner.multiplier.numpy()
    meta_parameter = self._learner.meta_parameter.numpy()
    self._workdir.write_json('summary.json', {
        'algorithm': self._algorithm.name,
        'episodes': self._episode,
        'window': score.episodes,
        'return': score.episode_return,
        'penalized_return': score.penalized_return,
        'learner_steps': self._learner.num_steps,
        'actor_steps': self._actor_steps,
        'seconds': self._seconds,
        'skipped_updates': self._learner.num_skipped,
        'constraints': [{
            'name': name,
            'penalty': float(score.penalty[k]),
            'threshold': float(self._spec.thresholds[k]),
            'overshoot': float(score.overshoot[k]),
            'lambda': float(multiplier[k]),
            'alpha_lambda': float(meta_parameter[k]),
        } for k, name in enumerate(self._spec.constraint_names)],
    })
    self._progress.note(progress_lib.format_score(
        score, self._spec.constraint_names, self._spec.thresholds, multiplier,
        meta_parameter))
    self._progress.note(f'Everything of this run is in {self._workdir.path}')
    return score

  def _describe(self) -> Dict[str, Any]:
    """The content of `config.json`."""
    return {
        'algorithm': self._algorithm.name,
        'config': validation.as_json(self._config),
        'suite': self._environment.suite,
        'constraints': [
            {'name': name, 'threshold': float(threshold)} for name, threshold in
            zip(self._spec.constraint_names, self._spec.thresholds)],
        'environment': {
            'observation_size': self._spec.observation_size,
            'action_size': self._spec.action_size,
            'episode_steps': self._spec.episode_steps,
        },
        'versions': provenance.versions(),
        'commit': provenance.commit(),
    }

  # --- Its state -------------------------------------------------------------

  def _save(self) -> bool:
    """Writes a checkpoint; a failure costs a warning, not the run.

    Returns:
      Whether it was written.
    """
    try:
      self._checkpoints.save(
          self._episode, self._learner.get_state(), {
              'episode': self._episode,
              'actor_steps': self._actor_steps,
              'seconds': self._seconds,
              'episode_log_size': self._log.sync(),
              'exploration': self._actor.state(),
          }, self._replay.save)
    except OSError as error:
      self._progress.note(
          f'Warning: no checkpoint at episode {self._episode} ({error}); '
          'training goes on, the one before is intact.')
      return False
    return True

  def _make_replay(
      self, saved: Optional[checkpoint_lib.Checkpoint]) -> replay_lib.Replay:
    """Makes the replay, with what the checkpoint kept of it."""
    self._workdir.remove_leftovers('replay-')
    replay = parts.make_replay(self._spec, self._config, self._workdir.path)
    if saved is None:
      return replay
    lost = saved.replay_problem
    if saved.replay_directory is not None:
      try:
        replay.restore(saved.replay_directory)
        return replay
      except (OSError, ValueError) as error:
        lost = str(error)
        replay.close()
        replay = parts.make_replay(
            self._spec, self._config, self._workdir.path)
    self._progress.note(f'The replay fills again first ({lost}).')
    return replay

  def _open_log(self, saved: Optional[checkpoint_lib.Checkpoint]
               ) -> episode_log.EpisodeLog:
    """Opens the log; rows beyond the checkpoint are cut."""
    size = saved.run['episode_log_size'] if saved else 0
    try:
      return episode_log.EpisodeLog(
          self._workdir.path, self._spec.constraint_names, size)
    except ValueError as error:
      raise checkpoint_lib.CheckpointError(
          f'{saved.path} does not fit the log ({error}) Choose another '
          '--workdir.') from error

  def _restore(self, saved: checkpoint_lib.Checkpoint) -> None:
    """Takes over a checkpoint, but for the replay."""
    self._progress.note(f'Resumed at episode {saved.run["episode"]}.')
    try:
      self._learner.set_state(saved.learner)
      rows = episode_log.read(self._workdir.path)
    except (OSError, ValueError) as error:
      raise checkpoint_lib.CheckpointError(
          f'{saved.path} and the logs of the run do not fit this program '
          f'({error}); choose another --workdir.') from error
    self._actor.set_state(saved.run['exploration'])
    self._episode = saved.run['episode']
    self._actor_steps = saved.run['actor_steps']
    self._seconds = saved.run['seconds']
    self._returns = list(rows['episode_return'][:self._episode])
    penalties = [rows[f'penalty/{name}'] for name in self._spec.constraint_names]
    self._penalties = list(np.stack(penalties, axis=1)[:self._episode])

  def _on_signal(self, number: int, frame: Any) -> None:
    del frame
    self._signal = number
