"""What is measured: names, targets and the printed table."""

from typing import Any, Dict, List, NamedTuple, Sequence

from metal_tf import validation


class Target(NamedTuple):
  """A row's unit, and what it should come to: `op` is '>=' or '<='."""
  unit: str
  op: str
  value: float


class Contest(NamedTuple):
  """Rows that are measured together, and its seconds on two idle cores."""
  seconds: float
  targets: Dict[str, Target]


def _at_least(ratio: float) -> Target:
  return Target('ratio', '>=', ratio)


# A contest is a method of `contests.Contests`, with its argument.
CONTESTS: Dict[str, Contest] = {
    'learners small': Contest(45, {
        'learner_d4pg_vs_acme_small': _at_least(4.0),
        'learner_metal_vs_acme_small': _at_least(2.5)}),
    'learners one_thread': Contest(60, {
        'learner_d4pg_vs_acme_one_thread': _at_least(1.5),
        'learner_metal_vs_acme_one_thread': _at_least(1.4)}),
    'learners cartpole': Contest(75, {
        'learner_d4pg_vs_acme_cartpole': _at_least(1.2),
        'learner_metal_vs_acme_cartpole': _at_least(1.0)}),
    'learners quadruped': Contest(40, {
        'learner_d4pg_vs_acme_quadruped': _at_least(1.2),
        'learner_metal_vs_acme_quadruped': _at_least(1.0)}),
    'd4pg': Contest(40, {
        'learner_d4pg_sgemm_share': Target('share', '>=', 0.5),
        'learner_rc_d4pg_vs_d4pg': _at_least(0.95)}),
    'runs small': Contest(80, {
        'run_d4pg_vs_acme_small': _at_least(8.0),
        'run_metal_vs_acme_small': _at_least(6.0)}),
    'runs cartpole': Contest(80, {
        'run_d4pg_vs_acme_cartpole': _at_least(2.2),
        'run_metal_vs_acme_cartpole': _at_least(1.9)}),
    'runs quadruped': Contest(70, {
        'run_d4pg_vs_acme_quadruped': _at_least(2.2)}),
    'environments cartpole': Contest(15, {
        'environment_vs_suite_cartpole': _at_least(2.0)}),
    'environments walker': Contest(20, {
        'environment_vs_suite_walker': _at_least(1.5)}),
    'environments quadruped': Contest(20, {
        'environment_vs_suite_quadruped': _at_least(1.5)}),
    'environments humanoid': Contest(25, {
        'environment_vs_suite_humanoid': _at_least(1.5)}),
    'insertion': Contest(20, {'insert_ms': Target('ms', '<=', 0.15)}),
    'memory': Contest(10, {'replay_overhead': Target('ratio', '<=', 1.15)}),
    'checkpoints': Contest(70, {
        'checkpoint_share': Target('share', '<=', 0.03)}),
    'start': Contest(25, {'first_step_s': Target('s', '<=', 5.0)}),
}
TARGETS: Dict[str, Target] = {
    name: target for contest in CONTESTS.values()
    for name, target in contest.targets.items()}


class Row(NamedTuple):
  """One measured number; the remarks say how it is spread, and against whom."""
  name: str
  value: float
  remarks: str

  @property
  def met(self) -> bool:
    """Whether the value meets the target; NaN does not."""
    target = TARGETS[self.name]
    return bool(self.value >= target.value if target.op == '>=' else
                self.value <= target.value)

  def as_json(self) -> Dict[str, Any]:
    """The row as the JSON file has it."""
    unit, op, target = TARGETS[self.name]
    return dict(name=self.name, value=self.value, unit=unit, op=op,
                target=target, met=self.met, remarks=self.remarks)


def selected(wanted: Sequence[str]) -> List[str]:
  """Returns the names of rows that begin with one of these; all for none.

  Args:
    wanted: names, or beginnings of names.

  Raises:
    ConfigError: for one that no name begins with.
  """
  for start in wanted:
    if not any(name.startswith(start) for name in TARGETS):
      raise validation.ConfigError(
          'rows', start, 'names of rows, or beginnings of them: '
          + ', '.join(TARGETS), validation.nearest(start, list(TARGETS)))
  return [name for name in TARGETS
          if not wanted or name.startswith(tuple(wanted))]


def table(rows: Sequence[Row]) -> str:
  """Returns the rows as a Markdown table."""
  lines = ['| name | value | unit | target | met | remarks |',
           '| --- | --- | --- | --- | --- | --- |']
  for row in rows:
    unit, op, target = TARGETS[row.name]
    lines.append(f'| {row.name} | {row.value:.3g} | {unit} | {op} {target:g} | '
                 f'{"yes" if row.met else "NO"} | {row.remarks} |')
  return '\n'.join(lines)

