"""Watches the folder of a run or of a sweep, and disturbs nobody."""

import functools
import os
import time
from typing import Any

from rich import console as console_lib
from rich import text as text_lib

from metal_tf.runs import run_folder
from metal_tf.runs import workdir as workdir_lib
from metal_tf.sweep import display
from metal_tf.sweep import overview
from metal_tf.sweep import record
from metal_tf.watch import run_view
from metal_tf.watch import sweep_view

# What a folder may hold before its run has written anything that can be shown.
_EARLY = ('lock', 'logs', 'checkpoints')


class Watch:
  """Draws a folder again and again.

  Attributes:
    finished: whether all runs had come to their end when it was drawn last.
  """

  def __init__(self, path: str, console: console_lib.Console):
    """Reads nothing yet.

    Args:
      path: absolute path of the folder.
      console: that it will be shown on.
    """
    self._path = path
    self._console = console
    self._grid = overview.Overview(path)
    self.finished = False

  def draw(self) -> Any:
    """Reads the folder and returns something that rich can show.

    Raises:
      RunFolderError: if it holds neither a run nor a sweep and is not one that
        waits for its first files either, or if a file cannot be read.
      WorkdirError: if the sweep's record cannot be read.
    """
    path = self._path
    if not os.path.isdir(path):
      raise run_folder.RunFolderError(f'{path} is no folder.')
    if run_folder.is_run(path):
      run = run_folder.read(path)
      self.finished = run.status == run_folder.FINISHED
      return run_view.make(run, self._console.width)
    if os.path.exists(os.path.join(path, record.FILE)) or any(
        run_folder.find(path)):
      return self._draw_sweep()
    _check_early(path)
    return text_lib.Text(f'Nothing has been written to {path} yet; waiting.')

  def _draw_sweep(self) -> Any:
    states = self._grid.states()
    self.finished = all(state.status == record.FINISHED for state in states)
    return sweep_view.make(
        states, overview.count(states).get(record.RUNNING, 0), self._console)


def watch(path: str, period: float, once: bool,
          console: console_lib.Console) -> None:
  """Shows a folder until all of its runs have finished, or Ctrl-C.

  Args:
    path: absolute path of a run's folder or a sweep's.
    period: seconds between two frames, at least.
    once: whether one frame is enough.
    console: where to show it; without a terminal, one frame is enough, too.

  Raises:
    RunFolderError, WorkdirError, OSError: if there is nothing to be shown at
      first; later on this is shown, since runs write while they are read.
  """
  watched = Watch(path, console)
  picture = watched.draw()
  if once or watched.finished or not console.is_terminal:
    console.print(picture)
    return
  screen = display.Screen(period, console)
  screen.update(lambda: picture)
  try:
    while not watched.finished:
      time.sleep(screen.rest)
      try:
        screen.update(watched.draw)
      except (run_folder.RunFolderError, workdir_lib.WorkdirError,
              OSError) as error:
        screen.update(functools.partial(text_lib.Text, str(error)))
  finally:
    screen.close()


def _check_early(path: str) -> None:
  """Refuses a folder of something else."""
  for name in os.listdir(path):
    if name not in _EARLY and not name.startswith('.'):
      raise run_folder.RunFolderError(
          f'{path} holds neither a run nor a sweep: there is no config.json '
          f'and no {record.FILE}, but {name}.')
