"""Runs the benchmark as a user does, for its cheapest rows."""

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
        '--quick', '--rounds=1', '--rows=insert_', '--json=rows.json',
        directory=directory, TMPDIR=temporary)
    self.assertEqual((status, err), (0, ''), out)
    self.assertEqual((os.listdir(directory), os.listdir(temporary)),
                     (['rows.json'], []))
    with open(os.path.join(directory, 'rows.json'), encoding='utf-8') as stream:
      rows = {row['name']: row for row in json.load(stream)}
    self.assertEqual(list(rows), [
        'insert_ms', 'insert_one_process_ms', 'insert_program_ms'])
    self.assertEqual(rows['insert_ms']['value'], max(
        rows[f'insert_{form}_ms']['value']
        for form in ('one_process', 'program')))
    self.assertEqual(rows['insert_ms']['met'],
                     rows['insert_ms']['value'] <= 0.15)
    self.assertIsNone(rows['insert_program_ms']['met'])
    self.assertRegex(out, r'\| insert_ms \| [\d.]+ \| ms \| <= 0.15 \| ')
    self.assertIn('preparing server', out)
    self.assertRegex(out, r'(?m)^\d+ cores ')

  @parameterized.parameters(
      (['--rows=speed'], "no row begins with 'speed'"),
      (['--rounds=-1'], '--rounds: got -1, allowed: >= 0'),
      (['--rounds=many'], "'many'"),
      (['--jsn=x'], "'jsn'. Did you mean: json"),
      (['--json=/nowhere/x'], '--json: cannot write /nowhere/x'),
      (['--json=.'], '--json: cannot write '),
      (['quick'], "unexpected 'quick'"))
  def test_one_sentence_and_status_2(self, arguments, message):
    status, out, err = _benchmark(*arguments)
    self.assertEqual((status, out), (2, ''))
    self.assertIn(message, err)
    self.assertNotIn('Traceback', err)


if __name__ == '__main__':
  absltest.main()
