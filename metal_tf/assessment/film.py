"""A film of episodes, with the numbers drawn into it.

Below the picture stand the return so far and, per constraint, J_C so far
against the threshold; a constraint that is violated is red, with its name in
the picture's corner.
"""

import contextlib
import os
from typing import Any, Iterator, NamedTuple, Sequence

import imageio.v2 as imageio
import numpy as np
from PIL import Image
from PIL import ImageDraw
from PIL import ImageFont

from metal_tf import plant as plant_lib
from metal_tf.acting import episode as episode_lib
from metal_tf.assessment import picture as picture_lib

_MAX_RATE = 50.0  # Frames per second; more are left out.

_LINE, _MARGIN, _FONT_SIZE = 24, 12, 17
_BACKGROUND, _WHITE, _GREY, RED = (
    (24, 26, 30), (240, 240, 240), (170, 175, 180), (255, 70, 70))


class Caption(NamedTuple):
  """What is drawn into a frame.

  Attributes:
    episode: its number, from 1.
    step: of the episode, from 1.
    episode_steps: of a full episode, 0 if unknown.
    episode_return: so far.
    episode_penalty: J_C so far, K numbers.
    violated: whether each of the K constraints was violated since the last
      frame.
  """
  episode: int
  step: int
  episode_steps: int
  episode_return: float
  episode_penalty: Sequence[float]
  violated: Sequence[bool]


def draw(picture: np.ndarray, caption: Caption, names: Sequence[str],
         thresholds: Sequence[float]) -> np.ndarray:
  """Draws a caption.

  Args:
    picture: uint8 `[H, W, 3]`.
    caption: what to write.
    names: of the K constraints.
    thresholds: beta, K numbers.

  Returns:
    uint8 `[H', W, 3]`, the picture with a panel below; H' is even, as the
    encoder asks.
  """
  height, width = picture.shape[:2]
  panel = 2 * _MARGIN + _LINE * (1 + len(names))
  image = Image.new(
      'RGB', (width, height + panel + (height + panel) % 2), _BACKGROUND)
  image.paste(Image.fromarray(picture), (0, 0))
  canvas, font = ImageDraw.Draw(image), ImageFont.load_default(_FONT_SIZE)
  of_steps = f'/{caption.episode_steps}' if caption.episode_steps else ''
  canvas.text(
      (_MARGIN, height + _MARGIN),
      f'episode {caption.episode}   step {caption.step}{of_steps}   return '
      f'{caption.episode_return:.1f}', _WHITE, font)
  for k, (name, threshold) in enumerate(zip(names, thresholds)):
    relation = '<=' if caption.episode_penalty[k] <= threshold else '>'
    canvas.text(
        (_MARGIN, height + _MARGIN + _LINE * (k + 1)),
        f'{name}: J_C {caption.episode_penalty[k]:.3f} {relation} {threshold:g}'
        + ('   violated' if caption.violated[k] else ''),
        RED if caption.violated[k] else _GREY, font)
  violated = [name for name, now in zip(names, caption.violated) if now]
  if violated:
    text = 'violated: ' + ', '.join(violated)
    box = canvas.textbbox((_MARGIN, _MARGIN), text, font)
    canvas.rectangle(
        (box[0] - 5, box[1] - 5, box[2] + 5, box[3] + 5), _BACKGROUND)
    canvas.text((_MARGIN, _MARGIN), text, RED, font)
  return np.asarray(image)


@contextlib.contextmanager
def filming(path: str, num_episodes: int, plant: plant_lib.Plant,
            control_timestep: float) -> Iterator['Film']:
  """Films a plant; a film that is interrupted is removed.

  Args:
    path: of the MP4 file.
    num_episodes: to be filmed.
    plant: what is run.
    control_timestep: seconds per step.

  Raises:
    OSError: if it cannot be written.
  """
  film = Film(
      path, num_episodes, [c.name for c in plant.constraints],
      [c.threshold for c in plant.constraints], plant.episode_steps,
      control_timestep)
  try:
    yield film
  except BaseException:
    film.close(keep=False)
    raise
  film.close(keep=True)


class Film:
  """Films the first episodes that it is shown; complete once it is closed."""

  def __init__(self, path: str, num_episodes: int, names: Sequence[str],
               thresholds: Sequence[float], episode_steps: int,
               control_timestep: float):
    """Begins a film, in real time.

    Args:
      path: of the MP4 file; one that is there is replaced at the end.
      num_episodes: to be filmed.
      names: of the K constraints.
      thresholds: beta, K numbers.
      episode_steps: of a full episode, 0 if unknown.
      control_timestep: seconds per step.

    Raises:
      OSError: if it cannot be written.
    """
    self._path = path
    folder, name = os.path.split(os.path.abspath(path))
    self._temporary = os.path.join(folder, f'.incomplete-{name}')
    self._num_episodes = num_episodes
    self._names, self._thresholds = names, thresholds
    self._episode_steps = episode_steps
    self._every = max(1, round(1 / (control_timestep * _MAX_RATE)))
    self._return = 0.0
    self._penalties = np.zeros(len(names))
    self._violated = np.zeros(len(names), bool)
    self._writer = imageio.get_writer(
        self._temporary, format='FFMPEG', mode='I',  # type: ignore[arg-type]
        macro_block_size=2,
        fps=1 / (control_timestep * self._every), codec='libx264',
        ffmpeg_log_level='error')

  def watch(self, episode: int, number: int, environment: Any,
            step: episode_lib.Step) -> None:
    """Takes in a step, see `measure.Watcher`; films every so many."""
    if episode > self._num_episodes:
      return
    if self.count(number, step):
      self.add(episode, number, picture_lib.take(environment))

  def count(self, number: int, step: episode_lib.Step) -> bool:
    """Adds a step to the numbers so far; says whether it is to be a frame."""
    if number == 1:
      self._return, self._penalties = 0.0, np.zeros(len(self._names))
      self._violated[:] = False
    self._return += step.reward
    self._penalties = self._penalties + step.penalty
    self._violated |= step.penalty > 0
    return step.last or number % self._every == 0

  def add(self, episode: int, number: int, picture: np.ndarray) -> None:
    """Writes a frame: a picture `[H, W, 3]` with the numbers so far."""
    self._writer.append_data(draw(picture, Caption(
        episode, number, self._episode_steps, self._return,
        list(self._penalties / number), list(self._violated)), self._names,
                                  self._thresholds))
    self._violated = np.zeros(len(self._names), bool)

  def close(self, keep: bool) -> None:
    """Ends the film; gives it its name, or removes it."""
    self._writer.close()
    if keep:
      os.replace(self._temporary, self._path)
    else:
      with contextlib.suppress(FileNotFoundError):  # Before the first frame.
        os.remove(self._temporary)
