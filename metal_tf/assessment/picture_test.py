"""Tests of pictures, without MuJoCo's renderer."""

from absl.testing import absltest
import numpy as np

from metal_tf.assessment import picture
from metal_tf.environments import own
from metal_tf.environments import own_testing


class PictureTest(absltest.TestCase):

  def _make(self, kwargs=''):
    path = own_testing.write_plant(self.create_tempdir().full_path)
    return own.Own(f'{path}:make', kwargs)(0)

  def test_gymnasium(self):
    environment = self._make()
    environment.reset()
    for grey in (10, 20):
      environment.step(np.zeros(1))
      np.testing.assert_array_equal(
          picture.take(environment), np.full((48, 64, 3), grey))
    self.assertEqual(picture.control_timestep(environment), 0.1)

  def test_what_cannot_be_rendered(self):
    with self.assertRaisesRegex(
        picture.NoPictureError, 'Push: rendering raised RuntimeError: there'):
      picture.take(self._make('{"render_mode": "human"}'))
    environment = self._make()
    environment.environment.gymnasium.render = lambda: None
    with self.assertRaisesRegex(
        picture.NoPictureError, "made with render_mode='rgb_array'"):
      picture.take(environment)

  def test_physics(self):
    world = absltest.mock.Mock()
    frame = np.zeros((4, 6, 3), np.uint8)
    world.environment.physics.render.return_value = frame
    world.environment.control_timestep.return_value = 0.02
    self.assertEqual(picture.take(world).shape, (4, 6, 3))
    self.assertEqual(picture.control_timestep(world), 0.02)


if __name__ == '__main__':
  absltest.main()
