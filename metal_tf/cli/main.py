"""The agents' common program: flags, checks, start table, training."""

import hashlib
import os
import shlex
import shutil
import sys
from typing import Callable, Iterator, List, NoReturn, Optional, Sequence, Tuple
import warnings

from absl import app
from absl import flags as absl_flags
from absl import logging

from metal_tf import config as config_lib
from metal_tf import environments
from metal_tf import plant as plant_lib
from metal_tf import validation
from metal_tf.agent import agents
from metal_tf.cli import closing
from metal_tf.cli import flags
from metal_tf.cli import tool
from metal_tf.environments import rwrl_spec
from metal_tf.runs import run_folder
from metal_tf.runs import workdir as workdir_lib
from metal_tf.system import threads
from metal_tf.training import screen

_CONSTRAINTS = 'Constraint, a limit on the mean penalty per step:'


def launch(algorithm: agents.Algorithm) -> NoReturn:
  """Runs the launcher of one agent; ends the process.

  Args:
    algorithm: the agent.
  """
  flags.define()
  flags.describe_launch_type()
  app.define_help_flags()
  config, plant, launch_type = _check(sys.argv, algorithm)
  shown = screen.Screen(sys.stdout)
  shown.line(start_table(algorithm, config, plant))
  shown.line(_plan(config, launch_type))
  _prepare_process(config)
  # Before app.run, not inside: TensorFlow 2.8 imported behind absl's set-up
  # takes tf.functions for graphs of TF 1, and `tensor == 0` is False in them.
  import tensorflow  # noqa: F401
  try:
    app.run(lambda argv: _train(algorithm, config, plant, launch_type))
  except KeyboardInterrupt:  # Later on, the run itself takes care of it.
    tool.fail('stopped before the first episode.', tool.INTERRUPTED,
              algorithm.name)
  raise AssertionError('app.run returns never.')


def _check(
    argv: List[str], algorithm: agents.Algorithm
) -> Tuple[config_lib.Config, plant_lib.Plant, Optional[str]]:
  """Checks everything that can be checked before TensorFlow is loaded."""
  try:
    _, *unexpected = flags.parse(argv)
    if unexpected:
      raise ValueError(f'unexpected argument {unexpected[0]!r}; settings are '
                       'flags, like --domain=cartpole.')
    config = flags.read()
    validation.check_settings(config, algorithm)
    launch_type = flags.launch_type(config)
    if config.environment:  # Its file may load TensorFlow.
      _prepare_process(config)
    plant = plant_lib.resolve(config)
  except (absl_flags.Error, ValueError) as error:
    tool.fail(str(error), tool.USAGE_ERROR, algorithm.name)
  return with_workdir(config, algorithm), plant, launch_type


def _prepare_process(config: config_lib.Config) -> None:
  """What has to be set before TensorFlow is loaded."""
  quiet_start_up()
  threads.set_up(config.learner_threads)


def quiet_start_up() -> None:
  """Keeps libraries from printing and from writing files when they are loaded.

  What they print says nothing about the run, and hides what does. A --verbosity
  that was asked for stays. To be called before TensorFlow is loaded.
  """
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
  # Else the first process takes all of an accelerator's memory.
  os.environ.setdefault('TF_FORCE_GPU_ALLOW_GROWTH', 'true')
  # Keras would leave its settings in the user's home; here it finds no folder.
  os.environ.setdefault('KERAS_HOME', os.devnull)
  if absl_flags.FLAGS['verbosity'].using_default_value:
    logging.set_verbosity(logging.WARNING)
  import gym_notices.notices
  gym_notices.notices.notices.clear()
  import gym  # noqa: F401  (It shows all warnings from here on; Acme has it.)
  warnings.filterwarnings('ignore', category=DeprecationWarning)


def with_workdir(config: config_lib.Config,
                 algorithm: agents.Algorithm) -> config_lib.Config:
  """Fills in the folder and makes it absolute.

  Args:
    config: the run's settings; an empty `workdir` gets a name made of them.
    algorithm: the agent.

  Returns:
    The settings with the folder.
  """
  path = flags.user_path(
      config.workdir or _default_workdir(config, algorithm, [
          field.name for field, setting in config_lib.Config.settings()
          if setting.named][::-1]))
  if not config.workdir and not os.path.exists(
      os.path.join(path, 'config.json')):
    # Names did not show these settings once. Whoever gives the command of such
    # a run again wants it to go on, not another run beside it.
    older = flags.user_path(_default_workdir(config, algorithm, ()))
    if older != path and _holds(older, config, algorithm):
      print(f'The run goes on in {older}, where an earlier version began it.',
            flush=True)
      path = older
  return config.replace(workdir=path)


