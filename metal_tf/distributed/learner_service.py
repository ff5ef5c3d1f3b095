"""The learner as a service: it learns, hands out weights and saves."""

import os
import threading
import time
from typing import Any, Iterator, List, Optional

import numpy as np
import reverb

from metal_tf import config as config_lib
from metal_tf import types
from metal_tf.acting import numpy_policy
from metal_tf.agent import agents
from metal_tf.distributed import coordinator as coordinator_lib
from metal_tf.distributed import leash as leash_lib
from metal_tf.distributed import service
from metal_tf.replay import priorities
from metal_tf.replay import priority_updates
from metal_tf.replay import reverb_dataset
from metal_tf.replay import reverb_replay
from metal_tf.runs import checkpoint as checkpoint_lib
from metal_tf.runs import workdir as workdir_lib
from metal_tf.training import divergence
from metal_tf.training import export
from metal_tf.training import parts
from metal_tf.training import records as records_lib
from metal_tf.training import saving

NAME = 'learner'

# The wait for a sample is in C++ and hears nothing; between two of them the
# learner looks around.
_WAIT_SECONDS = 2.0
_LOOK_AROUND_SECONDS = 1.0

# The longest that saving the replay may have taken before, for it to be saved
# once more when somebody is in a hurry.
_REPLAY_SECONDS = 4.0

# For the counter to bring its logs to disk when the run ends in a hurry.
_POSITION_SECONDS = 4.0


