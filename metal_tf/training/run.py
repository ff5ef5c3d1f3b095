"""A training run in one process.

    environment -> actor -> n-step accumulator -> replay (two tables) -> learner
                     ^                                                      |
                     +------------------ policy weights --------------------+

Acting and learning take turns in one thread; the replay says how many learner
steps are due, so the ratio of samples to insertions is kept.
"""

import contextlib
import signal
import time
from typing import Any, Optional

import numpy as np

from metal_tf import config as config_lib
from metal_tf import metrics
from metal_tf import types
from metal_tf import validation
from metal_tf.acting import episode as episode_lib
from metal_tf.agent import agents
from metal_tf.environments import errors
from metal_tf.replay import in_process
from metal_tf.replay import replay as replay_lib
from metal_tf.runs import checkpoint as checkpoint_lib
from metal_tf.runs import workdir as workdir_lib
from metal_tf.system import threads
from metal_tf.training import divergence
from metal_tf.training import evaluation
from metal_tf.training import export
from metal_tf.training import feasibility
from metal_tf.training import hints
from metal_tf.training import opening
from metal_tf.training import parts
from metal_tf.training import progress as progress_lib
from metal_tf.training import records as records_lib
from metal_tf.training import saving
from metal_tf.training import seeding
from metal_tf.training import signals

# After a signal: time to finish an episode, since a run goes on from the end of
# one, and the longest that saving the replay may have taken before. Whoever
# sends a signal expects the end within some 15 seconds.
_FINISH_SECONDS = 8.0
_REPLAY_SECONDS = 5.0


def train(algorithm: agents.Algorithm, config: config_lib.Config,
          make_environment: seeding.EnvironmentFactory) -> metrics.Score:
  """Trains an agent, or resumes a run that was stopped.

  Args:
    algorithm: which agent.
    config: its settings; `domain`, `task`, `constraints` and `suite` describe
      the environment and are only recorded here.
    make_environment: makes the environment from a seed: a
      `ConstrainedEnvironment`, or what else `environments.adapt` takes.

  Returns:
    The paper's metrics over the last 100 training episodes.

  Raises:
    ConfigError: for a setting that cannot be used.
    WorkdirError: if the folder cannot be used.
    CheckpointError: if there are checkpoints and none is intact.
    DivergenceError: if the last 100 updates were all skipped for a NaN.
    OSError: if the end of the run cannot be written, its last checkpoint
      included.
    BadEnvironmentOutput: if the environment delivers NaN or a wrong shape.
    EpisodeCut: if the simulator gives up 10 times in a row.
    SystemExit: with status 128 + n when stopped by SIGTERM or SIGINT, after a
      last checkpoint.
  """
  validation.check_settings(config, algorithm)
  validation.check_one_process(config)
  try:
    threads.serve(config.learner_threads)
  except RuntimeError as error:
    raise validation.ConfigError(
        'learner_threads', config.learner_threads, '0 here',
        'TensorFlow has begun to compute in this process with other sizes: '
        'train before that, or in a process of its own.') from error
  if not config.workdir:
    raise validation.ConfigError('workdir', '', 'a folder for the run')
  workdir = workdir_lib.Workdir(workdir_lib.absolute(config.workdir))
  with contextlib.ExitStack() as stack:
    stack.callback(workdir.close)
    run = Run(algorithm, config, make_environment, workdir, stack)
    # A signal while everything is closed changes nothing any more.
    with signals.handled(run.on_signal), stack:
      return run.run()


