"""Losses of the critic and of the policy.

The critic's inner loss is the distributional form of the paper's reward-shaped
critic loss (section 3; footnote 2 says that the distributional critic is used)
or the squared error of a scalar critic, as section 3 and Theorem 1 write it;
the policy's is D4PG's deterministic policy gradient.
"""

from typing import Callable, NamedTuple, Optional, Sequence, Tuple

import tensorflow as tf
import trfl

from metal_tf import types
from metal_tf.maths import projection
from metal_tf.maths import shapes

Critic = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
Policy = Callable[[tf.Tensor], tf.Tensor]

# Schaul et al. (2016) add a small constant; its size is our choice.
MINIMUM_PRIORITY = 1e-4


class Target(NamedTuple):
  """A distributional critic's target.

  Attributes:
    probabilities: on the fixed atoms, `[B, N]`; differentiable in the
      multiplier, constant in everything else.
    clipped_mass: mean share of mass outside the support, `[]`.
  """
  probabilities: tf.Tensor
  clipped_mass: tf.Tensor


class ScalarTarget(NamedTuple):
  """A scalar critic's target.

  Attributes:
    value: `[B]`; differentiable in the multiplier, constant in everything else.
    clipped_mass: 0: nothing is clipped.
  """
  value: tf.Tensor
  clipped_mass: tf.Tensor


def shaped_reward(r_t: tf.Tensor, c_t: tf.Tensor,
                  multiplier: tf.Tensor) -> tf.Tensor:
  """Returns `r - lambda . c` (section 3), `[B]`.

  Args:
    r_t: reward, or discounted sum of rewards, `[B]`.
    c_t: penalties, or their discounted sums, `[B, K]`.
    multiplier: lambda, `[K]`, of any dtype.
  """
  multiplier = tf.cast(multiplier, r_t.dtype)
  shapes.check('r_t', r_t, [None])
  shapes.check('c_t', c_t, [r_t.shape[0], multiplier.shape[0]])
  # A product and a sum rather than a matrix-vector product: with K = 1 it is
  # exact, and a multiplier of 0 leaves the reward untouched to the bit.
  return r_t - tf.reduce_sum(c_t * multiplier[None, :], axis=1)


def scale_and_offset(batch: types.Transition, scale: tf.Tensor,
                     offset: tf.Tensor) -> types.Transition:
  """MeSh's shaping: makes `sigma (r - lambda . c) + b` of `r - lambda . c`.

  For every lambda, which acts later. A scale of 1 and an offset of 0 change no
  bit.

  Args:
    batch: transitions, `[B, ...]`.
    scale: sigma, `[B]`.
    offset: b, `[B]`.
  """
  shapes.check('scale', scale, batch.r_t.shape)
  shapes.check('offset', offset, batch.r_t.shape)
  return batch._replace(r_t=scale * batch.r_t + offset,
                        c_t=scale[:, None] * batch.c_t)


def critic_target(batch: types.Transition, multiplier: tf.Tensor,
                  logits_t: tf.Tensor,
                  support: projection.Support) -> Target:
  """The distribution of `r - lambda . c + discount * Z_target(s', pi(s'))`.

  Only the target networks' output is held constant. The target as a whole must
  stay differentiable in lambda: both paths of the meta-gradient (Theorem 1)
  pass through here.

  Args:
    batch: transitions, `[B, ...]`.
    multiplier: the *updated* lambda', `[K]` (Algorithm 1, line 11).
    logits_t: target critic at `(o_t, target_policy(o_t))`, `[B, N]`.
    support: the atoms.

  Returns:
    The target distribution.
  """
  shapes.check('logits_t', logits_t, [batch.r_t.shape[0], support.num_atoms])
  shapes.check('discount_t', batch.discount_t, [batch.r_t.shape[0]])
  probabilities_t = tf.nn.softmax(tf.stop_gradient(logits_t))
  r_t = shaped_reward(batch.r_t, batch.c_t, multiplier)
  atoms = support.atoms(logits_t.dtype)
  positions = r_t[:, None] + batch.discount_t[:, None] * atoms[None, :]
  return Target(
      projection.project(positions, probabilities_t, support),
      projection.clipped_mass(positions, probabilities_t, support))


