"""Every setting of a program of workers is at work where it should be."""

import tempfile
from typing import Any, Callable, List, Tuple
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized

from metal_tf import config as config_lib
from metal_tf.acting import episode as episode_lib
from metal_tf.distributed import leash as leash_lib
from metal_tf.distributed import program as program_lib
from metal_tf.replay import reverb_dataset
from metal_tf.replay import reverb_writer
from metal_tf.system import process
from metal_tf.training import testing
from metal_tf.training import wiring_runs
from metal_tf.training import wiring_testing

# What no worker gets, and who tests that.
_ELSEWHERE = {
    **dict.fromkeys([*config_lib.Config.names(role='task'), 'suite'],
                    'the environment: plant_test'),
    'feasibility_episodes': 'is before the program: train_test',
    'steps_per_call': 'several workers make one step in a call',
    'replay_store': 'Reverb, always',
    'learner_threads': 'is before TensorFlow is loaded: cli/main_test',
}
_RUNS = {
    name: (algorithm, dict(
        {key: value for key, value in settings.items()
         if key != 'replay_store'}, num_actors=num_actors,
        stall_seconds=100.0 + num_actors))
    for (name, (algorithm, settings)), num_actors in zip(
        wiring_runs.RUNS.items(), (2, 3, 5, 6, 7, 8))}


class _Leash:
  """Asks at once, and stops the worker when it has reported something."""
  hurried = False
  starts_before = 0
  count = 0
  doing = ''

  def __init__(self, *_: Any):
    self.stopping = False

  def ask(self, client: Any, method: str, *arguments: Any) -> Any:
    self.stopping = self.stopping or method.startswith('add_')
    return getattr(client, method)(*arguments)

  def wait(self, seconds: float) -> bool:
    del seconds
    return True

  def close(self) -> None:
    pass


class _Writer:
  """Keeps what an actor gives to the replay."""

  def __init__(self, *_: Any, **__: Any):
    self.transitions: List[Any] = []
    self.insert = self.transitions.append
    _Writer.newest = self

  def insert_episode_penalty(self, episode_penalty: Any) -> None:
    pass

  def close(self) -> None:
    pass


def _of_tables(tables: List[Any]) -> wiring_testing.Found:
  transitions, penalties = (table.info for table in tables)
  limiter, sampler = transitions.rate_limiter_info, transitions.sampler_options
  found = [('replay_capacity', transitions.max_size),
           ('penalty_capacity', penalties.max_size),
           ('min_replay_size', limiter.min_size_to_sample),
           ('samples_per_insert', limiter.samples_per_insert),
           ('replay', 'uniform' if sampler.uniform else 'prioritized')]
  if not sampler.uniform:
    found.append(('priority_exponent', sampler.prioritized.priority_exponent))
  return found


def _of_learner(make: Callable[..., Any]) -> Tuple[wiring_testing.Found, Any]:
  """What the learner's worker was made with, and the worker."""
  service = make(mock.Mock(), mock.Mock(), mock.Mock(server_address='there'))
  with mock.patch.object(reverb_dataset, 'samples',
                         return_value=iter([])) as samples:
    service._next_sample()
  asked = samples.call_args.kwargs
  found = [
      (name, value) for name, value in wiring_testing.of_learner(
          service._learner) if name != 'steps_per_call']
  found += [('batch_size', asked['batch_size']),
            ('penalty_samples', asked['num_penalty_samples']),
            ('checkpoint_seconds', service._policy._longest)]
  if asked['prioritization'] is not None:
    found += [(name, getattr(asked['prioritization'], name))
              for name in ('priority_exponent', 'importance_exponent')]
  return found, service


