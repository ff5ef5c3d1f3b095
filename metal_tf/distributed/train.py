"""Trains on several workers: the run's folder, its program, its end."""

import contextlib
import dataclasses
import os
import shutil
import signal
import tempfile
from typing import List, Optional, Tuple

from metal_tf import config as config_lib
from metal_tf import validation
from metal_tf.agent import agents
from metal_tf.distributed import cluster
from metal_tf.distributed import launch
from metal_tf.distributed import needs
from metal_tf.distributed import program as program_lib
from metal_tf.replay import reverb_replay
from metal_tf.runs import checkpoint as checkpoint_lib
from metal_tf.runs import log_tables
from metal_tf.runs import workdir as workdir_lib
from metal_tf.system import loopback
from metal_tf.training import feasibility
from metal_tf.training import hints
from metal_tf.training import opening
from metal_tf.training import progress as progress_lib
from metal_tf.training import seeding
from metal_tf.training import signals


def train(algorithm: agents.Algorithm, config: config_lib.Config,
          make_environment: seeding.EnvironmentFactory,
          launch_type: str) -> None:
  """Trains an agent, or resumes a run that was stopped.

  Args:
    algorithm: which agent.
    config: its settings.
    make_environment: makes the environment from a seed; has to be picklable by
      cloudpickle for processes.
    launch_type: 'local_mp' for processes, 'local_mt' for threads, 'vertex_ai'
      for Google's cluster, where this returns when the run has been submitted.

  Raises:
    ConfigError: for a setting that cannot be used.
    WorkdirError: if the folder cannot be used.
    CheckpointError: if there are checkpoints and none is intact.
    WorkerFailed: if a worker did, or has not left what it should at the end;
      the others have been stopped in order.
    SystemExit: with status 128 + n when stopped by SIGTERM or SIGINT, after a
      last checkpoint.
  """
  _check_settings(config, algorithm)
  if launch_type == cluster.LAUNCH_TYPE:
    train_on_cluster(algorithm, config, make_environment)
    return
  workdir = workdir_lib.Workdir(workdir_lib.absolute(config.workdir))
  with contextlib.ExitStack() as stack:
    stack.callback(workdir.close)
    workdir.remove_leftovers('replay-')
    scratch = stack.enter_context(tempfile.TemporaryDirectory(
        prefix='replay-', dir=workdir.path))
    run, progress = _prepare(
        algorithm, config, make_environment, workdir, scratch,
        loopback_only=True)
    stack.callback(progress.close)
    if not loopback.check():  # The workers' own warnings are in their logs.
      progress.note('Warning: this system does not let the run restrict its '
                    'ports to this machine; until it ends, others in the '
                    'network may reach them, which ask for no password.')
    number = launch.run_program(run, launch_type, progress)
    _check_end(workdir, config.num_episodes if number is None else None)
    if number is not None:
      progress.note(f'Stopped by {signal.Signals(number).name}; the same '
                    'command again goes on from the last checkpoint.')
      raise SystemExit(128 + number)
    progress.note(f'Everything of this run is in {workdir.path}')


def train_on_cluster(
    algorithm: agents.Algorithm, config: config_lib.Config,
    make_environment: seeding.EnvironmentFactory,
    accelerator: str = '') -> None:
  """Submits a run to Vertex AI, new or resumed, and returns.

  Args:
    algorithm: which agent.
    config: its settings, with a folder that all machines share.
    make_environment: makes the environment from a seed; has to be picklable by
      cloudpickle.
    accelerator: for the learner, e.g. 't4'; '' for none.

  Raises:
    ConfigError: for a setting that cannot be used, or without xmanager.
    WorkdirError: if the folder cannot be used.
    CheckpointError: if there are checkpoints and none is intact.
  """
  _check_settings(config, algorithm)
  needs.check_xmanager()
  path = os.path.abspath(config.workdir)
  needs.check_workdir(path)
  with contextlib.ExitStack() as stack:
    workdir = stack.enter_context(
        contextlib.closing(workdir_lib.Workdir(path)))
    scratch = workdir.file('scratch')
    shutil.rmtree(scratch, ignore_errors=True)  # Of the submission before.
    os.makedirs(scratch)  # It has to outlive this process.
    run, progress = _prepare(
        algorithm, config, make_environment, workdir, scratch,
        loopback_only=False)
    stack.callback(progress.close)
    cluster.submit(run, progress.note, accelerator)


