"""A long run with four actors: nothing grows.

    ./bazelw test //metal_tf/faults:soak_test             # 45 s
    ./bazelw test //metal_tf/faults:soak_10_minutes_test  # by hand
"""

import os
import re
import signal
import time

from absl.testing import absltest
import numpy as np
import psutil

from metal_tf.faults import harness

_SECONDS = float(os.environ.get('METAL_TF_SOAK_SECONDS', '45'))
_PERIOD_SECONDS = 1.0
# Allocators keep some pages, and lists of numbers grow by a few per episode. In
# less than 90 s a leak comes to less, and so is less allowed.
_SHARE_OF_LIMIT = min(1.0, _SECONDS / 90)
_GROWTH_MEGABYTES = 12.0 * _SHARE_OF_LIMIT
_GROWTH_SHARE = 0.03 * _SHARE_OF_LIMIT


class SoakTest(harness.FaultTestCase):

  def test_f22_nothing_grows(self):
    """soak with 4 actors -> memory and descriptors flat, one trace"""
    process = self.start_small(
        launch_type='local_mp', num_actors=4, num_episodes=1_000_000,
        checkpoint_seconds=5.0, replay_capacity=400, forked=False)
    for line in process.stdout:
      if line.startswith('Processes: '):
        break
    workers = {name: psutil.Process(int(pid)) for name, pid in
               re.findall(r'([a-z]+(?: \d+)?) (\d+)', line)}
    # The replay is full and all code has been used once.
    self.wait_until(lambda: self.num_checkpoints() > 1)
    memory, descriptors = [], []
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
      memory.append([w.memory_info().rss / 2**20 for w in workers.values()])
      descriptors.append([w.num_fds() for w in workers.values()])
      time.sleep(_PERIOD_SECONDS)
    process.send_signal(signal.SIGTERM)
    self.assert_ended(self.end(process), 143)
    third = len(memory) // 3
    early, late = (np.median(part, axis=0) for part in (
        memory[:third], memory[-third:]))
    few, many = (np.max(part, axis=0) for part in (
        descriptors[:third], descriptors[-third:]))
    print(f'{_SECONDS:g} s, {self.num_rows()} episodes')
    for k, name in enumerate(workers):
      print(f'{name}: {early[k]:.1f} -> {late[k]:.1f} MB, '
            f'{few[k]} -> {many[k]} descriptors', flush=True)
    for k, name in enumerate(workers):
      self.assertLess(late[k] - early[k],
                      _GROWTH_MEGABYTES + _GROWTH_SHARE * early[k], name)
      self.assertLessEqual(many[k], few[k] + 2, name)
    self.assertEqual(self.newest().run['learner_traces'], 1)


if __name__ == '__main__':
  absltest.main()
