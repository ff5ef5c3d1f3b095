"""The content of a cluster's images, run as processes of this machine.

They get what Vertex AI gives its containers, the command of the Dockerfile and
CLUSTER_SPEC, and nothing else; nobody launches or watches them.
"""

import json
import os
import subprocess
import sys
import time
from unittest import mock

from absl import flags
from absl.testing import absltest
from launchpad.launch import signal_handling
import portpicker

from metal_tf.agent import agents
from metal_tf.distributed import fake_xmanager
from metal_tf.distributed import needs
from metal_tf.distributed import train as train_lib
from metal_tf.runs import log_tables
from metal_tf.training import testing

_LONG = 180.0


class ClusterRunTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    if not flags.FLAGS.is_parsed():
      flags.FLAGS.mark_as_parsed()
    self._shared = self.create_tempdir().full_path
    self._workdir = os.path.join(self._shared, 'run')

  def _submit(self, num_episodes):
    """Returns (image's folder, number of workers) of each pool."""
    config = testing.small_config(
        self._workdir, num_actors=2, num_episodes=num_episodes,
        evaluation_period=3)
    experiment = fake_xmanager.Experiment()
    with fake_xmanager.installed(experiment), mock.patch.multiple(
        signal_handling, exit_gracefully_on_sigint=mock.DEFAULT,
        exit_gracefully_on_sigquit=mock.DEFAULT), mock.patch.object(
            needs, 'SHARED_ROOT', self._shared):
      train_lib.train(
          agents.METAL, config, testing.make_environment, 'vertex_ai')
    return [(job.executable.executable_spec.path,
             job.executor.requirements.replicas)
            for _, job in sorted(experiment.jobs.items())]

  def _start(self, pools):
    """Starts every worker; returns the processes."""
    names = {
        f'workerpool{i}': [f'localhost:{portpicker.pick_unused_port()}'
                           for _ in range(replicas)]
        for i, (_, replicas) in enumerate(pools)}
    environment = {
        **os.environ, 'MUJOCO_GL': 'disable', 'TF_CPP_MIN_LOG_LEVEL': '2',
        # The environment's packages, but the code of the image.
        'PYTHONPATH': os.pathsep.join(
            path for path in sys.path if path.endswith('site-packages'))}
    processes = []
    for i, (folder, replicas) in enumerate(pools):
      for k in range(replicas):
        spec = {'cluster': names,
                'task': {'type': f'workerpool{i}', 'index': k}}
        process = subprocess.Popen(
            [sys.executable, '-m', 'process_entry', '--data_file=job.pkl'],
            cwd=folder, env={**environment, 'CLUSTER_SPEC': json.dumps(spec)},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        processes.append(process)
    return processes

  def test_a_run_and_its_resume(self):
    for num_episodes in (4, 8):
      processes = self._start(self._submit(num_episodes))
      deadline = time.monotonic() + _LONG
      statuses = [process.wait(max(0, deadline - time.monotonic()))
                  for process in processes]
      self.assertEqual(statuses, [0] * 7)  # The order of the pools is theirs.
      rows = log_tables.read(self._workdir)
      self.assertEqual(list(rows['episode']), list(range(1, num_episodes + 1)))
    self.assertGreater(rows['learner_steps'][-1], rows['learner_steps'][3])
    with open(os.path.join(self._workdir, 'config.json'),
              encoding='utf-8') as stream:
      self.assertEqual([session['resumed_at_episode']
                        for session in json.load(stream)['sessions']], [0, 4])


if __name__ == '__main__':
  absltest.main()
