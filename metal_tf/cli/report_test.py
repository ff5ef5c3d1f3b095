"""Tests of the command lines that read folders of runs."""

import os
import subprocess
import sys

from absl.testing import absltest

from metal_tf.report import readme
from metal_tf.report import testing

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))


class ReportTest(absltest.TestCase):

  def _run(self, *flags, cwd=None, launcher='report'):
    # The directory of the user, as `bazel run` names it.
    environment = {
        **os.environ, 'PYTHONPATH': os.pathsep.join([_ROOT, *sys.path]),
        'BUILD_WORKING_DIRECTORY': cwd or _ROOT}
    return subprocess.run(
        [sys.executable, '-m', 'metal_tf.cli', launcher, *flags], cwd=_ROOT,
        env=environment, capture_output=True, text=True,
        timeout=120, check=False)

  def test_mistakes_are_one_sentence(self):
    empty = self.create_tempdir().full_path
    for flags, expected in (
        ([], 'give --runs=DIR'),
        (['--runs=x', '--output=y', 'z'], "unexpected argument 'z'"),
        (['--run=x'], "Unknown command line flag 'run'"),
        (['--runs=none', '--output=y'], f'{empty}/none is no folder'),
        ([f'--runs={empty}', '--output=y'], 'holds no run')):
      done = self._run(*flags, cwd=empty)
      self.assertEqual(done.returncode, 2, done.stderr)
      self.assertRegex(done.stderr, f'^report: .*{expected}')
      self.assertLen(done.stderr.strip().splitlines(), 1)
      self.assertEmpty(os.listdir(empty))

  def test_reports_relative_to_where_the_user_stands(self):
    here = self.create_tempdir().full_path
    testing.copy_run(testing.SMALL_GRID, 'd4pg-0.05-0',
                     os.path.join(here, 'runs', 'one'))
    done = self._run('--runs=runs', '--output=out', cwd=here)
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertEmpty(done.stderr)
    self.assertRegex(done.stdout, r'(?s)1 finished runs of 1.*index\.html\n$')
    self.assertTrue(os.path.exists(os.path.join(here, 'out', 'index.html')))

  def test_archives_and_checks_the_readme(self):
    here = self.create_tempdir().full_path
    for name in ('d4pg-0.05-0', 'metal-0.3-2'):
      testing.copy_run(testing.SMALL_GRID, name,
                       os.path.join(here, 'runs', name))
    done = self._run('--runs=runs', '--output=results/few', cwd=here,
                     launcher='archive')
    self.assertEqual((done.returncode, done.stderr), (0, ''))
    self.assertIn('metal-0.3-2: left out, unfinished', done.stdout)
    self.assertRegex(
        done.stdout, r'1 finished runs with 8 episodes: .* in all.*\n$')
    for name in ('README.md', 'results.md'):
      with open(os.path.join(here, name), 'w', encoding='utf-8') as stream:
        stream.write(f'{readme.START}\n{readme.END}\n')
    done = self._run('--runs=results/few', '--results=results.md', '--check',
                     cwd=here, launcher='readme')
    self.assertEqual((done.returncode, done.stderr), (1, ''))
    self.assertIn('README.md: NOT what the runs give', done.stdout)

  def test_it_loads_no_tensorflow(self):
    code = ('import sys; import metal_tf.report.archive; '
            'import metal_tf.report.readme; '
            'sys.exit("tensorflow" in sys.modules)')
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=_ROOT, timeout=60, check=False,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join([_ROOT, *sys.path])})
    self.assertEqual(done.returncode, 0)


if __name__ == '__main__':
  absltest.main()
