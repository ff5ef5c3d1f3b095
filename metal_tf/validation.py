"""Checks of a configuration, before any process starts or file is written.

Every error names the setting as its flag, what was given and what is allowed.
"""

import dataclasses
import difflib
import math
import typing
from typing import Any, Dict, NamedTuple, Optional, Sequence, Tuple

from absl import flags

from metal_tf import config as config_lib
from metal_tf.agent import agents
from metal_tf.environments import rwrl_spec
from metal_tf.environments import tasks

# Settings of the suite's tasks, which an own environment has no use for.
SUITE_SETTINGS = ('domain', 'task', 'safety_coeff', 'constraints', 'threshold',
                  'suite', 'rwrl_spec')
_KINDS = typing.get_type_hints(config_lib.Config)
# What a setting of each kind may be given as, and what that is called.
_WORDS: Dict[Any, Any] = {
    bool: ((bool,), 'true or false'), int: ((int,), 'a whole number'),
    float: ((float, int), 'a number'), str: ((str,), 'a text')}
_LAUNCH_TYPE = 'lp_launch_type'  # Launchpad's own flag.


class ConfigError(ValueError):
  """A setting that cannot be used.

  Attributes:
    field: name of the setting, which is also its flag.
  """

  def __init__(self, field: str, got: Any, allowed: str, hint: str = ''):
    super().__init__(
        f'--{field}: got {_shown(got)}, allowed: {allowed}.'
        + (f' {hint}' if hint else ''))
    self.field = field


class TaskConstraint(NamedTuple):
  """A constraint of the run, resolved from flags and defaults.

  Attributes:
    name: as in the environment.
    threshold: beta, in mean penalty per step.
    origin: where the threshold comes from, for the table at the start.
    text: when the constraint holds, in words with units.
  """
  name: str
  threshold: float
  origin: str
  text: str


class Task(NamedTuple):
  """What to train on: the suite's task and the chosen constraints, K >= 1."""
  info: tasks.TaskInfo
  constraints: Tuple[TaskConstraint, ...]


def check_settings(config: config_lib.Config,
                   algorithm: agents.Algorithm) -> None:
  """Checks each setting by itself and against the others.

  Args:
    config: the settings.
    algorithm: the agent they are for.

  Raises:
    ConfigError: for the first setting that cannot be used.
  """
  check_ranges(config)
  check_own_environment(config, [
      name for name in SUITE_SETTINGS
      if getattr(config, name) != getattr(config_lib.Config(), name)])
  if not config.vmin < config.vmax:
    raise ConfigError('vmin', config.vmin, f'below --vmax={config.vmax:g}')
  if config.batch_size > config.replay_capacity:
    raise ConfigError('batch_size', config.batch_size,
                      f'at most --replay_capacity={config.replay_capacity}')
  if config.min_replay_size > config.replay_capacity:
    raise ConfigError('min_replay_size', config.min_replay_size,
                      f'at most --replay_capacity={config.replay_capacity}')
  if algorithm.splits_batch and not (
      0 < config.num_validation < config.batch_size):
    raise ConfigError(
        'validation_fraction', config.validation_fraction,
        f'a share of --batch_size={config.batch_size} that leaves at least one '
        'transition on either side')
  _check_multiplier(config, algorithm)
  _check_losses(config, algorithm)


def check_ranges(config: config_lib.Config) -> None:
  """Checks each setting by itself.

  Args:
    config: the settings.

  Raises:
    ConfigError: for the first that is out of its range.
  """
  for field, setting in config_lib.Config.settings():
    _check_setting(field.name, getattr(config, field.name), setting)


def check_own_environment(config: config_lib.Config,
                          given: Sequence[str]) -> None:
  """Refuses what does not go with an environment of one's own, or without it.

  Args:
    config: the settings.
    given: names of settings that were given.

  Raises:
    ConfigError: for the first of `SUITE_SETTINGS` beside `environment`, or for
      `environment_kwargs` without it.
  """
  if config.environment_kwargs and not config.environment:
    raise ConfigError('environment_kwargs', config.environment_kwargs,
                      'unset without --environment')
  for name in SUITE_SETTINGS:
    if config.environment and name in given:
      constrains = name in ('constraints', 'threshold')
      raise ConfigError(
          name, getattr(config, name), 'unset with --environment',
          'The function that makes the environment states its constraints and '
          'their thresholds; --environment_kwargs reaches it.' if constrains
          else "It belongs to the suite's tasks.")


