"""The benchmark's rows: names, targets, the printed table, the JSON file."""

import json
import os
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

DOMAINS = ('cartpole', 'walker', 'quadruped', 'humanoid')

# Unit, operator and target of every row that has a fixed target, or none.
TARGETS: Dict[str, Tuple[str, str, Optional[float]]] = {
    'learner_d4pg_vs_acme_cartpole': ('ratio', '>=', 2.0),
    'learner_d4pg_vs_acme_quadruped': ('ratio', '>=', 2.0),
    'learner_metal_vs_acme_cartpole': ('ratio', '>=', 1.5),
    'learner_metal_vs_acme_quadruped': ('ratio', '>=', 1.5),
    'learner_rc_d4pg_vs_d4pg': ('ratio', '>=', 0.95),
    'learner_d4pg_sgemm_share': ('share', '>=', 0.6),
    'run_d4pg_vs_acme_cartpole': ('ratio', '>=', 3.0),
    'run_d4pg_vs_acme_quadruped': ('ratio', '>=', 2.5),
    'run_metal_vs_acme_cartpole': ('ratio', '>=', 2.5),
    'environment_vs_suite_cartpole': ('ratio', '>=', 2.0),
    'environment_vs_suite_walker': ('ratio', '>=', 1.5),
    'environment_vs_suite_quadruped': ('ratio', '>=', 1.5),
    'environment_vs_suite_humanoid': ('ratio', '>=', 1.5),
    'insert_ms': ('ms', '<=', 0.15),
    'insert_one_process_ms': ('ms', '<=', None),
    'insert_program_ms': ('ms', '<=', None),
    'first_step_s': ('s', '<=', None),
    'replay_overhead': ('ratio', '<=', 1.4),
}


class Row(NamedTuple):
  """One measured number.

  Attributes:
    name: of `TARGETS`.
    value: what was measured.
    note: what the table says beside it: medians, spread.
  """
  name: str
  value: float
  note: str = ''

  @property
  def unit(self) -> str:
    return TARGETS[self.name][0]

  @property
  def op(self) -> str:
    """How the value is compared with the target."""
    return TARGETS[self.name][1]

  @property
  def target(self) -> Optional[float]:
    """None where there is none."""
    return TARGETS[self.name][2]

  @property
  def met(self) -> Optional[bool]:
    """Whether the value meets the target; None where there is none."""
    if self.target is None:
      return None
    if self.op == '>=':
      return bool(self.value >= self.target)
    return bool(self.value <= self.target)

  def as_json(self) -> Dict[str, object]:
    """The row as the JSON file has it."""
    return dict(name=self.name, value=float(self.value), unit=self.unit,
                op=self.op, target=self.target, met=self.met)


def selected(prefixes: Sequence[str]) -> List[str]:
  """Returns the names that begin with one of these; all names for none.

  Args:
    prefixes: as the user gave them.

  Raises:
    ValueError: for a prefix that no name has.
  """
  for prefix in prefixes:
    if not any(name.startswith(prefix) for name in TARGETS):
      raise ValueError(f'no row begins with {prefix!r}; rows are '
                       f'{", ".join(TARGETS)}')
  return [name for name in TARGETS
          if not prefixes or name.startswith(tuple(prefixes))]


def table(rows: Sequence[Row]) -> str:
  """Returns the rows as a Markdown table."""
  lines = ['| name | value | unit | target | met | remarks |',
           '| --- | --- | --- | --- | --- | --- |']
  for row in rows:
    target = 'none' if row.target is None else f'{row.op} {row.target:g}'
    met = {None: '', True: 'yes', False: 'NO'}[row.met]
    lines.append(f'| {row.name} | {row.value:.3g} | {row.unit} | {target} | '
                 f'{met} | {row.note} |')
  return '\n'.join(lines)


def write_json(path: str, rows: Sequence[Row]) -> None:
  """Writes the rows, all of them or nothing.

  Args:
    path: of the file; one that is there is replaced.
    rows: what was measured.

  Raises:
    OSError: if it cannot be written.
  """
  unfinished = f'{path}.part'
  with open(unfinished, 'w', encoding='utf-8') as stream:
    json.dump([row.as_json() for row in rows], stream, indent=2,
              allow_nan=False)
    stream.write('\n')
  os.replace(unfinished, path)
