"""How fast a run goes, from its log."""

from typing import NamedTuple, Optional

import numpy as np

from metal_tf.runs import run_folder

_WINDOW = 10  # Episodes.


def duration(seconds: float) -> str:
  """Writes a time span, e.g. '42s', '7m05s', '3h20m', '2d04h'."""
  seconds = int(round(seconds))
  if seconds < 60:
    return f'{seconds}s'
  if seconds < 3600:
    return f'{seconds // 60}m{seconds % 60:02d}s'
  if seconds < 86400:
    return f'{seconds // 3600}h{seconds % 3600 // 60:02d}m'
  return f'{seconds // 86400}d{seconds % 86400 // 3600:02d}h'


class Rates(NamedTuple):
  """A run's speed.

  Attributes:
    seconds_per_episode: of training; evaluations and checkpoints are extra.
    actor_steps: environment steps per second.
    learner_steps: learner steps per second; 0 while the replay fills.
  """
  seconds_per_episode: float
  actor_steps: float
  learner_steps: float


def of(run: run_folder.RunFolder) -> Optional[Rates]:
  """Measures the last episodes of a run.

  Medians over the last ten, so that one with compilation or a pause does not
  count. Once learning has begun, only episodes with learning do.

  Args:
    run: what is on disk.

  Returns:
    The speed, or None before the second episode.
  """
  if run.num_episodes < 2:
    return None
  seconds, actor_steps, learner_steps = (
      np.diff(run.episodes[name][-_WINDOW - 1:])
      for name in ('seconds', 'actor_steps', 'learner_steps'))
  # A resumed run's clock goes on where the checkpoint's stood.
  counted = seconds > 0
  if (counted & (learner_steps > 0)).any():
    counted &= learner_steps > 0
  if not counted.any():
    return None
  seconds = seconds[counted]
  return Rates(
      float(np.median(seconds)),
      float(np.median(actor_steps[counted] / seconds)),
      float(np.median(learner_steps[counted] / seconds)))


def begun(run: run_folder.RunFolder) -> bool:
  """Whether learning has begun."""
  return run.num_episodes > 0 and run.episodes['learner_steps'][-1] > 0
