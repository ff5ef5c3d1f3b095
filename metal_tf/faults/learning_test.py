"""Numbers that go wrong, wrong settings, repeatability, old checkpoints."""

import json
import os

from absl.testing import absltest
import numpy as np

from metal_tf.acting import numpy_policy
from metal_tf.agent import agents
from metal_tf.faults import harness
from metal_tf.faults import record_golden
from metal_tf.runs import checkpoint
from metal_tf.training import parts


class LearningTest(harness.FaultTestCase):

  def test_f13_some_updates_are_not_finite(self):
    """NaN in 3 batches -> skipped, counted, said; lambda and alpha finite"""
    ended = self.small(['nan_batches', 15, 3], num_episodes=5)
    self.assert_ended(ended, 0)
    self.assertIn('Warning: 3 of the last 10 updates had a NaN', ended.out)
    self.assertEqual(ended.out.count('were skipped'), 1)
    self.assertEqual(self.summary()['skipped_updates'], 3)
    for name, values in self.rows().items():
      if name.partition('/')[0] in ('lambda', 'alpha_lambda'):
        self.assertTrue(np.isfinite(values).all(), name)
    for name, array in self.newest().learner.items():
      self.assertTrue(np.isfinite(array).all(), name)

  def test_f13_no_update_is_finite_any_more(self):
    """NaN in every batch -> stops with a dump and a named error, status 1"""
    ended = self.small(['nan_batches', 15, 10**6], num_episodes=1000)
    self.assert_ended(ended, 1)
    self.assertIn('metal: DivergenceError: the last 1', ended.err)
    self.assertNotIn('Traceback', ended.err)
    dump = os.path.join(self.workdir, 'dump')
    with np.load(os.path.join(dump, 'batch.npz')) as batch:
      self.assertTrue(np.isnan(batch['r_t']).all())
    with np.load(os.path.join(dump, 'learner.npz')) as learner:
      for name in learner:
        self.assertTrue(np.isfinite(learner[name]).all(), name)
    with open(os.path.join(dump, 'metrics.json'), encoding='utf-8') as stream:
      self.assertGreaterEqual(json.load(stream)['skipped_in_a_row'], 100)

  def test_f16_wrong_flags(self):
    """wrong flags -> status 2 before anything starts: flag, got, allowed"""
    for flags, message in (
        ('--domain=cartpol', '--domain: got .*Did you mean cartpole'),
        ('--constraints=slider_position', 'Did you mean slider_pos'),
        ('--safety_coeff=2', r'--safety_coeff: got 2.0, allowed: in \[0, 1\]'),
        ('--threshold=1.5', r'--threshold: got 1.5, allowed: in \[0, 1\]'),
        ('--batch_size=200 --replay_capacity=100 --min_replay_size=10',
         '--batch_size: got 200, allowed: at most --replay_capacity=100'),
        ('--vmin=5 --vmax=5', '--vmin: got 5.0, allowed: below --vmax=5'),
        ('--validation_fraction=1',
         r'--validation_fraction: got 1.0, allowed: in \(0, 1\)')):
      with self.subTest(flags=flags):
        ended = self.launch(
            'metal', f'--workdir={self.workdir}', *flags.split())
        self.assert_ended(ended, 2)
        self.assertRegex(ended.err, message)
        self.assertNotIn('Traceback', ended.err)
        self.assertFalse(os.path.exists(self.workdir))

  def test_f19_sizes_that_would_wait_for_ever(self):
    """minimum above capacity, narrow window, slow actor -> no deadlock"""
    ended = self.launch(
        'metal', f'--workdir={self.workdir}', '--replay_capacity=1000',
        '--min_replay_size=2000')
    self.assert_ended(ended, 2)
    self.assertIn('--min_replay_size: got 2000, allowed: at most '
                  '--replay_capacity=1000', ended.err)
    for store, changes in (
        # One batch for a thousand transitions, and ten for each of them.
        ('own', dict(samples_per_insert=0.016)),
        ('reverb', dict(samples_per_insert=160.0)),
        ('reverb', dict(min_replay_size=1, samples_per_insert=1.0))):
      with self.subTest(**changes):
        workdir = os.path.join(self.scratch, str(changes))
        ended = self.small(workdir=workdir, num_episodes=3,
                           replay_store=store, **harness.ANY_AGENT, **changes)
        self.assert_ended(ended, 0)
        self.assertLen(self.rows(workdir)['episode'], 3)
    self.assert_ended(
        self.small(['slow', 0.05], num_episodes=3, replay_store='reverb',
                   **harness.ANY_AGENT), 0)

  def test_f20_two_runs_with_one_seed(self):
    """two runs, one seed -> equal metrics, checkpoints and exports"""
    workdirs = [os.path.join(self.scratch, name) for name in 'ab']
    processes = [self.start_small(workdir=workdir, num_episodes=10)
                 for workdir in workdirs]
    for process in processes:
      self.assert_ended(self.end(process), 0)
    self.assert_same_run(*workdirs)

  def test_f23_a_checkpoint_of_an_older_version(self):
    """golden checkpoint -> loads, same action for the golden observation"""
    warnings = []
    loaded = checkpoint.Checkpointer(
        record_golden.CHECKPOINTS, warnings.append).load_newest()
    self.assertEmpty(warnings)
    with open(record_golden.ACTION, encoding='utf-8') as stream:
      golden = json.load(stream)
    spec = record_golden.spec()
    learner = parts.make_learner(
        spec, agents.METAL, record_golden.config(self.workdir))
    learner.set_state(loaded.learner)
    policy = numpy_policy.NumpyPolicy(
        parts.policy_weights(learner)(), spec.action_minimum,
        spec.action_maximum)
    action = policy(np.array(golden['observation'], np.float32))
    # The order of sums in a product of matrices is the machine's.
    np.testing.assert_allclose(action, golden['action'], rtol=1e-5)
    self.assertEqual(learner.num_steps, golden['learner_steps'])
    replay = parts.make_replay(spec, record_golden.config(self.workdir))
    replay.restore(loaded.replay)
    self.assertEqual(replay.num_transitions, golden['transitions'])


if __name__ == '__main__':
  absltest.main()