def check_workers(config: config_lib.Config) -> None:
  """Checks what only a run of several workers asks for.

  Args:
    config: the settings.

  Raises:
    ConfigError: for one that belongs to a single process.
  """
  if config.replay_store == 'own':
    raise ConfigError(
        'replay_store', 'own',
        'auto or reverb with --lp_launch_type or --num_actors above 1, whose '
        'workers need a server that they share')


def check_one_process(config: config_lib.Config) -> None:
  """Checks what a run in one process cannot have.

  Args:
    config: the settings.

  Raises:
    ConfigError: for what asks for several workers.
  """
  hint = ('Several workers: the programs in launchers/, or '
          'metal_tf.distributed.train.train.')
  if config.num_actors != 1:
    raise ConfigError('num_actors', config.num_actors,
                      '1 for train(), which is one process', hint)
  if _LAUNCH_TYPE in flags.FLAGS and flags.FLAGS[_LAUNCH_TYPE].present:
    raise ConfigError(_LAUNCH_TYPE, flags.FLAGS[_LAUNCH_TYPE].value,
                      'not given for train(), which is one process', hint)


def _check_multiplier(config: config_lib.Config,
                      algorithm: agents.Algorithm) -> None:
  """A fixed multiplier is what sets RS-D4PG apart from D4PG."""
  if algorithm.learns_multiplier:
    return
  if algorithm.fixed_multiplier not in (None, config.lagrange_multiplier):
    raise ConfigError('lagrange_multiplier', config.lagrange_multiplier,
                      f'{algorithm.fixed_multiplier:g} for {algorithm.name}',
                      'A fixed multiplier is rs_d4pg.')
  if algorithm.fixed_multiplier is None and config.lagrange_multiplier == 0:
    raise ConfigError(
        'lagrange_multiplier', config.lagrange_multiplier, '> 0 for rs_d4pg',
        'The paper uses 0.1, 1, 10 and 100; with 0 it is d4pg.')


def _check_losses(config: config_lib.Config,
                  algorithm: agents.Algorithm) -> None:
  """Refuses losses that the critic or the agent does not have.

  Settings that an agent has no use for (`--meta_lr` with d4pg) are accepted: a
  sweep gives the same ones to all of its agents.
  """
  if config.critic == 'scalar' and config.outer_divergence != 'td':
    raise ConfigError(
        'outer_divergence', config.outer_divergence,
        'td with --critic=scalar',
        'A scalar critic has squared errors, and no distribution.')
  if algorithm.learns_shaping and config.outer_loss != 'critic':
    raise ConfigError('outer_loss', config.outer_loss,
                      f'critic for {algorithm.name}',
                      'Its outer loss is part of its definition.')


def resolve_task(config: config_lib.Config) -> Task:
  """Finds the task and its constraints with their thresholds.

  A threshold comes from the constraint itself (`name:0.2`), else from
  `--threshold`, else from the task's default.

  Args:
    config: the settings.

  Returns:
    The task; at least one constraint.

  Raises:
    ConfigError: for an unknown domain, task or constraint (with the nearest
      name), a repeated constraint or a threshold that is no number >= 0.
  """
  _check_choice('domain', config.domain, tuple(tasks.TASKS))
  try:
    info = tasks.lookup(config.domain, config.task or None)
  except ValueError as error:
    raise ConfigError(
        'task', config.task, tasks.TASKS[config.domain].task,
        str(error)) from error
  chosen = config.constraints or (info.default_constraint,)
  constraints = tuple(_resolve_constraint(text, info, config)
                      for text in chosen)
  names = [constraint.name for constraint in constraints]
  for name in names:
    if names.count(name) > 1:
      raise ConfigError('constraints', ','.join(chosen),
                        'each constraint once', f'{name} stands there twice.')
  return Task(info, constraints)


