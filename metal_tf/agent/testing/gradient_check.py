"""The learner's meta-gradients against finite differences of whole steps.

For tests, and for whoever wants to see how far off a variant is.
"""

from typing import Any, Dict, List, NamedTuple, Tuple

import numpy as np
import tensorflow as tf

from metal_tf import types
from metal_tf.agent import agents
from metal_tf.agent import learner as learner_lib
from metal_tf.agent.testing import fixtures
from metal_tf.agent.testing import oracle as oracle_lib

PATHS = ('direct', 'through_weights', 'total')
NUM_VALIDATION = 8


class Regime(NamedTuple):
  """State of Adam and of the clipping, with rates under which both paths count.

  Attributes:
    warm: whether Adam's slots are random ones of step 50, or zero.
    clipped: whether clipping by global norm is active.
    critic_lr: the inner rate.
    clip_norm: its bound. Cold, Adam's step is little more than the gradient's
      sign unless gradients are as small as its epsilon: the cold clipped regime
      clips to that size.
    lagrange_lr: alpha_1. The cold unclipped regime bends sharply where
      gradients are small, so a finite difference has to stay short.
    validation_penalties: factor on the validation part's penalties, which
      weighs the direct path.
    slots: size of the gradients that the warm slots stem from.
    seeds: by the number of constraints; finite differences there meet no kink
      and each path is well above its least share.
  """
  warm: bool
  clipped: bool
  critic_lr: float
  clip_norm: float
  lagrange_lr: float
  validation_penalties: float
  slots: float
  seeds: dict


REGIMES = dict(
    warm=Regime(True, False, 0.1, 100.0, 0.05, 0.3, 0.05, {1: 6, 3: 6}),
    warm_clipped=Regime(True, True, 0.1, 0.05, 0.05, 0.1, 1e-3, {1: 3, 3: 0}),
    cold=Regime(False, False, 0.05, 100.0, 0.005, 1e-3, 0, {1: 3, 3: 3}),
    cold_clipped=Regime(False, True, 0.05, 1e-7, 0.05, 0.3, 0, {1: 0, 3: 0}),
    # For the TD error of the means, whose direct path is much the stronger one.
    warm_td=Regime(True, False, 0.1, 100.0, 0.05, 0.03, 0.05, {1: 6, 3: 6}),
    # For the sum of two outer losses, of which one has no direct path.
    warm_sum=Regime(True, False, 0.02, 100.0, 0.05, 1.0, 0.05, {1: 6, 3: 6}),
    # For a scalar critic, whose gradients are larger.
    scalar=Regime(True, False, 0.05, 1e3, 0.05, 0.1, 0.5, {1: 0, 3: 0}),
    scalar_sgd=Regime(False, False, 0.005, 1e3, 0.05, 0.3, 0, {1: 0, 3: 0}),
)


def critic_settings(regime: str) -> dict:
  """The critic that a regime is for."""
  if not regime.startswith('scalar'):
    return {}
  return dict(critic='scalar', inner_optimizer=(
      'sgd' if regime.endswith('sgd') else 'adam'))


class Checked(NamedTuple):
  """A step of MetaL beside the oracle of the same step.

  Attributes:
    learner: after the step.
    state: of the learner before it.
    metrics: of the step.
    oracle: of the same step.
    got: the learner's terms of the meta-gradient, `[K]`, by `PATHS`.
    expected: central differences, likewise.
  """
  learner: learner_lib.Learner
  state: fixtures.State
  metrics: Dict[str, np.ndarray]
  oracle: oracle_lib.Oracle
  got: Dict[str, np.ndarray]
  expected: oracle_lib.Differences

  def error(self, path: str) -> float:
    """Largest relative error of a path over the constraints."""
    difference = getattr(self.expected, path)
    return float(np.max(
        np.abs(self.got[path] - difference) / np.maximum(
            np.abs(difference), 1e-3 * np.abs(difference).max())))


