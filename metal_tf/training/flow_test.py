"""What a run brings from its environment to the learner, and back."""

import os
from typing import Any, Callable, Dict, List, Tuple
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized
import dm_env
from dm_env import specs
import numpy as np

from metal_tf import metrics
from metal_tf import types
from metal_tf.agent import agents
from metal_tf.agent import learner as learner_lib
from metal_tf.environments import constraint
from metal_tf.environments import errors
from metal_tf.environments import wrapper
from metal_tf.replay import in_process
from metal_tf.training import export
from metal_tf.training import run as run_lib
from metal_tf.training import testing

_STEPS = 10  # Of an episode.
_DISCOUNT = 0.5  # The world's, before a termination.
_GAMMA = 0.9
_N = 3


class _World(dm_env.Environment):
  """Numbers its episodes and their steps through, and terminates."""

  def __init__(self, cut: Tuple[int, int]):
    self._cut = cut
    self._episode = self._step = 0

  def reseed(self, seed: int) -> None:
    pass  # Nothing is random.

  def reset(self) -> dm_env.TimeStep:
    self._episode += 1
    self._step = 0
    return dm_env.restart(self._observation())

  def step(self, action: np.ndarray) -> dm_env.TimeStep:
    self._step += 1
    if (self._episode, self._step) == self._cut:
      raise errors.EpisodeCut('world', self._step, 'made to')
    reward = _reward(self._episode, self._step)
    if self._step == _STEPS:
      return dm_env.termination(reward, self._observation())
    return dm_env.transition(reward, self._observation(), _DISCOUNT)

  def _observation(self) -> np.ndarray:
    return np.array([self._episode, self._step], np.float64)

  def observation_spec(self) -> specs.Array:
    return specs.Array([2], np.float64, 'where')

  def action_spec(self) -> specs.BoundedArray:
    return specs.BoundedArray([1], np.float64, -1.0, 1.0, 'nothing')


def _reward(episode: int, step: int) -> float:
  return float(episode + step**2)


def _make_environment(
    cut: Tuple[int, int]) -> Callable[[int], wrapper.ConstrainedEnvironment]:
  """A world whose simulator gives up at a step of an episode."""
  return lambda seed: wrapper.ConstrainedEnvironment(_World(cut), [
      constraint.Constraint.of_time_step(
          'early', lambda step: step.observation[1] <= 4, threshold=0.25)])


class _Learner:
  """In place of a learner's steps; by default it gives no priorities."""

  def __init__(self) -> None:
    self.inserted: List[types.Transition] = []
    self.seen: List[types.Transition] = []  # One after the other.

  def insert(self, transition: types.Transition) -> None:
    """Hears what goes into the replay."""
    self.inserted.append(transition)

  def steps(self, transitions: types.Transition, penalties: np.ndarray,
            weights: np.ndarray) -> Any:
    """Takes batches, `[n, B, ...]`."""
    del penalties
    self.seen += [types.Transition(*fields) for fields in zip(*(
        x.reshape(weights.size, *x.shape[2:]) for x in transitions))]
    return None


class _Prioritizing(_Learner):
  """Gives priorities, and knows what the replay has to make of them."""

  def __init__(self, alpha: float, beta: float) -> None:
    super().__init__()
    self._alpha, self._beta = alpha, beta
    self.priorities: Dict[float, float] = {}  # By the sum of rewards.
    self.wrong_weights = 0
    self.draws = {False: 0, True: 0}  # Of those that are urgent, or not.
    self._largest = 1.0
    self._calls = 0

  def insert(self, transition: types.Transition) -> None:
    super().insert(transition)
    self.priorities[float(transition.r_t)] = self._largest

  def steps(self, transitions: types.Transition, penalties: np.ndarray,
            weights: np.ndarray) -> np.ndarray:
    super().steps(transitions, penalties, weights)
    assert weights.shape[0] == 1
    rewards = transitions.r_t.astype(float).ravel().tolist()
    masses = np.array([self.priorities[r] for r in rewards])**self._alpha
    self.wrong_weights += not np.allclose(
        weights[0], (masses / masses.min())**-self._beta, rtol=1e-5)
    self._calls += 1
    if self._calls % 5 == 0:  # The update was skipped: nothing changes.
      return np.full(weights.shape, np.nan)
    for r in rewards:
      self.priorities[r] = 8.0 if _is_urgent(r) else 0.25
      self.draws[_is_urgent(r)] += 1
    self._largest = max(self._largest, *(self.priorities[r] for r in rewards))
    return np.array([[self.priorities[r] for r in rewards]])


def _is_urgent(reward: float) -> bool:
  return int(reward * 1000) % 2 == 1