def _default_workdir(config: config_lib.Config,
                     algorithm: agents.Algorithm,
                     shown: Sequence[str]) -> str:
  """Names the folder by what is varied most.

  A run that differs in anything else is refused by name in the other's folder,
  and needs a --workdir.
  """
  defaults = config_lib.Config()
  parts = [algorithm.name, *plant_lib.folder_parts(config)]
  parts += [f'{name}={getattr(config, name)}' for name in shown
            if getattr(config, name) != getattr(defaults, name)]
  if config.lagrange_multiplier:
    parts.append(f'lambda{config.lagrange_multiplier:g}')
  parts += [constraint.replace(':', '') for constraint in config.constraints]
  if config.threshold is not None:
    parts.append(f'beta{config.threshold:g}')
  if config.rwrl_spec:
    digest = hashlib.sha256(config.rwrl_spec.encode()).hexdigest()
    parts.append(f'rwrl{digest[:6]}')
  return os.path.join('runs', '-'.join([*parts, f'seed{config.seed}']))


def _holds(path: str, config: config_lib.Config,
           algorithm: agents.Algorithm) -> bool:
  """Whether a folder has a run of just these settings."""
  try:
    saved = workdir_lib.read_json(os.path.join(path, 'config.json'))
    if saved is None:
      return False
    workdir_lib.check_same_settings(
        saved, algorithm.name, validation.as_json(config))
  except (workdir_lib.WorkdirError, OSError):
    return False
  return True


def _train(algorithm: agents.Algorithm, config: config_lib.Config,
           plant: plant_lib.Plant, launch_type: Optional[str]) -> None:
  train(algorithm, config, plant.make, launch_type)
  try:
    told = closing.lines(config.workdir)
  except run_folder.RunFolderError as error:
    told = f'Warning: {error}'
  if told:
    screen.Screen(sys.stdout).line(told)


def train(
    algorithm: agents.Algorithm, config: config_lib.Config,
    make_environment: Callable[[int], environments.ConstrainedEnvironment],
    launch_type: Optional[str] = None) -> None:
  """Trains; what a user can mend is one sentence, without a traceback.

  Args:
    algorithm: the agent.
    config: its settings.
    make_environment: makes the environment from a seed.
    launch_type: Launchpad's; None trains in this process alone.

  Raises:
    SystemExit: with status 2 for settings or a folder that cannot be used, 1
      for a run that failed, 128 + n after a signal.
  """
  # pylint: disable=g-import-not-at-top
  from metal_tf.runs import checkpoint
  from metal_tf.training import divergence
  from metal_tf.training import run
  # pylint: enable=g-import-not-at-top
  try:
    if launch_type is None:
      tool.exit_on_sigterm()  # Before the run has a handler, and behind it.
      run.train(algorithm, config, make_environment)
    else:
      _train_distributed(algorithm, config, make_environment, launch_type)
  except (validation.ConfigError, workdir_lib.WorkdirError,
          checkpoint.CheckpointError) as error:
    tool.fail(str(error), tool.USAGE_ERROR, algorithm.name)
  except (environments.BadEnvironmentOutput, environments.EpisodeCut,
          environments.OwnEnvironmentError,
          divergence.DivergenceError) as error:
    tool.fail(f'{type(error).__name__}: {error}', tool.RUN_ERROR,
              algorithm.name)
  except OSError as error:
    # A disk that is full at the very end; before that it is only warned of.
    tool.fail(f'cannot write the end of the run ({error}); make room and give '
              'the same command again.', tool.RUN_ERROR, algorithm.name)
  finally:
    tool.keep_status()


def _train_distributed(
    algorithm: agents.Algorithm, config: config_lib.Config,
    make_environment: Callable[[int], environments.ConstrainedEnvironment],
    launch_type: str) -> None:
  """Trains with Launchpad; a worker's traceback is the last on the screen."""
  # pylint: disable=g-import-not-at-top
  from metal_tf.distributed import launch
  from metal_tf.distributed import train as distributed_train
  # pylint: enable=g-import-not-at-top
  try:
    distributed_train.train(algorithm, config, make_environment, launch_type)
  except launch.WorkerFailed as error:
    tool.fail(f'{error} Everything else was stopped; the same command again '
              'goes on from the last checkpoint.\n'
              f'{error.details}'.rstrip(), tool.RUN_ERROR, algorithm.name)


