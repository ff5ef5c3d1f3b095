"""Holds a learner's meta-gradient against Theorem 1 while it trains."""

from typing import Dict, Optional, Sequence

import tensorflow as tf

from metal_tf.agent import agents
from metal_tf import config as config_lib
from metal_tf.maths import lagrange
from metal_tf.maths import losses
from metal_tf.maths import meta_gradient
from metal_tf.maths import theorem
from metal_tf import types


def applies(algorithm: agents.Algorithm,
            config: config_lib.Config) -> bool:
  """Whether the learner does what the theorem speaks of, so that it must hold.

  That alpha_lambda is limited does not matter: the gradient is compared, not
  the step. The importance weights of prioritized replay do: the theorem's inner
  loss has none.
  """
  return (algorithm.learns_meta_parameter and config.critic == 'scalar' and
          config.inner_optimizer == 'sgd' and config.outer_loss == 'critic' and
          config.replay == 'uniform')


class TheoremCheck:
  """Compares each step's meta-gradient with the closed form.

  It costs K + 1 gradients of the critic, so it is made on every step.
  """

  def __init__(self, algorithm: agents.Algorithm,
               config: config_lib.Config, threshold: tf.Tensor):
    """Takes what does not change.

    Args:
      algorithm: which agent; where the theorem does not apply to it, nothing is
        compared.
      config: its settings.
      threshold: beta, `[K]`.
    """
    self._applies = applies(algorithm, config)
    self._config = config
    self._threshold = threshold

  def before_update(self, value: losses.Critic, weights: Sequence[tf.Tensor],
                    training: types.Transition) -> Optional[tf.Tensor]:
    """What `error` needs of the critic from before its update, `[K, P]`.

    Args:
      value: maps `[B, O]` and `[B, A]` to values `[B]`, by `weights`.
      weights: the critic's, before its update.
      training: the training part.
    """
    if not self._applies:
      return None
    return theorem.penalty_gradients(value, weights, training)

  def error(self, value: losses.Critic, weights: Sequence[tf.Tensor],
            before_update: Optional[tf.Tensor],
            gradient: Optional[meta_gradient.MetaGradient],
            validation: Optional[types.Transition], value_t: tf.Tensor,
            meta_parameter: tf.Tensor, episode_penalty: tf.Tensor,
            multiplier_t: tf.Tensor) -> Dict[str, tf.Tensor]:
    """Compares at the updated critic.

    Args:
      value: maps `[B, O]` and `[B, A]` to values `[B]`, by `weights`.
      weights: the critic's, after its update.
      before_update: what the method of that name gave.
      gradient: the learner's meta-gradient.
      validation: the validation part, `[V, ...]`.
      value_t: target critic at `(o_t, target_policy(o_t))`, `[V]`.
      meta_parameter: alpha_lambda, `[K]`.
      episode_penalty: J_C, `[K]`.
      multiplier_t: lambda', `[K]`.

    Returns:
      The error `[]` by its name among the metrics; nothing where nothing is
      compared.
    """
    if not self._applies:
      return {}
    rate = lagrange.effective_rate(
        self._config.multiplier_learning_rate, meta_parameter) * (
        episode_penalty - self._threshold)
    return dict(theorem_error=theorem.largest_error(
        gradient, theorem.closed_form(
            value, weights, validation, value_t, multiplier_t,
            before_update, rate,
            self._config.multiplier_projection == 'straight_through',
            self._config.critic_lr)))
