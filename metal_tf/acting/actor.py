"""Chooses actions: a policy, exploration noise, and weights that follow."""

from typing import Any, Callable, Dict, Optional, Sequence

import numpy as np

from metal_tf import types

WeightsSource = Callable[[], Sequence[np.ndarray]]


class Actor:
  """Gaussian exploration around a policy, from a seeded generator.

  As in Acme's `ClippedGaussian`, noise is added and the sum clipped to the
  bounds. Its standard deviation is in units of half the range of each action,
  which is what units of the action are behind Acme's `CanonicalSpecWrapper`.
  """

  def __init__(self, policy: Any, *,
               exploration_sigma: float, seed: int,
               spec: types.EnvironmentSpec,
               weights_source: Optional[WeightsSource] = None) -> None:
    """Makes an actor.

    Args:
      policy: maps an observation to an action.
      exploration_sigma: standard deviation in half ranges of each action; 0
        acts without noise, for evaluation.
      seed: of the noise.
      spec: the environment's; gives the bounds.
      weights_source: gives the policy's newest weights; asked at the start of
        every episode. None keeps the weights.

    Raises:
      ValueError: if exploration_sigma is negative.
    """
    if not exploration_sigma >= 0.:
      raise ValueError(f'exploration_sigma: got {exploration_sigma}, allowed '
                       'are numbers >= 0')
    self._policy = policy
    self._minimum = spec.action_minimum.astype(np.float32)
    self._maximum = spec.action_maximum.astype(np.float32)
    # Halves are taken first: the whole range may be beyond float32.
    self._sigma = np.float32(exploration_sigma) * (
        self._maximum / 2 - self._minimum / 2)
    self._noisy = exploration_sigma > 0
    self._rng = np.random.Generator(np.random.PCG64(seed))
    self._weights_source = weights_source

  def begin_episode(self) -> None:
    """Takes the newest weights."""
    if self._weights_source is not None:
      self._policy.update(self._weights_source())

  def select_action(self, observation: np.ndarray) -> np.ndarray:
    """Returns an action float32 `[A]` for an observation float32 `[O]`."""
    action = self._policy(observation)
    if self._noisy:
      action = action + self._sigma * self._rng.standard_normal(
          action.shape, np.float32)
    # The policy itself can leave the bounds by a rounding error.
    return np.minimum(np.maximum(action, self._minimum), self._maximum)

  def state(self) -> Dict[str, Any]:
    """The generator's state, fit for JSON."""
    return {'generator': self._rng.bit_generator.state}

  def set_state(self, state: Dict[str, Any]) -> None:
    """Continues from what `state` gave."""
    self._rng.bit_generator.state = state['generator']
