"""The critic's half of Algorithm 1 once more, forward only, for tests.

Shares nothing with metal_tf.maths: the projection is a loop in numpy, the
cross entropy TensorFlow's fused operation, clipping TensorFlow's, Adam
Sonnet's. The policy's update does not depend on alpha_lambda and is taken as
the learner made it. Its one derivative is the critic's own gradient at a given
target; how alpha_lambda acts on the outer loss is found by finite differences.
"""

from typing import List, NamedTuple, Sequence, Tuple

import numpy as np
import sonnet as snt
import tensorflow as tf

from metal_tf import config as config_lib
from metal_tf import types
from metal_tf.agent import networks
from metal_tf.agent.testing import fixtures

Arrays = Sequence[np.ndarray]


class Differences(NamedTuple):
  """Central differences of the outer loss by alpha_lambda, each `[K]`."""
  direct: np.ndarray
  through_weights: np.ndarray
  total: np.ndarray


def project(positions: np.ndarray, probabilities: np.ndarray, vmin: float,
            vmax: float) -> np.ndarray:
  """Categorical projection, atom by atom (C51's algorithm 1)."""
  size, num_atoms = positions.shape
  spacing = (vmax - vmin) / (num_atoms - 1)
  projected = np.zeros([size, num_atoms])
  for row in range(size):
    for j in range(num_atoms):
      b = (min(max(positions[row, j], vmin), vmax) - vmin) / spacing
      low, high = int(np.floor(b)), int(np.ceil(b))
      if low == high:
        projected[row, low] += probabilities[row, j]
      else:
        projected[row, low] += probabilities[row, j] * (high - b)
        projected[row, high] += probabilities[row, j] * (b - low)
  return projected


