"""Settings read off the parts of a run: for the tests of its wiring.

Nothing here looks at a run's `Config`. Each function tells by what a part does
which settings it must have been made with, as (name, value) pairs; a name may
come more than once, from several parts. The tests hold the pairs against the
settings that were given.
"""

import collections
import math
from typing import (
  Any,
  Container,
  Iterable,
  List,
  Mapping,
  Optional,
  Sequence,
  Tuple,
)
import unittest
from unittest import mock

import numpy as np
import tensorflow as tf

from metal_tf import config as config_lib
from metal_tf import types
from metal_tf.acting import actor as actor_lib
from metal_tf.agent import algorithm1
from metal_tf.agent import critics
from metal_tf.agent import learner as learner_lib
from metal_tf.agent import state as state_lib
from metal_tf.maths import losses
from metal_tf.maths import optimizers
from metal_tf.replay import in_process
from metal_tf.training import seeding

Found = List[Tuple[str, Any]]

_NO_BATCH = types.Transition(*[None] * 6)


def of_learner(learner: learner_lib.Learner) -> Found:
  """What a learner that has made no step was made with."""
  setup, iterate = learner._setup, learner._iterate
  transitions, penalties, *_ = learner._steps.input_signature
  batch_size = transitions.r_t.shape[1]
  policy, critic, mesh = (
      [x.shape[1] for x in _group(learner, name) if x.ndim == 2]
      for name in ('policy', 'critic', 'shaping'))
  found = [
      ('lagrange_lr', setup.lagrange_lr),
      ('lagrange_multiplier', learner.multiplier.numpy()[0]),
      ('multiplier_projection',
       'straight_through' if setup.straight_through else 'exact'),
      ('validation_fraction', 1 - setup.num_training / batch_size),
      ('batch_size', batch_size),
      ('penalty_samples', penalties.shape[1]),
      ('policy_layer_sizes', tuple(policy[:-1])),
      ('critic_layer_sizes', tuple(critic[:-1])),
      ('dqda_clip_norm', setup.dqda_clip_norm),
      ('target_update_period', _target_update_period(learner)),
      ('steps_per_call', learner.steps_per_call),
      ('xla', _is_compiled(learner)),
      *_of_head(setup.head, critic[-1])]
  kind, rate, clip_norm = _of_optimizer(setup.policy_optimizer)
  assert kind == 'adam', kind
  found += [('policy_lr', rate), ('clip_norm', clip_norm)]
  kind, rate, clip_norm = _of_optimizer(setup.critic_optimizer)
  found += [('inner_optimizer', kind), ('critic_lr', rate)]
  if kind == 'adam':
    found.append(('clip_norm', clip_norm))
  if iterate._shaping is not None:
    _, rate, clip_norm = _of_optimizer(iterate._shaping._optimizer)
    found += [('mesh_lr', rate), ('clip_norm', clip_norm),
              ('mesh_layer_sizes', tuple(mesh[:-1]))]
  else:
    found += [('outer_loss', setup.outer_loss),
              *_of_meta_optimizer(setup.meta_optimizer)]
  return found


def of_actor(actor: actor_lib.Actor, spec: types.EnvironmentSpec) -> Found:
  """What an actor whose policy has no bias yet was made with."""
  actor._rng = mock.Mock(
      standard_normal=lambda shape, dtype: np.ones(shape, dtype))
  action = actor.select_action(np.zeros(spec.observation_size, np.float32))
  half = (spec.action_maximum - spec.action_minimum) / 2
  return [('exploration_sigma',
           float(sigma)) for sigma in (action - spec.action_maximum) / half + 1]


def of_episode(transitions: Sequence[types.Transition]) -> Found:
  """What made the transitions of an episode whose discounts are all 1."""
  gamma = float(transitions[-1].discount_t)
  return [('discount', gamma),
          ('n_step', round(math.log(transitions[0].discount_t, gamma)))]


def of_replay(memory: in_process.InProcessReplay,
              transitions: Sequence[types.Transition]) -> Found:
  """What a replay was made with that has had more than it holds.

  Args:
    memory: the replay.
    transitions: what may be inserted again, so that samples are due.
  """
  found: List[Tuple[str, Any]] = [
      ('replay_capacity', memory.num_transitions),
      ('penalty_capacity', memory.num_episode_penalties),
      ('min_replay_size', memory.window.min_size),
      ('samples_per_insert', memory.window.samples_per_insert)]
  for transition in transitions:
    memory.insert(transition)
  sample = memory.sample()
  found += [('batch_size', len(sample.transitions.r_t)),
            ('penalty_samples', len(sample.episode_penalties)),
            ('replay', 'prioritized' if len(sample.keys) else 'uniform')]
  if len(sample.keys):
    # Every other transition is 4 times as urgent as the one before.
    inserts = memory.to_save().state['inserts']
    keys = np.arange(inserts - memory.num_transitions, inserts)
    memory.update_priorities(keys, 4.0 ** (keys % 2))
    masses = memory.to_save().arrays['masses']
    alpha = math.log(masses.max() / masses.min(), 4)
    weights = np.concatenate(
        [memory.sample().importance_weights for _ in range(3)])
    found += [('priority_exponent', alpha),
              ('importance_exponent', -math.log(weights.min(), 4) / alpha)]
  return found


def of_seeds(calls: Sequence[Any], roles: Sequence[str]) -> Found:
  """The run's seed as `seeding.seed_of` got it, for each of some parts."""
  return [('seed', next((call.args[1] for call in calls
                         if call.args[0] == role), None)) for role in roles]