def check_metal(regime: str, num_constraints: int = 1,
                divergence: str = 'cross_entropy', xla: bool = False,
                projected: bool = False, **settings: Any) -> Checked:
  """Makes one step of MetaL in float64, and differentiates it numerically.

  Args:
    regime: key of `REGIMES`.
    num_constraints: K.
    divergence: of the outer critic loss.
    xla: whether the step is compiled.
    projected: whether lambda' is 0 for being projected, all constraints
      satisfied.
    **settings: further ones of the config.
  """
  r = REGIMES[regime]
  rng = np.random.RandomState(r.seeds[num_constraints])
  spec = fixtures.make_spec(
      num_constraints,
      thresholds=[0.95] * num_constraints if projected else None)
  config = fixtures.make_config(
      outer_divergence=divergence, xla=xla, critic_lr=r.critic_lr,
      clip_norm=r.clip_norm, lagrange_lr=r.lagrange_lr, **settings)
  learner = fixtures.make_learner(spec, agents.METAL, config, tf.float64)
  fixtures.randomize(rng, learner)
  state = learner.get_state()
  state['meta_parameter/0'] = rng.uniform(-0.7, 0.7, num_constraints)
  state['multiplier/0'] = (0 if projected else 1) * rng.uniform(
      0.2, 0.8, num_constraints)
  if r.warm:
    fixtures.warm_adam(rng, state, 'critic_adam', r.slots)
  learner.set_state(state)
  batch = fixtures.random_batch(rng, spec, config.batch_size, np.float64)
  batch.c_t[-NUM_VALIDATION:] *= r.validation_penalties
  penalties = fixtures.random_penalties(rng, spec, dtype=np.float64)

  metrics = fixtures.step(learner, batch, penalties)
  oracle = oracle_lib.Oracle(
      spec, config, state, batch, penalties,
      fixtures.group(learner.get_state(), 'policy'))
  direct, weights = (
      metrics['meta_gradient_direct'], metrics['meta_gradient_weights'])
  return Checked(
      learner, state, metrics, oracle,
      dict(direct=direct, through_weights=weights, total=direct + weights),
      oracle.differences())


MESH_SPEC = fixtures.make_spec(2)


def make_mesh(**settings: Any) -> learner_lib.Learner:
  """Returns a learner in float64 with rates that move everything visibly."""
  defaults = dict(critic_lr=0.01, lagrange_multiplier=0.5, lagrange_lr=0.01,
                  mesh_layer_sizes=(6,), mesh_lr=0.01)
  config = fixtures.make_config(**{**defaults, **settings})
  return fixtures.make_learner(MESH_SPEC, agents.MESH, config, tf.float64)


def mesh_data(seed: int = 1) -> Tuple[types.Transition, np.ndarray]:
  """A random batch, `[16, ...]`, and episode penalties, `[M, K]`."""
  rng = np.random.RandomState(seed)
  return (fixtures.random_batch(rng, MESH_SPEC, 16, np.float64),
          fixtures.random_penalties(rng, MESH_SPEC, dtype=np.float64))


def randomize_mesh(learner: learner_lib.Learner) -> fixtures.State:
  """Draws all weights, those of the shaping's last layer too.

  Adam on the critic is warm: cold, its step bends sharply where gradients are
  small, and no finite difference is short enough.
  """
  rng = np.random.RandomState(0)
  fixtures.randomize(rng, learner)
  state = learner.get_state()
  fixtures.replace_group(state, 'shaping', [
      0.3 * rng.randn(*x.shape)
      for x in fixtures.group(state, 'shaping')])
  fixtures.warm_adam(rng, state, 'critic_adam', 0.05)
  learner.set_state(state)
  return state


def check_mesh(**settings: Any) -> List[Tuple[float, float]]:
  """Derivatives of MeSh's outer loss along random directions of its weights.

  Args:
    **settings: further ones of the config.

  Returns:
    The learner's, and the central difference of its own step; for each array by
    itself and for all at once.
  """
  learner = make_mesh(**settings)
  state = randomize_mesh(learner)
  weights = fixtures.group(state, 'shaping')
  fixtures.step(learner, *mesh_data())
  # Adam's first moment after one step is a tenth of the gradient.
  gradient = fixtures.split(
      learner.get_state()['shaping_adam/1'] / (1 - 0.9),
      [w.shape for w in weights])

  def outer_loss(direction: List[np.ndarray], step: float) -> float:
    moved = dict(state)
    fixtures.replace_group(moved, 'shaping', [
        w + step * d for w, d in zip(weights, direction)])
    learner.set_state(moved)
    return float(fixtures.step(learner, *mesh_data())['outer_loss'])

  rng = np.random.RandomState(2)
  pairs = []
  for touched in (*range(len(weights)), 'all'):
    direction = [rng.randn(*w.shape) * (touched in (i, 'all'))
                 for i, w in enumerate(weights)]
    # Short: the categorical projection has kinks.
    pairs.append((
        sum(np.sum(g * d) for g, d in zip(gradient, direction)),
        (outer_loss(direction, 1e-5) - outer_loss(direction, -1e-5)) / 2e-5))
  return pairs
