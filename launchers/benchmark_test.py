"""Runs the benchmark as a user does, for its cheapest row."""

import json
import os
import subprocess
import sys

from absl.testing import absltest
from absl.testing import parameterized

_HERE = os.path.dirname(os.path.abspath(__file__))


def _benchmark(*arguments, directory='.', **environment):
  ended = subprocess.run(
      [sys.executable, os.path.join(_HERE, 'benchmark.py'), *arguments],
      check=False, capture_output=True, text=True,
      env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path),
           'BUILD_WORKING_DIRECTORY': directory, **environment})
  return ended.returncode, ended.stdout, ended.stderr


class BenchmarkTest(parameterized.TestCase):

  def test_measures_and_leaves_nothing_else(self):
    directory = self.create_tempdir().full_path
    temporary = self.create_tempdir().full_path
    status, out, err = _benchmark(
        '--rounds=2', '--rows=insert_ms', '--json=rows.json',
        directory=directory, TMPDIR=temporary)
    self.assertEqual((status, err), (0, ''), out)
    self.assertEqual((os.listdir(directory), os.listdir(temporary)),
                     (['rows.json'], []))
    with open(os.path.join(directory, 'rows.json'), encoding='utf-8') as stream:
      [row] = json.load(stream)
    self.assertEqual(
        (row['name'], row['unit'], row['op'], row['target'], row['met']),
        ('insert_ms', 'ms', '<=', 0.15, row['value'] <= 0.15))
    self.assertRegex(row['remarks'], '; quartiles .* n = 2')
    self.assertIn(f'| <= 0.15 | {"yes" if row["met"] else "NO"} | '
                  f'{row["remarks"]} |', out)
    self.assertRegex(out, r'(?m)^\d+ cores ')
    self.assertRegex(out, r'(?m)^\[ +0 s, about \d+ s left\] insertion$')

  @parameterized.parameters(
      (['--rows=insert_s'], "got 'insert_s', .*Did you mean insert_ms"),
      (['--rounds=-1'], '--rounds: got -1, allowed: >= 0'),
      (['--jsn=x'], "'jsn'. Did you mean: json"),
      (['--json=/nowhere/x'], "--json: got '/nowhere/x', allowed: a file in"))
  def test_one_sentence_and_status_2(self, arguments, message):
    status, out, err = _benchmark(*arguments)
    self.assertEqual((status, out), (2, ''))
    self.assertRegex(err, message)
    self.assertNotIn('Traceback', err)


if __name__ == '__main__':
  absltest.main()
