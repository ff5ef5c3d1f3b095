"""Tests of what is drawn of runs and sweeps."""

import io
import os
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np
from rich import color
from rich import console as console_lib

from metal_tf.runs import run_folder
from metal_tf.runs import workdir as workdir_lib
from metal_tf.sweep import testing
from metal_tf.watch import run_view
from metal_tf.watch import sweep_view
from metal_tf.watch import watch


class WatchTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self._path = os.path.join(self.create_tempdir().full_path, 'x')
    os.makedirs(self._path)

  def _frame(self, width=80, height=None, once=True):
    """Returns the lines of one frame; a height makes it a terminal's."""
    out = io.StringIO()
    console = console_lib.Console(
        file=out, width=width, height=height, force_terminal=height is not None,
        color_system=None, highlight=False)
    watch.watch(self._path, 1.0, once, console)
    lines = out.getvalue().splitlines()
    for line in lines:
      self.assertLessEqual(len(line.rstrip()), width, line)
    return lines

  def _assert_row(self, lines, *cells):
    self.assertTrue(
        any(line.split() == ' '.join(cells).split() for line in lines),
        '\n'.join(lines))

  def _lock(self, path=None):
    lock = workdir_lib.Workdir(path or self._path)
    self.addCleanup(lock.close)
    return lock

  @parameterized.parameters(80, 120)
  def test_a_run_of_two_constraints(self, width):
    testing.write_run(self._path, 40, range(20), ('slider_pos', 'velocity'))
    os.makedirs(os.path.join(self._path, 'checkpoints', 'episode-00000018'))
    self._lock()
    lines = self._frame(width)
    self.assertIn('learning  episode 20 of 40  ETA 40s', [
        line.rstrip() for line in lines])
    self.assertRegex('\n'.join(lines), r'5.0 learner steps/s  50 env steps/s  '
                     r'checkpoint \d+s ago \(episode-00000018\)')
    # Of 10 to 19; curves of 20 numbers fit.
    self._assert_row(lines, 'return 14.5', '▁▁▂▂▂▃▃▄▄▄▅▅▅▆▆▇▇▇██',
                     '0 to 19')
    self.assertStartsWith(lines[-1], 'Return, J_C: mean of 10 episodes; all ')
    first, second = [lines.index(line) for name in ('slider_pos', 'velocity')
                     for line in lines if line.strip() == name]
    self._assert_row(lines[first:second], 'J_C 0.100 <= 0.15 constant')
    self._assert_row(lines[second:], 'J_C 0.200 > 0.15 constant')
    for block in (lines[first:second], lines[second:]):
      self.assertRegex('\n'.join(block), r'  lambda +20 +▁.*█ +1 to 20')
      self._assert_row(block, 'alpha_lambda 0 constant')
      self._assert_row(block, 'effective rate 0.0001 constant')

  def test_colours_are_legible_on_black_and_on_white(self):
    for name in (run_view.OK, run_view.BAD, run_view.HALTED):
      channels = np.array(color.Color.parse(name).get_truecolor()) / 255
      luminance = channels**2.2 @ [0.2126, 0.7152, 0.0722]
      self.assertGreater((luminance + 0.05) / 0.05, 3.9, name)
      self.assertGreater(1.05 / (luminance + 0.05), 3.9, name)

  def test_recent_means_are_of_the_last_ten_and_all_weigh_the_same(self):
    for index, expected in ((0, 0.0), (1, 1.0), (5, 1.0), (10, 1.0)):
      values = np.zeros(11)
      values[index] = 10.0
      self.assertEqual(run_view.recent(values), expected)
    self.assertEqual(run_view.recent(np.array([1.0, 2.0])), 1.5)

  def test_what_a_run_is_doing(self):
    testing.write_run(self._path, 3, [])
    lock = self._lock()
    self.assertIn('starting  episode 0 of 3', '\n'.join(self._frame()))
    testing.write_run(self._path, 3, [1])
    self.assertIn('filling replay  episode 1 of 3', '\n'.join(self._frame()))
    self.assertIn('no checkpoint yet', '\n'.join(self._frame()))
    testing.write_run(self._path, 3, [1, 2])
    self.assertIn('learning  episode 2 of 3', '\n'.join(self._frame()))
    lock.close()
    self.assertIn('stopped  episode 2 of 3  (the', '\n'.join(self._frame()))
    testing.write_run(self._path, 3, [1, 2, 3], finished=True)
    self.assertIn('finished  episode 3 of 3\n', '\n'.join(
        line.rstrip() for line in self._frame()))

  def _make_sweep(self):
    for name, returns, finished in (
        ('metal-cartpole-0.3-seed0', [1, 2, 3, 4], True),
        ('metal-cartpole-0.3-seed1', [1, 3], False),
        ('d4pg-cartpole-0.3-seed0', [5], False)):
      testing.write_run(os.path.join(self._path, name), 4, returns, 'ab',
                        finished)
    self._lock(os.path.join(self._path, 'metal-cartpole-0.3-seed1'))

  def test_a_sweep(self):
    self._make_sweep()
    lines = self._frame(120)
    self.assertStartsWith(
        lines[0], '1 of 3 runs finished, 1 interrupted, 1 running')
    self.assertEqual(lines[1].rstrip(), 'episode 7/12 in all, ETA 10s')
    self._assert_row(lines, 'metal-seed1 2/4 2.0 0.100 <= 0.15 2 0 0.0001',
                     '5/50 ▁█ 4s')
    self._assert_row(lines, '0.200 > 0.15 2 0 0.0001')
    self._assert_row(lines, 'metal-seed0 4/4 2.5 0.100 <= 0.15 0.5 -1 5/50')
    self._assert_row(lines, 'd4pg-seed0 1/4 5.0 0.100 <= 0.15 1 0 0.0001')
    self.assertIn('Constraints from above: a, b.', '\n'.join(lines))
    lines = self._frame(80)
    self._assert_row(lines, 'metal-seed1 2/4 2.0 0.100 <= 0.15 2 0 0.0001')
    self._assert_row(lines, 'ETA 4s 0.200 > 0.15 2 0 0.0001')

  def test_a_large_sweep_fits_onto_the_terminal(self):
    self._make_sweep()
    for number in range(60):
      testing.write_run(
          os.path.join(self._path, f'd4pg-cartpole-0.3-seed{number}'), 4, [1])
    for height in (15, 24, 80):
      lines = self._frame(100, height)
      self.assertLessEqual(len(lines), height)
      self.assertIn('metal-seed1', '\n'.join(lines))
    self.assertRegex('\n'.join(self._frame(100, 24)), r'and \d\d more runs')
    self.assertNotIn('more runs', '\n'.join(self._frame(100)))

  def test_short_names_stay_apart(self):
    self.assertEqual(sweep_view._labels(['a-1-x', 'b-1-x']),
                     {'a-1-x': 'a', 'b-1-x': 'b'})
    self.assertEqual(sweep_view._labels(['a-1-2', 'a-2-1']),
                     {'a-1-2': 'a-1-2', 'a-2-1': 'a-2-1'})
    self.assertEqual(sweep_view._labels(['a-1']), {'a-1': 'a-1'})

  def test_a_folder_without_anything_yet_is_waited_for(self):
    self._lock()
    [line] = ''.join(self._frame(300)).split('\n')
    self.assertIn('Nothing has been written to', line)

  def test_a_folder_of_something_else_is_refused(self):
    with open(os.path.join(self._path, 'thesis.tex'), 'w', encoding='utf-8'):
      pass
    with self.assertRaisesRegex(run_folder.RunFolderError,
                                'neither a run nor a sweep.*thesis.tex'):
      self._frame()
    self._path += '/nowhere'
    with self.assertRaisesRegex(run_folder.RunFolderError, 'is no folder'):
      self._frame()

  def test_a_summary_edited_by_hand_is_named(self):
    path = os.path.join(self._path, 'a')
    testing.write_run(path, 4, [1, 2, 3, 4], finished=True)
    testing.write_run(os.path.join(self._path, 'b'), 4, [7], finished=True)
    with open(os.path.join(path, 'summary.json'), 'w',
              encoding='utf-8') as stream:
      stream.write('[]')
    lines = self._frame(300)  # Of both runs.
    self.assertStartsWith(lines[0], '0 of 2 runs finished, 1 failed')
    # A long path goes on in the next line.
    self.assertRegex(''.join(''.join(lines).split()),
                     f'{path}cannotbereadasarun.*summary.json')
    self._assert_row(lines, 'b 1/4 7.0 0.100 <= 0.15 1 0 0.0001')
    self._path = path
    with self.assertRaisesRegex(run_folder.RunFolderError, 'summary.json'):
      self._frame()

  @parameterized.parameters(None, 30)
  def test_what_has_finished_is_shown_once(self, height):
    sleep = self.enter_context(mock.patch.object(watch.time, 'sleep'))
    testing.write_run(self._path, 2, [1, 2], finished=True)
    text = '\n'.join(self._frame(80, height, once=False))
    self.assertEqual(text.count('finished  episode 2 of 2'), 1)
    self._path = self.create_tempdir().full_path
    for name in ('d4pg-cartpole-0.3-seed0', 'd4pg-cartpole-0.3-seed1'):
      testing.write_run(
          os.path.join(self._path, name), 2, [1, 2], finished=True)
    self.assertStartsWith(
        self._frame(80, height, once=False)[0], '2 of 2 runs finished')
    sleep.assert_not_called()

  def test_without_a_terminal_one_frame_is_enough(self):
    testing.write_run(self._path, 4, [1])
    self._lock()
    self.assertIn('episode 1 of 4', '\n'.join(self._frame(once=False)))

  def test_a_run_that_finishes_meanwhile_is_the_last_frame(self):
    testing.write_run(self._path, 2, [1])
    lock = self._lock()
    frames = iter(range(2))

    def sleep(seconds):
      del seconds
      next(frames)  # No third one.
      testing.write_run(self._path, 2, [1, 2], finished=True)
      lock.close()

    out = io.StringIO()
    with mock.patch.object(watch.time, 'sleep', sleep):
      watch.watch(self._path, 1.0, False, console_lib.Console(
          file=out, force_terminal=True, color_system=None))
    self.assertIn('finished  episode 2 of 2', out.getvalue())

  def test_frames_follow_each_other_until_control_c(self):
    out = io.StringIO()
    pauses = []

    def sleep(seconds):
      pauses.append(seconds)
      if len(pauses) == 4:
        raise KeyboardInterrupt
      testing.write_run(self._path, 4, [1] * len(pauses))
      if len(pauses) == 3:  # It is just being written.
        with open(os.path.join(self._path, 'episodes.csv'), 'w',
                  encoding='utf-8'):
          pass

    with mock.patch.object(watch.time, 'sleep', sleep), mock.patch.object(
        watch.time, 'monotonic', return_value=1.0):
      with self.assertRaises(KeyboardInterrupt):
        watch.watch(self._path, 7.0, False,
                    console_lib.Console(
                        file=out, width=80, force_terminal=True,
                        color_system=None))
    self.assertEqual(pauses, [7.0] * 4)
    text = out.getvalue()
    self.assertIn('Nothing has been written', text)
    self.assertEqual([text.count(f'episode {n} of 4') for n in (1, 2)], [1, 1])
    # Long lines are wrapped, at a blank or within a word.
    self.assertIn('cannotbereadasarun', ''.join(text.split()))


if __name__ == '__main__':
  absltest.main()
