"""What a person sees while a run goes: phase, numbers, speed, time to go."""

import collections
import shutil
import sys
import time
from typing import Deque, Optional, Sequence, TextIO, Tuple

import numpy as np

from metal_tf import metrics
from metal_tf.runs import rates
from metal_tf.training import screen
from metal_tf.training import verdict

_UP = '\x1b[A'  # A terminal goes up a line.
_FIRST_PERIOD = 3.0  # Seconds until a new phase's first estimate of the time.
_LONG = 3600.0  # Seconds of a run that may not be what was meant.


class Progress:
  """Lines that are rewritten on a terminal, or one line now and then.

  A terminal has a line for the run and two for each constraint.
  """

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
    self._screen = screen.Screen(sys.stdout if stream is None else stream)
    self._live = self._screen.live
    self._period = 0.5 if self._live else 10.0
    self._returns: Deque[float] = collections.deque(maxlen=verdict.WINDOW)
    self._judge = verdict.Judge(threshold)
    # (time, episodes done with fractions) of the current phase, for the speed.
    self._marks: Deque[Tuple[float, float, int]] = collections.deque(maxlen=60)
    self._phase = ''
    self._due = 0.0
    self._told_length = False
    self._widths: Sequence[int] = ()  # Of the lines that stand there.

  def note(self, text: str) -> None:
    """Writes a line of its own."""
    self._clear()
    self._screen.line(text)

  def episode(self, episode_return: float, penalty: np.ndarray,
              multiplier: np.ndarray) -> None:
    """Takes in a finished episode.

    Args:
      episode_return: its return.
      penalty: J_C, `[K]`.
      multiplier: lambda after it, `[K]`.
    """
    self._returns.append(episode_return)
    self._judge.episode(penalty, multiplier)

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
    if self._returns:
      parts.append(f'return {np.mean(list(self._returns)):.1f}')
    if seconds > 0 and episodes > self._marks[0][1]:
      left = ((self._num_episodes - episodes) * seconds /
              (episodes - self._marks[0][1]))
      speed = (actor_steps - self._marks[0][2]) / seconds
      parts += [f'{speed:.0f} steps/s', f'ETA {rates.duration(left)}']
      if phase == 'learning' and seconds >= _FIRST_PERIOD:
        self._tell_length(left, speed)
    self._show(['  '.join(parts), *self._constraints(
        multiplier, meta_parameter, effective_rate)])

  def _constraints(self, multiplier: np.ndarray, meta_parameter: np.ndarray,
                   effective_rate: np.ndarray) -> Sequence[str]:
    """Two lines for each constraint."""
    lines = []
    for k, judged in enumerate(self._judge.verdicts()):
      relation = '>' if judged.penalty > self._threshold[k] else '<='
      lines += [
          f'  {self._names[k]} {judged.words}: J_C {judged.penalty:.3f} '
          f'{relation} {self._threshold[k]:g}',
          f'    lambda {multiplier[k]:.4g} {judged.trend}'.rstrip() +
          f', alpha_lambda {meta_parameter[k]:.3g}, rate '
          f'{effective_rate[k]:.2g}']
    return lines

  def _tell_length(self, left: float, speed: float) -> None:
    """Says once how long it will take, and how a long run could be shorter."""
    if self._told_length:
      return
    self._told_length = True
    self.note(
        f'About {rates.duration(left)} to go until episode {self._num_episodes}'
        f', at {speed:.0f} steps/s.' + (
            ' (The paper trains 20000 episodes; for a first look add '
            '--num_episodes=200.)' if left >= _LONG else ''))

  def _show(self, lines: Sequence[str]) -> None:
    if not self._live:
      self._screen.write('  '.join(map(str.strip, lines)) + '\n')
      return
    self._clear()
    # A line that wraps could not be rewritten.
    columns = shutil.get_terminal_size().columns - 1
    lines = [line[:columns] for line in lines]
    self._widths = [len(line) for line in lines]
    self._screen.write('\n'.join(lines) + '\r')

  def _clear(self) -> None:
    """Goes back to where the lines began, and wipes them out."""
    for index, width in enumerate(reversed(self._widths)):
      self._screen.write((_UP if index else '') + '\r' + ' ' * width + '\r')
    self._widths = ()

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
         f' (the paper takes {metrics.WINDOW}, but this run has no more)')
  lines = [
      f'Over the last {score.episodes} training episodes{few}:',
      f'  return            {score.episode_return:10.2f}',
      f'  penalized return  {score.penalized_return:10.2f}',
  ]
  for k, name in enumerate(constraint_names):
    words = 'satisfied' if score.overshoot[k] == 0 else 'not satisfied'
    if satisfied_episodes is not None and not satisfied_episodes[k]:
      words = 'not satisfied, infeasible so far: no episode satisfied it'
    lines.append(
        f'  {name}: J_C {score.penalty[k]:.4f}, threshold {threshold[k]:g}, '
        f'overshoot {score.overshoot[k]:.4f}\n    ({words}), lambda '
        f'{multiplier[k]:.4g}, alpha_lambda {meta_parameter[k]:.4g}')
  return '\n'.join(lines)
