"""Counts episodes and keeps the run's records, for all actors."""

import json
import os
import threading
import time
from typing import Any, Dict, Mapping, Optional

import numpy as np

from metal_tf import types
from metal_tf.acting import episode as episode_lib
from metal_tf.distributed import coordinator as coordinator_lib
from metal_tf.distributed import leash as leash_lib
from metal_tf.distributed import service
from metal_tf.runs import checkpoint as checkpoint_lib
from metal_tf.runs import workdir as workdir_lib
from metal_tf.training import progress as progress_lib
from metal_tf.training import records as records_lib

NAME = 'counter'


class Counter(service.Service):
  """The only writer of the logs; the run's length is what it has counted."""

  def __init__(self, coordinator: Any, learner: Any, *, algorithm_name: str,
               directory: str, spec: types.EnvironmentSpec, num_episodes: int,
               saved: Optional[checkpoint_lib.Checkpoint],
               loopback_only: bool):
    """Opens the logs, cut to what the checkpoint knows.

    Args:
      coordinator: client of it.
      learner: client of it.
      algorithm_name: for `summary.json`.
      directory: of the run.
      spec: the environment's.
      num_episodes: of the whole run; later ones are dropped.
      saved: the checkpoint that the run goes on from.
      loopback_only: whether all callers are on this machine.
    """
    super().__init__(loopback_only)
    self._coordinator = coordinator
    self._learner = learner
    self._algorithm_name = algorithm_name
    self._directory = directory
    self._spec = spec
    self._num_episodes = num_episodes
    self._leash = leash_lib.Leash(
        coordinator, NAME, coordinator_lib.Phase.STOP_SERVING)
    if self._leash.starts_before:
      raise RuntimeError('the counter was started again behind the state of '
                         'its run; the logs are left alone')
    self._records = records_lib.Records(
        directory, spec, saved, coordinator.note)
    self._lock = threading.Lock()
    self._dropped = 0
    self._closed = False  # The last checkpoint knows what there is.
    zeros = np.zeros(spec.num_constraints)
    self._news: Dict[str, Any] = dict(
        episodes=[], multiplier=zeros, meta_parameter=zeros,
        effective_rate=zeros)
    self._counted_at = time.monotonic()

  # --- What workers call -----------------------------------------------------

  def num_episodes(self) -> int:
    """Episodes counted so far."""
    return self._records.episode

  def last_evaluated(self) -> int:
    """Training episode of the newest evaluation; 0 if there is none."""
    return self._records.last_evaluated()

  def add_episode(self, result: episode_lib.EpisodeResult) -> None:
    """Counts a finished episode, unless the run has had its last."""
    with self._lock:
      if self._closed or self._records.episode >= self._num_episodes:
        self._dropped += 1
        return
      learned = self._leash.ask(self._learner, 'report')
      now = time.monotonic()
      self._records.add_episode(result, now - self._counted_at, learned)
      self._counted_at = now
      self._news['episodes'].append(
          (result.episode_return, result.episode_penalty, learned.multiplier))
      self._news.update(
          multiplier=learned.multiplier,
          meta_parameter=learned.meta_parameter,
          effective_rate=learned.effective_rate)

  def add_cut(self, steps: int, text: str) -> None:
    """Counts an episode that the simulator gave up after so many steps."""
    with self._lock:
      self._records.add_cut(steps)
    self._coordinator.note(f'Episode cut: {text}')

  def drop(self) -> None:
    """Counts an episode that was in flight when the run ended."""
    with self._lock:
      self._dropped += 1

  def add_evaluation(self, episode: int, result: episode_lib.EpisodeResult,
                     learner_steps: int) -> None:
    """Records an episode without noise, after training episode `episode`."""
    with self._lock:
      if not self._closed:
        self._records.add_evaluation(episode, result, learner_steps)

  def position(self, last: bool) -> Dict[str, Any]:
    """What a checkpoint has to know of the records; the logs are on disk then.

    Args:
      last: whether it is for the run's last checkpoint; what comes after that
        would be in none, and is dropped.

    Returns:
      The records' position, or for logs that could not be written 'episode' and
      'error', the reason: Courier turns every exception into the same one.
    """
    with self._lock:
      self._closed = self._closed or last
      try:
        return self._records.position()
      except OSError as error:
        return {'episode': self._records.episode, 'error': str(error)}

  def finish(self, learned: records_lib.LearnerReport,
             more: Mapping[str, Any]) -> str:
    """Writes the summary of a run that has come to its end.

    Args:
      learned: the learner at the end.
      more: further entries, from the learner.

    Returns:
      '', or why the logs or the summary cannot be written.
    """
    try:
      self._finish(learned, more)
    except OSError as error:
      return str(error)
    return ''

  # --- What the screen calls -------------------------------------------------

  def news(self, since: int) -> Dict[str, Any]:
    """'episodes' counted from number `since` on, and the newest numbers."""
    with self._lock:
      return dict(
          self._news, episodes=self._news['episodes'][since:],
          num_episodes=self._records.episode)

  # --- Its own work ----------------------------------------------------------

  def _serve(self) -> None:
    self._leash.doing = 'counting'
    try:
      while not self._leash.wait(0.5):
        self._leash.count = self._records.episode
    finally:
      self._leash.close()
      with self._lock:
        self._records.close()

  def _finish(self, learned: records_lib.LearnerReport,
              more: Mapping[str, Any]) -> None:
    with self._lock:
      self._records.position()  # All rows are on disk before the summary is.
      score, summary = self._records.summary(
          self._algorithm_name, learned, dict(
              more, dropped_episodes=self._dropped,
              actor_restarts=self._coordinator.overview()['restarts']))
      text = progress_lib.format_score(
          score, self._spec.constraint_names, self._spec.thresholds,
          learned.multiplier, learned.meta_parameter,
          self._records.satisfied_episodes())
    workdir_lib.write_atomically(
        os.path.join(self._directory, 'summary.json'),
        (json.dumps(summary, indent=2) + '\n').encode())
    self._coordinator.note(
        f'{text}\n{self._dropped} episodes were in flight at the end and are '
        'not counted.')
