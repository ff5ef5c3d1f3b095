"""Tests of the checks of a configuration."""

import json
import pathlib
import unittest.mock

from absl import flags
from absl.testing import absltest
from absl.testing import parameterized
import numpy as np

from metal_tf import config as config_lib
from metal_tf import validation
from metal_tf.agent import agents


class CheckSettingsTest(parameterized.TestCase):

  def test_the_defaults_pass(self):
    validation.check_settings(config_lib.Config(), agents.METAL)
    validation.check_settings(config_lib.Config(), agents.D4PG)

  @parameterized.parameters(
      (dict(domain='cartpol'), r'--domain: got .cartpol., .*cartpole\?'),
      (dict(suite='builtni'), r'--suite: .* Did you mean builtin\?'),
      (dict(meta_optimizer='sdg'), r'--meta_optimizer: .*sgd, adam'),
      (dict(safety_coeff=1.5),
       r'--safety_coeff: got 1.5, allowed: in \[0, 1\]'),
      (dict(safety_coeff=float('nan')), r'--safety_coeff: got nan'),
      (dict(threshold=-0.1), r'--threshold: got -0.1, allowed: in \[0, 1\]'),
      (dict(threshold=115.0), r'--threshold: got 115.0, allowed: in \[0, 1\]'),
      (dict(threshold=float('inf')), r'--threshold: got inf'),
      (dict(num_episodes=0), r'--num_episodes: got 0, allowed: >= 1'),
      (dict(seed=-1), r'--seed: got -1'),
      (dict(validation_fraction=0.0), r'--validation_fraction: .*\(0, 1\)'),
      (dict(validation_fraction=1.0), r'--validation_fraction: .*\(0, 1\)'),
      (dict(validation_fraction=0.001),
       r'--validation_fraction: .*at least one'),
      (dict(vmin=150.0), r'--vmin: got 150.0, allowed: below --vmax=150'),
      (dict(vmax=float('inf')), r'--vmax: got inf, allowed: a finite number'),
      (dict(batch_size=300, replay_capacity=200, min_replay_size=100),
       r'--batch_size: got 300, allowed: at most --replay_capacity=200'),
      (dict(min_replay_size=2000, replay_capacity=1000),
       r'--min_replay_size: got 2000, .*--replay_capacity=1000'),
      (dict(policy_layer_sizes=(64, 0)), r'--policy_layer_sizes: got 64,0'),
      (dict(critic_layer_sizes=()), r'--critic_layer_sizes: got nothing'),
      (dict(samples_per_insert=0.0), r'--samples_per_insert: got 0.0, .*> 0'),
      (dict(critic='scalar', outer_divergence='cross_entropy'),
       r"--outer_divergence: got 'cross_entropy', allowed: td with"),
      (dict(preset='tiny'), r'--preset: .*one of paper, small'),
      (dict(meta_epsilon=0.0), r'--meta_epsilon: got 0.0, allowed: > 0'),
      (dict(lagrange_lr=-1e-4), r'--lagrange_lr: got -0.0001, allowed: >= 0'),
      (dict(critic='scaler'), r'--critic: .* Did you mean scalar\?'),
      (dict(critic='scalar', outer_divergence='kl'),
       r"--outer_divergence: got 'kl', allowed: td with --critic=scalar"),
      (dict(outer_loss='both'), r'--outer_loss: .*critic, actor, actor_critic'),
      (dict(multiplier_projection='none'), r'--multiplier_projection: .*exact'),
      (dict(mesh_layer_sizes=()), r'--mesh_layer_sizes: got nothing'),
  )
  def test_refuses(self, changes, message):
    with self.assertRaisesRegex(validation.ConfigError, message):
      validation.check_settings(
          config_lib.Config(**changes), agents.METAL)

  def test_the_error_knows_its_field(self):
    with self.assertRaises(validation.ConfigError) as caught:
      validation.check_settings(config_lib.Config(n_step=0), agents.METAL)
    self.assertEqual(caught.exception.field, 'n_step')

  def test_a_fixed_multiplier_is_what_tells_rs_d4pg_from_d4pg(self):
    with self.assertRaisesRegex(validation.ConfigError, 'rs_d4pg'):
      validation.check_settings(
          config_lib.Config(lagrange_multiplier=0.1), agents.D4PG)
    with self.assertRaisesRegex(validation.ConfigError, '0.1, 1, 10 and 100'):
      validation.check_settings(config_lib.Config(), agents.RS_D4PG)
    validation.check_settings(
        config_lib.Config(lagrange_multiplier=0.1), agents.RS_D4PG)


  def test_mesh_splits_its_batch_and_has_its_own_outer_loss(self):
    validation.check_settings(
        config_lib.Config(critic='scalar', inner_optimizer='sgd'), agents.MESH)
    for changes, message in (
        (dict(outer_loss='actor'), "got 'actor', allowed: critic for mesh"),
        (dict(validation_fraction=0.001), 'at least one')):
      with self.assertRaisesRegex(validation.ConfigError, message):
        validation.check_settings(config_lib.Config(**changes), agents.MESH)


