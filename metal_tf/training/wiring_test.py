"""Every setting of a run in one process is at work where it should be."""

import collections
import os
import tempfile
from typing import Any, Tuple
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from metal_tf import config as config_lib
from metal_tf.acting import episode as episode_lib
from metal_tf.replay import in_process
from metal_tf.replay import reverb_replay
from metal_tf.runs import checkpoint as checkpoint_lib
from metal_tf.system import threads
from metal_tf.training import export
from metal_tf.training import run as run_lib
from metal_tf.training import seeding
from metal_tf.training import testing
from metal_tf.training import wiring_runs
from metal_tf.training import wiring_testing

# What no part of a run in one process gets, and who tests that.
_ELSEWHERE = {
    **dict.fromkeys(config_lib.Config.names(role='task'),
                    'the environment: plant_test'),
    'suite': 'the environment: plant_test',
    'num_actors': 'the program: distributed/wiring_test',
    'stall_seconds': 'the program: distributed/wiring_test',
}


class _Steps:
  """In place of a learner's steps: notes them, and changes nothing."""

  def __init__(self, prioritized: bool):
    self.largest_call = 0
    self._prioritized = prioritized
    self.found: wiring_testing.Found = []

  def __call__(self, transitions: Any, penalties: Any, weights: Any) -> Any:
    self.largest_call = max(self.largest_call, len(penalties))
    self.found += [('batch_size', transitions.r_t.shape[1]),
                   ('penalty_samples', penalties.shape[1])]
    return np.ones_like(weights) if self._prioritized else None


class _Reverb(in_process.InProcessReplay):
  """In place of Reverb's, of which there is no need here."""

  def __init__(self, spec: Any, settings: Any, scratch_directory: str):
    del scratch_directory
    super().__init__(spec, settings, seed=0)


def observe(name: str,
            workdir: str) -> Tuple[config_lib.Config, wiring_testing.Found]:
  """The settings by what a whole run does that learns nothing.

  Args:
    name: of one of `RUNS`.
    workdir: its folder.

  Returns:
    The settings that were given, and what was found.
  """
  algorithm, settings = wiring_runs.RUNS[name]
  config = config_lib.Config(workdir=workdir, **settings)
  steps, inserted = _Steps(config.replay == 'prioritized'), []
  runs, spies, begun = [], {}, collections.defaultdict(list)
  original_init = run_lib.Run.__init__
  original_insert = in_process.InProcessReplay.insert
  original_begin = seeding.SeededEnvironment.begin

  def init(self: run_lib.Run, *args: Any) -> None:
    original_init(self, *args)
    runs.append(self)
    self._learner.steps = steps

  def insert(self: Any, transition: Any) -> None:
    inserted.append(transition)
    original_insert(self, transition)

  def begin(self: Any, episode: int, *attempt: int) -> Any:
    begun[self._role].append(episode)
    return original_begin(self, episode, *attempt)

  with mock.patch.object(run_lib.Run, '__init__', init), \
      mock.patch.object(in_process.InProcessReplay, 'insert', insert), \
      mock.patch.object(seeding.SeededEnvironment, 'begin', begin), \
      mock.patch.object(reverb_replay, 'ReverbReplay', _Reverb), \
      mock.patch.object(export, 'export_at_end'), \
      mock.patch.object(threads, 'serve') as spies['threads'], \
      wiring_testing.spied(episode_lib, 'Episode') as spies['episodes'], \
      wiring_testing.spied(
          checkpoint_lib.Checkpointer, 'save') as spies['saves'], \
      wiring_testing.spied_seeds() as spies['seeds']:
    run_lib.train(algorithm, config, testing.make_environment)
  [run] = runs
  saved = [call.args[1] for call in spies['saves'].call_args_list]
  spec = run._spec
  return config, [
      ('workdir', os.path.dirname(run._workdir.file('summary.json'))),
      ('num_episodes', len(set(begun['environment']))),
      ('num_episodes', saved[-1]),
      ('evaluation_period', begun['evaluation'][0]),
      ('feasibility_episodes', len(begun['feasibility']) / 2),
      ('checkpoint_seconds', run._saving._longest),
      ('learner_threads', spies['threads'].call_args.args[0]),
      ('steps_per_call', steps.largest_call),
      ('replay_store', 'reverb' if isinstance(run._replay, _Reverb) else 'own'),
      *(('max_episode_steps', call.args[2])
        for call in spies['episodes'].call_args_list),
      *wiring_testing.of_seeds(spies['seeds'].call_args_list, [
          'networks', 'environment', 'exploration', 'evaluation',
          'feasibility'] + ['replay'] * (not isinstance(
              run._replay, _Reverb))),
      *steps.found,
      *wiring_testing.of_episode(inserted[:config.max_episode_steps]),
      *wiring_testing.of_replay(run._replay, inserted),
      *wiring_testing.of_actor(run._actor, spec),
      *wiring_testing.of_learner(run._learner)]


class WiringTest(parameterized.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.observed = {name: observe(name, os.path.join(
        cls.enter_context(tempfile.TemporaryDirectory()), 'run'))
                    for name in wiring_runs.RUNS}

  @parameterized.parameters(*wiring_runs.RUNS)
  def test_what_is_given_is_at_work(self, name):
    config, found = self.observed[name]
    wiring_testing.check(self, found, config, auto=dict(replay_store='own'))

  def test_no_setting_is_forgotten(self):
    wiring_testing.check_none_forgotten(
        self, self.observed.values(), _ELSEWHERE)


if __name__ == '__main__':
  absltest.main()
