"""Tests of the way to a cluster, as far as it can be gone without one.

xmanager is a fake here, `fake_xmanager.py`. Everything of Launchpad is real, up
to the call that would submit the job.
"""

import importlib.metadata
import json
import os
from unittest import mock

from absl import flags
from absl.testing import absltest
import cloudpickle
import launchpad as lp
from launchpad.launch import signal_handling

from metal_tf import validation
from metal_tf.agent import agents
from metal_tf.distributed import cluster
from metal_tf.distributed import fake_xmanager
from metal_tf.distributed import needs
from metal_tf.distributed import program as program_lib
from metal_tf.distributed import train as train_lib
from metal_tf.training import testing


class ClusterTest(absltest.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    if not flags.FLAGS.is_parsed():
      flags.FLAGS.mark_as_parsed()

  def setUp(self):
    super().setUp()
    self._folder = self.create_tempdir().full_path
    self._experiment = fake_xmanager.Experiment()
    self._notes = []

  def _run(self, num_actors=3):
    config = testing.small_config(self._folder, num_actors=num_actors)
    return program_lib.Run(
        algorithm=agents.METAL, config=config,
        spec=testing.make_environment(0).spec,
        make_environment=testing.make_environment, directory=self._folder,
        scratch_directory=os.path.join(self._folder, 'scratch'), saved=None,
        saved_tables=None, loopback_only=False)

  def _submit(self, **arguments):
    """Submits to the fake; returns (folder, requirements) of each pool."""
    with fake_xmanager.installed(self._experiment), mock.patch.multiple(
        signal_handling, exit_gracefully_on_sigint=mock.DEFAULT,
        exit_gracefully_on_sigquit=mock.DEFAULT), mock.patch('builtins.print'):
      cluster.submit(self._run(**arguments), self._notes.append)
    jobs = self._experiment.jobs
    return [(job.executable.executable_spec, job.executor.requirements)
            for _, job in sorted(jobs.items())]

  def test_pools_of_machines(self):
    pools = self._submit(num_actors=3)
    self.assertEqual(
        [(r.resources['cpu'], r.resources['ram'] // 2**30, r.replicas)
         for _, r in pools],
        # Coordinator; replay; counter, actors and evaluator; learner.
        [(1, 2, 1), (4, 15, 1), (1, 4, 5), (8, 30, 1)])
    self.assertLen(self._notes, 1)
    self.assertIn('goes on without this machine', self._notes[0])

  def test_one_actor_is_no_special_case(self):
    self.assertEqual(
        [r.replicas for _, r in self._submit(num_actors=1)], [1, 1, 3, 1])

  def test_an_image_holds_workers_code_lock_and_dockerfile(self):
    for executable, requirements in self._submit():
      self.assertEqual(type(executable).__name__, 'Dockerfile')
      held = os.listdir(executable.path)
      for name in ('Dockerfile', 'requirements.txt', 'metal_tf', 'job.pkl',
                   'process_entry.py'):
        self.assertIn(name, held)
      self.assertNotIn('runs', held)
      self.assertNotIn('.git', held)
      # Without xmanager, as in the image.
      with open(os.path.join(executable.path, 'job.pkl'), 'rb') as stream:
        self.assertLen(cloudpickle.load(stream), requirements.replicas)

  def test_workers_find_each_other_by_the_clusters_names(self):
    pools = self._submit(num_actors=2)
    names = {f'workerpool{i}': [f'host{i}-{k}:2222'
                                for k in range(requirements.replicas)]
             for i, (_, requirements) in enumerate(pools)}
    addresses = {}
    with mock.patch.dict(os.environ, CLUSTER_SPEC=json.dumps(
        {'cluster': names, 'task': {'index': 0}})):
      for i, (executable, _) in enumerate(pools):
        with open(os.path.join(executable.path, 'job.pkl'), 'rb') as stream:
          for k, function in enumerate(cloudpickle.load(stream)):
            for address in function.__self__.addresses:
              addresses[(i, k)] = address.resolve()
    self.assertEqual(addresses, {
        (0, 0): 'host0-0:2222', (1, 0): 'host1-0:2222',
        (2, 0): 'host2-0:2222', (3, 0): 'host3-0:2222'})

  def test_the_accelerator_is_the_learners(self):
    table = needs.table(
        self._run().spec, self._run().config, accelerator='t4')
    with fake_xmanager.installed(self._experiment):
      resources = cluster.make_resources(table, self._folder)
    self.assertEqual(resources['learner'].hw_requirements.resources, {
        'cpu': 8, 'ram': 30 * 2**30, 't4': 1})
    self.assertEqual(resources['actor'].hw_requirements.resources, {
        'cpu': 1, 'ram': 4 * 2**30})

  def test_launchpad_is_left_as_it_was(self):
    self._submit()
    with fake_xmanager.installed(self._experiment):
      from launchpad.nodes.python import xm_docker
      original = xm_docker.to_docker_executables
      with mock.patch.object(lp, 'launch', side_effect=OSError('no docker')):
        with self.assertRaises(OSError):
          cluster.submit(self._run(), self._notes.append)
      self.assertIs(xm_docker.to_docker_executables, original)

  def test_without_xmanager_nothing_begins(self):
    config = testing.small_config(os.path.join(self._folder, 'run'))
    with mock.patch.object(
        importlib.metadata, 'version',
        side_effect=importlib.metadata.PackageNotFoundError):
      with self.assertRaisesRegex(validation.ConfigError, 'pip install'):
        train_lib.train(
            agents.METAL, config, testing.make_environment, 'vertex_ai')
    self.assertEmpty(os.listdir(self._folder))

  def test_a_folder_of_this_machine_is_refused(self):
    config = testing.small_config(os.path.join(self._folder, 'run'))
    with fake_xmanager.installed(self._experiment):
      with self.assertRaisesRegex(validation.ConfigError, '--workdir'):
        train_lib.train_on_cluster(
            agents.METAL, config, testing.make_environment)
    self.assertEmpty(os.listdir(self._folder))

  def test_a_run_is_submitted_as_it_is_in_its_folder(self):
    config = testing.small_config(
        os.path.join(self._folder, 'run'), num_actors=2)
    with fake_xmanager.installed(self._experiment), mock.patch.object(
        needs, 'SHARED_ROOT', self._folder), mock.patch.object(
            cluster, 'submit') as submit, mock.patch('builtins.print'):
      train_lib.train(
          agents.METAL, config, testing.make_environment, 'vertex_ai')
    run = submit.call_args.args[0]
    self.assertFalse(run.loopback_only)
    self.assertEqual(run.directory, os.path.join(self._folder, 'run'))
    self.assertTrue(os.path.isdir(run.scratch_directory))
    self.assertStartsWith(run.scratch_directory, run.directory)
    self.assertTrue(os.path.exists(os.path.join(run.directory, 'config.json')))


if __name__ == '__main__':
  absltest.main()