def _of_actor(make: Callable[..., Any], service: Any) -> wiring_testing.Found:
  """What an actor was made with, by the episode that it runs."""
  learner = mock.Mock(get_weights=service.get_weights,
                      largest_priority=service.largest_priority)
  worker = make(mock.Mock(), mock.Mock(), learner, mock.Mock())
  actors, make_actor = [], worker._make_actor

  def noted(*arguments: Any) -> Any:
    actors.append(make_actor(*arguments))
    return actors[-1]

  with mock.patch.object(worker, '_make_actor', noted):
    worker.run()
  writer = _Writer.newest
  return [('replay',
           'prioritized' if hasattr(writer, 'priority') else 'uniform'),
          *wiring_testing.of_episode(writer.transitions),
          *wiring_testing.of_actor(actors[0], worker._spec)]


def _of_evaluator(make: Callable[..., Any],
                  service: Any) -> wiring_testing.Found:
  counter = mock.Mock(last_evaluated=lambda: 0, num_episodes=lambda: 3)
  learner = mock.Mock(get_weights=service.get_weights, num_steps=lambda: 0)
  make(mock.Mock(), counter, learner).run()
  return [('evaluation_period', counter.add_evaluation.call_args.args[0])]


def observe(name: str, workdir: str
           ) -> Tuple[config_lib.Config, wiring_testing.Found]:
  """The settings by what the workers of a program do, one by one.

  Args:
    name: of one of `_RUNS`.
    workdir: of the run.

  Returns:
    The settings that were given, and what was found.
  """
  algorithm, settings = _RUNS[name]
  config = config_lib.Config(workdir=workdir, **settings)
  program, _ = program_lib.make_program(program_lib.Run(
      algorithm=algorithm, config=config,
      spec=testing.make_environment(0).spec,
      make_environment=testing.make_environment, directory=workdir,
      scratch_directory=f'{workdir}/scratch', saved=None, saved_tables=None,
      loopback_only=True))
  nodes = program.groups

  def make(label: str, index: int = 0) -> Callable[..., Any]:
    node = nodes[label][index]
    return lambda *clients: node._constructor(*clients, **node._kwargs)

  [coordinator] = nodes['coordinator']
  workers, num_episodes, stall_seconds = coordinator._args
  with mock.patch.object(leash_lib, 'Leash', _Leash), \
      mock.patch.object(reverb_writer, 'ReverbWriter', _Writer), \
      mock.patch.object(process, 'leave'), \
      wiring_testing.spied(episode_lib, 'Episode') as episodes, \
      wiring_testing.spied_seeds() as seeds:
    found, service = _of_learner(make('learner'))
    for index in range(config.num_actors):
      found += _of_actor(make('actor', index), service)
    found += _of_evaluator(make('evaluator'), service)
  return config, [
      ('num_actors', len(nodes['actor'])),
      ('num_actors', len({call.args for call in seeds.call_args_list
                          if call.args[0] == 'exploration'})),
      ('num_actors', sum(label.startswith('actor') for label, _ in workers)),
      ('stall_seconds', stall_seconds),
      ('num_episodes', num_episodes),
      ('num_episodes', nodes['counter'][0]._kwargs['num_episodes']),
      *(('workdir', nodes[label][0]._kwargs['directory'])
        for label in ('counter', 'learner')),
      *_of_tables(nodes['replay'][0]._priority_tables_fn()),
      *(('max_episode_steps', call.args[2])
        for call in episodes.call_args_list),
      *wiring_testing.of_seeds(
          seeds.call_args_list,
          ['networks', 'environment', 'exploration', 'evaluation']),
      *found]


class WiringTest(parameterized.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.observed = {name: observe(name, cls.enter_context(
        tempfile.TemporaryDirectory())) for name in _RUNS}

  @parameterized.parameters(*_RUNS)
  def test_what_is_given_is_at_work(self, name):
    config, found = self.observed[name]
    wiring_testing.check(self, found, config, auto={})

  def test_no_setting_is_forgotten(self):
    wiring_testing.check_none_forgotten(
        self, self.observed.values(), _ELSEWHERE)


if __name__ == '__main__':
  absltest.main()
