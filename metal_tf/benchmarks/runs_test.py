"""Tests of how a run waits for its turns; nothing is timed."""

from unittest import mock

from absl.testing import absltest

from metal_tf.benchmarks import runs
from metal_tf.benchmarks import tasks
from metal_tf.benchmarks import turns
from metal_tf.training import run
from metal_tf.training import seeding


class RunsTest(absltest.TestCase):

  def test_a_run_takes_the_gated_environment_and_waits_for_its_turns(self):
    asked = mock.create_autospec(turns.Turns, instance=True)
    asked.next.side_effect = [2, 1]
    with mock.patch.object(run, 'train') as train:
      runs.ours(asked, algorithm='d4pg', domain='cartpole', preset='small')
    _, config, make = train.call_args[0]
    environment = seeding.SeededEnvironment(make, 'environment', config)
    self.addCleanup(environment.close)
    num_turns = []
    for episode in range(1, 6):
      gated = environment.begin(episode)
      gated.reset()
      gated.step(gated.spec.action_maximum)
      num_turns.append(asked.next.call_count)
    # Two to warm up, then a turn of two episodes, and one of one.
    self.assertEqual(num_turns, [0, 0, 1, 1, 2])
    (first,), (second,) = (call[0] for call in asked.next.call_args_list)
    self.assertIsNone(first)
    self.assertGreater(second, 0.0)

  def test_the_peer_takes_it_too(self):
    config = tasks.make_config('cartpole')
    asked = mock.create_autospec(turns.Turns, instance=True)
    asked.next.side_effect = [1]
    environment = runs.gate(tasks.make_environment(config, seed=0), asked)
    self.addCleanup(environment.close)
    from metal_tf.benchmarks import acme_peer
    adapted = acme_peer.AcmeEnvironment(environment)
    for _ in range(3):
      adapted.reset()
    asked.next.assert_called_once_with(None)


if __name__ == '__main__':
  absltest.main()