def _resolve_constraint(text: str, info: tasks.TaskInfo,
                        config: config_lib.Config) -> TaskConstraint:
  """Reads `name` or `name:threshold`."""
  name, colon, own = text.partition(':')
  if name not in info.constraint_names:
    raise ConfigError(
        'constraints', text,
        f'name[:threshold] with a name of {info.domain}: '
        + ', '.join(info.constraint_names),
        nearest(name, info.constraint_names))
  if colon:
    try:
      threshold = float(own)
    except ValueError:
      threshold = math.nan
    if not 0 <= threshold <= 1:
      raise ConfigError('constraints', text,
                        f'{name}:threshold with a threshold in [0, 1]')
    origin = 'given'
  elif config.threshold is not None:
    threshold, origin = config.threshold, 'given'
  elif name == info.default_constraint:
    threshold = info.default_threshold
    origin = info.default_threshold_label
  else:
    # The paper trains one constraint per task; others get that one's number.
    threshold, origin = info.default_threshold, 'our choice'
  return TaskConstraint(
      name, threshold, origin,
      info.constraint(name).describe(config.safety_coeff))


def check_rwrl_spec(config: config_lib.Config, suite: str) -> None:
  """Checks what is asked of the real suite beyond its tasks.

  Args:
    config: the settings; `rwrl_spec` is JSON here, not a path.
    suite: who simulates, 'realworldrl' or 'builtin'.

  Raises:
    ConfigError: without the real suite, or for a spec that it would refuse or
      ignore.
  """
  if not config.rwrl_spec:
    return
  given = _shortened(config.rwrl_spec)
  if suite != 'realworldrl':
    raise ConfigError(
        'rwrl_spec', given, 'nothing with the builtin suite',
        'Delays, noise and perturbations are those of the real suite: install '
        'it with tools/realworldrl_suite.sh.')
  try:
    rwrl_spec.parse(config.rwrl_spec, config.domain)
  except ValueError as error:
    raise ConfigError('rwrl_spec', given, 'JSON with the keys in docs/tasks.md',
                      f'{str(error).rstrip("?")}.') from error


def _check_setting(name: str, value: Any, setting: config_lib.Setting) -> None:
  """Checks one value against its kind and its documented range or choices."""
  _check_kind(name, value)
  if setting.choices:
    _check_choice(name, value, setting.choices)
  numbers = value if isinstance(value, tuple) else (value,)
  for number in numbers:
    if isinstance(number, bool) or not isinstance(number, (int, float)):
      continue
    low = -math.inf if setting.minimum is None else setting.minimum
    high = math.inf if setting.maximum is None else setting.maximum
    inside = (low < number < high) if setting.exclusive else (
        low <= number <= high)
    if not (inside and math.isfinite(number)):
      raise ConfigError(name, value, setting.allowed or 'a finite number')
  if setting.minimum is not None and value == ():
    raise ConfigError(name, value, 'at least one number')


def _check_kind(name: str, value: Any) -> None:
  """Checks that a value is of the kind that its field says."""
  kind = _KINDS[name]
  if value is None and type(None) in typing.get_args(kind):
    return
  for one, (types, words) in _WORDS.items():
    if kind in (one, Optional[one]):
      if type(value) not in types:
        raise ConfigError(name, value, words)
    elif kind == Tuple[one, ...]:
      if not isinstance(value, tuple) or any(
          type(item) not in types for item in value):
        raise ConfigError(name, value, f'several of them: each {words}')


def _check_choice(name: str, value: str, choices: Sequence[str]) -> None:
  if value not in choices:
    raise ConfigError(name, value, 'one of ' + ', '.join(choices),
                      nearest(value, choices))


def reason(error: Exception) -> str:
  """Returns an error's text as a sentence of its own."""
  text = f'Reason: {error}'
  return text if text[-1] in '.?' else f'{text}.'


def nearest(value: str, choices: Sequence[str]) -> str:
  """Returns 'Did you mean ...?', or '' where nothing is near."""
  close = difflib.get_close_matches(value, choices, n=1, cutoff=0.5)
  return f'Did you mean {close[0]}?' if close else ''


def _shortened(text: str) -> str:
  return text if len(text) <= 60 else text[:57] + '...'


def _shown(value: Any) -> str:
  if isinstance(value, tuple):
    return ','.join(str(item) for item in value) or 'nothing'
  return repr(value) if isinstance(value, str) else f'{value}'


def as_json(config: config_lib.Config) -> Dict[str, Any]:
  """The settings as JSON has them: tuples are lists there."""
  return {
      name: list(value) if isinstance(value, tuple) else value
      for name, value in dataclasses.asdict(config).items()
  }
