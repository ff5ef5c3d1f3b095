"""Tests of the start of a run in its folder."""

import os

from absl.testing import absltest
import numpy as np

from metal_tf import config as config_lib
from metal_tf import validation
from metal_tf.agent import agents
from metal_tf.environments import own_testing
from metal_tf.runs import checkpoint
from metal_tf.runs import saved_run
from metal_tf.runs import workdir as workdir_lib
from metal_tf.training import opening
from metal_tf.training import testing


def _write_replay(directory):
  with open(os.path.join(directory, 'table'), 'w', encoding='utf-8') as stream:
    stream.write('rows')


class OpeningTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self._path = self.create_tempdir().full_path
    self._workdir = workdir_lib.Workdir(self._path)
    self.addCleanup(self._workdir.close)
    self._spec = testing.make_environment(0).spec._replace(
        episode_steps=testing.EPISODE_STEPS)
    self._notes = []

  def _open(self, which=agents.D4PG, **changes):
    """Opens the folder; D4PG has no rates to tell of."""
    self._notes.clear()
    return opening.open_run(
        self._workdir, which, testing.small_config(self._path, **changes),
        self._spec, 'builtin', self._notes.append)

  def _save(self, opened, episode, save_replay=None):
    opened.checkpoints.save(
        episode, {'w': np.arange(3.0)}, {'episode': episode}, save_replay)

  def _sessions(self):
    return self._workdir.read_json('config.json')['sessions']

  def test_a_new_folder(self):
    opened = self._open()
    self.assertIsNone(opened.saved)
    self.assertEmpty(self._notes)
    described = self._workdir.read_json('config.json')
    self.assertEqual(described['algorithm'], 'd4pg')
    self.assertEqual(described['suite'], 'builtin')
    self.assertEqual(described['config']['num_episodes'], 6)
    self.assertEqual(described['constraints'], [
        {'name': 'left_half', 'threshold': 0.25},
        {'name': 'far_away', 'threshold': 0.5}])
    self.assertEqual(described['environment']['observation_size'], 3)
    self.assertEqual(
        [session['resumed_at_episode'] for session in self._sessions()], [0])

  def test_another_content_of_the_suites_spec_is_another_run(self):
    self._open(rwrl_spec='{"delay_spec": {"actions": 1, "enable": true}}')
    with self.assertRaisesRegex(
        workdir_lib.WorkdirError,
        r'rwrl_spec=.*"actions": 1.*, this one rwrl_spec=.*"actions": 2'):
      self._open(rwrl_spec='{"delay_spec": {"actions": 2, "enable": true}}')

  def test_a_run_from_before_a_setting_was_introduced(self):
    self._open()
    described = self._workdir.read_json('config.json')
    del described['config']['priority_exponent']
    self._workdir.write_json('config.json', described)
    with self.assertRaisesRegex(
        workdir_lib.WorkdirError, 'priority_exponent=0.6'):
      self._open(priority_exponent=0.5)
    self._open()
    self.assertEqual(
        self._workdir.read_json('config.json')['config']['priority_exponent'],
        0.6)

  def test_rates_by_the_length_are_told_recorded_and_kept(self):
    # 4 / learner steps, of which 6 episodes of 40 steps have 4 / 16 a step.
    alpha_1 = 4 / 60
    opened = self._open(agents.METAL, lagrange_lr=None)
    self.assertAlmostEqual(opened.config.lagrange_lr, alpha_1)
    self.assertAlmostEqual(opened.config.meta_lr, 28.125)
    self.assertRegex(self._notes[0], r'alpha_1 = 0\.0667, chosen so that')
    self.assertRegex(self._notes[1], r'alpha_eta = 28\.1, the default ')
    described = self._workdir.read_json('config.json')
    self.assertIsNone(described['config']['lagrange_lr'])
    self.assertIsNone(described['config']['meta_lr'])
    self.assertEqual(described['resolved'], {
        'lagrange_lr': opened.config.lagrange_lr,
        'meta_lr': opened.config.meta_lr})
    self._save(opened, 2)
    again = self._open(agents.METAL, lagrange_lr=None, num_episodes=60)
    self.assertEqual(again.config, opened.config.replace(num_episodes=60))
    self.assertEqual(
        self._workdir.read_json('config.json')['resolved'],
        described['resolved'])
    self.assertIn("kept from the run's first start", self._notes[1])

  def test_rates_edited_by_hand_are_refused(self):
    self._save(self._open(), 2)
    described = self._workdir.read_json('config.json')
    for resolved, message in (
        ({'lagrange_lr': 0.1}, "'resolved' in config.json has no 'meta_lr'"),
        ({'lagrange_lr': 0.1, 'meta_lr': 'fast'}, "'meta_lr' of .* is 'fast'")):
      self._workdir.write_json(
          'config.json', {**described, 'resolved': resolved})
      with self.assertRaisesRegex(workdir_lib.WorkdirError, message):
        self._open()

  def test_a_run_that_learned_nothing_yet_takes_its_new_length(self):
    self._open(agents.METAL, lagrange_lr=None)
    again = self._open(agents.METAL, lagrange_lr=None, num_episodes=60)
    self.assertAlmostEqual(again.config.lagrange_lr, 4 / 600)

  def test_a_run_of_earlier_defaults_goes_on_with_them(self):
    # As its version wrote it: all settings of that time, no `resolved`.
    earlier = dict(
        lagrange_lr=1e-4, meta_lr=None, meta_optimizer='adam',
        outer_divergence='cross_entropy', exploration_sigma=0.3)
    self._save(self._open(agents.METAL, **earlier), 2)
    described = self._workdir.read_json('config.json')
    del described['resolved']
    del described['config']['meta_epsilon'], described['config']['preset']
    self._workdir.write_json('config.json', described)
    defaults = {name: getattr(config_lib.Config, name) for name in earlier}
    for given in earlier, defaults, defaults:
      opened = self._open(agents.METAL, **given)
      for name, value in dict(
          earlier, meta_epsilon=1e-8, meta_lr=1e-3, preset='paper').items():
        self.assertEqual(getattr(opened.config, name), value, name)
      after = self._workdir.read_json('config.json')
      self.assertNotIn('resolved', after)
      self.assertEqual(
          after['config'],
          {**described['config'], 'meta_epsilon': 1e-8, 'preset': 'paper'})
    self.assertIn('Defaults have changed since this run began; it keeps '
                  'lagrange_lr=0.0001, meta_optimizer=adam, ',
                  '\n'.join(self._notes))
    with self.assertRaisesRegex(
        workdir_lib.WorkdirError, 'lagrange_lr=0.0001, this one .*0.001'):
      self._open(agents.METAL, **{**defaults, 'lagrange_lr': 1e-3})

  def test_a_changed_source_of_the_environment_is_told_not_refused(self):
    folder = self.create_tempdir().full_path
    path = own_testing.write_plant(folder)
    name = f'{path}:make'
    self._open(environment=name)
    before = self._workdir.read_json('config.json')['environment_source']
    self.assertEqual(before['file'], path)
    self._open(environment=name)
    self.assertNotIn('has changed', ' '.join(self._notes))
    moved = own_testing.write_plant(self.create_tempdir().full_path)
    with open(moved, 'a', encoding='utf-8') as stream:
      stream.write('# more\n')
    self._open(environment=f'{moved}:make')
    self.assertRegex(self._notes[0],
                     rf'^Warning: .*{moved} \(before: {path}\), has changed')
    self.assertNotEqual(
        self._workdir.read_json('config.json')['environment_source'], before)
    with self.assertRaisesRegex(
        workdir_lib.WorkdirError, "environment='push.py:make', this one "
        "environment='push.py:other'"):
      self._open(environment=f'{moved}:other')

  def test_a_run_from_before_a_setting_was_retired(self):
    for value in (True, False):
      self._save(self._open(), 2)
      described = self._workdir.read_json('config.json')
      described['config']['deterministic'] = value
      del described['config']['replay_store']
      self._workdir.write_json('config.json', described)
      workdir_lib.check_same_settings(
          described, 'd4pg',
          validation.as_json(testing.small_config(self._path)))
      self.assertEqual(
          saved_run.config_from_json(described['config']),
          testing.small_config(self._path))
      self.assertEqual(self._open().saved.run, {'episode': 2})
      self.assertNotIn(
          'deterministic', self._workdir.read_json('config.json')['config'])
    with self.assertRaisesRegex(workdir_lib.WorkdirError, "'determined'"):
      saved_run.config_from_json({'determined': 1})

  def test_an_older_run_gets_its_interface_when_it_is_resumed(self):
    self._open()
    described = self._workdir.read_json('config.json')
    interface = described.pop('interface')
    self.assertEqual(interface, {
        'observation': [{'name': 'observation', 'size': 3}],
        'action_minimum': [-1.0], 'action_maximum': [1.0]})
    self._workdir.write_json('config.json', described)
    self._open()
    self.assertEqual(
        self._workdir.read_json('config.json')['interface'], interface)

  def test_a_run_that_ended_before_its_first_checkpoint(self):
    self._open()
    opened = self._open()
    self.assertIsNone(opened.saved)
    self.assertEqual(self._notes, [
        'The run in this folder ended before its first checkpoint; starting '
        'again.'])
    self.assertLen(self._sessions(), 2)

  def test_a_finished_run_without_its_checkpoints_keeps_its_logs(self):
    self._open()
    self._workdir.write_json('summary.json', {'episodes': 2})
    before = self._workdir.read_json('config.json')
    with self.assertRaisesRegex(
        workdir_lib.WorkdirError, 'has finished and has no checkpoint'):
      self._open(num_episodes=9)
    self.assertEqual(self._workdir.read_json('config.json'), before)
    self.assertIsNotNone(self._workdir.read_json('summary.json'))

  def test_resumed_at_the_newest_checkpoint(self):
    opened = self._open()
    self._save(opened, 2)
    self._save(opened, 4)
    resumed = self._open(num_episodes=9)  # The length may change.
    self.assertEqual(resumed.saved.run, {'episode': 4})
    np.testing.assert_array_equal(resumed.saved.learner['w'], np.arange(3.0))
    self.assertLen(self._notes, 1)
    self.assertRegex(
        self._notes[0],
        r'^Resumed at episode 4 \(checkpoint .*episode-00000004\)\.$')
    self.assertEqual(
        self._workdir.read_json('config.json')['config']['num_episodes'], 9)

  def test_sessions_are_appended(self):
    self._save(self._open(), 2)
    self._save(self._open(), 4)
    self._open()
    self.assertEqual(
        [session['resumed_at_episode'] for session in self._sessions()],
        [0, 2, 4])

  def test_an_older_replay_is_told_of(self):
    opened = self._open()
    self._save(opened, 2, _write_replay)
    self._open()
    self.assertNotIn('replay is of', self._notes[0])
    self._save(opened, 4)
    self.assertEqual(self._open().saved.replay_episode, 2)
    self.assertRegex(self._notes[0], r'episode-00000004; its replay is of '
                     r'episode 2\)')

  def test_other_settings_are_refused_by_name_and_change_nothing(self):
    self._save(self._open(), 2)
    before = self._workdir.read_json('config.json')
    with self.assertRaisesRegex(
        workdir_lib.WorkdirError, 'discount=0.99, this one discount=0.5'):
      self._open(discount=0.5)
    with self.assertRaisesRegex(
        workdir_lib.WorkdirError, "algorithm='d4pg', this one "
        "algorithm='metal'"):
      self._open(agents.METAL)
    self.assertEqual(self._workdir.read_json('config.json'), before)

  def test_only_damaged_checkpoints_are_refused_too(self):
    self._save(self._open(), 2)
    path = os.path.join(
        self._path, workdir_lib.CHECKPOINTS, 'episode-00000002', 'learner.npz')
    with open(path, 'r+b') as stream:
      stream.write(b'damage')
    with self.assertRaisesRegex(checkpoint.CheckpointError, 'is intact'):
      self._open()
    self.assertLen(self._sessions(), 1)


if __name__ == '__main__':
  absltest.main()