class Run:
  """The parts of a run, and the loop through them."""

  def __init__(self, algorithm: agents.Algorithm,
               config: config_lib.Config,
               make_environment: seeding.EnvironmentFactory,
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
      CheckpointError: if there are checkpoints and none is intact.
    """
    self._algorithm = algorithm
    self._make_environment = make_environment
    self._workdir = workdir
    self._environment = seeding.SeededEnvironment(
        make_environment, 'environment', config)
    stack.callback(self._environment.close)
    self._spec = self._environment.spec
    self._progress = progress_lib.Progress(
        config.num_episodes, self._spec.constraint_names,
        self._spec.thresholds)
    stack.callback(self._progress.close)
    self._checkpoints, saved, config = opening.open_run(
        workdir, algorithm, config, self._spec, self._environment.suite,
        self._progress.note)
    self._config = config
    hints.tell(config, self._spec, self._progress.note)
    self._learner = parts.make_learner(self._spec, algorithm, config)
    self._actor = parts.make_actor(self._spec, self._learner, config)
    self._accumulator = parts.make_accumulator(config)
    self._evaluator: Optional[evaluation.Evaluator] = None
    if config.evaluation_period:
      self._evaluator = evaluation.Evaluator(
          make_environment, parts.policy_weights(self._learner), config,
          self._progress.note)
      stack.callback(self._evaluator.close)
    self._replay = self._make_replay(saved)
    stack.callback(self._replay.close)
    self._progress.note(self._replay.window.description)
    self._resumed = saved is not None
    self._cuts_in_a_row = 0
    if saved is not None:
      self._restore(saved)
    self._records = records_lib.Records(
        workdir.path, self._spec, saved, self._progress.note)
    stack.callback(self._records.close)
    # Whether it is in every checkpoint, so that the run goes on exactly.
    self._in_parts = isinstance(self._replay, in_process.InProcessReplay)
    if not self._in_parts and config.replay_store == 'auto':
      self._progress.note(
          'The replay stays in Reverb, where this run began; so it does not '
          'repeat another of its seed exactly.')
    self._saving = saving.SavingPolicy(config, self._in_parts)
    self._saved_episode = self._records.episode  # Of the newest checkpoint.
    self._skips = divergence.SkipWatch(
        workdir.file('dump'), self._progress.note)
    self._skips.start(parts.report(self._learner))
    self._sample: Optional[types.Sample] = None  # Of the newest learner step.
    self._signal: Optional[int] = None
    self._signal_time = 0.0
    self._failed_to_save = False  # At the end.

  # --- The loop --------------------------------------------------------------

  def run(self) -> metrics.Score:
    """Trains to the end; see `train`."""
    if not self._resumed:
      feasibility.show(
          self._workdir, self._make_environment, self._config,
          self._progress.note, stop=lambda: self._signal is not None)
    self._loop()
    stopped_by = self._signal  # What comes later does not stop it.
    score = self._summarize() if stopped_by is None else None
    if self._failed_to_save:
      lost = self._records.episode - self._saved_episode
      raise OSError(f'no checkpoint has the last {lost} episodes')
    if stopped_by is not None:
      name, saved = signal.Signals(stopped_by).name, self._saved_episode
      where = ('there' if saved == self._records.episode else
               f'the checkpoint at episode {saved}' if saved else
               'the beginning')
      self._progress.note(
          f'Stopped by {name} after episode {self._records.episode}; the same '
          f'command again goes on from {where}.')
      raise SystemExit(128 + stopped_by)
    assert score is not None  # There was no signal.
    return score

  def _loop(self) -> None:
    whole = True  # Whether nothing was learned from an interrupted episode.
    self._evaluate()  # A run can be stopped between a checkpoint and its own.
    started = time.monotonic()
    while (self._records.episode < self._config.num_episodes and
           self._signal is None):
      result = self._run_episode()
      if result is None:  # Interrupted or cut; the episode does not count.
        whole = self._signal is None
        continue
      learned = parts.report(self._learner)
      self._records.add_episode(result, time.monotonic() - started, learned)
      self._progress.episode(
          result.episode_return, result.episode_penalty, learned.multiplier)
      self._skips.check(learned, self._learner.get_state, self._sample)
      self._evaluate()
      if self._saving.due(self._records.episode):
        self._save(self._saving.replay_due())
      started = time.monotonic()  # Not behind a cut: it costs time, too.
    if whole and self._records.episode > self._saved_episode:
      self._failed_to_save = not self._save(
          self._in_parts or self._signal is None or
          self._saving.replay_seconds < _REPLAY_SECONDS)
    self._progress.note(
        f'Checkpoints took {self._saving.share:.1%} of the time.')

  def _run_episode(self) -> Optional[episode_lib.EpisodeResult]:
    """Acts through one episode and learns as the replay's ratio asks.

    Returns:
      The episode, or None if a signal or the simulator ended it early.
    """
    self._accumulator.reset()
    episode = episode_lib.Episode(
        self._environment.begin(
            self._records.episode + 1, self._cuts_in_a_row), self._actor,
        hints.max_episode_steps(self._config, self._spec))
    steps = 0
    try:
      for steps, step in enumerate(episode, 1):
        for transition in self._accumulator.append(*step):
          self._replay.insert(transition)
        self._learn()
        self._show(steps)
        if self._must_stop():
          return None
    except errors.EpisodeCut as cut:
      self._count_cut(cut, steps)
      return None
    self._cuts_in_a_row = 0
    self._replay.insert_episode_penalty(episode.result.episode_penalty)
    self._learn(all_of_it=True)
    return episode.result

  def _must_stop(self) -> bool:
    """Whether a signal ends the episode here."""
    return self._signal is not None and (
        time.monotonic() > self._signal_time + _FINISH_SECONDS)

  def _count_cut(self, cut: errors.EpisodeCut, steps: int) -> None:
    """Tolerates a diverged simulation now and then, but not for ever."""
    self._cuts_in_a_row += 1
    self._records.add_cut(steps)
    self._progress.note(f'Episode cut and run again: {cut}')
    if self._cuts_in_a_row >= episode_lib.MAX_CUTS_IN_A_ROW:
      raise cut

  def _learn(self, all_of_it: bool = False) -> None:
    """Makes the learner steps that are due, as many as fit in a call at once.

    Nothing that acts sees a difference: actors take weights when an episode
    begins. Asked anew after each call: a pause (compilation) lets Reverb's
    prefetch run out, and what it held counts as sampled.

    Args:
      all_of_it: whether a call may have fewer steps than fit in.
    """
    fit = self._learner.steps_per_call
    while True:
      due = self._replay.batches_due()
      if due < (1 if all_of_it else fit):
        return
      if self._learner.num_traces == 0:
        self._progress.note('Compiling the learner step; this takes some '
                            'seconds.')
      self._sample = self._replay.sample(min(due, fit))
      priorities = self._learner.steps(
          self._sample.transitions, self._sample.episode_penalties,
          self._sample.importance_weights)
      if priorities is not None:
        self._replay.update_priorities(
            np.reshape(self._sample.keys, -1), np.reshape(priorities, -1))

  def _evaluate(self) -> None:
    """Runs an episode without noise if it is time for one."""
    episode = self._records.episode
    if self._evaluator is None or not self._evaluator.due(
        episode, self._records.last_evaluated()):
      return
    result = self._evaluator.run(episode, stop=self._must_stop)
    if result is not None:
      self._records.add_evaluation(episode, result, self._learner.num_steps)

  # --- What it tells ---------------------------------------------------------

  def _show(self, steps: int) -> None:
    if not self._progress.due:
      return
    phase = 'learning' if self._learner.num_traces else 'filling replay'
    part = steps / self._spec.episode_steps if self._spec.episode_steps else 0.0
    self._progress.update(
        phase, self._records.episode + part, self._records.actor_steps + steps,
        self._learner.multiplier.numpy(), self._learner.meta_parameter.numpy(),
        self._learner.effective_rate)

  def _summarize(self) -> metrics.Score:
    """Prints the paper's metrics, writes `summary.json`, exports the policy."""
    learned = parts.report(self._learner)
    score, summary = self._records.summary(
        self._algorithm.name, learned,
        {'checkpoint_share': self._saving.share})
    self._progress.note(progress_lib.format_score(
        score, self._spec.constraint_names, self._spec.thresholds,
        learned.multiplier, learned.meta_parameter,
        self._records.satisfied_episodes()))
    self._records.position()  # All rows are on disk before the summary is.
    self._workdir.write_json('summary.json', summary)
    export.export_at_end(self._workdir.path, self._progress.note)
    self._progress.note(f'Everything of this run is in {self._workdir.path}')
    return score

  # --- Its state -------------------------------------------------------------

  def _save(self, with_replay: bool) -> bool:
    """Writes a checkpoint; returns whether that worked."""
    return self._saving.save(
        self._records.episode, self._write_checkpoint, with_replay,
        self._progress.note)

  def _write_checkpoint(self, with_replay: bool) -> None:
    self._checkpoints.save(
        self._records.episode, self._learner.get_state(),
        {**self._records.position(), 'exploration': self._actor.state(),
         'cuts_in_a_row': self._cuts_in_a_row},
        self._replay.to_save() if with_replay else None)
    self._saved_episode = self._records.episode

  def _make_replay(
      self, saved: Optional[checkpoint_lib.Checkpoint]) -> replay_lib.Replay:
    """Makes the replay, with what the checkpoint kept of it."""
    self._workdir.remove_leftovers('replay-')
    kept = saved.replay if saved else None
    make = lambda: parts.make_replay(
        self._spec, self._config, self._workdir.path, kept)
    replay = make()
    if saved is None:
      return replay
    lost = saved.replay_problem
    if kept is not None:
      if lost:
        self._progress.note(f'Another replay than the checkpoint\'s: {lost}.')
      try:
        replay.restore(kept)
        return replay
      except (OSError, ValueError) as error:
        lost = str(error)
        replay.close()
        self._checkpoints.forget_replay()
        replay = make()
    self._progress.note(f'The replay fills again first ({lost}).')
    return replay

  def _restore(self, saved: checkpoint_lib.Checkpoint) -> None:
    """Takes over a checkpoint, but for the replay and the records."""
    try:
      self._learner.set_state(saved.learner)
    except ValueError as error:
      raise checkpoint_lib.CheckpointError(
          f'{saved.path} does not fit this program ({error}); choose another '
          '--workdir.') from error
    if 'exploration' in saved.run:  # Not from a run of several actors.
      self._actor.set_state(saved.run['exploration'])
    self._cuts_in_a_row = saved.run.get('cuts_in_a_row', 0)

  def on_signal(self, number: int, frame: Any) -> None:
    """Ends the run behind this episode, or in it if it was to end before."""
    del frame
    if self._signal is not None:  # A second one: do not wait for the episode.
      self._signal_time = -_FINISH_SECONDS
      return
    self._signal = number
    self._signal_time = time.monotonic()
