"""Runs the fault tests and prints a table of what happened.

    ./bazelw run //metal_tf/faults:table

Every `*_test.py` beside this file is run; a method `test_f07_...` belongs to
F7, and the first line of its docstring is `<inject> -> <must happen>`. The exit
status is not 0 if one fails.
"""

import importlib
import os
import re
import sys
import time
from typing import Iterator, List, NamedTuple
import unittest

_HERE = os.path.dirname(os.path.abspath(__file__))


class _Row(NamedTuple):
  number: int
  inject: str
  must_happen: str
  result: str
  seconds: float


class _Result(unittest.TextTestResult):
  """Keeps what became of each test, and how long it took."""

  def __init__(self, *args, **kwargs):
    super().__init__(*args, **kwargs)
    self.rows: List[_Row] = []
    self._problem = ''
    self._started = 0.0

  def startTest(self, test: unittest.TestCase) -> None:
    super().startTest(test)
    self._problem, self._started = '', time.monotonic()

  def addError(self, test, err) -> None:
    super().addError(test, err)
    self._problem = 'ERROR'

  def addFailure(self, test, err) -> None:
    super().addFailure(test, err)
    self._problem = 'FAILED'

  def addSubTest(self, test, subtest, err) -> None:
    super().addSubTest(test, subtest, err)
    if err is not None:
      self._problem = 'FAILED'

  def addSkip(self, test, reason) -> None:
    super().addSkip(test, reason)
    self._problem = f'not run: {reason}'

  def stopTest(self, test: unittest.TestCase) -> None:
    super().stopTest(test)
    name = test.id().rpartition('.')[2]
    match = re.match(r'test_f(\d+)_', name)
    if match is None:
      return
    method = getattr(test, getattr(test, '_testMethodName', name))
    first_line = (method.__doc__ or name).strip().splitlines()[0]
    inject, _, must_happen = first_line.partition(' -> ')
    self.rows.append(_Row(
        int(match.group(1)), inject.strip(), must_happen.strip(),
        self._problem or 'ok', time.monotonic() - self._started))


def _modules() -> Iterator[str]:
  for name in sorted(os.listdir(_HERE)):
    if name.endswith('_test.py'):
      yield f'metal_tf.faults.{name[:-len(".py")]}'


def _main() -> int:
  suite = unittest.TestSuite(
      unittest.defaultTestLoader.loadTestsFromModule(
          importlib.import_module(module)) for module in _modules())
  result = unittest.TextTestRunner(
      stream=sys.stderr, verbosity=2, resultclass=_Result).run(suite)
  print('| # | inject | must happen | result | s |')
  print('| --- | --- | --- | --- | --- |')
  for row in sorted(result.rows, key=lambda row: row.number):
    print(f'| F{row.number} | {row.inject} | {row.must_happen} | '
          f'{row.result} | {row.seconds:.0f} |')
  return 0 if result.wasSuccessful() else 1


if __name__ == '__main__':
  sys.exit(_main())
