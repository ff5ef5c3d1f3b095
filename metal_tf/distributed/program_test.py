"""Tests of the wiring, without starting anything."""

import dataclasses
import sys
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import cloudpickle
import launchpad as lp
from launchpad import context as lp_context
from launchpad.nodes.python import local_multi_processing

from metal_tf.agent import agents
from metal_tf.distributed import coordinator as coordinator_lib
from metal_tf.distributed import program as program_lib
from metal_tf.distributed import supervised_node
from metal_tf.runs import checkpoint
from metal_tf.training import testing


def _run(num_actors=3, saved=None, **changes):
  config = testing.small_config('/nowhere', num_actors=num_actors, **changes)
  return program_lib.Run(
      algorithm=agents.METAL, config=config,
      spec=testing.make_environment(0).spec,
      make_environment=testing.make_environment, directory='/nowhere',
      scratch_directory='/nowhere/scratch', saved=saved, saved_tables=None,
      loopback_only=True)


class ProgramTest(parameterized.TestCase):

  @parameterized.parameters(1, 3)
  def test_groups_and_handles(self, num_actors):
    program, handles = program_lib.make_program(_run(num_actors))
    self.assertEqual(
        {label: len(nodes) for label, nodes in program.groups.items()},
        {'coordinator': 1, 'replay': 1, 'counter': 1, 'learner': 1,
         'actor': num_actors, 'evaluator': 1})
    self.assertCountEqual(handles, ['coordinator', 'counter'])
    for handle in handles.values():
      self.assertIsInstance(handle, lp.CourierHandle)

  def test_only_those_whom_others_call_have_a_port_and_it_is_one(self):
    program, _ = program_lib.make_program(_run())
    ports = {label: {len(node.addresses) for node in nodes}
             for label, nodes in program.groups.items()}
    self.assertEqual(ports, {
        'coordinator': {1}, 'replay': {1}, 'counter': {1}, 'learner': {1},
        'actor': {0}, 'evaluator': {0}})

  def test_everybody_can_be_sent_to_another_process(self):
    saved = checkpoint.Checkpoint(
        path='/nowhere/checkpoints/episode-00000004', learner={'w': None},
        run={'episode': 4}, replay=None, replay_episode=None)
    for run in (_run(), _run(saved=saved)):
      program, _ = program_lib.make_program(run)
      for nodes in program.groups.values():
        for node in nodes:
          self.assertTrue(callable(cloudpickle.loads(
              cloudpickle.dumps(node.function))))

  def test_workers_stop_in_their_phases(self):
    phase = coordinator_lib.Phase
    self.assertEqual(dict(_run(num_actors=2).workers), {
        'replay': phase.STOP_SERVING, 'counter': phase.STOP_SERVING,
        'learner': phase.STOP_LEARNING, 'evaluator': phase.STOP_ACTING,
        'actor 0': phase.STOP_ACTING, 'actor 1': phase.STOP_ACTING})

  @parameterized.parameters(1, 4, 50)
  def test_the_window_admits_an_episode_of_every_actor(self, num_actors):
    # Nothing is sampled before an episode has ended, and all actors may be
    # close to the end of their first.
    run = _run(num_actors)
    run = dataclasses.replace(
        run, spec=run.spec._replace(episode_steps=testing.EPISODE_STEPS))
    inserts = (num_actors + 1) * testing.EPISODE_STEPS  # And one that is cut.
    self.assertLessEqual(
        inserts * run.config.samples_per_insert, run.window.max_diff)
    self.assertLess(run.window.max_diff, sys.float_info.max)

  @parameterized.parameters((None, 10_000), (30, 30))
  def test_or_as_much_of_it_as_there_can_be(self, limit, longest):
    run = _run(num_actors=2)
    run = dataclasses.replace(
        run, config=run.config.replace(max_episode_steps=limit))
    self.assertEqual(run.spec.episode_steps, 0)  # It does not say.
    known = dataclasses.replace(
        run, spec=run.spec._replace(episode_steps=longest))
    self.assertEqual(run.window, known.window)
    self.assertLess(run.window.max_diff, sys.float_info.max)


class SupervisedNodeTest(absltest.TestCase):

  def _executables(self, launch_type, launch_config=None):
    program, _ = program_lib.make_program(_run(num_actors=2))
    nodes = program.groups['actor']
    for node in nodes:
      self.assertIsInstance(node, supervised_node.SupervisedNode)
      node._launch_context.initialize(launch_type, launch_config)
    return nodes[0].to_executables(nodes, 'actor', nodes[0].launch_context)

  def test_as_processes_each_has_the_supervisor_in_front(self):
    commands = self._executables(
        lp.LaunchType.LOCAL_MULTI_PROCESSING,
        local_multi_processing.PythonProcess())
    self.assertLen(commands, 2)
    for index, command in enumerate(commands):
      self.assertEqual(command.command_as_list[:4], [
          sys.executable, '-m', 'metal_tf.distributed.supervisor',
          sys.executable])
      self.assertEndsWith(command.command_as_list[4], 'process_entry.py')
      self.assertEqual(command.command_as_list[-2:],
                       ['--lp_task_id', str(index)])

  def test_as_threads_they_are_plain_functions(self):
    functions = self._executables(lp.LaunchType.LOCAL_MULTI_THREADING)
    self.assertLen(functions, 2)
    for function in functions:
      self.assertTrue(callable(function))

  def test_on_a_cluster_nothing_is_put_in_front(self):
    with mock.patch.object(
        lp.PyClassNode, 'to_executables', return_value=['a container']):
      self.assertEqual(
          self._executables(lp_context.LaunchType.VERTEX_AI), ['a container'])


if __name__ == '__main__':
  absltest.main()
