"""Tests for `rendering`, on machines with and without a renderer."""

import os
import unittest.mock

from absl.testing import absltest

from metal_tf.assessment import rendering


class ChooseTest(absltest.TestCase):

  def _choose(self, working, asked='disable'):
    tried = []

    def attempt(backend):
      tried.append(backend)
      return '' if backend in working else f'no {backend}'

    with unittest.mock.patch.dict(os.environ, MUJOCO_GL=asked):
      try:
        return rendering.choose(attempt), tried
      except rendering.NoRendererError as error:
        return str(error), tried

  def test_egl_before_osmesa(self):
    self.assertEqual(self._choose(['osmesa', 'egl']), ('egl', ['egl']))
    self.assertEqual(self._choose(['osmesa']), ('osmesa', ['egl', 'osmesa']))

  def test_the_users_choice(self):
    self.assertEqual(self._choose(['egl', 'osmesa'], asked='osmesa'),
                     ('osmesa', ['osmesa']))
    text, tried = self._choose(['egl'], asked='glfw')
    self.assertIn('glfw: no glfw', text)
    self.assertEqual(tried, ['glfw'])

  def test_none_is_one_sentence_with_packages(self):
    text, _ = self._choose([])
    self.assertNotIn('\n', text)
    for word in ('egl: no egl', 'osmesa: no osmesa', 'libegl1', 'libosmesa6'):
      self.assertIn(word, text)

  def test_survey(self):
    self.assertEqual(rendering.survey(lambda name: ''),
                     (['egl', 'osmesa'], ''))
    found, text = rendering.survey(lambda name: 'broken')
    self.assertEmpty(found)
    self.assertIn('libosmesa6', text)


class TryTest(absltest.TestCase):

  def test_what_is_broken_breaks_another_process(self):
    self.assertIn('no_such_thing', rendering.try_backend('no_such_thing'))

  def test_an_abort_is_an_answer(self):
    with unittest.mock.patch.object(
        rendering, '_PROGRAM', 'import os; os.abort()'):
      self.assertEqual(rendering.try_backend('egl'), 'ended with status -6')

  def test_a_working_one(self):
    with unittest.mock.patch.object(
        rendering, '_PROGRAM',
        "import os; assert os.environ['MUJOCO_GL'] == 'egl'"):
      self.assertEqual(rendering.try_backend('egl'), '')


if __name__ == '__main__':
  absltest.main()
