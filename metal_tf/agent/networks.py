"""The policy and critic networks, and MeSh's, in Sonnet.

Sizes and layers are those of Acme's control-suite D4PG, which the RWRL suite's
own example uses as well: layer norm and tanh after the first layer, then ELU.
"""

from typing import Any, Callable, Sequence, Tuple

from acme import specs
from acme.tf import networks as acme_networks
import sonnet as snt
import tensorflow as tf

from metal_tf import types


class Critic(snt.Module):
  """Maps an observation and an action to N numbers.

  These are the logits of a value distribution, or with N = 1 the value itself:
  see `critics.py`.
  """

  def __init__(self, layer_sizes: Sequence[int], num_outputs: int,
               name: str = 'critic'):
    """Builds the critic.

    Args:
      layer_sizes: widths of the hidden layers.
      num_outputs: N.
      name: the module's name.
    """
    super().__init__(name=name)
    self._network = snt.Sequential([
        acme_networks.LayerNormMLP(layer_sizes, activate_final=True),
        snt.Linear(num_outputs),
    ])

  def __call__(self, observation: tf.Tensor, action: tf.Tensor) -> tf.Tensor:
    """Returns `[B, N]` for `[B, O]` observations, `[B, A]` actions."""
    return self._network(tf.concat([observation, action], axis=1))


class ShapingNetwork(snt.Module):
  """Maps an observation and an action to MeSh's scale and offset."""

  def __init__(self, layer_sizes: Sequence[int], name: str = 'shaping'):
    """Builds the network; its last layer is zero, so it is exactly neutral.

    Args:
      layer_sizes: widths of the hidden layers.
      name: the module's name.
    """
    super().__init__(name=name)
    self._network = snt.Sequential([
        acme_networks.LayerNormMLP(layer_sizes, activate_final=True),
        snt.Linear(2, w_init=tf.zeros_initializer()),
    ])

  def __call__(self, observation: tf.Tensor,
               action: tf.Tensor) -> Tuple[tf.Tensor, tf.Tensor]:
    """Returns the scale > 0 and the offset, `[B]` each; 1 and 0 at first."""
    output = self._network(tf.concat([observation, action], axis=1))
    return tf.exp(output[:, 0]), output[:, 1]


def make_policy(spec: types.EnvironmentSpec, layer_sizes: Sequence[int],
                dtype: tf.DType = tf.float32) -> snt.Module:
  """Returns the policy: `[B, O]` observations to `[B, A]` bounded actions."""
  action_spec = specs.BoundedArray(
      shape=spec.action_minimum.shape,
      dtype=dtype.as_numpy_dtype,
      minimum=spec.action_minimum.astype(dtype.as_numpy_dtype),
      maximum=spec.action_maximum.astype(dtype.as_numpy_dtype))
  return snt.Sequential([
      acme_networks.LayerNormMLP(layer_sizes, activate_final=True),
      acme_networks.NearZeroInitializedLinear(spec.action_size),
      acme_networks.TanhToSpec(action_spec),
  ], name='policy')


class Function:
  """A Sonnet module as a pure function of its weights.

  The learner's compiled parts take weights as tensors. A variable would be
  locked by the part that reads it, so that no other could run meanwhile; and
  the updated critic is a function of lambda', which no variable can be.
  """

  def __init__(self, make: Callable[[], snt.Module], *inputs: tf.Tensor):
    """Builds a module whose weights are given with each call.

    Args:
      make: builds the module.
      *inputs: examples of what it is called with.
    """
    with snt.functional.variables():
      self._module = make()
      self._module(*inputs)
    self._weights = self._module.trainable_variables

  def __call__(self, weights: Sequence[tf.Tensor], *inputs: tf.Tensor) -> Any:
    """Applies the module with these weights, in its variables' order."""
    for slot, weight in zip(self._weights, weights):
      slot.assign(weight)
    return self._module(*inputs)


class Networks:
  """Policy and critic with their target copies, variables created.

  Attributes:
    policy: the policy, a Sonnet module.
    critic: the critic.
    target_policy: the policy's copy.
    target_critic: the critic's copy.
    apply_policy: maps a policy's weights and `[B, O]` to `[B, A]`.
    apply_critic: maps a critic's weights, `[B, O]` and `[B, A]` to `[B, N]`.
  """

  def __init__(self, spec: types.EnvironmentSpec,
               policy_layer_sizes: Sequence[int],
               critic_layer_sizes: Sequence[int], num_outputs: int,
               dtype: tf.DType = tf.float32):
    """Builds all four networks; targets start as copies.

    Args:
      spec: sizes and bounds of the environment.
      policy_layer_sizes: hidden widths of the policy.
      critic_layer_sizes: hidden widths of the critic.
      num_outputs: N, of the critic.
      dtype: of weights and inputs; float64 is for checking gradients.
    """
    self.policy = make_policy(spec, policy_layer_sizes, dtype)
    self.critic = Critic(critic_layer_sizes, num_outputs)
    self.target_policy = make_policy(spec, policy_layer_sizes, dtype)
    self.target_critic = Critic(critic_layer_sizes, num_outputs,
                                name='target_critic')
    observation = tf.zeros([1, spec.observation_size], dtype)
    action = tf.zeros([1, spec.action_size], dtype)
    for policy in (self.policy, self.target_policy):
      policy(observation)
    for critic in (self.critic, self.target_critic):
      critic(observation, action)
    for source, target in zip(self.online_variables, self.target_variables):
      target.assign(source)
    self.apply_policy = Function(
        lambda: make_policy(spec, policy_layer_sizes, dtype), observation)
    self.apply_critic = Function(
        lambda: Critic(critic_layer_sizes, num_outputs), observation, action)

  @property
  def online_variables(self) -> Sequence[tf.Variable]:
    return self.critic.trainable_variables + self.policy.trainable_variables

  @property
  def target_variables(self) -> Sequence[tf.Variable]:
    return (self.target_critic.trainable_variables +
            self.target_policy.trainable_variables)
