"""How many floating-point operations a D4PG step needs at the least."""

from typing import Sequence


def d4pg_step(batch_size: int, observation_size: int, action_size: int,
              policy_layers: Sequence[int], critic_layers: Sequence[int],
              num_atoms: int) -> int:
  """Counts those of the matrix products; everything else is left out.

  A layer from n to m units costs `2 B n m` forward (an addition and a
  multiplication are two), and as much for the gradient of its weights and for
  that of its inputs. A step has both target networks forward at o_t; the critic
  forward at (o_tm1, a_tm1), and the gradient of its weights; policy and critic
  forward at o_t, the gradient of the value with respect to the action alone,
  and with it that of the policy's weights. The gradient with respect to an
  observation is needed nowhere.
  """
  policy = [observation_size, *policy_layers, action_size]
  critic = [observation_size + action_size, *critic_layers, num_atoms]
  policy_first, critic_first = (
      layers[0] * layers[1] for layers in (policy, critic))
  policy_forward, critic_forward = (
      sum(n * m for n, m in zip(layers, layers[1:]))
      for layers in (policy, critic))
  critic_update = 3 * critic_forward - critic_first
  value_gradient = (
      2 * critic_forward - critic_first + action_size * critic[1])
  policy_update = 3 * policy_forward - policy_first
  return 2 * batch_size * (
      policy_forward + critic_forward + critic_update + value_gradient
      + policy_update)
