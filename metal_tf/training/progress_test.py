"""Tests of what a person sees while a run goes."""

import io
import os
import re
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from metal_tf import metrics
from metal_tf.runs import rates
from metal_tf.training import progress


class _Clock:
  """A monotonic clock that stands still until it is set."""

  def __init__(self):
    self.now = 1000.0

  def __call__(self):
    return self.now


def _on_screen(text):
  """What stands on a terminal after some text, line by line."""
  lines, row, column = [''], 0, 0
  for part in re.findall('\x1b\\[A|.', text, re.DOTALL):
    if part == '\x1b[A':
      row -= 1
    elif part == '\r':
      column = 0
    elif part == '\n':
      row, column = row + 1, 0
      lines += [''] * (row + 1 - len(lines))
    else:
      line = lines[row].ljust(column)
      lines[row] = line[:column] + part + line[column + 1:]
      column += 1
  return lines


class ProgressTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self._clock = _Clock()
    self.enter_context(
        mock.patch.object(progress.time, 'monotonic', self._clock))
    self._stream = io.StringIO()

  def _progress(self, num_episodes=100):
    return progress.Progress(
        num_episodes, ('left', 'right'), np.array([0.115, 0.5]), self._stream)

  def _update(self, shown, phase, episodes):
    shown.update(phase, episodes, int(1000 * episodes), np.array([0.25, 0.0]),
                 np.array([-1.5, 0.0]), np.array([2e-5, 1e-4]))

  @parameterized.parameters(
      (0.4, '0s'), (59.6, '1m00s'), (61, '1m01s'), (3600, '1h00m'),
      (90000, '1d01h'))
  def test_duration(self, seconds, text):
    self.assertEqual(rates.duration(seconds), text)

  def test_says_phase_numbers_speed_and_time_to_go(self):
    shown = self._progress()
    self._update(shown, 'learning', 10.0)
    shown.episode(120.4, np.array([0.2, 0.1]), np.array([0.2, 0.0]))
    shown.episode(126.4, np.array([0.2, 0.1]), np.array([0.25, 0.0]))
    self._clock.now += 20
    self._update(shown, 'learning', 14.0)
    line = self._stream.getvalue().splitlines()[-1]
    for part in ('episode 14/100', 'learning', 'return 123.4',
                 'left not satisfied so far: J_C 0.200 > 0.115  lambda 0.25 '
                 'rising, alpha_lambda -1.5, rate 2e-05',
                 'right satisfied: J_C 0.100 <= 0.5  lambda 0 settled, ',
                 '200 steps/s', 'ETA 7m10s'):  # 86 episodes at 5 s each.
      self.assertIn(part, line)

  def test_is_due_now_and_then(self):
    shown = self._progress()
    self.assertTrue(shown.due)
    self._update(shown, 'learning', 1.0)
    self.assertFalse(shown.due)
    self._clock.now += 10.1
    self.assertTrue(shown.due)

  def test_speeds_of_two_phases_do_not_mix(self):
    shown = self._progress()
    self._update(shown, 'filling replay', 0.0)
    self._clock.now += 1
    self._update(shown, 'learning', 1.0)
    self.assertNotIn('ETA', self._stream.getvalue())

  def test_a_long_run_is_told_its_length_once_and_the_short_form(self):
    shown = self._progress(20000)
    for episodes in (1.0, 2.0, 3.0):
      self._update(shown, 'learning', episodes)
      self._clock.now += 10
    text = self._stream.getvalue()
    self.assertEqual(text.count('--num_episodes=200'), 1)
    self.assertIn('About 2d07h to go until episode 20000, at 100 steps/s. (The',
                  text)

  def test_a_terminal_sees_one_line_rewritten(self):
    self._stream.isatty = lambda: True
    shown = self._progress()
    self._update(shown, 'learning', 1.0)
    self._update(shown, 'learning', 2.0)
    self.assertNotIn('\n', self._stream.getvalue())
    shown.note('A note.')
    self.assertTrue(self._stream.getvalue().endswith('A note.\n'))

  def test_a_terminal_has_a_line_for_each_constraint_and_none_wraps(self):
    self._stream.isatty = lambda: True
    self.enter_context(mock.patch.object(
        progress.shutil, 'get_terminal_size',
        return_value=os.terminal_size((40, 24))))
    shown = self._progress()
    shown.episode(1.0, np.array([0.2, 0.1]), np.zeros(2))
    for episodes in (1.0, 2.0):
      self._update(shown, 'learning', episodes)
      self._clock.now += 2
    screen = _on_screen(self._stream.getvalue())
    self.assertEqual([line.rstrip() for line in screen[1:]], [
        '  left not satisfied so far: J_C 0.200',
        '    lambda 0.25, alpha_lambda -1.5, rat',
        '  right satisfied: J_C 0.100 <= 0.5',
        '    lambda 0, alpha_lambda 0, rate 0.00'])
    self.assertStartsWith(screen[0], 'episode 2/100  learning')
    self.assertLess(max(map(len, screen)), 40)
    command = '  ./program --flag=value --another=value'
    shown.note('A note of more letters than the terminal has columns.\n'
               + command)
    screen = _on_screen(self._stream.getvalue())
    self.assertEqual([line.rstrip() for line in screen], [
        'A note of more letters than the', '  terminal has columns.',
        command, '', ''])

  def test_score_says_when_the_window_is_short_and_what_is_not_satisfied(self):
    score = metrics.score(
        np.full(3, 500.0), np.array([[0.2, 0.1]] * 3), np.array([0.115, 0.5]))
    text = progress.format_score(
        score, ('left', 'right'), np.array([0.115, 0.5]), np.array([1.0, 0.0]),
        np.zeros(2))
    self.assertIn('last 3 training episodes (the paper takes 100', text)
    self.assertIn('left: J_C 0.2000, threshold 0.115, overshoot 0.0850\n'
                  '    (not satisfied), lambda 1, alpha_lambda 0', text)
    self.assertIn('right: J_C 0.1000, threshold 0.5, overshoot 0.0000\n'
                  '    (satisfied), ', text)
    self.assertIn('415.00', text)  # 500 - 1000 * 0.085


if __name__ == '__main__':
  absltest.main()
