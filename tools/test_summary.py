"""Counts the test cases of one `bazel test`, for `.ci/run`.

Reads Bazel's build events (`--build_event_json_file`) and the test.xml files
they name, prints `N passed, N failed`, and exits with Bazel's status, or with 1
where that was 0 although nothing was tested or something failed.
"""

import collections
import json
import sys
from typing import Any, Dict, Iterable
from urllib import parse
from xml.etree import ElementTree

Events = Iterable[Dict[str, Any]]


def count_cases(xml: str) -> collections.Counter:
  """Counts the cases of one test.xml by how they ended."""
  counts = collections.Counter()
  for case in ElementTree.fromstring(xml).iter('testcase'):
    if case.find('failure') is not None or case.find('error') is not None:
      counts['failed'] += 1
    elif case.get('result') == 'suppressed' or case.find('skipped') is not None:
      counts['skipped'] += 1
    else:
      counts['passed'] += 1
  return counts


def _read(uri: str) -> str:
  with open(parse.unquote(parse.urlparse(uri).path), encoding='utf-8') as file:
    return file.read()


def _count_result(result: Dict[str, Any]) -> collections.Counter:
  """Counts one run of one test program."""
  passed = result.get('status') == 'PASSED'
  outputs = {o['name']: o['uri'] for o in result.get('testActionOutput', ())}
  counts = collections.Counter()
  try:
    counts = count_cases(_read(outputs['test.xml']))
  except (KeyError, OSError, ElementTree.ParseError):
    counts['passed'] += passed  # The program is then one case.
  if not passed and not counts['failed']:
    counts['failed'] = 1  # A crash or a timeout.
  return counts


def count(events: Events) -> collections.Counter:
  """Counts all cases; what could not be built is a failure each."""
  counts = collections.Counter()
  for event in events:
    if 'testResult' in event:
      counts += _count_result(event['testResult'])
    elif 'targetCompleted' in event['id']:
      counts['failed'] += not event.get('completed', {}).get('success', False)
  return counts


def summary_line(counts: collections.Counter) -> str:
  """The line that ends the run."""
  line = f'{counts["passed"]} passed, {counts["failed"]} failed'
  return f'{line}, {counts["skipped"]} skipped' if counts['skipped'] else line


def main() -> None:
  """Prints the summary; the arguments are the events and Bazel's status."""
  path, bazel_status = sys.argv[1], int(sys.argv[2])
  try:
    with open(path, encoding='utf-8') as file:
      counts = count(json.loads(line) for line in file)
  except (OSError, json.JSONDecodeError):
    counts = collections.Counter()
  print(summary_line(counts))
  if not counts['passed'] and not counts['failed']:
    print('No test was run.', file=sys.stderr)
  wrong = counts['failed'] or not counts['passed']
  sys.exit(bazel_status or int(bool(wrong)))


if __name__ == '__main__':
  main()