def scalar_target(batch: types.Transition, multiplier: tf.Tensor,
                  value_t: tf.Tensor) -> ScalarTarget:
  """`r - lambda . c + discount * Q_target(s', pi_target(s'))` (section 3).

  As with the distribution, only the target networks' output is held constant.

  Args:
    batch: transitions, `[B, ...]`.
    multiplier: the *updated* lambda', `[K]` (Algorithm 1, line 11).
    value_t: target critic at `(o_t, target_policy(o_t))`, `[B]`.
  """
  shapes.check('value_t', value_t, batch.r_t.shape)
  shapes.check('discount_t', batch.discount_t, batch.r_t.shape)
  r_t = shaped_reward(batch.r_t, batch.c_t, multiplier)
  return ScalarTarget(
      r_t + batch.discount_t * tf.stop_gradient(value_t),
      tf.zeros([], r_t.dtype))


def cross_entropy(target: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
  """Cross entropy of predicted logits under a target distribution, `[B]`.

  Written out on purpose. `tf.nn.softmax_cross_entropy_with_logits` has a
  hand-written gradient whose own gradient leaves out the path into the labels;
  with it the meta-gradient through the updated weights is silently zero.

  Args:
    target: probabilities, `[B, N]`; gradients flow into it.
    logits: predicted logits, `[B, N]`.
  """
  shapes.check('target', target, logits.shape)
  return -tf.reduce_sum(target * tf.nn.log_softmax(logits), axis=1)


def kl_divergence(target: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
  """`KL(target || prediction)`, `[B]`: cross entropy less the target's entropy.

  In the outer loss the multiplier moves the target, so the target's own entropy
  matters: with a perfect critic the derivative of this one in lambda is zero,
  as for Theorem 1's squared error, and that of the cross entropy is not.

  Args:
    target: probabilities, `[B, N]`; gradients flow into it.
    logits: predicted logits, `[B, N]`.
  """
  # 0 log 0 = 0 with a derivative of 0: an empty atom neither costs nor pulls.
  positive = target > 0
  log_target = tf.math.log(tf.where(positive, target, tf.ones_like(target)))
  return cross_entropy(target, logits) + tf.reduce_sum(
      tf.where(positive, target * log_target, tf.zeros_like(target)), axis=1)


def critic_loss(
    critic: Critic,
    batch: types.Transition,
    target: Target,
    divergence: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] = cross_entropy
) -> tf.Tensor:
  """Divergence of the critic at `(o_tm1, a_tm1)` from its target, `[B]`."""
  return divergence(target.probabilities, critic(batch.o_tm1, batch.a_tm1))


def td_error(critic: Critic, batch: types.Transition,
             target: ScalarTarget) -> tf.Tensor:
  """delta of a critic with outputs `[B, 1]` (section 3; Theorem 1), `[B]`."""
  output = critic(batch.o_tm1, batch.a_tm1)
  shapes.check('critic output', output, [batch.r_t.shape[0], 1])
  return target.value - output[:, 0]


def mean_td_error(critic: Critic, batch: types.Transition, target: Target,
                  support: projection.Support) -> tf.Tensor:
  """delta of the distributions' means, `[B]`.

  The paper prints its critic loss with Q, a scalar; of a distributional critic
  Q is the mean (footnote 2). The projection keeps a target's mean, but for the
  mass that it clips at the ends of the support.

  Args:
    critic: maps `[B, O]` and `[B, A]` to logits `[B, N]`.
    batch: transitions, `[B, ...]`.
    target: what the critic should predict there.
    support: the atoms.
  """
  target_mean = tf.linalg.matvec(
      target.probabilities, support.atoms(target.probabilities.dtype))
  return target_mean - expected_value(
      critic(batch.o_tm1, batch.a_tm1), support)


def squared_td_error(critic: Critic, batch: types.Transition,
                     target: ScalarTarget) -> tf.Tensor:
  """`delta^2` of a critic with outputs `[B, 1]`, `[B]`.

  Without a factor of 1/2, as the theorem's formula has it.
  """
  return tf.square(td_error(critic, batch, target))


def weighted_mean(loss: tf.Tensor,
                  importance_weights: Optional[tf.Tensor]) -> tf.Tensor:
  """Mean loss, `[]`, each transition counted as often as uniform replay would.

  Args:
    loss: of each transition, `[B]`.
    importance_weights: its factor, `[B]`; None is 1 each.
  """
  if importance_weights is not None:
    shapes.check('importance_weights', importance_weights, loss.shape)
    loss *= importance_weights
  return tf.reduce_mean(loss)


def priorities(critic: Critic, batch: types.Transition,
               target: Target) -> tf.Tensor:
  """`KL(target || prediction)` and a little more: priorities, `[B]`.

  The part of the critic's loss that learning can remove, as Rainbow has it
  (Hessel et al. 2018); the cross entropy itself is bounded below by the
  target's own entropy, so a transition that is fitted would stay urgent.

  Args:
    critic: maps `[B, O]` and `[B, A]` to logits `[B, N]`.
    batch: transitions, `[B, ...]`.
    target: what the critic should predict there.
  """
  divergence = critic_loss(critic, batch, target, kl_divergence)
  # Rounding may leave less than 0, and a priority of 0 would never be drawn.
  return tf.maximum(divergence, 0) + MINIMUM_PRIORITY


def scalar_priorities(critic: Critic, batch: types.Transition,
                      target: ScalarTarget) -> tf.Tensor:
  """`|delta|` and a little more (Schaul et al. 2016): priorities, `[B]`."""
  return tf.abs(td_error(critic, batch, target)) + MINIMUM_PRIORITY


def expected_value(logits: tf.Tensor, support: projection.Support) -> tf.Tensor:
  """Mean of a distribution on the atoms, given by logits `[B, N]`: `[B]`."""
  return tf.reduce_sum(
      tf.nn.softmax(logits) * support.atoms(logits.dtype), axis=1)


def actor_loss(policy: Policy, value: Critic, o_t: tf.Tensor) -> tf.Tensor:
  """`-mean Q(s, pi(s))`, `[]`: the actor's outer loss (figure 1, left).

  Differentiable in the critic's weights. The loss of `policy_gradient` is not
  of use there: it holds dQ/da constant, so its derivative by the critic is 0.

  Args:
    policy: maps `[B, O]` to `[B, A]`.
    value: maps `[B, O]` and `[B, A]` to values `[B]`.
    o_t: observations, `[B, O]`.
  """
  return -tf.reduce_mean(value(o_t, policy(o_t)))


def policy_gradient(
    policy: Policy, value: Critic, policy_weights: Sequence[tf.Tensor],
    o_t: tf.Tensor,
    dqda_clip_norm: float) -> Tuple[tf.Tensor, Sequence[tf.Tensor]]:
  """D4PG's policy loss and its gradient (section 2; Algorithm 1, line 13).

  Evaluated at the transitions' later observation, as Acme's D4PG does.

  Args:
    policy: maps `[B, O]` to `[B, A]`.
    value: maps `[B, O]` and `[B, A]` to values `[B]`, with the critic's weights
      from before this step's update.
    policy_weights: what to differentiate by; nothing else is touched.
    o_t: observations, `[B, O]`.
    dqda_clip_norm: bound on the norm of dQ/da, per transition.

  Returns:
    The mean loss `[]` and its gradient by each of the policy's weights.
  """
  with tf.GradientTape(watch_accessed_variables=False) as tape:
    tape.watch(policy_weights)
    a_t = policy(o_t)
    loss = tf.reduce_mean(
        trfl.dpg(value(o_t, a_t), a_t, dqda_clipping=dqda_clip_norm,
                 clip_norm=True).loss)
  return loss, tape.gradient(loss, policy_weights)
