"""absl flags from the config: names, defaults, help, unit, range, origin."""

import dataclasses
import json
import os
import typing
from typing import Any, Collection, Dict, List, Mapping, Optional, Sequence

from absl import flags
import launchpad.flags  # noqa: F401  (It defines --lp_launch_type.)

from metal_tf import config as config_lib
from metal_tf import validation
from metal_tf.distributed import needs
from metal_tf.environments import own
from metal_tf.environments import rwrl_spec

LAUNCH_TYPE = 'lp_launch_type'
_LAUNCH_TYPES = ('local_mp', 'local_mt', 'vertex_ai')


def _help(setting: config_lib.Setting) -> str:
  details = [setting.allowed]
  if setting.unit:
    details.append(f'unit: {setting.unit}')
  details.append(f'origin of the default: {setting.origin}')
  return f'{setting.help} ({"; ".join(d for d in details if d)})'


def define(flag_values: flags.FlagValues = flags.FLAGS,
           without: Collection[str] = ()) -> None:
  """Defines one flag per field of `Config`.

  Ranges and choices are not given to absl: `metal_tf.validation` checks them
  all, flags and programs alike, in one wording.

  Args:
    flag_values: where to define them.
    without: fields that get none.
  """
  hints = typing.get_type_hints(config_lib.Config)
  for field, setting in config_lib.Config.settings():
    if field.name in without:
      continue
    kind = hints[field.name]
    define_flag: Any = {
        int: flags.DEFINE_integer,
        float: flags.DEFINE_float,
        typing.Optional[float]: flags.DEFINE_float,
        typing.Optional[int]: flags.DEFINE_integer,
        str: flags.DEFINE_string,
        bool: flags.DEFINE_bool,
        typing.Tuple[str, ...]: flags.DEFINE_list,
        typing.Tuple[int, ...]: flags.DEFINE_list,
    }[kind]
    default = field.default
    if isinstance(default, tuple):
      default = [str(item) for item in default]
    define_flag(field.name, default, _help(setting), flag_values=flag_values)


def parse(argv: Sequence[str],
          flag_values: flags.FlagValues = flags.FLAGS) -> List[str]:
  """Parses a command line.

  Args:
    argv: with the program's name in front.
    flag_values: defined, not parsed yet.

  Returns:
    What is no flag, the program's name included.

  Raises:
    ValueError: for a flag of an earlier version, saying what became of it.
    absl.flags.Error: for any other that is unknown or has a wrong value.
  """
  try:
    return flag_values(argv)
  except flags.UnrecognizedFlagError as error:
    for name, reason in config_lib.RETIRED.items():
      if error.flagname in (name, f'no{name}'):
        raise ValueError(f'--{name} is gone: {reason}.') from error
    raise


def read(flag_values: flags.FlagValues = flags.FLAGS,
         without: Collection[str] = ()) -> config_lib.Config:
  """Returns the config that the command line asks for.

  Args:
    flag_values: parsed flags; a field without one keeps its default, one whose
      flag is not given has the preset's value.
    without: fields that keep their defaults, whatever flags there are.

  Raises:
    ValueError: for a list of numbers with something else in it, or a file
      that cannot be read.
  """
  hints = typing.get_type_hints(config_lib.Config)
  values = {
      field.name: _value(flag_values[field.name].value, hints[field.name],
                         field.name)
      for field in dataclasses.fields(config_lib.Config)
      if field.name in flag_values and field.name not in without
  }
  if 'rwrl_spec' in values:
    values['rwrl_spec'] = _spec(values['rwrl_spec'])
  if values.get('environment'):
    values['environment'] = own_environment(values['environment'])
  if values.get('environment_kwargs'):
    values['environment_kwargs'] = own_settings(values['environment_kwargs'])
  given = {name: value for name, value in values.items()
           if flag_values[name].present}
  preset = config_lib.PRESETS.get(values.get('preset', ''), {})
  config = config_lib.Config(**{**values, **preset, **given})
  validation.check_own_environment(config, list(given))
  return config


def own_environment(name: str) -> str:
  """The name of a user's function, independent of where the user stands.

  Raises:
    ConfigError: if it is no such name, or the file is not there.
  """
  try:
    return own.resolve(name, user_path('.'))
  except own.OwnEnvironmentError as error:
    raise validation.ConfigError(
        'environment', name, own.FORMS, validation.reason(error)) from error


