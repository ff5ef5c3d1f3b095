"""What the JSON files of a run say, entry by entry, for the documentation.

An entry within another is `outer.inner`, within a list `outer[].inner`. A test
holds the tables against the files of a run.
"""

from typing import Any, NamedTuple, Set, Tuple


class Entry(NamedTuple):
  """One entry of a file.

  Attributes:
    name: its path.
    meaning: what it is, with its unit.
    workers_only: whether only a run of several workers has it.
  """
  name: str
  meaning: str
  workers_only: bool = False


class File(NamedTuple):
  """A file: its name, when it is written, and its entries."""
  name: str
  written: str
  entries: Tuple[Entry, ...]


SUMMARY = File(
    'summary.json', 'At the end of a run; removed when it goes on.', (
        Entry('algorithm', 'which agent, e.g. `metal`'),
        Entry('episodes', 'training episodes done'),
        Entry('window', 'episodes that the metrics are means over: the last '
              '100, or all where there are fewer'),
        Entry('return', 'mean of `episode_return` over the window'),
        Entry('penalized_return', '`return` - 1000 * sum of the overshoots'),
        Entry('learner_steps', 'learner steps done'),
        Entry('actor_steps', 'environment steps done, cut episodes included'),
        Entry('seconds', 'seconds of training, over all sessions'),
        Entry('skipped_updates', 'learner steps dropped for a NaN or infinity'),
        Entry('cut_episodes', 'episodes that the simulator gave up; run again '
              'and not counted'),
        Entry('constraints[].name', 'the constraint'),
        Entry('constraints[].penalty',
              'mean J_C over the window, in mean penalty per step'),
        Entry('constraints[].threshold', 'beta, in mean penalty per step'),
        Entry('constraints[].overshoot', 'max(0, `penalty` - beta)'),
        Entry('constraints[].satisfied', 'whether `penalty` is at most beta'),
        Entry('constraints[].satisfied_episodes',
              'episodes of the whole run whose own J_C is at most beta'),
        Entry('constraints[].lambda',
              'Lagrange multiplier at the end, reward per penalty'),
        Entry('constraints[].alpha_lambda',
              'meta-parameter at the end, log of a factor on the multiplier\'s '
              'rate'),
        Entry('checkpoint_share',
              'share of the session\'s time that went into saving'),
        Entry('dropped_episodes',
              'episodes in flight at the end, which are not counted', True),
        Entry('actor_restarts', 'actors that died and were started again',
              True),
    ))

CONFIG = File(
    'config.json', 'At every start.', (
        Entry('algorithm', 'which agent, e.g. `metal`'),
        Entry('config',
              'every setting by name, see [settings.md](settings.md)'),
        Entry('resolved.lagrange_lr',
              'alpha_1 as a number, also where it follows from the run\'s '
              'length'),
        Entry('resolved.meta_lr', 'alpha_eta likewise'),
        Entry('suite', 'who simulates, with its versions'),
        Entry('constraints[].name', 'the constraint'),
        Entry('constraints[].threshold', 'beta, in mean penalty per step'),
        Entry('environment.name', 'what the task is called'),
        Entry('environment.observation_size', 'length of the flat observation'),
        Entry('environment.action_size', 'length of an action'),
        Entry('environment.episode_steps',
              'steps of a full episode, 0 where the environment does not say'),
        Entry('environment_source', '`file` and `sha256` of the source of an '
              'own environment (`--environment`); null for the suite\'s tasks'),
        Entry('interface.observation[].name',
              'a part of the flat observation, in its order'),
        Entry('interface.observation[].size', 'its length'),
        Entry('interface.action_minimum', 'lowest action, per dimension'),
        Entry('interface.action_maximum', 'highest action, per dimension'),
        Entry('sessions[].time', 'of the start, UTC, ISO 8601'),
        Entry('sessions[].resumed_at_episode',
              'episodes done at the start, 0 for a new run'),
        Entry('sessions[].versions', 'of Python and the packages, by name'),
        Entry('sessions[].commit', 'of the code, `-dirty` behind it if it was '
              'changed, `unknown` outside a checkout'),
        Entry('sessions[].cores', 'processors that the run could use'),
        Entry('sessions[].threads.TF_NUM_INTRAOP_THREADS',
              "threads within an operation, see `--learner_threads`; null: "
              "TensorFlow's own choice"),
        Entry('sessions[].threads.TF_NUM_INTEROP_THREADS',
              'threads between operations, likewise'),
    ))

FEASIBILITY = File(
    'feasibility.json', 'Before the first episode of a new run, unless '
    '`--feasibility_episodes=0`.', (
        Entry('episodes', 'episodes per policy'),
        Entry('policies[].policy', '`zero` (or the bound next to it) or '
              '`random` (uniform between the bounds)'),
        Entry('policies[].return', 'mean of the task\'s return'),
        Entry('policies[].steps', 'environment steps in all'),
        Entry('policies[].constraints[].name', 'the constraint'),
        Entry('policies[].constraints[].penalty',
              'mean J_C, in mean penalty per step'),
        Entry('policies[].constraints[].threshold',
              'beta, in mean penalty per step'),
        Entry('policies[].constraints[].satisfied',
              'whether `penalty` is at most beta'),
    ))

FILES = (SUMMARY, CONFIG, FEASIBILITY)


def names(content: Any, file: File, path: str = '') -> Set[str]:
  """Returns the paths of the entries in a file's content.

  Args:
    content: of the file, or of a part of it.
    file: an entry of it that has a meaning as a whole is not entered.
    path: of the part.
  """
  if path in {entry.name for entry in file.entries}:
    return {path}
  if isinstance(content, dict):
    return set().union(*(
        names(value, file, f'{path}.{key}' if path else key)
        for key, value in content.items()))
  if isinstance(content, list):
    return set().union(*(names(value, file, f'{path}[]') for value in content))
  return {path}
