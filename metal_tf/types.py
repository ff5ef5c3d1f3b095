"""The records that travel between the rooms of metal_tf.

Shapes: `B` batch, `K` constraints, `O` observation size, `A` action size.
"""

from typing import Any, Callable, Dict, NamedTuple, Tuple

import numpy as np


class Transition(NamedTuple):
  """An n-step transition from time `t-1` to `t`, all float32.

  One transition, or a batch of them with a leading `[B]`. Rewards and penalties
  stay apart: the multiplier weighs them at learning time, never at insertion.

  Attributes:
    o_tm1: observation before the action, `[O]`.
    a_tm1: the action taken, `[A]`.
    r_t: discounted sum of the m <= n rewards that followed, `[]`.
    c_t: discounted sum of the m <= n penalties that followed, `[K]`.
    discount_t: product of the m discounts, the agent's gamma included, `[]`.
      At the end of an episode m < n, so this is not always `gamma ** n`.
    o_t: observation after the m steps, `[O]`.
  """
  o_tm1: Any
  a_tm1: Any
  r_t: Any
  c_t: Any
  discount_t: Any
  o_t: Any


class Sample(NamedTuple):
  """What a replay hands out for one learner step; arrays or tensors.

  For several steps at once every shape has one more dimension in front.

  Attributes:
    transitions: a batch of them, `[B, ...]`.
    episode_penalties: J_C of M episodes, `[M, K]`.
    importance_weights: `(N P) ** -beta` over the largest of the batch, float32
      `[B]`: 1 each where replay is uniform.
    keys: what `Replay.update_priorities` knows the transitions by, `[B]`
      integers; empty where replay is uniform.
  """
  transitions: Transition
  episode_penalties: Any
  importance_weights: Any
  keys: Any


class ReplaySegment(NamedTuple):
  """Some transitions of a replay that will not change any more.

  Attributes:
    first: how many transitions had been inserted before the first of these.
    end: the same behind the last of them.
    read: gives them, float32 `[end - first, size of a transition]`; before the
      next insertion, where the replay is in memory.
  """
  first: int
  end: int
  read: Callable[[], np.ndarray]


class ReplaySnapshot(NamedTuple):
  """A replay of this process, in parts that are saved once and the rest.

  Attributes:
    state: JSON values.
    arrays: what changes, by name; small beside the segments.
    segments: what does not, in the order of insertion.
  """
  state: Dict[str, Any]
  arrays: Dict[str, np.ndarray]
  segments: Tuple[ReplaySegment, ...]


class EnvironmentSpec(NamedTuple):
  """What learner, replay and actors need to know of an environment.

  Attributes:
    observation_size: O, length of the flat float32 observation.
    action_minimum: lower bounds, float32 `[A]`.
    action_maximum: upper bounds, float32 `[A]`.
    constraint_names: K names, in the order of every `[K]` array.
    thresholds: beta, float64 `[K]`, in mean penalty per step.
    episode_steps: steps of a full episode, or 0 where the environment does not
      say.
    observation_entries: name and size of what the flat observation is made of,
      in its order; sizes add up to O. Empty where the environment does not say.
    name: what the task is called; runs on tasks of different names are told
      apart. Empty where the environment does not say.
  """
  observation_size: int
  action_minimum: np.ndarray
  action_maximum: np.ndarray
  constraint_names: Tuple[str, ...]
  thresholds: np.ndarray
  episode_steps: int = 0
  observation_entries: Tuple[Tuple[str, int], ...] = ()
  name: str = ''

  @property
  def action_size(self) -> int:
    return int(self.action_minimum.shape[0])

  @property
  def num_constraints(self) -> int:
    return len(self.constraint_names)
