"""Runs the fault tests and prints a table of what happened.

    ./bazelw run //metal_tf/faults:table
    ./bazelw run //metal_tf/faults:table -- --last

The second line runs nothing: it tells what the last `bazel test` of this
checkout found.

Every `*_test.py` beside this file is run; a method `test_f07_...` belongs to
F7, and the first line of its docstring is `<inject> -> <must happen>`. The exit
status is not 0 if one fails.
"""

import importlib
import os
import re
import sys
import time
from typing import Any, Iterator, List, NamedTuple, Optional
import unittest
from xml.etree import ElementTree

from absl import app
from absl import flags

_LAST = flags.DEFINE_bool(
    'last', False, 'Show the results of the last `bazel test` instead of '
    'running the tests.')

_HERE = os.path.dirname(os.path.abspath(__file__))


class _Row(NamedTuple):
  number: int
  inject: str
  must_happen: str
  result: str
  seconds: float


def _row(test: unittest.TestCase, result: str,
         seconds: float) -> Optional[_Row]:
  """The row of a test, or None for one of no fault."""
  method = getattr(test, '_testMethodName', '')
  match = re.match(r'test_f(\d+)_', method)
  if match is None:
    return None
  text = (getattr(test, method).__doc__ or method).strip().splitlines()[0]
  inject, _, must_happen = text.partition(' -> ')
  return _Row(int(match.group(1)), inject.strip(), must_happen.strip(), result,
              seconds)


class _Result(unittest.TextTestResult):
  """Keeps what became of each test, and how long it took."""

  def __init__(self, *args: Any, **kwargs: Any):
    super().__init__(*args, **kwargs)
    self.rows: List[_Row] = []
    self._problem = ''
    self._started = 0.0

  def startTest(self, test: unittest.TestCase) -> None:
    super().startTest(test)
    self._problem, self._started = '', time.monotonic()

  def addError(self, test: unittest.TestCase, err: Any) -> None:
    super().addError(test, err)
    self._problem = 'ERROR'

  def addFailure(self, test: unittest.TestCase, err: Any) -> None:
    super().addFailure(test, err)
    self._problem = 'FAILED'

  def addSubTest(self, test: unittest.TestCase, subtest: Any, err: Any) -> None:
    super().addSubTest(test, subtest, err)
    if err is not None:
      self._problem = 'FAILED'

  def addSkip(self, test: unittest.TestCase, reason: str) -> None:
    super().addSkip(test, reason)
    self._problem = f'not run: {reason}'

  def stopTest(self, test: unittest.TestCase) -> None:
    super().stopTest(test)
    row = _row(test, self._problem or 'ok', time.monotonic() - self._started)
    if row is not None:
      self.rows.append(row)


def _modules() -> Iterator[str]:
  for name in sorted(os.listdir(_HERE)):
    if name.endswith('_test.py'):
      yield f'metal_tf.faults.{name[:-len(".py")]}'


def _cases(suite: Any) -> Iterator[unittest.TestCase]:
  for test in suite:
    if isinstance(test, unittest.TestSuite):
      yield from _cases(test)
    else:
      yield test


def _last_cases(path: str) -> List[ElementTree.Element]:
  """The cases of a test.xml; none of a program that was killed."""
  try:
    return list(ElementTree.parse(path).iter('testcase'))
  except (OSError, ElementTree.ParseError):
    return []


def _last_rows(suite: unittest.TestSuite) -> List[_Row]:
  """What the newest test.xml files say; 'not run' where there is no word."""
  logs = os.path.join(
      os.environ.get('BUILD_WORKSPACE_DIRECTORY', '.'),
      'bazel-testlogs', 'metal_tf', 'faults')
  rows = []
  for test in _cases(suite):
    module = type(test).__module__.rpartition('.')[2]
    result, seconds = 'not run', 0.0
    for case in _last_cases(os.path.join(logs, module, 'test.xml')):
      if case.get('name') == getattr(test, '_testMethodName', None):
        failed = any(case.find(kind) is not None
                     for kind in ('failure', 'error'))
        result = 'FAILED' if failed else 'ok'
        seconds = float(case.get('time', '0'))
    row = _row(test, result, seconds)
    if row is not None:
      rows.append(row)
  return rows


def main(_: List[str]) -> None:
  """Runs the fault tests, or reads their last results; prints the table."""
  suite = unittest.TestSuite(
      unittest.defaultTestLoader.loadTestsFromModule(
          importlib.import_module(module)) for module in _modules())
  if _LAST.value:
    rows = _last_rows(suite)
  else:
    result: Any = unittest.TextTestRunner(
        stream=sys.stderr, verbosity=2, resultclass=_Result).run(suite)
    rows = result.rows
  print('| # | inject | must happen | result | s |')
  print('| --- | --- | --- | --- | --- |')
  for row in sorted(rows, key=lambda row: row.number):
    print(f'| F{row.number} | {row.inject} | {row.must_happen} | '
          f'{row.result} | {row.seconds:.0f} |')
  good = all(row.result == 'ok' for row in rows) and (
      _LAST.value or result.wasSuccessful())
  sys.exit(0 if good else 1)


if __name__ == '__main__':
  app.run(main)