def check(test: unittest.TestCase, found: Found, config: config_lib.Config,
          auto: Mapping[str, Any]) -> None:
  """Asserts that what was found is what was given.

  Args:
    test: takes failures, one for each setting.
    found: by what the parts do.
    config: what they were made from.
    auto: what 'auto' means, by setting.
  """
  for name, value in found:
    given = getattr(config, name)
    if given == 'auto':
      given = auto[name]
    with test.subTest(name):
      if isinstance(given, float):
        test.assertAlmostEqual(float(value) / (given or 1), bool(given),
                               delta=1e-5)
      else:
        test.assertEqual(value, given)


def check_none_forgotten(
    test: unittest.TestCase,
    runs: Iterable[Tuple[config_lib.Config, Found]],
    elsewhere: Container[str]) -> None:
  """Asserts that every setting was found at two values at least.

  With one alone a part might have had a constant, or the default.

  Args:
    test: takes failures, one for each setting.
    runs: settings, and what was found.
    elsewhere: names of settings that these parts do not have.
  """
  values = collections.defaultdict(set)
  for config, found in runs:
    for name in {name for name, _ in found}:
      values[name].add(getattr(config, name))
  for field, _ in config_lib.Config.settings():
    with test.subTest(field.name):
      if field.name in elsewhere:
        test.assertEqual(values[field.name], set())
      else:
        test.assertGreater(len(values[field.name]), 1)


def spied(owner: Any, name: str) -> Any:
  """Patches a function or method such that calls are noted and go through."""
  return mock.patch.object(owner, name, autospec=True,
                           side_effect=getattr(owner, name))


def spied_seeds() -> Any:
  """The same for `seeding.seed_of`, see `of_seeds`."""
  return spied(seeding, 'seed_of')


def _group(learner: learner_lib.Learner, name: str) -> List[np.ndarray]:
  state = learner.get_state()
  return [state[key] for key in state if key.startswith(f'{name}/')]


def _of_head(head: critics.Head, num_outputs: int) -> Found:
  """What the critic's head was made with, and the network before it."""
  if isinstance(head, critics.Scalar):
    assert num_outputs == 1, num_outputs
    return [('critic', 'scalar')]
  atoms = head.value(1e4 * tf.eye(num_outputs)).numpy().astype(np.float64)
  logits = np.linspace(-1, 1, num_outputs)
  p = np.eye(num_outputs)[0]
  p = (p + p[::-1]) / 2
  got = head.outer_loss(
      lambda o, a: tf.constant(logits[None], tf.float32), _NO_BATCH,
      losses.Target(tf.constant(p[None], tf.float32), tf.constant(0.0)))
  q = np.exp(logits) / np.exp(logits).sum()
  kinds = dict(td=((p - q) @ atoms)**2, cross_entropy=-p @ np.log(q),
               kl=-p @ np.log(q) - math.log(2))
  divergence = [kind for kind, value in kinds.items()
                if abs(value - got[0]) < 1e-4 * value]
  return [('critic', 'distributional'), ('num_atoms', num_outputs),
          ('num_atoms', head.size), ('vmin', atoms[0]), ('vmax', atoms[-1]),
          ('outer_divergence', ' or '.join(divergence))]


def _step(optimizer: optimizers.Optimizer, gradient: float,
          parameter: float = 0.0,
          dtype: tf.DType = tf.float32) -> Tuple[float, float]:
  """Makes a first step; returns its length and the first moment after it."""
  zero = tf.zeros([1], dtype)
  [new], slots, _ = optimizer(
      [zero + parameter], [zero + gradient],
      optimizers.AdamSlots(tf.constant(0, tf.int64), [zero], [zero]))
  return parameter - float(new[0]), float(slots.m[0][0])


def _of_optimizer(optimizer: optimizers.Optimizer
                 ) -> Tuple[str, float, Optional[float]]:
  """Its kind, its rate and its bound on the gradient; None for no bound."""
  length, moment = _step(optimizer, 0.5)
  if not moment:
    return 'sgd', length / 0.5, None
  _, moment = _step(optimizer, 1e6)
  return 'adam', length, moment / 0.1


def _of_meta_optimizer(optimizer: optimizers.Optimizer) -> Found:
  length, moment = _step(optimizer, 1.0, dtype=tf.float64)
  found = [('meta_parameter_limit', sign * 1e9 - _step(
      optimizer, 0.0, sign * 1e9, tf.float64)[0]) for sign in (1, -1)]
  found[1] = (found[1][0], -found[1][1])
  if not moment:
    return [*found, ('meta_optimizer', 'sgd'), ('meta_lr', length)]
  rate, _ = _step(optimizer, 1e12, dtype=tf.float64)
  return [*found, ('meta_optimizer', 'adam'), ('meta_lr', rate),
          ('meta_epsilon', rate / length - 1)]


def _target_update_period(learner: learner_lib.Learner) -> int:
  """The first step, from 1 on, before which targets are copied."""
  state: algorithm1.TrainingState = state_lib.read(learner._state)
  state = state._replace(target_critic=[x + 1 for x in state.critic])
  for i in range(1, 100):
    copied = learner._iterate.copy_targets(
        state._replace(steps=tf.constant(i, tf.int64)))
    if np.array_equal(copied.target_critic[0], state.critic[0]):
      return i
  return 0


def _is_compiled(learner: learner_lib.Learner) -> bool:
  """Whether the steps are to be compiled with XLA; nothing is, here."""
  options = []

  def function(f: Any, **kwargs: Any) -> Any:
    options.append(kwargs)
    return f

  def no_step(state: Any, tally: Any, *_: Any) -> Any:
    return state, tally, None

  with mock.patch.object(tf, 'function', function), \
      mock.patch.object(learner, '_loop', no_step):
    learner._make_steps(*[None] * 4)  # type: ignore[arg-type]
  return any(kwargs.get('jit_compile') for kwargs in options)