def _form(config: config_lib.Config, launch_type: Optional[str]) -> str:
  """Who does the work, and why one would have it otherwise."""
  if launch_type is None:
    return ('One process acts and learns in turns (--num_actors: several '
            'actors).')
  actors = f'{config.num_actors} actor' + 's' * (config.num_actors > 1)
  return {
      'local_mp': f'{actors}, learner, evaluator and replay as processes of '
                  'Launchpad (--lp_launch_type=local_mt: threads, which start '
                  'quicker but share one interpreter, and die together)',
      'local_mt': f'{actors}, learner, evaluator and replay as threads of '
                  'Launchpad (--lp_launch_type=local_mp: processes, which use '
                  'all cores, and of which an actor may die)',
      'vertex_ai': f'{actors}, learner, evaluator and replay on Vertex AI',
  }[launch_type]


def _plan(config: config_lib.Config, launch_type: Optional[str]) -> str:
  """What will happen, how long it takes, and where to look meanwhile."""
  evaluations = ('' if not config.evaluation_period else
                 f', and after every {config.evaluation_period} of them one '
                 'without exploration noise')
  lines = [_form(config, launch_type),
           f'It trains for {config.num_episodes} episodes{evaluations}.']
  if launch_type == 'vertex_ai':
    return '\n'.join(lines)
  board = shutil.which('tensorboard', path=os.pathsep.join([
      os.environ.get('PATH', ''), os.path.dirname(sys.executable)]))
  return '\n'.join([
      *lines, 'How long that takes is shown once learning has begun. Ctrl-C '
      'stops it with a checkpoint, and the same command goes on from there.',
      'To see how it goes, in another terminal:',
      '  ' + tool.command('watch', f'--workdir={config.workdir}'),
      *([f'  {shlex.join([board, f"--logdir={config.workdir}"])}']
        if board else ())])


def start_table(algorithm: agents.Algorithm, config: config_lib.Config,
                plant: plant_lib.Plant) -> str:
  """What is about to run: task, constraints, thresholds and their origins."""
  preset = ('' if config.preset == config_lib.Config.preset else
            f', preset {config.preset}')
  length = f'{config.num_episodes} episodes, seed {config.seed}{preset}'
  if plant.task is None:
    return '\n'.join(_own_lines(algorithm, config, plant, length))
  task = plant.task
  lines = [
      f'{algorithm.title} on {plant.name}, safety coefficient '
      f'{config.safety_coeff:g}, {length}',
      f'Simulated by: {plant.suite}' + (
          f', with {config.rwrl_spec}' if config.rwrl_spec else '') + (
              ' (its perturbations go on from episode to episode; a run that '
              'is resumed begins them anew)'
              if rwrl_spec.walks(rwrl_spec.parse(
                  config.rwrl_spec, task.info.domain)) else ''),
      _CONSTRAINTS,
  ]
  trained = {c.name: c for c in task.constraints}
  width = max(len(name) for name in task.info.constraint_names)
  for info in task.info.constraints:
    lines.append(
        _trained_line(trained[info.name], width) if info.name in trained else
        f'    {info.name:{width}}  not used; '
        f'{info.describe(config.safety_coeff)}')
  return '\n'.join([
      *lines, '* is trained with; in brackets stands where its threshold comes '
      f'from. The paper uses {task.info.default_constraint} here '
      f'({task.info.default_constraint_label}).', *_violations(plant)])


def _own_lines(algorithm: agents.Algorithm, config: config_lib.Config,
               plant: plant_lib.Plant, length: str) -> Iterator[str]:
  spec = plant.spec
  assert spec is not None
  yield f'{algorithm.title} on {plant.name}, {length}'
  settings = config.environment_kwargs
  yield f'Made by: {config.environment}' + (
      f', with {settings}' if settings else '')
  yield (f'Observation: {spec.observation_size} numbers, action: '
         f'{spec.action_size}, episode: '
         + (f'{spec.episode_steps} steps' if spec.episode_steps else
            'of a length that the environment does not tell'))
  yield _CONSTRAINTS
  width = max(len(c.name) for c in plant.constraints)
  for constraint in plant.constraints:
    yield _trained_line(constraint, width)
  yield from _violations(plant)


def _trained_line(constraint: validation.TaskConstraint, width: int) -> str:
  return (f'  * {constraint.name:{width}}  <= {constraint.threshold:g} '
          f'[{constraint.origin}]')


def _violations(plant: plant_lib.Plant) -> Iterator[str]:
  for constraint in plant.constraints:
    if constraint.text:
      yield (f'A step violates {constraint.name} unless this holds: '
             f'{constraint.text}.')