def _check_settings(config: config_lib.Config,
                    algorithm: agents.Algorithm) -> None:
  """Raises ConfigError for settings that a program of workers cannot have."""
  validation.check_settings(config, algorithm)
  validation.check_workers(config)


def _prepare(
    algorithm: agents.Algorithm, config: config_lib.Config,
    make_environment: seeding.EnvironmentFactory, workdir: workdir_lib.Workdir,
    scratch: str, loopback_only: bool
) -> Tuple[program_lib.Run, progress_lib.Progress]:
  """Finds out all that the workers have to know."""
  make_environment = seeding.adapted(make_environment)
  with contextlib.closing(make_environment(0)) as environment:
    spec, suite = environment.spec, environment.suite
  progress = progress_lib.Progress(
      config.num_episodes, spec.constraint_names, spec.thresholds)
  opened = opening.open_run(
      workdir, algorithm, config, spec, suite, progress.note)
  hints.tell(config, spec, progress.note)
  run = program_lib.Run(
      algorithm=algorithm, config=opened.config, spec=spec,
      make_environment=make_environment, directory=workdir.path,
      scratch_directory=scratch, saved=opened.saved, saved_tables=None,
      loopback_only=loopback_only)
  progress.note(run.window.description)
  if opened.saved is None:
    _show_feasibility(workdir, make_environment, config, progress)
  if opened.saved is not None:
    tables, problem = _saved_tables(opened.saved, run)
    saved = opened.saved
    if tables is None:  # Nobody needs it any more.
      saved = saved._replace(replay=None)
    run = dataclasses.replace(run, saved=saved, saved_tables=tables)
    if problem:
      progress.note(f'The replay fills again first ({problem}).')
  return run, progress


def _check_end(workdir: workdir_lib.Workdir,
               num_episodes: Optional[int]) -> None:
  """Looks for what a run leaves at its end, whatever its workers have said.

  Args:
    workdir: of the run.
    num_episodes: that there have to be, and a summary; None after a signal.

  Raises:
    WorkerFailed: naming what is not there.
  """
  logged = 0
  if os.path.exists(workdir.file(log_tables.EPISODES.file)):
    logged = len(log_tables.read(workdir.path)['episode'])
  saved = checkpoint_lib.Checkpointer(
      workdir.file(workdir_lib.CHECKPOINTS), lambda warning: None).load_newest(
          with_replay=False)
  kept = saved.run['episode'] if saved else 0
  missing = []
  if kept < logged:
    missing.append(f'the last checkpoint (the newest has {kept} of {logged} '
                   'episodes; those behind it are lost)')
  if num_episodes is not None:
    if logged < num_episodes:
      missing.append(f'{num_episodes - logged} of {num_episodes} episodes')
    if not os.path.exists(workdir.file('summary.json')):
      missing.append('summary.json')
  if missing:
    raise launch.WorkerFailed(
        f'the run did not leave {" and ".join(missing)}.', '')


def _show_feasibility(
    workdir: workdir_lib.Workdir, make_environment: seeding.EnvironmentFactory,
    config: config_lib.Config, progress: progress_lib.Progress) -> None:
  """Measures before training; a signal ends the run as it does later on."""
  caught: List[int] = []
  with signals.handled(lambda number, _: caught.append(number)):
    feasibility.show(workdir, make_environment, config, progress.note,
                     stop=lambda: bool(caught))
  if caught:
    progress.note(f'Stopped by {signal.Signals(caught[0]).name} before the '
                  'first episode.')
    raise SystemExit(128 + caught[0])


def _saved_tables(saved: checkpoint_lib.Checkpoint,
                  run: program_lib.Run) -> Tuple[Optional[str], str]:
  """The replay's tables that the run can go on with, or why there are none."""
  directory = saved.replay
  if directory is None:
    return None, saved.replay_problem
  if not isinstance(directory, str):
    return None, ('it was kept by a run of one process, and several workers '
                  'need a server that they share')
  try:
    reverb_replay.check_saved_tables(directory, run.replay_settings)
  except (OSError, ValueError) as error:
    return None, str(error)
  return reverb_replay.saved_tables(directory), ''
