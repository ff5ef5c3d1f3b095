"""Evaluates a policy without noise.

    bazel run //launchers:evaluate -- --workdir=DIR --video=FILE.mp4
"""

import contextlib
import json
import os
from typing import Any, Callable, Dict, Iterator, NoReturn, Optional, Tuple

from absl import flags
from rich import progress as rich_progress

from metal_tf import config as config_lib
from metal_tf import plant as plant_lib
from metal_tf import validation
from metal_tf.assessment import rendering
from metal_tf.assessment import source as source_lib
from metal_tf.cli import flags as cli_flags
from metal_tf.cli import main as main_lib
from metal_tf.cli import tool
from metal_tf.runs import workdir as workdir_lib

_WORKDIR = flags.DEFINE_string(
    'workdir', '', "The run's folder, whose newest intact checkpoint is taken; "
    'the run may still be training. Relative to where you stand.')
_POLICY = flags.DEFINE_string(
    'policy', '', "An export's folder, in place of --workdir.")
_EPISODES = flags.DEFINE_integer(
    'episodes', 100, 'Episodes to run (>= 1).')
_OUTPUT = flags.DEFINE_string(
    'output', '', 'JSON file for the result with every episode; empty means '
    '`evaluation.json` in the folder that the policy is from.')
_SAFETY_COEFF = flags.DEFINE_float(
    'safety_coeff', None, 'Safety coefficient; unset means the run\'s.')
_THRESHOLD = flags.DEFINE_float(
    'threshold', None, 'Threshold of all constraints without one of their own '
    'in --constraints; unset means the run\'s. Unit: mean penalty per step.')
_CONSTRAINTS = flags.DEFINE_list(
    'constraints', None, 'Constraints as name[:threshold],...; unset means the '
    'run\'s.')
_SEED = flags.DEFINE_integer(
    'seed', None, 'Seed of the episodes\' starts; unset means the run\'s '
    '(whose training episodes start elsewhere all the same).')
_SUITE = flags.DEFINE_string(
    'suite', None, 'Who simulates: realworldrl, builtin or auto; unset means '
    "the run's setting.")
_ENVIRONMENT = flags.DEFINE_string(
    'environment', '', 'An own environment, as FILE.py:function or '
    "package.module:function; empty means the run's.")
_KWARGS = flags.DEFINE_string(
    'environment_kwargs', None, "Its settings as a JSON object; unset means "
    "the run's.")
_VIDEO = flags.DEFINE_string(
    'video', '', 'MP4 file for a film of the first episodes.')
_VIDEO_EPISODES = flags.DEFINE_integer(
    'video_episodes', 1, 'Episodes to be filmed (>= 1).')

_SHOW_STEPS = 50  # Between two looks at the progress.


def _evaluate() -> None:
  """Evaluates what the flags name."""
  source, output = _source()
  video = _check_video()
  main_lib.quiet_start_up()
  if video:
    # Before a simulator is imported, which reads it then.
    os.environ['MUJOCO_GL'] = _renderer(source)
  config, plant = source_lib.resolve(source, _changes())
  timestep = _check_picture(plant, config) if video else 0.0
  changed = source_lib.changed_source(source, config)
  if changed:
    print(changed, flush=True)
  policy, trained = source.load()
  print(f'{source.algorithm} after {trained} training episodes, from '
        f'{source.path}\non {_describe(config, plant)}', flush=True)
  result = _run(policy, config, plant, video, timestep)
  content = {
      'source': source.path, 'algorithm': source.algorithm,
      'training_episodes': trained, **_task(config, plant),
      'seed': config.seed, **result}
  workdir_lib.write_atomically(
      output, (json.dumps(content, indent=2) + '\n').encode())
  print(f'Every episode is in {output}'
        + (f', the film in {video}' if video else ''))


def _changes() -> Dict[str, Any]:
  """The settings that are to be others than the run's."""
  changes: Dict[str, Any] = {
      flag.name: flag.value for flag in (
          _SAFETY_COEFF, _THRESHOLD, _SEED, _SUITE) if flag.value is not None}
  if _CONSTRAINTS.value is not None:
    changes['constraints'] = tuple(_CONSTRAINTS.value)
  if _ENVIRONMENT.value:
    changes['environment'] = cli_flags.own_environment(_ENVIRONMENT.value)
  if _KWARGS.value is not None:
    changes['environment_kwargs'] = cli_flags.own_settings(_KWARGS.value)
  return changes


def _describe(config: config_lib.Config, plant: plant_lib.Plant) -> str:
  if plant.task is None:
    with_kwargs = (f', with {config.environment_kwargs}'
                   if config.environment_kwargs else '')
    return (f'{plant.name}, seed {config.seed}, made by {config.environment}'
            f'{with_kwargs}')
  with_spec = f', with {config.rwrl_spec}' if config.rwrl_spec else ''
  return (f'{plant.name}, safety coefficient {config.safety_coeff:g}, seed '
          f'{config.seed}, simulated by {plant.suite}{with_spec}')


