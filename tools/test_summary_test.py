"""Tests for test_summary."""

import collections
import json
import subprocess
import sys

from absl.testing import absltest

from tools import test_summary

_XML = """<?xml version="1.0"?>
<testsuites><testsuite name="T">
  <testcase name="a" status="run" result="completed"></testcase>
  <testcase name="b" status="run" result="completed"></testcase>
  <testcase name="c" status="notrun" result="suppressed"></testcase>
  <testcase name="d" status="run"><failure message="no"/></testcase>
  <testcase name="e" status="run"><error message="no"/></testcase>
</testsuite></testsuites>"""


def _result(status, xml_uri=None):
  outputs = [{'name': 'test.xml', 'uri': xml_uri}] if xml_uri else []
  return {
      'id': {'testResult': {}},
      'testResult': {'status': status, 'testActionOutput': outputs},
  }


class TestSummaryTest(absltest.TestCase):

  def _uri(self, xml):
    return 'file://' + self.create_tempfile(content=xml).full_path

  def _run(self, events, bazel_status):
    path = self.create_tempfile(content='\n'.join(map(json.dumps, events)))
    return subprocess.run(
        [sys.executable, test_summary.__file__, path.full_path, bazel_status],
        capture_output=True, text=True, check=False,
    )

  def test_counts_cases(self):
    self.assertEqual(
        test_summary.count([_result('FAILED', self._uri(_XML))]),
        collections.Counter(passed=2, skipped=1, failed=2),
    )

  def test_a_crash_is_a_failure_even_if_all_written_cases_passed(self):
    xml = '<testsuites><testsuite><testcase name="a"/></testsuite></testsuites>'
    for result in (_result('FAILED', self._uri(xml)), _result('TIMEOUT')):
      self.assertEqual(test_summary.count([result])['failed'], 1)

  def test_what_cannot_be_built_is_a_failure(self):
    events = [
        {'id': {'targetCompleted': {}}, 'completed': {'success': True}},
        {'id': {'targetCompleted': {}}, 'completed': {}},
        {'id': {'targetCompleted': {}}, 'aborted': {}},
    ]
    self.assertEqual(test_summary.count(events)['failed'], 2)

  def test_exits_with_bazels_status(self):
    finished = self._run([_result('FAILED')], '3')
    self.assertEqual(finished.returncode, 3)
    self.assertEqual(finished.stdout, '0 passed, 1 failed\n')
    self.assertEqual(self._run([_result('PASSED')], '0').returncode, 0)

  def test_nothing_tested_or_a_failure_is_not_success(self):
    self.assertEqual(self._run([], '0').returncode, 1)
    self.assertEqual(self._run([_result('FAILED')], '0').returncode, 1)

  def test_summary_line(self):
    counts = collections.Counter(passed=3)
    self.assertEqual(test_summary.summary_line(counts), '3 passed, 0 failed')
    counts['skipped'] = 2
    self.assertEqual(
        test_summary.summary_line(counts), '3 passed, 0 failed, 2 skipped'
    )


if __name__ == '__main__':
  absltest.main()
