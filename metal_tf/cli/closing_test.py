"""Tests of a launcher's last lines."""

import json
import os
from unittest import mock

from absl.testing import absltest

from metal_tf.cli import closing
from metal_tf.runs import log_tables
from metal_tf.runs import run_folder


class ClosingTest(absltest.TestCase):

  def setUp(self):
    super().setUp()
    self.enter_context(mock.patch.dict(
        os.environ, BUILD_WORKING_DIRECTORY='/checkout'))
    self._path = os.path.join(self.create_tempdir().full_path, 'a run')
    os.makedirs(self._path)
    self._write('config.json', json.dumps({
        'algorithm': 'metal', 'suite': 'builtin',
        'config': {'num_episodes': 120, 'seed': 3, 'domain': 'cartpole',
                   'safety_coeff': 0.3},
        'constraints': [{'name': 'a', 'threshold': 0.1},
                        {'name': 'b', 'threshold': 0.2}]}))
    self._log('episodes.csv', log_tables.EPISODES, [
        {'episode': episode} for episode in range(1, 121)])

  def _write(self, name, content):
    with open(os.path.join(self._path, name), 'w',
              encoding='utf-8') as stream:
      stream.write(content)

  def _log(self, name, table, rows):
    header = table.columns(['a', 'b'])
    self._write(name, '\n'.join(','.join(
        str(x) for x in line) for line in [
            header, *([row.get(column, 0) for column in header]
                      for row in rows)]) + '\n')

  def _end(self):
    self._write('summary.json', json.dumps({
        'episodes': 120, 'window': 100, 'seconds': 3.0, 'actor_steps': 200,
        'learner_steps': 20, 'return': 61.5, 'constraints': [
            {'name': name, 'penalty': penalty, 'threshold': threshold,
             'lambda': 1.0, 'alpha_lambda': 0.0}
            for name, penalty, threshold in (('a', 0.3, 0.1),
                                             ('b', 0.2, 0.2))]}))

  def test_a_run_that_has_not_ended(self):
    self.assertEqual(closing.lines(self._path), '')

  def test_no_run_at_all(self):
    with self.assertRaises(run_folder.RunFolderError):
      closing.lines(self.create_tempdir().full_path)

  def test_by_the_evaluations_of_the_last_100_episodes(self):
    self._end()
    self._log('evaluations.csv', log_tables.EVALUATIONS, [
        {'episode': 20, 'episode_return': 5.0, 'penalty/a': 1.0},
        {'episode': 30, 'episode_return': 70.0, 'penalty/a': 0.05,
         'penalty/b': 0.3},
        {'episode': 120, 'episode_return': 80.0, 'penalty/a': 0.06,
         'penalty/b': 0.3}])
    self.assertEqual(closing.lines(self._path).splitlines(), [
        'Without exploration noise, over the 2 evaluations after episodes 30 '
        'to 120: return 75.0',
        '  a: J_C 0.0550 <= 0.1: holds the threshold',
        '  b: J_C 0.3000 > 0.2: does not hold the threshold',
        'To film the policy:',
        f"  ./bazelw run //launchers:evaluate -- '--workdir={self._path}' "
        f"--episodes=10 '--video={self._path}/policy.mp4'"])

  def test_by_training_episodes_without_an_evaluation(self):
    self._end()
    self.assertEqual(closing.lines(self._path).splitlines()[:3], [
        'Over the last 100 training episodes, with exploration noise: return '
        '61.5',
        '  a: J_C 0.3000 > 0.1: does not hold the threshold',
        '  b: J_C 0.2000 <= 0.2: holds the threshold'])


if __name__ == '__main__':
  absltest.main()
