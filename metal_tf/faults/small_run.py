"""A run of a small world as a process of its own, with a fault built in.

    python -m metal_tf.faults.small_run '{"config": {"workdir": ...}, ...}'

The program is that of the launchers: same run, same messages, same statuses.
The JSON has

* `config`: settings that differ from `training.testing.small_config`;
* `world`: 'slope' (default), 'cartpole', 'paced', the slope with a known length
  of its episodes, so that several actors wait for the learner, or 'violated'
  and 'free', the slope with a constraint that is always violated or never;
* `fault`: name of a function below, with its arguments behind it;
* `launch_type`: Launchpad's, or nothing for one process;
* `algorithm`: the agent's name, by default 'metal';
* `broken`: whether the learner raises;
* `forked`: whether workers that are processes are forks (`forking.py`).
"""

import json
import os
import random
import resource
import signal
import sys
import threading
import time
from typing import Any, Callable, Mapping, Optional

from absl import flags as absl_flags

from metal_tf.cli import main as main_lib

main_lib.quiet_start_up()  # Before the imports below load TensorFlow.

from dm_control.rl import control
import numpy as np

from metal_tf import environments
from metal_tf.agent import agents
from metal_tf.environments import constraint
from metal_tf.environments import wrapper
from metal_tf.faults import forking
from metal_tf.replay import in_process
from metal_tf.runs import checkpoint
from metal_tf.training import testing

# Small, so that a run of some hundred transitions has several.
in_process.SEGMENT_BYTES = 4096

_Factory = Callable[[int], wrapper.ConstrainedEnvironment]


def _cartpole(seed: int) -> wrapper.ConstrainedEnvironment:
  return environments.make(
      'cartpole', safety_coeff=0.3, constraints=[('balance_velocity', 0.115)],
      seed=seed, suite='builtin')


def _violated(seed: int) -> wrapper.ConstrainedEnvironment:
  return wrapper.ConstrainedEnvironment(testing.Slope(seed), [
      constraint.Constraint.of_time_step(
          'always', lambda step: True, threshold=0.0)])


def _free(seed: int) -> wrapper.ConstrainedEnvironment:
  return wrapper.ConstrainedEnvironment(testing.Slope(seed), [
      constraint.Constraint.of_time_step(
          'never', lambda step: False, threshold=0.5)])


def _paced(seed: int) -> wrapper.ConstrainedEnvironment:
  return wrapper.ConstrainedEnvironment(testing.Slope(seed), [
      constraint.Constraint.of_time_step(
          'left_half', lambda step: step.observation[0] > 0.0, threshold=0.25)],
      episode_steps=testing.EPISODE_STEPS)


_WORLDS: Mapping[str, _Factory] = {
    'slope': testing.make_environment,
    'cartpole': _cartpole,
    'paced': _paced,
    'violated': _violated,
    'free': _free,
}


# --- Faults: each changes the program, or returns another factory ------------


def at_step(make: _Factory, step: int,
            action: Callable[[Any], Any]) -> _Factory:
  """Puts `action(time_step)` in place of one step, counted over episodes."""
  count = 0

  def make_with_fault(seed: int) -> wrapper.ConstrainedEnvironment:
    environment = make(seed)
    inner = environment.environment
    inner_step = inner.step

    def step_with_fault(*args: Any) -> Any:
      nonlocal count
      count += 1
      time_step = inner_step(*args)
      return action(time_step) if count == step else time_step

    inner.step = step_with_fault
    return environment

  return make_with_fault


def kill_at_step(make: _Factory, step: int) -> _Factory:
  """SIGKILL in the middle of one step, counted over episodes."""
  return at_step(make, step,
                 lambda time_step: os.kill(os.getpid(), signal.SIGKILL))


def kill_in_save(make: _Factory, number: int, seed: int) -> _Factory:
  """SIGKILL at a random instant of the checkpoint with that number."""
  save, count = checkpoint.Checkpointer.save, 0

  def save_and_die(*args: Any) -> str:
    nonlocal count
    count += 1
    if count == number:
      delay = random.Random(seed).uniform(0, 0.02)
      threading.Timer(delay, os.kill, (os.getpid(), signal.SIGKILL)).start()
    return save(*args)

  checkpoint.Checkpointer.save = save_and_die
  return make


def slow(make: _Factory, seconds: float, first: int = 0) -> _Factory:
  """Steps take a while, so that a test can come in between.

  All but so many of the first, counted over episodes.
  """
  count = 0

  def make_slow(seed: int) -> wrapper.ConstrainedEnvironment:
    environment = make(seed)
    step = environment.step

    def slow_step(action: np.ndarray) -> wrapper.TimeStep:
      nonlocal count
      count += 1
      time.sleep(seconds if count > first else 0.0)
      return step(action)

    environment.step = slow_step
    return environment

  return make_slow