class ResolveTaskTest(parameterized.TestCase):

  def test_the_default_is_the_papers(self):
    task = validation.resolve_task(config_lib.Config())
    [constraint] = task.constraints
    self.assertEqual(constraint.name, 'balance_velocity')
    self.assertEqual(constraint.threshold, 0.115)
    self.assertEqual(constraint.origin, 'paper')

  def test_a_threshold_is_the_constraints_own_else_the_flags_else_the_default(
      self):
    constraints = ('slider_pos:0.2', 'balance_velocity')
    task = validation.resolve_task(config_lib.Config(
        constraints=constraints, threshold=0.3))
    self.assertEqual([c.threshold for c in task.constraints], [0.2, 0.3])
    task = validation.resolve_task(config_lib.Config(constraints=constraints))
    self.assertEqual([c.threshold for c in task.constraints], [0.2, 0.115])
    self.assertEqual([c.origin for c in task.constraints], ['given', 'paper'])

  def test_another_constraint_without_threshold_says_whose_choice_it_is(self):
    task = validation.resolve_task(config_lib.Config(
        constraints=('slider_pos',)))
    self.assertEqual(task.constraints[0].origin, 'our choice')

  @parameterized.parameters(
      (dict(constraints=('balance_velocty',)), r'mean balance_velocity\?'),
      (dict(constraints=('slider_pos:x',)), r'--constraints: .*slider_pos:thr'),
      (dict(constraints=('slider_pos:-1',)), r'threshold in .0, 1.'),
      (dict(constraints=('slider_pos:20',)), r'threshold in .0, 1.'),
      (dict(constraints=('slider_pos:nan',)), r'threshold in .0, 1.'),
      (dict(constraints=('slider_pos', 'slider_pos:0.1')),
       r'stands there twice'),
      (dict(task='swingdown'), r'--task: got .swingdown.'),
      (dict(domain='walkr'), r'Did you mean walker\?'),
  )
  def test_refuses(self, changes, message):
    with self.assertRaisesRegex(validation.ConfigError, message):
      validation.resolve_task(config_lib.Config(**changes))


class KindsTest(parameterized.TestCase):

  @parameterized.parameters(
      (dict(seed=np.arange(3)[1], discount=np.float32(0.5),
            xla=np.bool_(False), workdir=pathlib.Path('runs/one'),
            constraints=['a'], policy_layer_sizes=np.array([4, 5])),
       dict(seed=1, discount=0.5, xla=False, workdir='runs/one',
            constraints=('a',), policy_layer_sizes=(4, 5))),
      (dict(meta_lr=np.array(0.25), max_episode_steps=np.int64(7)),
       dict(meta_lr=0.25, max_episode_steps=7)))
  def test_what_is_meant_is_taken(self, given, expected):
    config = config_lib.Config(**given)
    validation.check_ranges(config)
    settings = validation.as_json(config)
    json.dumps(settings)
    for name, value in expected.items():
      self.assertEqual(getattr(config, name), value)
      self.assertIs(type(getattr(config, name)), type(value))

  @parameterized.parameters(
      (dict(seed='1'), "--seed: got '1', allowed: a whole number"),
      (dict(num_episodes=1.5), '--num_episodes: got 1.5, allowed: a whole num'),
      (dict(num_episodes=True), '--num_episodes: got True'),
      (dict(discount=None), '--discount: got None, allowed: a number'),
      (dict(xla=1), '--xla: got 1, allowed: true or false'),
      (dict(domain=None), '--domain: got None, allowed: a text'),
      (dict(policy_layer_sizes=4), '--policy_layer_sizes: got 4, .* each a wh'),
      (dict(constraints='slider_pos'), '--constraints: got .* each a text'),
      (dict(max_episode_steps=0), '--max_episode_steps: got 0, allowed: >= 1'))
  def test_refuses(self, changes, message):
    with self.assertRaisesRegex(validation.ConfigError, message):
      validation.check_ranges(config_lib.Config(**changes))


class OneProcessTest(absltest.TestCase):

  def test_workers_are_refused_by_name(self):
    validation.check_one_process(config_lib.Config())
    with self.assertRaisesRegex(
        validation.ConfigError, '--num_actors: got 4, allowed: 1 for train'):
      validation.check_one_process(config_lib.Config(num_actors=4))

  def test_so_is_launchpads_flag(self):
    values = flags.FlagValues()
    flags.DEFINE_string('lp_launch_type', 'local_mp', '', flag_values=values)
    with unittest.mock.patch.object(flags, 'FLAGS', values):
      values(['program'])
      validation.check_one_process(config_lib.Config())
      values(['program', '--lp_launch_type=local_mt'])
      with self.assertRaisesRegex(
          validation.ConfigError, "--lp_launch_type: got 'local_mt', .* train"):
        validation.check_one_process(config_lib.Config())


class AsJsonTest(absltest.TestCase):

  def test_json_gives_the_same_back(self):
    settings = validation.as_json(config_lib.Config(constraints=('a', 'b')))
    self.assertEqual(json.loads(json.dumps(settings)), settings)


class CheckRwrlSpecTest(parameterized.TestCase):
  _EASY = '{"combined_challenge": "easy"}'
  _WALK = '{"perturb_spec": {"enable": true, "scheduler": "drift_neg"}}'

  def _check(self, text, suite='realworldrl', **changes):
    validation.check_rwrl_spec(
        config_lib.Config(rwrl_spec=text, **changes), suite)

  def test_passes(self):
    self._check('')
    self._check('', 'builtin')
    self._check(self._EASY)
    self._check(self._WALK)

  @parameterized.parameters(
      (_EASY, 'builtin', {}, r'--rwrl_spec: .* nothing with the builtin suite'),
      ('{"delay_spec": {}}', 'realworldrl', {}, 'has no "enable": true'),
      ('{"noise": {}}', 'realworldrl', {}, 'did you mean noise_spec.$'),
      ('{"perturb_spec": {"enable": true, "param": "pole_mass"}}',
       'realworldrl', dict(domain='walker'), 'thigh_length, torso_length'))
  def test_refuses(self, text, suite, changes, message):
    with self.assertRaisesRegex(validation.ConfigError, message):
      self._check(text, suite, **changes)


if __name__ == '__main__':
  absltest.main()
