"""Saving: little is lost by a kill, and little time goes into it."""

import time
from typing import Callable, Optional

from metal_tf import config as config_lib

_EPISODES = 2  # Work of so many episodes may be lost, however long they take.
_SHARE = 0.03  # Of the time may go into saving.


class SavingPolicy:
  """Decides at the end of each episode whether to write a checkpoint.

  A kill loses at most two episodes or `checkpoint_seconds`, whichever is
  longer. A replay in parts, of which only new ones are written, is saved with
  every checkpoint, because an exact continuation needs it; one that is written
  as a whole, much larger than the rest, only as often as keeps all saving below
  3 % of the time.
  """

  def __init__(self, config: config_lib.Config, replay_in_parts: bool = False,
               clock: Callable[[], float] = time.monotonic):
    """Starts the clock.

    Args:
      config: the run's settings.
      replay_in_parts: whether saving the replay costs what is new in it.
      clock: tells seconds.
    """
    self._longest = config.checkpoint_seconds
    self._always = replay_in_parts
    self._clock = clock
    self._started = self._saved_at = self._asked_at = clock()
    self._saved_episode: Optional[int] = None
    self._episode_seconds = 0.0  # The longest since the last checkpoint.
    self._spent = 0.0
    self._replay_seconds: Optional[float] = None

  def due(self, episode: int) -> bool:
    """Whether to write a checkpoint now.

    Args:
      episode: episodes done; asked once at the end of each.
    """
    now = self._clock()
    self._episode_seconds = max(self._episode_seconds, now - self._asked_at)
    self._asked_at = now
    if self._saved_episode is None:  # The first that this session did.
      self._saved_episode = episode - 1
    # Without one now, the next episode would be lost as well.
    lost_seconds = now + self._episode_seconds - self._saved_at
    return (episode + 1 - self._saved_episode > _EPISODES and
            lost_seconds > self._longest)

  def replay_due(self) -> bool:
    """Whether the checkpoint that is due should have the replay's files.

    The first one has: at that time the replay is small, and a measure is
    needed.
    """
    if self._always or self._replay_seconds is None:
      return True
    elapsed = self._clock() - self._started
    return self._spent + self._replay_seconds <= _SHARE * (
        elapsed + self._replay_seconds)

  def save(self, episode: int, write: Callable[[bool], None],
           with_replay: bool, note: Callable[[str], None]) -> bool:
    """Writes a checkpoint; a failure costs a warning, not the run.

    A replay that is written as a whole is left out if it cannot be written. One
    in parts is small enough, and without it nothing goes on exactly.

    Args:
      episode: episodes done.
      write: writes the checkpoint, the replay's files included if it is given
        True, or raises OSError.
      with_replay: whether these are to be included.
      note: takes lines for the user.

    Returns:
      Whether it was written.
    """
    started = self._clock()
    try:
      write(with_replay)
    except OSError as error:
      self._note(episode, started)  # The next try is not at once.
      note(f'Warning: no checkpoint at episode {episode} ({error}); training '
           'goes on, the one before is intact.')
      return with_replay and not self._always and self.save(
          episode, write, False, note)
    self._note(episode, started)
    if with_replay:  # With it, saving takes longest by far.
      self._replay_seconds = self._saved_at - started
    return True

  @property
  def replay_seconds(self) -> float:
    """What saving the replay took the last time, 0 if it was not done yet."""
    return self._replay_seconds or 0.0

  @property
  def share(self) -> float:
    """Share of the time since the start that went into saving."""
    elapsed = self._clock() - self._started
    return self._spent / elapsed if elapsed else 0.0

  def _note(self, episode: int, started: float) -> None:
    self._saved_episode = episode
    self._saved_at = self._asked_at = self._clock()
    self._spent += self._saved_at - started
    self._episode_seconds = 0.0