def bad_output(make: _Factory, step: int, field: str, value: Any) -> _Factory:
  """The environment delivers something else in a field of its time step."""
  if field == 'penalty':
    return _bad_penalty(make, step, float(value))
  bad = np.array(value, np.float64) if field == 'observation' else float(value)
  return at_step(
      make, step, lambda time_step: time_step._replace(**{field: bad}))


def _bad_penalty(make: _Factory, step: int, value: float) -> _Factory:
  del make
  count = 0

  def penalty(time_step: Any) -> float:
    nonlocal count
    del time_step
    count += 1
    return value if count == step else 0.0

  return lambda seed: wrapper.ConstrainedEnvironment(testing.Slope(seed), [
      constraint.Constraint.of_time_step('broken', penalty, threshold=0.5)])


def physics_error(make: _Factory, step: int, every: bool = False) -> _Factory:
  """The simulator's own error, at one step or at every one from there on."""
  count = 0

  def make_with_fault(seed: int) -> wrapper.ConstrainedEnvironment:
    environment = make(seed)
    inner = environment.environment
    inner_step = inner.step

    def step_with_fault(*args: Any) -> Any:
      nonlocal count
      count += 1
      if count == step or (every and count > step):
        raise control.PhysicsError('mjWARN_BADQACC')
      return inner_step(*args)

    inner.step = step_with_fault
    return environment

  return make_with_fault


def nan_batches(make: _Factory, first: int, number: int) -> _Factory:
  """So many batches, from one on, have a NaN among the rewards."""
  sample, count = in_process.InProcessReplay.sample, 0

  def sample_with_nan(replay: in_process.InProcessReplay,
                      num_batches: Optional[int] = None) -> Any:
    nonlocal count
    drawn = sample(replay, num_batches)
    r_t = np.array(drawn.transitions.r_t)
    for rewards in r_t if num_batches else r_t[np.newaxis]:
      count += 1
      if first <= count < first + number:
        rewards[:] = np.nan
    return drawn._replace(transitions=drawn.transitions._replace(r_t=r_t))

  in_process.InProcessReplay.sample = sample_with_nan
  return make


def no_large_files(make: _Factory, size: int) -> _Factory:
  """No file can grow beyond a size, as on a disk that is full."""
  resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
  return make


def slow_counter(make: _Factory, seconds: float) -> _Factory:
  """With threads: logs take a while to be on disk, as on a busy machine."""

  def slow_position(position: Any, *args: Any) -> Any:
    time.sleep(seconds)
    return position(*args)

  return _with_position(make, slow_position)


def no_last_checkpoint(make: _Factory) -> _Factory:
  """With threads: the last checkpoint cannot be written, and all else can."""

  def failing_position(position: Any, counter: Any, last: bool) -> Any:
    found = position(counter, last)
    return {**found, 'error': 'made to fail'} if last else found

  return _with_position(make, failing_position)


def _with_position(make: _Factory, instead: Callable[..., Any]) -> _Factory:
  """Puts `instead` in place of the counter's `position`, its first argument."""
  from metal_tf.distributed import counter
  position = counter.Counter.position
  counter.Counter.position = lambda *args: instead(position, *args)
  return make


def _first_only(faulty: _Factory, sound: _Factory) -> _Factory:
  """The training environment is made first; evaluation gets a sound one."""
  factories = [faulty]
  return lambda seed: (factories.pop() if factories else sound)(seed)


def stuck(make: _Factory, step: int) -> _Factory:
  """One step never ends."""
  return at_step(make, step, lambda time_step: time.sleep(10_000))


class _BrokenInLearner(agents.Algorithm):
  """An algorithm that the learner trips over, and nobody else."""

  @property
  def learns_multiplier(self) -> bool:
    # A process has its name in the environment, a thread its own.
    if 'learner' in (os.environ.get('METAL_TF_WORKER'),
                     threading.current_thread().name):
      raise RuntimeError('the learner was made to fail')
    return True


_FAULTS = {function.__name__: function for function in (
    kill_at_step, kill_in_save, slow, bad_output, physics_error, nan_batches,
    no_large_files, slow_counter, no_last_checkpoint, stuck)}


def main() -> None:
  """Makes the run that the first argument asks for."""
  absl_flags.FLAGS(sys.argv[:1])  # Launchpad has some.
  request = json.loads(sys.argv[1])
  if request.get('forked'):
    forking.fork_programs()
  make = _WORLDS[request.get('world', 'slope')]
  name, *arguments = request.get('fault') or [None]
  if name:
    faulty = _FAULTS[name](make, *arguments)
    # Workers make their environments each on its own.
    make = (faulty if request.get('launch_type') else
            _first_only(faulty, make))
  algorithm = agents.ALGORITHMS[request.get('algorithm', 'metal')]
  main_lib.train(
      _BrokenInLearner(*algorithm) if request.get('broken') else algorithm,
      testing.small_config(**request['config']), make,
      request.get('launch_type') or None)


if __name__ == '__main__':
  main()
