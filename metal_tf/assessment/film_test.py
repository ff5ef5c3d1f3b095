"""Tests for `film`, with pictures made here: no renderer is needed."""

import os

from absl.testing import absltest
import imageio.v2 as imageio
import numpy as np

from metal_tf import config
from metal_tf import plant as plant_lib
from metal_tf.acting import episode as episode_lib
from metal_tf.assessment import film
from metal_tf.assessment import picture

_NAMES, _THRESHOLDS = ('slider_pos', 'joint_angle'), (0.2, 0.5)


def _picture(grey=90):
  return np.full((picture.HEIGHT, picture.WIDTH, 3), grey, np.uint8)


def _caption(**changes):
  return film.Caption(**{**dict(
      episode=1, step=20, episode_steps=1000, episode_return=3.25,
      episode_penalty=(0.3, 0.0), violated=(False, False)), **changes})


def _reddish(image):
  """Pixels of violated constraints' colour, as the encoder may change it."""
  image = image.astype(int)
  return (image[..., 0] > 150) & (image[..., 1] < 120) & (image[..., 2] < 120)


def _step(reward, penalty, last=False):
  return episode_lib.Step(
      np.zeros(1), np.zeros(1), reward, np.float32(penalty), 1., np.zeros(1),
      last)


class DrawTest(absltest.TestCase):

  def _draw(self, **changes):
    return film.draw(_picture(), _caption(**changes), _NAMES, _THRESHOLDS)

  def test_a_panel_below_the_picture(self):
    frame = self._draw()
    self.assertEqual(frame.shape[1:], (picture.WIDTH, 3))
    self.assertEqual(frame.shape[0] % 2, 0)
    self.assertEqual(frame.dtype, np.uint8)
    np.testing.assert_array_equal(frame[:picture.HEIGHT], _picture())
    self.assertGreater(frame[picture.HEIGHT:].max(), 200)  # There is text.
    self.assertFalse(_reddish(frame).any())

  def test_what_is_violated_is_red(self):
    first, second, both = (
        _reddish(self._draw(violated=violated))
        for violated in ((True, False), (False, True), (True, True)))
    for red in (first, second, both):
      self.assertTrue(red[:picture.HEIGHT].any())
    rows = [set(np.flatnonzero(red[picture.HEIGHT:].any(axis=1)))
            for red in (first, second, both)]
    self.assertTrue(rows[0] and rows[1])
    self.assertEmpty(rows[0] & rows[1])
    self.assertEqual(rows[2], rows[0] | rows[1])

  def test_the_numbers_are_drawn(self):
    plain = self._draw()
    for changes in (dict(episode=2), dict(step=21), dict(episode_return=9.),
                    dict(episode_penalty=(0.1, 0.0)), dict(episode_steps=0)):
      self.assertTrue((self._draw(**changes) != plain).any(), changes)


class FilmTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.folder = self.create_tempdir().full_path
    self.path = os.path.join(self.folder, 'film.mp4')

  def _film(self, control_timestep=0.01):
    return film.Film(self.path, 1, _NAMES, _THRESHOLDS, 1000, control_timestep)

  def test_real_time_with_every_violation(self):
    filming = self._film()  # 100 steps a second, so every second one.
    steps = [_step(1.0, [number == 3, 0], last=number == 7)
             for number in range(1, 8)]
    for number, step in enumerate(steps, 1):
      if filming.count(number, step):
        filming.add(1, number, _picture(10 * number))
    filming.close(keep=True)
    self.assertEqual(os.listdir(self.folder), ['film.mp4'])
    with imageio.get_reader(self.path) as reader:
      self.assertEqual(reader.get_meta_data()['fps'], 50)
      frames = [np.asarray(frame) for frame in reader]
    # Steps 2, 4, 6 and the last; the violation of step 3 is shown at 4.
    self.assertLen(frames, 4)
    self.assertEqual([bool(_reddish(frame).any()) for frame in frames],
                     [False, True, False, False])
    for frame, number in zip(frames, (2, 4, 6, 7)):
      self.assertAlmostEqual(
          frame[picture.HEIGHT // 2].mean(), 10 * number, delta=4)

  def test_sums_begin_anew_with_an_episode(self):
    filming = self._film()
    captions = []
    with absltest.mock.patch.object(film, 'draw', side_effect=lambda picture,
                                    caption, *_: captions.append(caption)
                                    or picture):
      for number, reward in ((1, 1.), (2, 2.), (1, 5.), (2, 6.)):
        filming.count(number, _step(reward, [1, 0]))
        if number == 2:
          filming.add(1, number, _picture())
    filming.close(keep=False)
    self.assertEqual([c.episode_return for c in captions], [3., 11.])
    self.assertEqual([list(c.episode_penalty) for c in captions],
                     [[1., 0.], [1., 0.]])

  def test_only_the_first_episodes_are_rendered(self):
    pictures = []

    class Physics:

      def render(self, height, width, camera_id):
        pictures.append((height, width, camera_id))
        return _picture()

    world = absltest.mock.Mock()
    world.environment.physics = Physics()
    filming = self._film(control_timestep=0.025)
    for episode in (1, 2):
      for number in (1, 2):
        filming.watch(episode, number, world, _step(1., [0, 0], number == 2))
    filming.close(keep=True)
    self.assertEqual(pictures, 2 * [(picture.HEIGHT, picture.WIDTH, 0)])

  def test_an_interrupted_film_is_removed(self):
    plant = plant_lib.resolve(config.Config())
    with self.assertRaises(KeyboardInterrupt):
      with film.filming(self.path, 1, plant, 0.01) as filming:
        filming.count(1, _step(1., [0]))
        filming.add(1, 1, _picture())
        raise KeyboardInterrupt
    self.assertEmpty(os.listdir(self.folder))


if __name__ == '__main__':
  absltest.main()
