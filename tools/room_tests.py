"""Runs the test modules of a room: one program, a process for each module.

    python tools/room_tests.py metal_tf.replay.n_step_test ...

Most modules test for less time than TensorFlow takes to import. So this program
imports all modules once and forks for each of them: what a module changes in
its process (signals, flags, environment variables, TensorFlow's threads) is
gone with that process, and no module depends on another or on their order.

The result is as Bazel expects it from one test program: the status, 0 if every
module passed, and `$XML_OUTPUT_FILE` with all cases of all modules. A module
that cannot be imported, or dies, is a failed case of its own name there.
"""

import importlib
import os
import sys
import tempfile
import traceback
from typing import Dict, List, NoReturn, Optional
from xml.etree import ElementTree

_XML = 'XML_OUTPUT_FILE'  # Where Bazel and absltest want the results.


def _import(name: str) -> Optional[str]:
  """Imports a module; returns what went wrong."""
  try:
    importlib.import_module(name)
  except BaseException:  # noqa: BLE001 (the other modules are to be run)
    return traceback.format_exc()
  return None


def _run_here(name: str, xml: str) -> NoReturn:
  """Runs a module's tests and ends this process."""
  from absl.testing import absltest  # The module has imported it.

  os.environ[_XML] = xml
  status = 1
  try:
    absltest.main(module=None, argv=[sys.argv[0], name])
  except SystemExit as end:
    status = end.code if isinstance(end.code, int) else int(bool(end.code))
  except BaseException:  # noqa: BLE001 (it is this module's result)
    traceback.print_exc()
  finally:
    sys.stdout.flush()
    sys.stderr.flush()
    # The parent's clean-up is not this process's.
    os._exit(status)


def _run(name: str, xml: str) -> Optional[str]:
  """Runs a module in a process of its own; returns what went wrong."""
  sys.stdout.flush()
  sys.stderr.flush()
  pid = os.fork()
  if not pid:
    _run_here(name, xml)
  status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
  if status:
    return f'ended with status {status}'
  return None if _read(xml) else 'wrote no results'


def _read(xml: str) -> List[ElementTree.Element]:
  """The results of a module; none of one that died while it ran."""
  try:
    return list(ElementTree.parse(xml).getroot())
  except (OSError, ElementTree.ParseError):
    return []


def _suites(name: str, xml: str,
            problem: Optional[str]) -> List[ElementTree.Element]:
  """The results of a module, with a case for a problem that has none."""
  suites = _read(xml)
  cases = [case for suite in suites for case in suite.iter('testcase')]
  if problem and not any(case.find(kind) is not None for case in cases
                         for kind in ('failure', 'error')):
    suite = ElementTree.Element('testsuite', name=name)
    case = ElementTree.SubElement(
        suite, 'testcase', name=name, classname=name, status='run')
    ElementTree.SubElement(case, 'error', message=problem)
    suites.append(suite)
  return suites


def run(names: List[str], xml: Optional[str]) -> Dict[str, str]:
  """Runs modules.

  Args:
    names: importable names of test modules.
    xml: the file to write the results to, if any.

  Returns:
    What went wrong, by module; empty if nothing did.
  """
  problems = {name: _import(name) for name in names}
  results = ElementTree.Element('testsuites')
  with tempfile.TemporaryDirectory() as folder:
    for name in names:
      print(f'\n=== {name}', file=sys.stderr)
      part = os.path.join(folder, name)
      if problems[name]:
        print(problems[name], file=sys.stderr)
      else:
        problems[name] = _run(name, part)
      results.extend(_suites(name, part, problems[name]))
  if xml:
    ElementTree.ElementTree(results).write(
        xml, encoding='utf-8', xml_declaration=True)
  return {name: problem.strip().splitlines()[-1]
          for name, problem in problems.items() if problem}


def main() -> None:
  """Runs the modules that the arguments name."""
  names = sys.argv[1:]
  if not names:
    sys.exit('room_tests: name the modules to run')
  problems = run(names, os.environ.get(_XML))
  for name, problem in problems.items():
    print(f'FAILED: {name}: {problem}', file=sys.stderr)
  sys.exit(int(bool(problems)))


if __name__ == '__main__':
  main()
