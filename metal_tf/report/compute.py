"""What runs took: time, episodes, cores, versions of the code."""

from typing import Any, List, Sequence

from metal_tf.report import collect
from metal_tf.runs import rates


def seconds(run: collect.ScoredRun) -> float:
  """Seconds of training that a run took, all its sessions together."""
  return float((run.run.summary or {}).get('seconds', 0))


def of_sessions(run: collect.ScoredRun, entry: str) -> List[str]:
  """What the sessions of a run say of `entry`, each once, in their order.

  Args:
    run: of any state.
    entry: of a session in `config.json`; older runs may lack it.
  """
  values: List[Any] = [session.get(entry) for session in run.run.sessions]
  return list(dict.fromkeys(str(x) for x in values if x is not None))


def total(runs: Sequence[collect.ScoredRun]) -> str:
  """What finished runs took in all, in words without a full stop."""
  time = rates.duration(sum(map(seconds, runs)))
  cores = sorted({x for run in runs for x in of_sessions(run, 'cores')},
                 key=lambda x: (len(x), x))
  unknown = sum(not of_sessions(run, 'cores') for run in runs)
  where = (f'each session could use {" or ".join(cores)} cores' + (
      f' (not recorded for {unknown} of the runs)' if unknown else '')
           if cores else 'cores not recorded')
  return (f'{len(runs)} finished runs with '
          f'{sum(run.run.num_episodes for run in runs)} episodes: {time} of '
          f'training in all (runs side by side count each), {where}')


def commits(runs: Sequence[collect.ScoredRun]) -> str:
  """Which versions of the code took part in how many runs, in words.

  A run that was resumed under another version counts for both.
  """
  found = [commit for run in runs for commit in of_sessions(run, 'commit')]
  listed = [f'`{commit}` (runs: {found.count(commit)})'
            for commit in sorted(set(found))]
  unknown = sum(not of_sessions(run, 'commit') for run in runs)
  if unknown:
    listed.append(f'not recorded (runs: {unknown})')
  return ', '.join(listed)