class Oracle:
  """One learner step's outer loss as a function of alpha_lambda, float64.

  Attributes:
    config: the learner's.
    violation: J_C - beta, `[K]`.
    validation: the validation part of the batch.
  """

  def __init__(self, spec: types.EnvironmentSpec, config: config_lib.Config,
               state: fixtures.State, batch: types.Transition,
               episode_penalties: np.ndarray, policy_weights: Arrays):
    """Takes a learner's state from before the step, and the step's data.

    Args:
      spec: the environment's.
      config: the learner's.
      state: the learner's from before the step.
      batch: the step's transitions.
      episode_penalties: the step's, `[M, K]`.
      policy_weights: the policy's weights from after the step.
    """
    self.config = config
    self._state = state
    self._batch = batch
    self.violation = (
        episode_penalties.mean(axis=0) - spec.thresholds.astype(np.float64))
    self._num_training = config.batch_size - config.num_validation
    self.validation = types.Transition(
        *(x[self._num_training:] for x in batch))
    self._scalar = config.critic == 'scalar'
    self._atoms = np.linspace(config.vmin, config.vmax, config.num_atoms)
    nets = networks.Networks(
        spec, config.policy_layer_sizes, config.critic_layer_sizes,
        1 if self._scalar else config.num_atoms, tf.float64)
    for variable, value in zip(
        nets.target_variables, fixtures.group(state, 'target')):
      variable.assign(value)
    for variable, value in zip(nets.policy.trainable_variables, policy_weights):
      variable.assign(value)
    self._critic = nets.critic
    o_t = tf.constant(batch.o_t)
    self._action_t = nets.policy(o_t)
    output_t = nets.target_critic(o_t, nets.target_policy(o_t))
    self._value_t = output_t[:, 0].numpy()  # Of a scalar critic.
    self._probabilities = tf.nn.softmax(output_t).numpy()

  def multiplier(self, meta_parameter: np.ndarray) -> np.ndarray:
    """lambda' `[K]`; straight-through as a shift of the state's."""
    updated = self._unprojected(meta_parameter)
    if self.config.multiplier_projection == 'straight_through':
      here = self._unprojected(self._state['meta_parameter/0'])
      return np.maximum(0, here) + updated - here
    return np.maximum(0, updated)

  def _unprojected(self, meta_parameter: np.ndarray) -> np.ndarray:
    rate = self.config.lagrange_lr * np.exp(meta_parameter)
    return self._state['multiplier/0'] + rate * self.violation

  def _shaped(self, multiplier: np.ndarray) -> np.ndarray:
    return self._batch.r_t - self._batch.c_t @ multiplier

  def _positions(self, multiplier: np.ndarray) -> np.ndarray:
    return (self._shaped(multiplier)[:, None] +
            self._batch.discount_t[:, None] * self._atoms)

  def clipped_mass(self, multiplier: np.ndarray) -> float:
    """Share of the training targets' mass beyond the support."""
    if self._scalar:
      return 0.0
    positions = self._positions(multiplier)[:self._num_training]
    outside = (positions < self.config.vmin) | (positions > self.config.vmax)
    mass = self._probabilities[:self._num_training] * outside
    return mass.sum(axis=1).mean()

  def _target(self, multiplier: np.ndarray) -> np.ndarray:
    return project(self._positions(multiplier), self._probabilities,
                   self.config.vmin, self.config.vmax)

  def _put(self, weights: Arrays) -> None:
    for variable, value in zip(self._critic.trainable_variables, weights):
      variable.assign(value)

  def _loss(self, rows: slice, multiplier: np.ndarray) -> tf.Tensor:
    """Mean squared error or cross entropy of some rows."""
    output = self._critic(tf.constant(self._batch.o_tm1[rows]),
                          tf.constant(self._batch.a_tm1[rows]))
    if self._scalar:
      target = (
          self._shaped(multiplier) + self._batch.discount_t * self._value_t)
      return tf.reduce_mean((output[:, 0] - target[rows])**2)
    target = self._target(multiplier)
    return tf.reduce_mean(
        tf.nn.softmax_cross_entropy_with_logits(target[rows], output))

  def critic_update(
      self, multiplier: np.ndarray) -> Tuple[List[np.ndarray], float, float]:
    """theta_c', the inner loss and its gradient's norm before clipping."""
    self._put(fixtures.group(self._state, 'critic'))
    variables = self._critic.trainable_variables
    with tf.GradientTape() as tape:
      loss = self._loss(slice(0, self._num_training), multiplier)
    if self.config.inner_optimizer == 'sgd':
      gradients = tape.gradient(loss, variables)
      return ([(v - self.config.critic_lr * g).numpy()
               for v, g in zip(variables, gradients)], loss.numpy(),
              tf.linalg.global_norm(gradients).numpy())
    gradients, norm = tf.clip_by_global_norm(
        tape.gradient(loss, variables), self.config.clip_norm)
    # Python numbers would pass through float32 there.
    adam = snt.optimizers.Adam(*(
        np.float64(x) for x in (self.config.critic_lr, 0.9, 0.999, 1e-8)))
    adam.apply([tf.zeros_like(v) for v in variables], variables)  # Makes slots.
    self._put(fixtures.group(self._state, 'critic'))
    count, *moments = fixtures.group(self._state, 'critic_adam')
    adam.step.assign(count)
    shapes = [v.shape for v in variables]
    for slots, vector in zip((adam.m, adam.v), moments):
      for variable, value in zip(
          slots, fixtures.split(vector, shapes)):
        variable.assign(value)
    adam.apply(gradients, variables)
    return [v.numpy() for v in variables], loss.numpy(), norm.numpy()

  def outer_loss(self, multiplier: np.ndarray, weights: Arrays) -> float:
    """The validation part's loss at lambda' and theta_c'."""
    self._put(weights)
    choice = self.config.outer_loss
    return (('critic' in choice) * self._outer_critic_loss(multiplier) +
            ('actor' in choice) * self._outer_actor_loss())

  def _outer_critic_loss(self, multiplier: np.ndarray) -> float:
    rows = slice(self._num_training, None)
    if self.config.outer_divergence == 'td' and not self._scalar:
      means = self._target(multiplier)[rows] @ self._atoms
      logits = self._critic(tf.constant(self._batch.o_tm1[rows]),
                            tf.constant(self._batch.a_tm1[rows]))
      return np.mean((means - tf.nn.softmax(logits).numpy() @ self._atoms)**2)
    loss = self._loss(rows, multiplier).numpy()
    if self.config.outer_divergence == 'kl':
      target = self._target(multiplier)[rows]
      positive = np.where(target > 0, target, 1)
      loss += (positive * np.log(positive)).sum(axis=1).mean()
    return loss

  def _outer_actor_loss(self) -> float:
    rows = slice(self._num_training, None)
    output = self._critic(
        tf.constant(self._batch.o_t[rows]), self._action_t[rows]).numpy()
    if self._scalar:
      return -output.mean()
    weights = np.exp(output - output.max(axis=1, keepdims=True))
    values = (weights @ self._atoms) / weights.sum(axis=1)
    return -values.mean()

  def differences(self, step: float = 1e-3) -> Differences:
    """Differentiates the outer loss by alpha_lambda, each path alone."""
    meta_parameter = self._state['meta_parameter/0']
    here = self.multiplier(meta_parameter)
    weights_here = self.critic_update(here)[0]
    rows = []
    for k in range(meta_parameter.size):
      up, down = meta_parameter.copy(), meta_parameter.copy()
      up[k] += step
      down[k] -= step
      up, down = self.multiplier(up), self.multiplier(down)
      self._check_smooth(up, down)
      weights_up, weights_down = (
          self.critic_update(up)[0], self.critic_update(down)[0])
      rows.append([
          self.outer_loss(up, weights_here) -
          self.outer_loss(down, weights_here),
          self.outer_loss(here, weights_up) -
          self.outer_loss(here, weights_down),
          self.outer_loss(up, weights_up) -
          self.outer_loss(down, weights_down)])
    return Differences(*(np.array(rows).T / (2 * step)))

  def _check_smooth(self, up: np.ndarray, down: np.ndarray) -> None:
    """Raises if a kink of the projection lies between two multipliers."""
    if self._scalar:
      return
    spacing = self._atoms[1] - self._atoms[0]
    cells = [
        np.floor((np.clip(self._positions(m), self.config.vmin,
                          self.config.vmax) - self.config.vmin) / spacing)
        for m in (up, down)]
    if not np.array_equal(*cells):
      raise ValueError('A position crosses an atom: take another seed.')
