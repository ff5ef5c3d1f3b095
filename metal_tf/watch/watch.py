"""Watches the folder of a run or of a sweep, and disturbs nobody."""

import os
import time
from typing import Any, Callable

from rich import console as console_lib
from rich import live as live_lib
from rich import text as text_lib

from metal_tf.experiment import run_folder
from metal_tf.experiment import workdir as workdir_lib
from metal_tf.sweep import overview
from metal_tf.sweep import record
from metal_tf.watch import run_view
from metal_tf.watch import sweep_view

# Times as long as a frame takes: the runs need the machine.
_REST = 20.0
# What a folder may hold before its run has written anything that can be shown.
_EARLY = ('lock', 'logs', 'checkpoints')


def frame(path: str, console: console_lib.Console) -> Callable[[], Any]:
  """Finds out what a folder is.

  Args:
    path: absolute path of the folder.
    console: that it will be shown on.

  Returns:
    A function that reads the folder and draws it. It raises RunFolderError or
    WorkdirError for files that cannot be read.

  Raises:
    RunFolderError: if the folder holds neither a run nor a sweep, and is not
      one that waits for its first files either.
  """
  grid = overview.Overview(path)

  def sweep_frame() -> Any:
    states = grid.states()
    jobs = overview.count(states).get(record.RUNNING, 0)
    return sweep_view.make(states, jobs, console.width, _height(console))

  def draw() -> Any:
    if run_folder.is_run(path):
      return run_view.make(run_folder.read(path), console.width)
    if os.path.exists(os.path.join(path, record.FILE)) or any(
        run_folder.find(path)):
      return sweep_frame()
    _check_early(path)
    return text_lib.Text(f'Nothing has been written to {path} yet; waiting.')

  if not os.path.isdir(path):
    raise run_folder.RunFolderError(f'{path} is no folder.')
  return draw


def watch(path: str, period: float, once: bool,
          console: console_lib.Console) -> None:
  """Shows a folder until Ctrl-C.

  Args:
    path: absolute path of a run's folder or a sweep's.
    period: seconds between two frames, at least.
    once: whether one frame is enough.
    console: where to show it; without a terminal, frames follow each other.

  Raises:
    RunFolderError, WorkdirError: if there is nothing to be shown.
  """
  draw = frame(path, console)
  if once:
    console.print(draw())
    return
  with live_lib.Live(draw(), console=console, auto_refresh=False) as live:
    while True:
      started = time.monotonic()
      picture = draw()
      live.update(picture, refresh=True)
      if not console.is_terminal:
        console.print(picture)
      time.sleep(max(period, _REST * (time.monotonic() - started)))


def _check_early(path: str) -> None:
  """Refuses a folder of something else."""
  for name in os.listdir(path):
    if name not in _EARLY and not name.startswith('.'):
      raise run_folder.RunFolderError(
          f'{path} holds neither a run nor a sweep: there is no config.json '
          f'and no {record.FILE}, but {name}.')


def _height(console: console_lib.Console) -> int:
  """Lines that fit; all where no terminal has to be kept."""
  return console.height if console.is_terminal else 1 << 20
