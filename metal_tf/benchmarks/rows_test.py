"""Tests of targets, selection and table."""

from absl.testing import absltest
from absl.testing import parameterized

from metal_tf import validation
from metal_tf.benchmarks import rows


class RowsTest(parameterized.TestCase):

  @parameterized.parameters(
      ('learner_d4pg_vs_acme_small', 4.0, True),
      ('learner_d4pg_vs_acme_small', 3.999, False),
      ('insert_ms', 0.15, True),
      ('insert_ms', 0.151, False),
      ('first_step_s', float('nan'), False))
  def test_met(self, name, value, expected):
    row = rows.Row(name, value, 'a remark')
    self.assertIs(row.met, expected)
    self.assertIs(row.as_json()['met'], expected)

  def test_table_and_json(self):
    row = rows.Row('insert_ms', 0.25, 'a remark')
    self.assertEqual(rows.table([row]).splitlines()[2:], [
        '| insert_ms | 0.25 | ms | <= 0.15 | NO | a remark |'])
    self.assertEqual(row.as_json(), dict(
        name='insert_ms', value=0.25, unit='ms', op='<=', target=0.15,
        met=False, remarks='a remark'))

  def test_selected(self):
    self.assertEqual(rows.selected(['first', 'insert_ms']),
                     ['insert_ms', 'first_step_s'])
    self.assertLen(rows.selected([]), 23)
    with self.assertRaisesRegex(
        validation.ConfigError,
        '(?s)--rows: got \'learner_d4pg_vs_acme_smal_\', .*'
        'Did you mean learner_d4pg_vs_acme_small'):
      rows.selected(['insert_ms', 'learner_d4pg_vs_acme_smal_'])


if __name__ == '__main__':
  absltest.main()
