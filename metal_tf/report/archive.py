"""Copies finished runs into an archive: small, complete, of no machine.

An archived run is what a report reads: JSON files and compressed logs, no
checkpoints. `config.json` is written last, and a folder without it is no run
(`run_folder.is_run`), so an archive that was killed has whole runs only.
"""

import gzip
import io
import json
import os
import re
import socket
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Sequence

import pandas as pd

from metal_tf.report import collect
from metal_tf.report import compute
from metal_tf.report import errors
from metal_tf.report import tables
from metal_tf.report import write
from metal_tf.runs import log_tables
from metal_tf.runs import run_folder
from metal_tf.runs import workdir

RUNS = 'runs.csv'
_CONFIG = 'config.json'  # The last to be written.
_JSON = ('summary.json', 'feasibility.json', _CONFIG)
_LOGS = (log_tables.EPISODES.file, log_tables.EVALUATIONS.file)
_GZ = '.gz'
# The start of a path on some machine, at the start of a word.
_PATH = re.compile(r'(?<![\w./~-])(/|~/?|file:|[A-Za-z]:[\\/])[\w.-]')
# What becomes of a run.
_NEW, _SAME, _DIFFERENT = 'archived', 'is there already', 'replaced'


class _Archived(NamedTuple):
  """A run as it will be in the archive: content of its files by name."""
  name: str
  files: Dict[str, bytes]


def archive(runs: Sequence[str], output: str, replace: bool,
            say: Callable[[str], None]) -> None:
  """Archives every finished run at or below some folders.

  Args:
    runs: the folders.
    output: the archive; runs of earlier calls in it stay.
    replace: whether runs that are there with another content are replaced.
    say: takes a line of progress.

  Raises:
    ReportError: if no run is finished, two have one name, one is there with
      another content, or a file names a place on this machine. Nothing has
      been written then. Also if `output` cannot be written.
  """
  output = os.path.abspath(output)
  write.check_output(output)
  for folder in map(os.path.abspath, runs):
    if os.path.commonpath([folder, output]) in (folder, output):
      raise errors.ReportError(
          f'--runs={folder} and --output={output} lie in one another; choose '
          'two folders side by side.')
  grid = collect.collect(runs, say)
  finished = grid.finished
  if not finished:
    raise errors.ReportError(
        f'none of the {len(grid.runs)} runs in {" and ".join(runs)} is '
        'finished.')
  archived = [_read(run) for run in finished]
  names = [run.name for run in archived]
  twice = sorted({name for name in names if names.count(name) > 1})
  if twice:
    raise errors.ReportError(
        f'several runs are called {", ".join(twice)}, and an archive has one '
        'folder a name; archive them one by one.')
  states = {run.name: _state(run, output) for run in archived}
  different = [name for name, state in states.items() if state == _DIFFERENT]
  if different and not replace:
    raise errors.ReportError(
        f'{output} has {", ".join(different)} with another content; '
        '--replace writes over it.')
  try:
    for run in archived:
      if states[run.name] != _SAME:
        _write(run, output)
      say(f'{run.name}: {states[run.name]}')
    _write_left_out(grid, names, output, say)
    total = _write_table(output, say)
  except OSError as error:
    raise errors.ReportError(
        f'--output={output} cannot be written ({error}).') from error
  say(total)


def _read(run: collect.ScoredRun) -> _Archived:
  """Reads a run's files, with no word of the machine in them."""
  path = run.run.path
  name = os.path.basename(path)
  files: Dict[str, bytes] = {}
  for file in _LOGS:
    for stored, opened in ((file, open), (file + _GZ, gzip.open)):
      # As `log_tables.read`: the plain file, if there is one.
      if os.path.exists(os.path.join(path, stored)):
        with opened(os.path.join(path, stored), 'rb') as stream:
          files[file + _GZ] = _compressed(stream.read())
        break
  for file in _JSON:
    try:
      content = workdir.load_json(os.path.join(path, file))
    except ValueError as error:
      raise errors.ReportError(
          f'{run.name} is damaged: {error}; nothing was archived.') from error
    if content is None:
      continue
    if file == _CONFIG:
      _make_neutral(content, name)
    _check_neutral(run.name, file, content)
    files[file] = (json.dumps(content, indent=2) + '\n').encode()
  return _Archived(name, files)


def _make_neutral(content: Dict[str, Any], name: str) -> None:
  """Leaves out the folders of the run and of a user's own environment.

  Args:
    content: of `config.json`, to be changed.
    name: of the run.
  """
  config = content['config']
  config['workdir'] = name
  if config.get('environment'):
    config['environment'] = os.path.basename(config['environment'])
  if content.get('environment_source'):
    source = content['environment_source']
    source['file'] = os.path.basename(source['file'])


def _compressed(content: bytes) -> bytes:
  """Compressed without name and time, so that equal logs give equal files."""
  stream = io.BytesIO()
  with gzip.GzipFile('', 'wb', 9, stream, mtime=0) as packed:
    packed.write(content)
  return stream.getvalue()


