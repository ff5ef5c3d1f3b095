"""The runs of a sweep: every combination of the axes, checked as a whole."""

import os
import re
from typing import (
  Any,
  Callable,
  Dict,
  List,
  Mapping,
  NamedTuple,
  Sequence,
  Tuple,
  TypeVar,
)

from metal_tf import config as config_lib
from metal_tf import plant as plant_lib
from metal_tf import validation
from metal_tf.agent import agents
from metal_tf.environments import tasks
from metal_tf.runs import workdir as workdir_lib

# Fields of `Config` that the sweep decides, and the flag of the sweep for each.
AXES: Mapping[str, str] = {
    field.name: setting.axis for field, setting in config_lib.Config.settings()
    if setting.axis}

PAPER_ALGORITHMS = ('metal', 'rc_d4pg', 'd4pg', 'rs_d4pg:0.1', 'rs_d4pg:1',
                    'rs_d4pg:10', 'rs_d4pg:100')
PAPER_SEEDS = tuple(range(8))

# Settings from texts by name; raises ValueError or a subclass of Exception that
# says what is wrong.
SettingsReader = Callable[[Mapping[str, str]], Dict[str, Any]]

_Number = TypeVar('_Number', int, float)


class Axes(NamedTuple):
  """What is combined, as given on the command line.

  Attributes:
    algorithms: `name` or `name:setting=value`; for RS-D4PG `name:multiplier`.
    domains: of `tasks.TASKS`.
    safety_coeffs: numbers in [0, 1].
    thresholds: beta, numbers in [0, 1]; none means the paper's of each domain.
    seeds: whole numbers.
    environment_kwargs: settings of an own environment, which the settings that
      all runs share name: JSON objects, or none. Domains, coefficients and
      thresholds do not count with it.
  """
  algorithms: Sequence[str]
  domains: Sequence[str]
  safety_coeffs: Sequence[str]
  thresholds: Sequence[str]
  seeds: Sequence[str]
  environment_kwargs: Sequence[str] = ()


class Run(NamedTuple):
  """One run of the grid.

  Attributes:
    name: of its folder in the sweep's, made from all that varies.
    variant: the part of the name that is the agent with its own settings.
    algorithm: the agent.
    settings: what varies, and the length, as JSON has it.
    config: all settings, the folder included.
  """
  name: str
  variant: str
  algorithm: agents.Algorithm
  settings: Dict[str, Any]
  config: config_lib.Config


class _Variant(NamedTuple):
  """An agent with settings of its own."""
  text: str
  algorithm: agents.Algorithm
  changes: Dict[str, Any]
  name: str


def make(axes: Axes, base: config_lib.Config, directory: str,
         read_settings: SettingsReader) -> List[Run]:
  """Combines the axes, and checks every run before any of them starts.

  Args:
    axes: what varies.
    base: settings that all runs share.
    directory: absolute path of the sweep's folder.
    read_settings: reads the settings behind an algorithm's name.

  Returns:
    The runs; all of one seed before any of the next, so that whoever stops
    early has every algorithm, with fewer seeds.

  Raises:
    ValueError: for the first run that cannot be, or is there twice; mostly a
      ConfigError.
  """
  variants = [_read_variant(text, read_settings)
              for text in _given('algorithms', axes.algorithms)]
  thresholds = _numbers('thresholds', axes.thresholds, float, empty=True)
  tasks_of = _own_tasks(axes) if base.environment else _suite_tasks(axes)
  runs = []
  for seed in _numbers('seeds', axes.seeds, int):
    for task in tasks_of:
      for variant in variants:
        config = base.replace(seed=seed, **task, **variant.changes)
        for threshold in thresholds or _paper_thresholds(config):
          runs.append(_make_run(
              variant, config.replace(threshold=threshold), directory))
  _check_different(runs)
  return runs


