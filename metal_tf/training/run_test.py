"""Whole runs of the small world: logs, repeatability, resuming, stopping."""

import csv
import json
import os
import signal
import threading
import time
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from metal_tf import types
from metal_tf import validation
from metal_tf.agent import agents
from metal_tf.environments import errors
from metal_tf.runs import checkpoint
from metal_tf.runs import log_tables
from metal_tf.runs import workdir as workdir_lib
from metal_tf.training import run
from metal_tf.training import testing

_TIMES = ('seconds',)


def _train(path, algorithm_=agents.METAL, environment=None, **changes):
  return run.train(algorithm_, testing.small_config(path, **changes),
                   environment or testing.make_environment)


def _newest(path):
  return checkpoint.Checkpointer(
      os.path.join(path, 'checkpoints'), print).load_newest()


def _weights(path):
  return _newest(path).learner


def setUpModule():
  testing.share_learners()


class RunTest(parameterized.TestCase):

  def _path(self, name='run'):
    return os.path.join(self.create_tempdir().full_path, name)

  def test_writes_everything_that_it_promises(self):
    path = self._path()
    score = _train(path)
    rows = log_tables.read(path)
    np.testing.assert_array_equal(rows['episode'], np.arange(1, 7))
    np.testing.assert_array_equal(
        rows['actor_steps'], testing.EPISODE_STEPS * np.arange(1, 7))
    # 4 samples per insert beyond the first 40, in batches of 16.
    np.testing.assert_array_equal(
        rows['learner_steps'], 10 * np.arange(0, 6))
    self.assertTrue(np.isnan(rows['critic_loss'][0]))  # Nothing learned yet.
    for name in ('critic_loss', 'policy_loss', 'outer_loss',
                 'meta_gradient_direct/left_half'):
      self.assertTrue(np.all(np.isfinite(rows[name][1:])), name)
    with open(os.path.join(path, 'summary.json'), encoding='utf-8') as stream:
      summary = json.load(stream)
    self.assertEqual(summary['episodes'], 6)
    self.assertAlmostEqual(summary['return'], score.episode_return)
    self.assertAlmostEqual(summary['return'], rows['episode_return'].mean(),
                           places=4)
    self.assertEqual([c['name'] for c in summary['constraints']],
                     ['left_half', 'far_away'])
    with open(os.path.join(path, 'config.json'), encoding='utf-8') as stream:
      config = json.load(stream)
    self.assertEqual(config['config']['batch_size'], 16)
    [session] = config['sessions']
    self.assertIn('tensorflow', session['versions'])
    self.assertEqual(session['resumed_at_episode'], 0)
    self.assertEqual(
        sorted(os.listdir(path)),
        ['checkpoints', 'config.json', 'episodes.csv', 'evaluations.csv',
         'export', 'lock', 'summary.json', 'tensorboard'])

  def test_tensorboard_has_the_numbers_of_the_csv(self):
    path = self._path()
    _train(path, num_episodes=3)
    scalars = testing.read_tensorboard(os.path.join(path, 'tensorboard'))
    steps, returns = zip(*scalars['return/episode_return'])
    self.assertEqual(steps, (1, 2, 3))
    np.testing.assert_allclose(
        returns, log_tables.read(path)['episode_return'], rtol=1e-6)

  def test_theorem_1_is_checked_while_training_and_over_a_resume(self):
    path = self._path()
    for num_episodes in (3, 6):
      _train(path, num_episodes=num_episodes, critic='scalar',
             inner_optimizer='sgd', exploration_sigma=1.0,
             environment=_always_violated)
    errors = log_tables.read(path)['theorem_error']
    self.assertTrue(np.isnan(errors[0]))  # Nothing learned yet.
    self.assertTrue(np.all(errors[1:] > 0))
    self.assertTrue(np.all(errors[1:] < 1e-5), errors)
    self.assertTrue(np.all(np.diff(errors[1:]) >= 0))  # The largest so far.

  def test_the_header_is_the_same_for_all_algorithms(self):
    headers = set()
    for agent, changes in ((agents.METAL, {}), (agents.D4PG, {}),
                           (agents.RC_D4PG, {}),
                           (agents.RS_D4PG, {'lagrange_multiplier': 0.5})):
      path = self._path(agent.name)
      _train(path, agent, num_episodes=2, **changes)
      with open(os.path.join(path, 'episodes.csv'), encoding='utf-8',
                newline='') as stream:
        headers.add(tuple(next(csv.reader(stream))))
    self.assertLen(headers, 1)
    self.assertEqual(headers.pop()[0], 'episode')

  def test_multipliers_follow_their_own_constraints(self):
    path = self._path()
    _train(path, agents.RC_D4PG, num_episodes=12, exploration_sigma=1.0,
           environment=_always_violated)
    rows = log_tables.read(path)
    self.assertGreater(rows['lambda/always'][-1], 0.1)
    self.assertEqual(rows['lambda/never'][-1], 0.0)
    self.assertEqual(rows['overshoot/always'][-1], 0.5)

  @parameterized.parameters(False, True)
  def test_two_runs_with_one_seed_are_identical(self, xla):
    one, two = self._path('one'), self._path('two')
    for path in (one, two):
      _train(path, xla=xla)
    self._assert_same(one, two)

  # Agents are tuples, which absl would unpack.
  @parameterized.parameters(
      dict(agent=agents.MESH),
      dict(agent=agents.METAL, critic='scalar', inner_optimizer='sgd',
           outer_loss='actor_critic', meta_optimizer='sgd'))
  def test_variants_go_on_exactly_on_prioritized_replay(self, agent, **variant):
    straight, resumed = self._path('straight'), self._path('resumed')
    for path, num_episodes in ((straight, 6), (resumed, 3), (resumed, 6)):
      _train(path, agent, _always_violated, num_episodes=num_episodes,
             replay='prioritized', **variant)
    self._assert_same(straight, resumed)
    self.assertGreater(log_tables.read(straight)['lambda/always'][-1], 0.1)

  def _assert_same(self, one, two):
    rows_one, rows_two = log_tables.read(one), log_tables.read(two)
    for name in rows_one:
      if name not in _TIMES:
        np.testing.assert_array_equal(rows_one[name], rows_two[name], name)
    weights_one, weights_two = _weights(one), _weights(two)
    for name in weights_one:
      np.testing.assert_array_equal(weights_one[name], weights_two[name], name)

  def test_another_seed_gives_another_run(self):
    one, two = self._path('one'), self._path('two')
    _train(one, seed=0)
    _train(two, seed=1)
    self.assertFalse(np.array_equal(
        log_tables.read(one)['episode_return'],
        log_tables.read(two)['episode_return']))

  @parameterized.parameters('own', 'reverb')
  def test_a_longer_run_of_the_same_folder_goes_on(self, store):
    path = self._path()
    _train(path, num_episodes=4, replay_store=store)
    with open(os.path.join(path, 'episodes.csv'), 'rb') as stream:
      before = stream.read()
    steps = _weights(path)['counts/0']
    _train(path, num_episodes=7, replay_store=store)
    with open(os.path.join(path, 'episodes.csv'), 'rb') as stream:
      after = stream.read()
    self.assertTrue(after.startswith(before))
    rows = log_tables.read(path)
    np.testing.assert_array_equal(rows['episode'], np.arange(1, 8))
    # The replay came back too: learning went on at once, at the same ratio.
    # Reverb's prefetch had drawn some batches ahead, which count as sampled.
    np.testing.assert_allclose(
        rows['learner_steps'], 10 * np.arange(0, 7),
        atol=0 if store == 'own' else 9)
    self.assertGreater(rows['learner_steps'][4], rows['learner_steps'][3])
    self.assertGreater(_weights(path)['counts/0'], steps)

  def test_every_session_is_recorded(self):
    path = self._path()
    for episodes in (2, 4):
      _train(path, num_episodes=episodes)
    with open(os.path.join(path, 'config.json'), encoding='utf-8') as stream:
      sessions = json.load(stream)['sessions']
    self.assertEqual(
        [session['resumed_at_episode'] for session in sessions], [0, 2])

  def test_evaluations_come_at_their_period_and_change_nothing(self):
    one, two = self._path('one'), self._path('two')
    _train(one, num_episodes=5, evaluation_period=2)
    _train(two, num_episodes=5, evaluation_period=0)
    rows = log_tables.read(one, log_tables.EVALUATIONS)
    np.testing.assert_array_equal(rows['episode'], [2, 4])
    np.testing.assert_array_equal(rows['learner_steps'], [10, 30])
    self.assertTrue(np.all(np.isfinite(rows['penalized_return'])))
    self.assertEmpty(
        log_tables.read(two, log_tables.EVALUATIONS)['episode'])
    for name, array in _weights(one).items():
      np.testing.assert_array_equal(array, _weights(two)[name], name)

  def test_rows_beyond_the_checkpoint_are_cut_when_resuming(self):
    path = self._path()
    _train(path, num_episodes=3)
    with open(os.path.join(path, 'episodes.csv'), 'a',
              encoding='utf-8') as stream:
      stream.write('4,half a row')
    _train(path, num_episodes=4)
    np.testing.assert_array_equal(
        log_tables.read(path)['episode'], np.arange(1, 5))

  def test_a_folder_with_other_settings_is_refused_by_name(self):
    path = self._path()
    _train(path, num_episodes=2)
    with self.assertRaisesRegex(workdir_lib.WorkdirError,
                                'lagrange_lr=0.01, this one lagrange_lr=0.5'):
      _train(path, num_episodes=2, lagrange_lr=0.5)
    with self.assertRaisesRegex(workdir_lib.WorkdirError,
                                "algorithm='metal', this one algorithm='d4pg'"):
      _train(path, agents.D4PG, num_episodes=2)

  def test_a_run_that_is_prolonged_keeps_its_rates(self):
    path = self._path()
    _train(path, agents.RC_D4PG, num_episodes=3, lagrange_lr=None)
    _train(path, agents.RC_D4PG, num_episodes=5, lagrange_lr=None)
    # 4 / learner steps, with 4 / 16 of them per step of 3 episodes, each of
    # which is assumed to have 1000 steps.
    np.testing.assert_allclose(
        log_tables.read(path)['effective_rate/left_half'],
        np.full(5, 4 / 750), rtol=1e-6)

  @parameterized.parameters('own', 'reverb')
  def test_a_lost_or_damaged_replay_fills_again(self, store):
    path = self._path()
    # On a slow machine, too, no checkpoint is before that of the end.
    settings = dict(replay_store=store, checkpoint_seconds=10_000.0)
    _train(path, num_episodes=3, **settings)
    kept = _newest(path)
    folder = kept.replay if isinstance(kept.replay, str) else kept.path
    state = os.path.join(folder, 'replay.json')
    os.remove(state)
    _train(path, num_episodes=5, **settings)
    # Episode 4 fills the replay, from episode 5 on there are 10 steps each.
    np.testing.assert_array_equal(
        log_tables.read(path)['learner_steps'][:4], [0, 10, 20, 20])

  def test_a_run_that_reverb_began_goes_on_with_it(self):
    path = self._path()
    _train(path, num_episodes=3, replay_store='reverb')
    _train(path, num_episodes=5)
    self.assertIsInstance(_newest(path).replay, str)
    # Nothing fills again; what Reverb's prefetch had drawn counts as sampled.
    self.assertGreater(log_tables.read(path)['learner_steps'][3], 20)
    _train(path, num_episodes=6, replay_store='own')
    self.assertIsInstance(_newest(path).replay, types.ReplaySnapshot)
    steps = log_tables.read(path)['learner_steps']
    self.assertEqual(steps[5], steps[4])  # Here it does.

  def test_a_folder_of_the_same_flags_but_another_threshold_is_refused(self):
    path = self._path()
    _train(path, num_episodes=1)
    with self.assertRaisesRegex(workdir_lib.WorkdirError, 'constrained='):
      _train(path, num_episodes=1, environment=_always_violated)

  def test_a_full_disk_costs_checkpoints_and_the_run_says_so_at_its_end(self):
    path = self._path()
    full = OSError(28, 'No space left on device')
    with mock.patch.object(
        checkpoint.Checkpointer, 'save', side_effect=full):
      with self.assertRaisesRegex(
          OSError, 'no checkpoint has the last 3 episodes'):
        _train(path, num_episodes=3)
    self.assertIsNone(_newest(path))
    self.assertEqual(workdir_lib.load_summary(path)['episodes'], 3)

  def test_checkpoints_that_fail_and_then_work_are_no_failure(self):
    path = self._path()
    save = checkpoint.Checkpointer.save

    def late(self, episode, *arguments):
      if episode < 3:
        raise OSError(28, 'No space left on device')
      return save(self, episode, *arguments)

    with mock.patch.object(checkpoint.Checkpointer, 'save', late):
      _train(path, num_episodes=3, checkpoint_seconds=0.0)
    self.assertEqual(_newest(path).run['episode'], 3)

  def test_a_run_needs_a_folder(self):
    with self.assertRaisesRegex(validation.ConfigError, '--workdir'):
      _train('')

  def test_a_signal_ends_the_run_with_a_checkpoint(self):
    path = self._path()

    def stop():
      log = os.path.join(path, 'episodes.csv')
      # With a row in the log, the run is in its loop and hears signals.
      while not os.path.exists(log) or _num_lines(log) < 2:
        time.sleep(0.05)
      os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=stop)
    thread.start()
    with self.assertRaises(SystemExit) as caught:
      _train(path, num_episodes=100000)
    thread.join()
    self.assertEqual(caught.exception.code, 128 + signal.SIGTERM)
    newest = _newest(path)
    self.assertLen(log_tables.read(path)['episode'], newest.run['episode'])

  def test_a_diverged_simulation_costs_an_episode_not_the_run(self):
    path = self._path()
    _train(path, num_episodes=3, environment=_diverging(times=2))
    self.assertLen(log_tables.read(path)['episode'], 3)

  def test_what_was_learned_from_a_cut_episode_counts(self):
    path = self._path()
    # Step 51 is the eleventh of the second episode.
    _train(path, num_episodes=3, environment=_diverging(times=1, period=51))
    rows = log_tables.read(path)
    np.testing.assert_array_equal(rows['actor_steps'], [40, 90, 130])
    # Of the ten steps before, six were complete with n = 5; 4 samples for each
    # insertion beyond the first 40, in batches of 16.
    np.testing.assert_array_equal(
        rows['learner_steps'], [0, 46 * 4 // 16, 86 * 4 // 16])
    newest = _newest(path)
    self.assertEqual(newest.run['cut_episodes'], 1)
    self.assertEqual(newest.replay.state['inserts'], 126)
    self.assertEqual(newest.replay.state['episodes'], 3)
    for row in (1, 2):
      self.assertTrue(np.isfinite(rows['critic_loss'][row]))

  def test_a_simulation_that_always_diverges_ends_the_run(self):
    with self.assertRaises(errors.EpisodeCut):
      _train(self._path(), environment=_diverging(times=1000))


def _num_lines(path):
  with open(path, encoding='utf-8') as stream:
    return len(stream.readlines())


def _always_violated(seed):
  """Half of the threshold is exceeded, whatever the agent does."""
  environment = testing.make_environment(seed)
  return type(environment)(testing.Slope(seed), [
      type(environment.constraints[0]).of_time_step(
          'always', lambda step: True, threshold=0.5),
      type(environment.constraints[0]).of_time_step(
          'never', lambda step: False, threshold=0.0)])


def _diverging(times, period=10):
  """An environment that gives up at every so many steps, so many times."""

  def make(seed):
    environment = testing.make_environment(seed)
    step, left = environment.step, [times * period]

    def failing_step(action):
      if left[0]:
        left[0] -= 1
        if left[0] % period == 0:
          raise errors.EpisodeCut('slope', period, 'made to')
      return step(action)

    environment.step = failing_step
    return environment

  return make


if __name__ == '__main__':
  absltest.main()
