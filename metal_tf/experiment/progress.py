"""What a person sees while a run goes: phase, numbers, speed, time to go."""

import collections
import shutil
import sys
import time
from typing import Deque, Optional, Sequence, TextIO, Tuple

import numpy as np

from metal_tf import metrics

_WINDOW = 10  # Episodes that the shown means are taken over.
_FIRST_PERIOD = 3.0  # Seconds until a new phase's first estimate of the time.


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


class Progress:
  """One line that is rewritten on a terminal, or a line now and then."""

  def __init__(self, num_episodes: int, constraint_names: Sequence[str],
               threshold: np.ndarray, stream: Optional[TextIO] = None):
    """Starts to watch.

    Args:
      num_episodes: of the whole run.
      constraint_names: K names.
      threshold: beta, `[K]`.
      stream: where to write; standard output by default.
    """
    self._num_episodes = num_episodes
    self._names = constraint_names
    self._threshold = threshold
    self._stream = stream or sys.stdout
    self._live = self._stream.isatty()
    self._period = 0.5 if self._live else 10.0
    self._episodes: Deque[Tuple[float, np.ndarray]] = collections.deque(
        maxlen=_WINDOW)
    self._seen = 0
    self._ever_satisfied = np.zeros(len(constraint_names), bool)
    # (time, episodes done with fractions) of the current phase, for the speed.
    self._marks: Deque[Tuple[float, float, int]] = collections.deque(maxlen=60)
    self._phase = ''
    self._due = 0.0
    self._told_length = False
    self._width = 0

  def note(self, text: str) -> None:
    """Writes a line of its own."""
    self._clear()
    print(text, file=self._stream, flush=True)

  def episode(self, episode_return: float, penalty: np.ndarray) -> None:
    """Takes in a finished episode: its return and J_C `[K]`."""
    self._episodes.append((episode_return, penalty))
    self._seen += 1
    self._ever_satisfied |= penalty <= self._threshold

  @property
  def due(self) -> bool:
    """Whether it is time for `update`; cheap enough to ask at each step."""
    return time.monotonic() >= self._due

  def update(self, phase: str, episodes: float, actor_steps: int,
             multiplier: np.ndarray, meta_parameter: np.ndarray,
             effective_rate: np.ndarray) -> None:
    """Shows the state of the run.

    Args:
      phase: what the run is doing, e.g. 'learning'.
      episodes: episodes done, with the share of the current one.
      actor_steps: environment steps done.
      multiplier: lambda, `[K]`.
      meta_parameter: alpha_lambda, `[K]`.
      effective_rate: `[K]`.
    """
    now = time.monotonic()
    self._due = now + self._period
    if phase != self._phase:  # Speeds of two phases do not mix.
      self._phase = phase
      self._marks.clear()
      self._due = now + min(self._period, _FIRST_PERIOD)
    self._marks.append((now, episodes, actor_steps))
    seconds = now - self._marks[0][0]
    parts = [f'episode {int(episodes)}/{self._num_episodes}', phase]
    parts += self._numbers(multiplier, meta_parameter, effective_rate)
    if seconds > 0 and episodes > self._marks[0][1]:
      left = ((self._num_episodes - episodes) * seconds /
              (episodes - self._marks[0][1]))
      speed = (actor_steps - self._marks[0][2]) / seconds
      parts += [f'{speed:.0f} steps/s', f'ETA {duration(left)}']
      if phase == 'learning':
        self._tell_length(left, speed)
    self._show('  '.join(parts))

  def _numbers(self, multiplier: np.ndarray, meta_parameter: np.ndarray,
               effective_rate: np.ndarray) -> Sequence[str]:
    if not self._episodes:
      return []
    returns, penalties = zip(*self._episodes)
    parts = [f'return {np.mean(returns):.1f}']
    for k, name in enumerate(self._names):
      penalty = float(np.mean([p[k] for p in penalties]))
      relation = '>' if penalty > self._threshold[k] else '<='
      hopeless = self._seen >= _WINDOW and not self._ever_satisfied[k]
      parts.append(
          f'{name} J_C {penalty:.3f} {relation} {self._threshold[k]:g} '
          + ('(infeasible so far) ' if hopeless else '') +
          f'lambda {multiplier[k]:.4g} alpha_lambda {meta_parameter[k]:.3g} '
          f'rate {effective_rate[k]:.2g}')
    return parts

  def _tell_length(self, left: float, speed: float) -> None:
    """Says once what a long run has in store, and the way to a short one."""
    if self._told_length or left < 3600:
      return
    self._told_length = True
    self.note(
        f'{self._num_episodes} episodes (the paper trains 20000) take about '
        f'{duration(left)} at {speed:.0f} steps/s; for a first look add '
        '--num_episodes=200.')

  def _show(self, line: str) -> None:
    if not self._live:
      print(line, file=self._stream, flush=True)
      return
    self._clear()
    # A line that wraps could not be rewritten.
    line = line[:shutil.get_terminal_size().columns - 1]
    self._width = len(line)
    self._stream.write('\r' + line)
    self._stream.flush()

  def _clear(self) -> None:
    if self._live and self._width:
      self._stream.write('\r' + ' ' * self._width + '\r')
      self._width = 0

  def close(self) -> None:
    """Leaves the terminal on a fresh line."""
    self._clear()


def format_score(score: metrics.Score, constraint_names: Sequence[str],
                 threshold: np.ndarray, multiplier: np.ndarray,
                 meta_parameter: np.ndarray,
                 satisfied_episodes: Optional[Sequence[int]] = None) -> str:
  """The paper's metrics at the end of a run, as a small table.

  Args:
    score: over the last episodes.
    constraint_names: K names.
    threshold: beta, `[K]`.
    multiplier: lambda, `[K]`.
    meta_parameter: alpha_lambda, `[K]`.
    satisfied_episodes: of the whole run, per constraint; a constraint with 0
      is called infeasible so far. None: nothing is said.
  """
  few = ('' if score.episodes == metrics.WINDOW else
         f' (the paper takes {metrics.WINDOW}; the run has no more)')
  lines = [
      f'Over the last {score.episodes} training episodes{few}:',
      f'  return            {score.episode_return:10.2f}',
      f'  penalized return  {score.penalized_return:10.2f}',
  ]
  for k, name in enumerate(constraint_names):
    verdict = 'satisfied' if score.overshoot[k] == 0 else 'not satisfied'
    if satisfied_episodes is not None and not satisfied_episodes[k]:
      verdict = 'infeasible so far: no episode satisfied it'
    lines.append(
        f'  {name}: J_C {score.penalty[k]:.4f}, threshold {threshold[k]:g}, '
        f'overshoot {score.overshoot[k]:.4f} ({verdict}), lambda '
        f'{multiplier[k]:.4g}, alpha_lambda {meta_parameter[k]:.4g}')
  return '\n'.join(lines)
