"""From a run's settings to its environment: the suite's task, or a user's own.

The one place where that is decided, for every program.
"""

import contextlib
import functools
import hashlib
import json
from typing import Callable, NamedTuple, Optional, Sequence, Tuple
from urllib import parse

from metal_tf import config as config_lib
from metal_tf import environments
from metal_tf import types
from metal_tf import validation
from metal_tf.environments import own

# Of a value in a folder's name, which file systems end at 255 characters.
_LONGEST = 64

MakeEnvironment = Callable[[int], environments.ConstrainedEnvironment]


class Plant(NamedTuple):
  """What a run trains on.

  Attributes:
    name: what the task is called.
    suite: who simulates: 'realworldrl', 'builtin', or what an own environment
      says.
    constraints: K >= 1 constraints with their thresholds.
    episode_steps: of a full episode, 0 if unknown.
    make: makes the environment from a seed; can be sent to other processes.
    task: the suite's task, None for an own environment.
    spec: of an own environment; None for the suite's, which is not loaded yet.
  """
  name: str
  suite: str
  constraints: Tuple[validation.TaskConstraint, ...]
  episode_steps: int
  make: MakeEnvironment
  task: Optional[validation.Task]
  spec: Optional[types.EnvironmentSpec]


def resolve(config: config_lib.Config) -> Plant:
  """Finds out what a run trains on.

  A task of the suite is looked up without loading a simulator. An environment
  of a user's own is made once, and closed again: that it can be made shall be
  known before anything starts.

  Args:
    config: the run's settings.

  Raises:
    ConfigError: for a task, a suite or an environment that cannot be had.
  """
  if config.environment:
    return _own(config.environment, config.environment_kwargs)
  task = validation.resolve_task(config)
  suite = _resolve_suite(config)
  validation.check_rwrl_spec(config, suite)
  return Plant(
      name=f'{task.info.domain}/{task.info.task}', suite=suite,
      constraints=task.constraints, episode_steps=task.info.episode_steps,
      make=functools.partial(
          _make, config, suite, task.info.task,
          tuple((c.name, c.threshold) for c in task.constraints)),
      task=task, spec=None)


def short_name(config: config_lib.Config) -> str:
  """What a run trains on, in a word.

  Args:
    config: the run's settings.
  """
  return (own.label(config.environment) if config.environment else
          config.domain)


def folder_parts(config: config_lib.Config) -> Sequence[str]:
  """The parts of a folder's name that say what a run trains on.

  Args:
    config: the run's settings.
  """
  if not config.environment:
    return [config.domain, f'{config.safety_coeff:g}']
  kwargs = own.settings(config.environment_kwargs)
  return [short_name(config), *(
      f'{name}={quoted(value if isinstance(value, str) else json.dumps(value))}'
      for name, value in kwargs.items())]


def quoted(value: str) -> str:
  """A setting's value as part of a folder's name.

  Args:
    value: in words.
  """
  text = parse.quote(value, safe=',')
  if len(text) > _LONGEST:  # Such as a whole rwrl_spec.
    return hashlib.sha256(text.encode()).hexdigest()[:12]
  return text


def _resolve_suite(config: config_lib.Config) -> str:
  try:
    return environments.resolve_suite(config.suite)
  except ValueError as error:
    raise validation.ConfigError(
        'suite', config.suite, 'builtin here', str(error)) from error


def _make(config: config_lib.Config, suite: str, task: str,
          constraints: Sequence[Tuple[str, float]],
          seed: int) -> environments.ConstrainedEnvironment:
  """Makes one of the suite's tasks; ConfigError if it is broken."""
  try:
    return environments.make(
        config.domain, task, safety_coeff=config.safety_coeff,
        constraints=constraints, seed=seed, suite=suite,
        rwrl_spec=config.rwrl_spec)
  except (ValueError, RuntimeError) as error:
    name, allowed = (('rwrl_spec', 'what the suite can run')
                     if config.rwrl_spec else ('suite', 'builtin here'))
    raise validation.ConfigError(
        name, getattr(config, name), allowed, str(error)) from error


# A sweep asks for the same one with every seed.
@functools.cache
def _own(name: str, kwargs: str) -> Plant:
  make = own.Own(name, kwargs)
  try:
    try:
      own.check_settings(name, kwargs)
    except own.OwnEnvironmentError:
      raise
    except ValueError as error:
      raise validation.ConfigError(
          'environment_kwargs', kwargs, 'what the function takes',
          validation.reason(error)) from error
    with contextlib.closing(make(0)) as environment:
      spec = environment.spec
      return Plant(
          name=environment.name, suite=environment.suite,
          constraints=tuple(
              validation.TaskConstraint(c.name, c.threshold, 'own',
                                        c.description)
              for c in environment.constraints),
          episode_steps=spec.episode_steps, make=make, task=None, spec=spec)
  except own.OwnEnvironmentError as error:
    raise validation.ConfigError(
        'environment', name, 'a function of a seed that returns an environment '
        'with constraints', validation.reason(error)) from error