class FlowTest(parameterized.TestCase):

  def _train(self, learner: _Learner, cut: Tuple[int, int] = (0, 0),
             **settings: Any
             ) -> Tuple[metrics.Score, in_process.InProcessReplay]:
    """Runs three episodes; returns their score and the replay at the end."""
    config = testing.small_config(
        os.path.join(self.create_tempdir().full_path, 'run'), **{
            **dict(num_episodes=3, evaluation_period=0, discount=_GAMMA,
                   n_step=_N, min_replay_size=_STEPS, steps_per_call=2),
            **settings})
    replays, insert = [], in_process.InProcessReplay.insert

    def inserted(replay: in_process.InProcessReplay,
                 transition: types.Transition) -> None:
      replays.append(replay)
      learner.insert(transition)
      insert(replay, transition)

    with mock.patch.object(learner_lib.Learner, 'steps', learner.steps), \
        mock.patch.object(in_process.InProcessReplay, 'insert', inserted), \
        mock.patch.object(export, 'export_at_end'):
      score = run_lib.train(agents.METAL, config, _make_environment(cut))
    return score, replays[-1]

  def _assert_transition(self, transition: types.Transition, episode: int,
                         step: int, last: int = _STEPS) -> None:
    """Asserts that it is the one that begins before a step, by hand."""
    steps = range(step, min(step + _N, last + 1))
    discount, reward, penalty = 1.0, 0.0, 0.0
    for i in steps:
      reward += discount * _reward(episode, i)
      penalty += discount * (i <= 4)
      discount *= _GAMMA * (_DISCOUNT if i < _STEPS else 0.0)
    np.testing.assert_allclose(transition.r_t, reward, rtol=1e-6)
    np.testing.assert_allclose(transition.c_t, [penalty], rtol=1e-6)
    np.testing.assert_allclose(transition.discount_t, discount, rtol=1e-6)
    np.testing.assert_array_equal(transition.o_tm1, [episode, step - 1])
    np.testing.assert_array_equal(transition.o_t, [episode, steps[-1]])

  def test_discounts_and_terminations_reach_the_learner(self):
    learner = _Learner()
    self._train(learner)
    self.assertLen(learner.inserted, 3 * _STEPS)
    for number, transition in enumerate(learner.inserted):
      self._assert_transition(
          transition, number // _STEPS + 1, number % _STEPS + 1)
    self.assertEqual(
        sum(x.discount_t == 0 for x in learner.inserted), 3 * _N)
    for seen in learner.seen:
      episode, before = seen.o_tm1
      self._assert_transition(seen, int(episode), int(before) + 1)
    self.assertIn(0, [x.discount_t for x in learner.seen])

  def test_the_return_is_not_discounted(self):
    score, _ = self._train(_Learner())
    self.assertAlmostEqual(score.episode_return, np.mean([
        sum(_reward(episode, step) for step in range(1, _STEPS + 1))
        for episode in (1, 2, 3)]), places=4)
    np.testing.assert_allclose(score.penalty, [0.4])

  def test_an_episode_at_its_limit_is_bootstrapped(self):
    learner = _Learner()
    self._train(learner, max_episode_steps=6)
    self.assertLen(learner.inserted, 3 * 6)
    for number, transition in enumerate(learner.inserted):
      self._assert_transition(
          transition, number // 6 + 1, number % 6 + 1, last=6)
      self.assertGreater(transition.discount_t, 0)

  def test_what_is_pending_of_a_cut_episode_is_dropped(self):
    learner = _Learner()
    score, replay = self._train(learner, cut=(2, 6))
    self.assertEqual(score.episodes, 3)
    # Three steps make the first transition, so five make three.
    expected = [(1, step) for step in range(1, _STEPS + 1)]
    expected += [(2, 1), (2, 2), (2, 3)]
    expected += [(episode, step) for episode in (3, 4)
                 for step in range(1, _STEPS + 1)]
    self.assertLen(learner.inserted, len(expected))
    for transition, (episode, step) in zip(learner.inserted, expected):
      self._assert_transition(transition, episode, step)
    # Its penalties are not those of an episode.
    self.assertEqual(replay.num_episode_penalties, 3)

  @parameterized.parameters((0.6, 0.4), (0.9, 1.0), (0.0, 0.5))
  def test_priorities_come_back_and_weights_go_out(self, alpha, beta):
    learner = _Prioritizing(alpha, beta)
    _, replay = self._train(
        learner, replay='prioritized', steps_per_call=1, num_episodes=8,
        priority_exponent=alpha, importance_exponent=beta)
    self.assertLen(learner.priorities, 8 * _STEPS)
    self.assertGreater(len(learner.seen), 200)
    self.assertEqual(learner.wrong_weights, 0)
    # What the replay holds are the priorities of these very transitions.
    masses = replay.to_save().arrays['masses']
    np.testing.assert_allclose(
        masses, [learner.priorities[float(x.r_t)]**alpha
                 for x in learner.inserted], rtol=1e-6)
    share = np.mean([_is_urgent(float(x.r_t)) for x in learner.inserted])
    self.assertBetween(share, 0.3, 0.7)
    drawn = learner.draws[True] / sum(learner.draws.values())
    if alpha:
      self.assertGreater(drawn, share + 0.15)
    else:
      self.assertAlmostEqual(drawn, share, delta=0.15)


if __name__ == '__main__':
  absltest.main()
