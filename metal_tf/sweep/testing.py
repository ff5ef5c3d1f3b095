"""What runs leave on disk, without training; and a program that trains none."""

import json
import os
import sys
from typing import Any, Dict, List, Sequence

from metal_tf.runs import log_tables

# Behaves as a launcher does towards those who started it:
#   finish: leaves a summary, status 0; fail: status 3; refuse: status 2;
#   lie: status 0 without a summary; garble: with one that is no JSON;
#   fail_once: fail, then finish; stop: at SIGTERM a checkpoint, status 143;
#   deaf: no end.
_PROGRAM = '''
import json, os, signal, sys, time
folder, behaviour, episodes = sys.argv[1], sys.argv[2], int(sys.argv[3])
os.makedirs(folder, exist_ok=True)
def file(name): return os.path.join(folder, name)
if behaviour == 'fail_once':
  behaviour = 'finish' if os.path.exists(file('failed')) else 'fail'
  open(file('failed'), 'w').close()
if behaviour == 'fail':
  sys.exit(print('it broke', flush=True) or 3)
if behaviour == 'garble':
  with open(file('summary.json'), 'w') as stream:
    stream.write('{')
if behaviour in ('refuse', 'lie', 'garble'):
  sys.exit(2 if behaviour == 'refuse' else 0)
if behaviour == 'finish':
  with open(file('summary.json'), 'w') as stream:
    json.dump({'episodes': episodes, 'seconds': 4.0, 'actor_steps': 8,
               'learner_steps': 2, 'return': 1.0, 'constraints': []}, stream)
  sys.exit(print('done', os.environ.get('OMP_NUM_THREADS')))
def stop(number, frame):
  if behaviour == 'deaf':
    return
  open(file('checkpoint'), 'w').close()
  sys.exit(143)
signal.signal(signal.SIGTERM, stop)
open(file('ready'), 'w').close()
while True:
  time.sleep(0.05)
'''


def fake_command(folder: str, behaviour: str, episodes: int) -> List[str]:
  """The command of a program that only behaves like a launcher."""
  return [sys.executable, '-c', _PROGRAM, folder, behaviour, str(episodes)]


def write_run(path: str, num_episodes: int, returns: Sequence[float],
              constraints: Sequence[str] = ('a',), finished: bool = False,
              algorithm: str = 'metal', **config: Any) -> None:
  """Writes the folder of a run.

  An episode takes 2 s, 100 environment steps and, from the second on, 10
  learner steps. J_C of constraint k is (k + 1) / 10; lambda is the number of
  the episode.

  Args:
    path: the folder.
    num_episodes: length of the run.
    returns: of the episodes so far.
    constraints: their names; all thresholds are 0.15.
    finished: whether there is a summary.
    algorithm: the agent's name.
    **config: more settings.
  """
  os.makedirs(path, exist_ok=True)
  _write_json(path, 'config.json', {
      'algorithm': algorithm, 'suite': 'builtin', 'sessions': [],
      'config': {'num_episodes': num_episodes, 'seed': 0, 'safety_coeff': 0.3,
                 'domain': 'cartpole', **config},
      'constraints': [{'name': name, 'threshold': 0.15}
                      for name in constraints]})
  header = log_tables.EPISODES.columns(constraints)
  lines = [','.join(header)]
  for episode, value in enumerate(returns, 1):
    row = {'episode': episode, 'actor_steps': 100 * episode,
           'learner_steps': 10 * (episode - 1), 'seconds': 2 * episode,
           'episode_return': value, 'penalized_return': value - 50}
    for k, name in enumerate(constraints):
      row.update({
          f'penalty/{name}': (k + 1) / 10, f'threshold/{name}': 0.15,
          f'lambda/{name}': episode, f'alpha_lambda/{name}': 0,
          f'effective_rate/{name}': 1e-4})
    lines.append(','.join(str(row.get(name, 'nan')) for name in header))
  with open(os.path.join(path, 'episodes.csv'), 'w',
            encoding='utf-8') as stream:
    stream.write('\n'.join(lines) + '\n')
  if finished:
    _write_json(path, 'summary.json', {
        'episodes': len(returns), 'seconds': 2.0 * len(returns),
        'actor_steps': 100 * len(returns), 'learner_steps': 10 * len(returns),
        'return': sum(returns) / len(returns), 'constraints': [{
            'name': name, 'penalty': 0.1, 'threshold': 0.15, 'lambda': 0.5,
            'alpha_lambda': -1.0} for name in constraints]})


def _write_json(path: str, name: str, content: Dict[str, Any]) -> None:
  with open(os.path.join(path, name), 'w', encoding='utf-8') as stream:
    json.dump(content, stream)