def _suite_tasks(axes: Axes) -> Sequence[Dict[str, Any]]:
  """The settings of each of the suite's tasks."""
  domains = _given('domains', axes.domains)
  coefficients = _numbers('safety_coeffs', axes.safety_coeffs, float)
  return [dict(domain=domain, safety_coeff=coefficient)
          for domain in domains for coefficient in coefficients]


def _own_tasks(axes: Axes) -> Sequence[Dict[str, Any]]:
  """The settings of each form of an own environment."""
  return [dict(environment_kwargs=text) for text in _given(
      'environment_kwargs', axes.environment_kwargs or ('',))]


def describe(runs: Sequence[Run], directory: str) -> str:
  """Says what a grid consists of.

  Args:
    runs: at least one.
    directory: the sweep's folder.
  """

  def of(field: str) -> str:
    values = dict.fromkeys(run.settings[field] for run in runs)
    return ', '.join(str(value) for value in values)

  thresholds: Dict[str, Dict[str, None]] = {}
  for run in runs:
    thresholds.setdefault(plant_lib.short_name(run.config), {}).update(
        (f'{c.threshold:g}', None)
        for c in plant_lib.resolve(run.config).constraints)
  variants = dict.fromkeys(run.variant for run in runs)
  own = bool(runs[0].config.environment)
  return '\n'.join([
      f'{len(runs)} runs in {directory}',
      f'  algorithms     {", ".join(variants)}',
      *([f'  environment    {of("environment")}',
         f'  with           {of("environment_kwargs") or "no settings"}']
        if own else
        [f'  domains        {of("domain")}',
         f'  safety_coeffs  {of("safety_coeff")}']),
      '  thresholds     ' + '; '.join(
          f'{", ".join(each)} ({name})' for name, each in thresholds.items()),
      f'  seeds          {of("seed")}',
      f'  num_episodes   {of("num_episodes")}'])


def check_folders(runs: Sequence[Run]) -> None:
  """Refuses runs whose folders hold something else.

  Args:
    runs: of a grid.

  Raises:
    WorkdirError: naming the first setting that differs, with both values.
  """
  for run in runs:
    saved = workdir_lib.read_json(
        os.path.join(run.config.workdir, 'config.json'))
    if saved is None:
      continue
    try:
      workdir_lib.check_same_settings(
          saved, run.algorithm.name, validation.as_json(run.config))
    except workdir_lib.WorkdirError as error:
      raise workdir_lib.WorkdirError(f'in {run.name}, {error}') from error


def _given(flag: str, items: Sequence[str]) -> Sequence[str]:
  """Refuses an axis without values or with one that stands there twice."""
  if not items:
    raise validation.ConfigError(flag, tuple(items), 'at least one')
  for item in items:
    if list(items).count(item) > 1:
      raise validation.ConfigError(
          flag, tuple(items), 'each once', f'{item} stands there twice.')
  return items


def _numbers(flag: str, items: Sequence[str], kind: Callable[[str], _Number],
             empty: bool = False) -> Sequence[_Number]:
  if empty and not items:
    return ()
  try:
    numbers = [kind(item) for item in items]
  except ValueError as error:
    word = 'whole numbers' if kind is int else 'numbers'
    raise validation.ConfigError(
        flag, tuple(items), f'{word} with commas between') from error
  _given(flag, [_text(number) for number in numbers])
  return numbers


def _read_variant(text: str, read_settings: SettingsReader) -> _Variant:
  """Reads `name`, `name:value` or `name:setting=value:setting=value`."""
  name, _, rest = text.partition(':')
  if name not in agents.ALGORITHMS:
    raise validation.ConfigError(
        'algorithms', text,
        'name[:setting=value] with one of ' + ', '.join(agents.ALGORITHMS),
        validation.nearest(name, tuple(agents.ALGORITHMS)))
  texts = {}
  # A colon within a value, as constraints have it, is followed by no name.
  for part in re.split(r':(?=\w+=)', rest) if rest else ():
    setting, equals, value = part.partition('=')
    if not equals:
      setting, value = agents.MAIN_SETTING.get(name, ''), part
      if not setting:
        raise validation.ConfigError(
            'algorithms', text, f'{name}:setting=value',
            f'A value alone says nothing to {name}.')
    _check_free(text, setting)
    texts[setting] = value
  try:
    changes = read_settings(texts)
  except Exception as error:  # pylint: disable=broad-except
    raise validation.ConfigError(
        'algorithms', text, 'values that the settings take', str(error)
    ) from error
  parts = [name] + [
      _quoted(value) if setting == agents.MAIN_SETTING.get(name) else
      f'{setting}={_quoted(value)}' for setting, value in changes.items()]
  return _Variant(text, agents.ALGORITHMS[name], changes, '-'.join(parts))


