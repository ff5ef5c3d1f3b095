"""What a grid will cost, from speeds that were measured on this machine."""

import math
import os
import tempfile
import time
from typing import Callable, Dict, List, NamedTuple, Sequence

from metal_tf import config as config_lib
from metal_tf import plant as plant_lib
from metal_tf.runs import rates as rates_lib
from metal_tf.runs import run_folder
from metal_tf.runs import time_scales
from metal_tf.sweep import grid
from metal_tf.sweep import jobs as jobs_lib
from metal_tf.sweep import overview

# Each as long as the replay takes to fill, or longer: one to fill it, one to
# compile in, and some to measure.
_EPISODES = 5


class MeasuringError(Exception):
  """A measuring run failed; the message has its last words."""


class Speed(NamedTuple):
  """How fast runs of a domain are.

  Attributes:
    seconds_per_episode: of a run, while others run beside it.
    actor_steps: environment steps per second and run.
    basis: what was measured, in words.
  """
  seconds_per_episode: float
  actor_steps: float
  basis: str


def of_runs(states: Sequence[overview.State]) -> Dict[str, Speed]:
  """Returns the speed of each domain that has runs in the folder.

  Args:
    states: of the folder's runs.
  """
  return {domain: _mean(rates, f'{len(rates)} run{"s" * (len(rates) > 1)} in '
                        'the folder')
          for domain, rates in overview.rates_by_domain(states).items()}


def measure(runs: Sequence[grid.Run], command_of: Callable[[grid.Run],
                                                           List[str]],
            environment: Dict[str, str]) -> Speed:
  """Trains shortly in a temporary folder, with as many runs at once as later.

  Args:
    runs: as many of one domain as will run at once.
    command_of: the command that trains a run.
    environment: of their processes.

  Returns:
    Their mean speed.

  Raises:
    MeasuringError: if one of them fails, or has not begun to learn.
  """
  episodes = _episodes(runs[0].config)
  # Workers of a killed job may write for a moment longer.
  with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
    folders, jobs = [], []
    try:
      for number, run in enumerate(runs):
        folders.append(os.path.join(scratch, f'run{number}'))
        config = run.config.replace(
            num_episodes=episodes, evaluation_period=0, workdir=folders[-1])
        jobs.append(jobs_lib.Job(
            command_of(run._replace(config=config)), f'{folders[-1]}.log',
            environment))
      for run, job in zip(runs, jobs):
        while job.poll() is None:
          time.sleep(0.1)
        if job.poll() != 0:
          raise MeasuringError(
              f'the measuring run of {run.name} ended with status '
              f'{job.poll()}: {job.last_line()}')
    finally:
      for job in jobs:
        job.kill()
    rates = [each for each in map(rates_lib.of, map(
        run_folder.read, folders)) if each is not None]
  if not all(each.learner_steps for each in rates):
    raise MeasuringError(
        f'{episodes} episodes were too short to begin to learn '
        f'(--min_replay_size={runs[0].config.min_replay_size}). Train one run '
        'in the folder to its end; its speed is used then.')
  return _mean(rates, f'{len(runs)} run{"s" * (len(runs) > 1)} of {episodes} '
               f'episodes{" at once" * (len(runs) > 1)}, just now')


def _episodes(config: config_lib.Config) -> int:
  """How many to measure: more of those that do not fill the replay."""
  steps = time_scales.episode_length(
      config, plant_lib.resolve(config).episode_steps)
  return _EPISODES * math.ceil(config.min_replay_size / steps)


def describe(runs: Sequence[grid.Run], states: Sequence[overview.State],
             jobs: int, speeds: Dict[str, Speed]) -> List[str]:
  """Says what is left of a grid and what that will take.

  Args:
    runs: the grid.
    states: of the folder's runs.
    jobs: runs at once.
    speeds: of every domain with something left.

  Returns:
    Lines of text.
  """
  lines, total = [], 0.0
  for domain, left in episodes_left(runs, states).items():
    speed = speeds[domain]
    seconds = sum(left) * speed.seconds_per_episode
    total += seconds
    lines.append(
        f'{domain}: {len(left)} run{"s" * (len(left) > 1)} with {sum(left)} '
        f'episodes to go x {speed.seconds_per_episode:.2f} s '
        f'({speed.actor_steps:.0f} environment steps/s, measured on '
        f'{speed.basis}) = {rates_lib.duration(seconds)}')
  lines.append(
      f'estimated cost: {rates_lib.duration(total)} of runs, '
      f'{rates_lib.duration(total / jobs)} with --jobs={jobs}; evaluations, '
      'checkpoints and starts are some per cent more')
  return lines


def episodes_left(runs: Sequence[grid.Run], states: Sequence[overview.State]
                  ) -> Dict[str, List[int]]:
  """Returns the episodes to go of each run that has some, by domain."""
  done = {state.name: state.episodes for state in states}
  left: Dict[str, List[int]] = {}
  for run in runs:
    episodes = run.config.num_episodes - done.get(run.name, 0)
    if episodes > 0:
      left.setdefault(plant_lib.short_name(run.config), []).append(episodes)
  return left


def _mean(rates: Sequence[rates_lib.Rates], basis: str) -> Speed:
  return Speed(
      sum(each.seconds_per_episode for each in rates) / len(rates),
      sum(each.actor_steps for each in rates) / len(rates), basis)