class LearnerService(service.Service):
  """The only one that changes weights, multiplier and meta-parameter."""

  def __init__(self, coordinator: Any, counter: Any, replay: reverb.Client, *,
               spec: types.EnvironmentSpec,
               algorithm: agents.Algorithm, config: config_lib.Config,
               directory: str,
               saved: Optional[checkpoint_lib.Checkpoint],
               replay_settings: Any, loopback_only: bool):
    """Makes the learner, with the checkpoint's weights if there is one.

    Args:
      coordinator: client of it.
      counter: client of it.
      replay: client of the server.
      spec: the environment's.
      algorithm: which agent.
      config: its settings.
      directory: of the run.
      saved: the checkpoint that the run goes on from.
      replay_settings: saved beside the tables, see `replay.Settings.saved`.
      loopback_only: whether all callers are on this machine.
    """
    super().__init__(loopback_only)
    self._coordinator = coordinator
    self._counter = counter
    self._replay = replay
    self._spec = spec
    self._config = config
    self._directory = directory
    self._replay_settings = replay_settings
    self._checkpointer = checkpoint_lib.Checkpointer(
        os.path.join(directory, workdir_lib.CHECKPOINTS), coordinator.note)
    if saved is not None:
      self._checkpointer.go_on_from(saved)
    self._policy = saving.SavingPolicy(config)
    # Actors and the counter read between two steps.
    self._lock = threading.Lock()
    self._learner = parts.make_learner(
        spec, algorithm, config.replace(steps_per_call=1))
    if saved is not None:
      self._learner.set_state(saved.learner)
    self._iterator: Optional[Iterator[types.Sample]] = None
    self._prioritization = parts.make_prioritization(config)
    self._updates: Optional[priority_updates.PriorityUpdates] = None
    self._reported = parts.report(self._learner)
    self._skips = divergence.SkipWatch(
        os.path.join(directory, 'dump'), coordinator.note)
    self._skips.start(self._reported)

  # --- What workers call -----------------------------------------------------

  def get_weights(self) -> List[np.ndarray]:
    """The policy's weights, in the order that `NumpyPolicy` takes them."""
    with self._lock:
      return [np.array(weights) for weights in numpy_policy.policy_weights(
          self._learner.networks.policy)]

  def largest_priority(self) -> float:
    """What transitions should enter with; after a resume it grows anew."""
    return self._updates.largest if self._updates else priorities.FIRST

  def num_steps(self) -> int:
    """Learner steps so far, those before a resume included."""
    return self._learner.num_steps

  def report(self) -> records_lib.LearnerReport:
    """What is logged with an episode; the means begin anew."""
    with self._lock:
      self._reported = parts.report(self._learner)
      return self._reported

  # --- Its own work ----------------------------------------------------------

  def _serve(self) -> None:
    leash = leash_lib.Leash(
        self._coordinator, NAME, coordinator_lib.Phase.STOP_LEARNING)
    if leash.starts_before:
      # As it was submitted, behind the state of its run: nothing to be saved.
      leash.close()
      return
    if self._prioritization is not None:
      self._updates = priority_updates.PriorityUpdates(self._replay)
    try:
      self._learn(leash)
      leash.doing = 'saving'
      if leash.hurried:
        # First what is small; then the replay too, if there is time.
        self._save(leash, with_replay=False)
        if self._policy.replay_seconds < _REPLAY_SECONDS:
          self._save(leash, with_replay=True)
      else:
        self._save(leash, with_replay=True)
        self._finish(leash)
    except leash_lib.Stopped as stopped:  # The counter is gone.
      self._coordinator.note(f'Warning: {stopped}; the end may not be saved.')
    finally:
      if self._updates is not None:
        self._updates.close()
      # The stream of samples stays open: among threads its end would wait for
      # more samples. It ends with this process, or with the replay's tables.
      leash.close()

  def _finish(self, leash: leash_lib.Leash) -> None:
    """Lets the counter write the summary, and exports the policy."""
    problem = leash.ask(
        self._counter, 'finish', self.report(),
        {'checkpoint_share': self._policy.share}, patience=_POSITION_SECONDS)
    if problem:
      raise OSError(f'the end of the run cannot be written ({problem}); make '
                    'room and give the same command again')
    leash.doing = 'exporting the policy'
    export.export_at_end(self._directory, self._coordinator.note)

  def _learn(self, leash: leash_lib.Leash) -> None:
    """Steps as fast as the replay's rate limiter hands out samples."""
    looked_around = time.monotonic()
    episode = 0
    while not leash.stopping:
      leash.doing = 'waiting for samples'
      sample = self._next_sample()
      if sample is not None:
        leash.doing = ('learning' if self._learner.num_traces else
                       'compiling the learner step')
        with self._lock:
          new_priorities = parts.learn(self._learner, sample)
        if self._updates is not None:
          self._updates.put(sample.keys, new_priorities)
        leash.count = self._learner.num_steps
      if time.monotonic() - looked_around > _LOOK_AROUND_SECONDS:
        looked_around = time.monotonic()
        before = episode
        episode = leash.ask(self._counter, 'num_episodes')
        if episode > before and sample is not None:
          self._skips.check(self._reported, self._learner.get_state, sample)
        if episode > before and self._policy.due(episode):
          leash.doing = 'saving'
          self._save(leash, self._policy.replay_due())

  def _next_sample(self) -> Optional[types.Sample]:
    """What the next step takes, or None if nothing came within some seconds."""
    if self._iterator is None:
      self._iterator = reverb_dataset.samples(
          self._replay.server_address, self._spec,
          batch_size=self._config.batch_size,
          num_penalty_samples=self._config.penalty_samples,
          timeout_seconds=_WAIT_SECONDS, prioritization=self._prioritization)
    sample = next(self._iterator, None)
    if sample is None:
      self._iterator = None
    return sample

  def _save(self, leash: leash_lib.Leash, with_replay: bool) -> bool:
    """Writes a checkpoint; returns whether that worked."""
    position = leash.ask(self._counter, 'position', leash.stopping,
                         patience=_POSITION_SECONDS)

    def save_replay(directory: str) -> None:
      if self._updates is not None:
        self._updates.flush()
      reverb_replay.save_tables(
          self._replay, directory, dict(settings=self._replay_settings))

    def write(with_replay: bool) -> None:
      if 'error' in position:
        raise OSError(position['error'])
      with self._lock:
        state = self._learner.get_state()
      self._checkpointer.save(
          position['episode'], state,
          {**position, 'learner_traces': self._learner.num_traces},
          save_replay if with_replay else None)

    return self._policy.save(
        position['episode'], write, with_replay, self._coordinator.note)