def _check_free(text: str, setting: str) -> None:
  """Refuses settings that are none, or that the sweep decides."""
  known = [field.name for field, _ in config_lib.Config.settings()
           if field.name not in AXES]
  if setting in AXES or setting == 'environment':
    raise validation.ConfigError(
        'algorithms', text,
        f'settings other than {", ".join(AXES)}, environment',
        f'Use --{AXES.get(setting, setting)}.')
  if setting == 'preset':  # It would win over settings that all runs share.
    raise validation.ConfigError(
        'algorithms', text, 'settings other than preset',
        'Use --preset, for all runs.')
  if setting not in known:
    raise validation.ConfigError(
        'algorithms', text, 'settings of docs/settings.md',
        validation.nearest(setting, known))


def _paper_thresholds(config: config_lib.Config) -> Sequence[Any]:
  """The paper's thresholds, or (None,) where none would be used."""
  if config.environment or config.domain not in tasks.TASKS or (
      config.constraints and all(':' in c for c in config.constraints)):
    return (None,)
  return [beta for beta, _ in tasks.TASKS[config.domain].thresholds]


def _make_run(variant: _Variant, config: config_lib.Config,
              directory: str) -> Run:
  parts = [variant.name, *plant_lib.folder_parts(config)]
  if config.threshold is not None:
    parts.append(f'beta{_text(config.threshold)}')
  name = '-'.join([*parts, f'seed{config.seed}'])
  config = config.replace(workdir=os.path.join(directory, name))
  try:
    validation.check_settings(config, variant.algorithm)
    plant_lib.resolve(config)
  except validation.ConfigError as error:
    if error.field in variant.changes or error.field == 'lagrange_multiplier':
      raise validation.ConfigError(
          'algorithms', variant.text, 'agents that can be trained',
          f'There {error}') from error
    if error.field in AXES:
      raise ValueError(str(error).replace(
          f'--{error.field}:', f'--{AXES[error.field]}:', 1)) from error
    raise
  varied = validation.as_json(config)
  task = (('environment', 'environment_kwargs') if config.environment else
          ('domain', 'safety_coeff', 'threshold'))
  settings = {key: varied[key] for key in (
      *variant.changes, *task, 'seed', 'num_episodes')}
  return Run(name, variant.name, variant.algorithm, settings, config)


def _check_different(runs: Sequence[Run]) -> None:
  """Refuses a run that is another one under a second name."""
  seen: Dict[Tuple[Any, ...], str] = {}
  for run in runs:
    constraints = tuple(
        (c.name, c.threshold)
        for c in plant_lib.resolve(run.config).constraints)
    key = (run.algorithm.name, constraints,
           run.config.replace(workdir='', threshold=None, constraints=()))
    if key in seen:
      raise ValueError(
          f'--algorithms, --thresholds and --constraints name a run twice: '
          f'{seen[key]} and {run.name} have the same settings.')
    seen[key] = run.name


def _text(number: float) -> str:
  """As short as tells numbers apart."""
  return f'{number:g}' if float(f'{number:g}') == number else repr(number)


def _quoted(value: Any) -> str:
  """A value as part of a folder's name."""
  if isinstance(value, float):
    return _text(value)
  if isinstance(value, tuple):
    value = ','.join(str(item) for item in value)
  return plant_lib.quoted(str(value))
