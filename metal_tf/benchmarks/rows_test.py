"""Tests of targets, table and JSON."""

import json
import os

from absl.testing import absltest
from absl.testing import parameterized

from metal_tf.benchmarks import rows


class RowsTest(parameterized.TestCase):

  @parameterized.parameters(
      ('learner_d4pg_vs_acme_cartpole', 2.0, True),
      ('learner_d4pg_vs_acme_cartpole', 1.999, False),
      ('insert_ms', 0.15, True),
      ('insert_ms', 0.151, False),
      ('first_step_s', 12.0, None),
      ('replay_overhead', float('nan'), False))
  def test_met(self, name, value, expected):
    self.assertIs(rows.Row(name, value).met, expected)

  def test_json(self):
    path = os.path.join(self.create_tempdir().full_path, 'rows.json')
    rows.write_json(path, [rows.Row('insert_ms', 0.25, 'a note'),
                           rows.Row('first_step_s', 9.5)])
    with open(path, encoding='utf-8') as stream:
      self.assertEqual(json.load(stream), [
          dict(name='insert_ms', value=0.25, unit='ms', op='<=', target=0.15,
               met=False),
          dict(name='first_step_s', value=9.5, unit='s', op='<=', target=None,
               met=None)])
    self.assertEqual(os.listdir(os.path.dirname(path)), ['rows.json'])

  def test_table(self):
    lines = rows.table([rows.Row('insert_ms', 0.25, 'a note'),
                        rows.Row('first_step_s', 9.5)]).splitlines()
    self.assertEqual(lines[2:], [
        '| insert_ms | 0.25 | ms | <= 0.15 | NO | a note |',
        '| first_step_s | 9.5 | s | none |  |  |'])

  def test_selected(self):
    self.assertEqual(rows.selected(['insert', 'first']), [
        'insert_ms', 'insert_one_process_ms', 'insert_program_ms',
        'first_step_s'])
    self.assertEqual(rows.selected([]), list(rows.TARGETS))
    with self.assertRaisesRegex(ValueError, "begins with 'speed'; rows are le"):
      rows.selected(['insert', 'speed'])


if __name__ == '__main__':
  absltest.main()