def _task(config: config_lib.Config, plant: plant_lib.Plant) -> Dict[str, Any]:
  """What the episodes were run on, for the JSON file."""
  if plant.task is None:
    return {'task': plant.name, 'suite': plant.suite,
            'environment': config.environment,
            'environment_kwargs': config.environment_kwargs}
  info = plant.task.info
  return {'domain': info.domain, 'task': info.task,
          'safety_coeff': config.safety_coeff, 'suite': plant.suite,
          'rwrl_spec': config.rwrl_spec}


def _source() -> Tuple[source_lib.Source, str]:
  """The policy's source, and the file for the result."""
  if bool(_WORKDIR.value) == bool(_POLICY.value):
    raise validation.ConfigError(
        'workdir', _WORKDIR.value, 'a run\'s folder, or else --policy with an '
        'export\'s')
  if _EPISODES.value < 1:
    raise validation.ConfigError('episodes', _EPISODES.value, '>= 1')
  path = cli_flags.user_path(_WORKDIR.value or _POLICY.value)
  source = (source_lib.of_run(path, print) if _WORKDIR.value else
            source_lib.of_export(path))
  output = _OUTPUT.value or os.path.join(path, 'evaluation.json')
  return source, _file('output', output)


def _check_video() -> str:
  """Path of the film, or ''."""
  if not _VIDEO.value:
    return ''
  if not _VIDEO.value.endswith('.mp4'):
    raise validation.ConfigError('video', _VIDEO.value, 'a file called *.mp4')
  if not 1 <= _VIDEO_EPISODES.value <= _EPISODES.value:
    raise validation.ConfigError(
        'video_episodes', _VIDEO_EPISODES.value,
        f'in [1, --episodes={_EPISODES.value}]')
  return _file('video', _VIDEO.value)


def _file(flag: str, path: str) -> str:
  """An absolute path of a file that can be written, so far as one can see."""
  path = cli_flags.user_path(path)
  folder = os.path.dirname(path)
  if not os.access(folder, os.W_OK):
    raise validation.ConfigError(flag, path, 'a file in a folder that is there '
                                 'and can be written to')
  return path


def _renderer(source: source_lib.Source) -> str:
  """MuJoCo's back end; an own environment may draw without MuJoCo."""
  print('Looking for a renderer.', flush=True)
  try:
    return rendering.choose()
  except rendering.NoRendererError as error:
    if source.config.environment or _ENVIRONMENT.value:
      return 'disable'
    raise validation.ConfigError(
        'video', _VIDEO.value, 'none here', str(error)) from error


def _check_picture(plant: plant_lib.Plant, config: config_lib.Config) -> float:
  """Takes a picture, so that its lack is known first; the time of a step."""
  # Below what imports a simulator. pylint: disable-next=g-import-not-at-top
  from metal_tf.assessment import picture
  with contextlib.closing(plant.make(config.seed)) as environment:
    environment.reset()
    try:
      picture.take(environment)
    except picture.NoPictureError as error:
      raise validation.ConfigError(
          'video', _VIDEO.value, 'an environment that can be rendered',
          f'{error}.') from error
    return picture.control_timestep(environment)


def _run(policy: source_lib.Policy, config: config_lib.Config,
         plant: plant_lib.Plant, video: str, timestep: float) -> Dict[str, Any]:
  """Runs the episodes and prints the table; returns it as JSON."""
  # Below what imports a simulator. pylint: disable=g-import-not-at-top
  import numpy as np

  from metal_tf.assessment import film as film_lib
  from metal_tf.assessment import intervals
  from metal_tf.assessment import measure
  from metal_tf.assessment import summary
  # pylint: enable=g-import-not-at-top
  with contextlib.ExitStack() as stack:
    progress = stack.enter_context(_progress(plant.episode_steps))
    film: Optional[film_lib.Film] = None
    if video:
      film = stack.enter_context(film_lib.filming(
          video, _VIDEO_EPISODES.value, plant, timestep))

    def watch(episode: int, number: int, environment: Any, step: Any) -> None:
      progress(episode, number, step.last)
      if film is not None:
        film.watch(episode, number, environment, step)

    measured = measure.measure(
        policy, plant.make, config, _EPISODES.value, watch)
  assessment = intervals.assess(
      measured, np.array([c.threshold for c in plant.constraints]),
      [c.name for c in plant.constraints])
  print(summary.table(assessment, measured, plant), flush=True)
  return summary.as_json(assessment, measured, plant)


@contextlib.contextmanager
def _progress(episode_steps: int) -> Iterator[Callable[[int, int, bool], None]]:
  """Shows how far the episodes are, and when they will be done."""
  with rich_progress.Progress(
      '{task.description}', rich_progress.BarColumn(),
      rich_progress.MofNCompleteColumn(), 'episodes, time to go',
      rich_progress.TimeRemainingColumn()) as progress:
    bar = progress.add_task('evaluating', total=_EPISODES.value)

    def show(episode: int, step: int, last: bool) -> None:
      part = step / episode_steps if episode_steps else 0.0
      if last or step % _SHOW_STEPS == 0:
        progress.update(bar, completed=episode if last else episode - 1 + part)

    yield show


def main() -> NoReturn:
  """Runs the program; see `tool.run` for its errors."""
  tool.run(_evaluate)