def own_settings(text: str) -> str:
  """The same JSON for the same settings: a run is told apart by that.

  Raises:
    ConfigError: for something else than a JSON object.
  """
  try:
    return json.dumps(own.settings(text), sort_keys=True)
  except ValueError as error:
    raise validation.ConfigError(
        'environment_kwargs', text, 'a JSON object', validation.reason(error)
    ) from error


def _spec(value: str) -> str:
  """The content of the suite's spec: a run is told apart by that."""
  is_path = value and not value.lstrip().startswith('{')
  try:
    return rwrl_spec.read(user_path(value) if is_path else value)
  except ValueError as error:
    raise ValueError(f'--rwrl_spec: {error}.') from error


def read_settings(texts: Mapping[str, str]) -> Dict[str, Any]:
  """Reads single settings as their flags would.

  Args:
    texts: what stands behind `--name=`, by name.

  Returns:
    The settings' values by name.

  Raises:
    ValueError, absl.flags.Error: for a text that its flag does not take.
  """
  values = flags.FlagValues()
  define(values)
  values(['settings', *(f'--{name}={text}' for name, text in texts.items())])
  config = read(values)
  return {name: getattr(config, name) for name in texts}


def as_arguments(config: config_lib.Config,
                 always: Collection[str] = ()) -> List[str]:
  """Returns the arguments from which `read` makes these settings again.

  Args:
    config: the settings.
    always: fields that are written down even at their defaults.
  """
  arguments = []
  without = config_lib.Config.of_preset(config.preset)
  for field in dataclasses.fields(config_lib.Config):
    value, unsaid = getattr(config, field.name), getattr(without, field.name)
    if field.name == 'preset':
      unsaid = field.default
    if value is None or value == unsaid and field.name not in always:
      continue
    if isinstance(value, tuple):
      value = ','.join(str(item) for item in value)
    arguments.append(f'--{field.name}={value}')
  return arguments


def _value(value: Any, kind: Any, name: str) -> Any:
  """Turns absl's lists into tuples of the right kind."""
  if kind == typing.Tuple[int, ...]:
    try:
      return tuple(int(item) for item in value)
    except ValueError as error:
      raise ValueError(f'--{name}: got {",".join(value)}, allowed: whole '
                       'numbers with commas between.') from error
  return tuple(value) if isinstance(value, list) else value


def describe_launch_type(flag_values: flags.FlagValues = flags.FLAGS) -> None:
  """Puts the rule into the help of Launchpad's own flag."""
  flag_values[LAUNCH_TYPE].help = (
      'Who runs the actors, the learner, the evaluator and the replay. Given, '
      'or with --num_actors above 1: the Launchpad program; otherwise one '
      'process. local_mp: a process each, which may use all cores and of which '
      'an actor may die; local_mt: a thread each, quicker to start and easier '
      'to debug; vertex_ai: on Google Cloud, see docs/distributed.md.')
  flag_values.set_default(LAUNCH_TYPE, 'local_mp')


def launch_type(config: config_lib.Config,
                flag_values: flags.FlagValues = flags.FLAGS) -> Optional[str]:
  """Returns Launchpad's launch type, or None for everything in one process.

  Args:
    config: the run's settings.
    flag_values: parsed flags.

  Raises:
    ConfigError: for a launch type that is not for users, one that the settings
      forbid, or the cluster's without xmanager.
  """
  flag = flag_values[LAUNCH_TYPE]
  if not flag.present and config.num_actors == 1:
    return None
  if flag.value not in _LAUNCH_TYPES:
    raise validation.ConfigError(
        LAUNCH_TYPE, flag.value, 'one of ' + ', '.join(_LAUNCH_TYPES))
  validation.check_workers(config)
  if flag.value == 'vertex_ai':
    needs.check_xmanager()
  return flag.value


def user_path(path: str) -> str:
  """Makes a path absolute, relative to where the user stands.

  `bazel run` starts programs elsewhere and names the user's directory in
  BUILD_WORKING_DIRECTORY.
  """
  base = os.environ.get('BUILD_WORKING_DIRECTORY', os.getcwd())
  return os.path.abspath(os.path.join(base, os.path.expanduser(path)))