def _check_neutral(name: str, file: str, content: Dict[str, Any]) -> None:
  """Refuses a file that names a path, or this machine.

  The machine is looked for where the program describes its surroundings, and
  not in settings: a machine may be called like one of their values.
  """
  surroundings = [content.get('suite', ''), *map(
      json.dumps, content.get('sessions', ()))]
  found = [text for text in _texts(content) if _PATH.search(text)] + [
      text for text in surroundings if _names_a_place(text)]
  if found:
    raise errors.ReportError(
        f'{file} of {name} names a place on this machine: {found[0]!r}; make '
        'it neutral there, and archive again.')


def _names_a_place(text: str) -> bool:
  """Whether a text has a path in it, or this machine's name."""
  host = re.escape(socket.gethostname().split('.')[0])
  return bool(_PATH.search(text) or host and re.search(
      rf'(?<![\w-]){host}(?![\w-])', text))


def _texts(content: Any) -> Iterator[str]:
  """All texts of a JSON value, the names of entries included."""
  if isinstance(content, str):
    yield content
  elif isinstance(content, dict):
    for key, value in content.items():
      yield key
      yield from _texts(value)
  elif isinstance(content, list):
    for value in content:
      yield from _texts(value)


def _state(run: _Archived, output: str) -> str:
  """Whether a run is in the archive, and the same.

  Logs are compared as they are unpacked: another version of the library may
  compress them differently.
  """
  folder = os.path.join(output, run.name)
  if not run_folder.is_run(folder):
    return _NEW
  there = {}
  for file in (*_JSON, *(log + _GZ for log in _LOGS)):
    if os.path.exists(os.path.join(folder, file)):
      with open(os.path.join(folder, file), 'rb') as stream:
        there[file] = stream.read()
  same = set(there) == set(run.files) and all(
      _unpacked(file, content) == _unpacked(file, run.files[file])
      for file, content in there.items())
  return _SAME if same else _DIFFERENT


def _unpacked(file: str, content: bytes) -> bytes:
  """What a log was before it was compressed; b'' for a damaged one."""
  try:
    return gzip.decompress(content) if file.endswith(_GZ) else content
  except (OSError, EOFError, ValueError):
    return b''


def _write(run: _Archived, output: str) -> None:
  folder = os.path.join(output, run.name)
  os.makedirs(folder, exist_ok=True)
  ours = (_CONFIG, *(file for file in _JSON if file != _CONFIG),
          *(log + _GZ for log in _LOGS))
  # From here to the last line the folder is no run.
  for file in ours:
    if os.path.exists(os.path.join(folder, file)):
      os.remove(os.path.join(folder, file))
  for left in os.listdir(folder):  # Of a call that was killed in a write.
    if left.startswith(tuple(f'.{file}' for file in ours)):
      os.remove(os.path.join(folder, left))
  for file, content in run.files.items():
    workdir.write_atomically(os.path.join(folder, file), content)


def _write_left_out(grid: collect.Grid, archived: List[str], output: str,
                    say: Callable[[str], None]) -> None:
  """Lists what there was beside the finished runs, so that none is dropped.

  Those of earlier calls stay, until they are archived.
  """
  found = {absent.name: absent.why for absent in collect.left_out(output)}
  for run in grid.runs:
    if run.status != run_folder.FINISHED or not run.score:
      say(f'{run.name}: left out, {run.status} ({run.left_out})')
      found[os.path.basename(run.run.path)] = (
          f'{run.status}: {run.run.num_episodes} of '
          f'{run.run.config["num_episodes"]} episodes')
  for absent in grid.absent:
    say(f'{absent.name}: left out ({absent.why})')
    # Behind its status there may be the last line of a log, with paths.
    found[os.path.basename(absent.name)] = (
        absent.why.split(',')[0].split(' ')[0]
        if _names_a_place(absent.why) else absent.why)
  rows = [{'run': name, 'why': why} for name, why in sorted(found.items())
          if name not in archived]
  path = os.path.join(output, collect.LEFT_OUT)
  if rows:
    workdir.write_atomically(path, write.csv_text(pd.DataFrame(rows)).encode())
  elif os.path.exists(path):
    os.remove(path)


def _write_table(output: str, say: Callable[[str], None]) -> str:
  """Lists all runs of the archive; returns what they took, in words."""
  grid = collect.collect([output], say)
  scores = tables.scores_csv(grid._replace(runs=grid.finished)).rename(
      columns={'algorithm': 'agent'})
  runs = scores[['run', 'agent', 'domain', 'thresholds', 'safety_coeff', 'seed',
                 'episodes']].join(pd.DataFrame({
                     'seconds': map(compute.seconds, grid.finished),
                     **{entry: [' '.join(compute.of_sessions(run, entry))
                                for run in grid.finished]
                        for entry in ('commit', 'cores')}})).join(
                            scores[list(collect.MEASURES)])
  workdir.write_atomically(
      os.path.join(output, RUNS), write.csv_text(runs).encode())
  return f'{output}: {compute.total(grid.finished)}'
