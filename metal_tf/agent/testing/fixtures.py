"""Small learners and random data for the learner's tests."""

from typing import Any, Dict, List, Mapping, Optional, Sequence

from absl.testing import absltest
from absl.testing import parameterized
import numpy as np
import tensorflow as tf

from metal_tf import config as config_lib
from metal_tf import types
from metal_tf.agent import learner as learner_lib

State = Dict[str, np.ndarray]
_SEED = 1  # Of initial weights.


class LearnerTestCase(tf.test.TestCase, parameterized.TestCase):
  """For tests that share a learner."""

  test_session = None  # It is no test, and its name looks like one.

  def setUp(self) -> None:
    # Not TensorFlow's own: it sets the seed, for which every compiled function
    # is optimized again, a second for each test. `make_learner` sets it.
    absltest.TestCase.setUp(self)


def make_learner(*args: Any, **kwargs: Any) -> learner_lib.Learner:
  """Makes a learner, with the same weights in whatever order tests run."""
  tf.random.set_seed(_SEED)
  return learner_lib.Learner(*args, **kwargs)


def make_spec(num_constraints: int = 1,
              observation_size: int = 3,
              action_size: int = 2,
              thresholds: Optional[Sequence[float]] = None
             ) -> types.EnvironmentSpec:
  """Returns a small environment's spec with action bounds of several sizes."""
  if thresholds is None:
    thresholds = [0.1, 0.25, 0.05][:num_constraints]
  return types.EnvironmentSpec(
      observation_size=observation_size,
      action_minimum=-np.arange(1, action_size + 1, dtype=np.float32),
      action_maximum=np.ones(action_size, np.float32),
      constraint_names=tuple(f'c{k}' for k in range(num_constraints)),
      thresholds=np.array(thresholds, np.float32))


def make_config(**settings: Any) -> config_lib.Config:
  """Returns a config of small networks, uncompiled unless said otherwise.

  Its rates are numbers, as a learner needs them.
  """
  small = dict(
      policy_layer_sizes=(8,), critic_layer_sizes=(16, 16), num_atoms=11,
      vmin=-10.0, vmax=10.0, batch_size=16, penalty_samples=4, xla=False,
      steps_per_call=1, lagrange_lr=1e-4, meta_optimizer='adam', meta_lr=1e-3)
  return config_lib.Config(**{**small, **settings})


def random_batch(rng: np.random.RandomState,
                 spec: types.EnvironmentSpec,
                 size: int,
                 dtype: Any = np.float32) -> types.Transition:
  """Returns transitions whose targets stay well inside [-10, 10]."""
  o, a, k = spec.observation_size, spec.action_size, spec.num_constraints
  batch = types.Transition(
      o_tm1=rng.randn(size, o),
      a_tm1=rng.uniform(spec.action_minimum, spec.action_maximum, [size, a]),
      r_t=rng.uniform(0, 3, [size]),
      c_t=rng.uniform(0, 3, [size, k]),
      discount_t=rng.uniform(0.6, 0.95, [size]),
      o_t=rng.randn(size, o))
  return types.Transition(*(x.astype(dtype) for x in batch))


def random_penalties(rng: np.random.RandomState,
                     spec: types.EnvironmentSpec,
                     size: int = 4,
                     dtype: Any = np.float32) -> np.ndarray:
  """Returns episode penalties `[M, K]` that violate every threshold."""
  return rng.uniform(0.4, 0.9, [size, spec.num_constraints]).astype(dtype)


def group(state: Mapping[str, np.ndarray], name: str) -> List[np.ndarray]:
  """Returns the arrays `name/0`, `name/1`, ... of a learner state."""
  size = sum(key.startswith(f'{name}/') for key in state)
  return [state[f'{name}/{i}'] for i in range(size)]


def replace_group(state: State, name: str,
                  arrays: Sequence[np.ndarray]) -> None:
  """Replaces the arrays `name/0`, `name/1`, ... of a learner state."""
  for i, (old, new) in enumerate(zip(group(state, name), arrays)):
    state[f'{name}/{i}'] = np.asarray(new, old.dtype).reshape(old.shape)


def split(vector: np.ndarray,
          shapes: Sequence[Sequence[int]]) -> List[np.ndarray]:
  """Returns views of a vector of Adam's moments, one per variable's shape."""
  ends = np.cumsum([np.prod(shape, dtype=int) for shape in shapes])
  return [part.reshape(shape)
          for part, shape in zip(np.split(vector, ends[:-1]), shapes)]


def warm_adam(rng: np.random.RandomState, state: State, name: str,
              scale: float) -> None:
  """Puts slots of step 50, for gradients of size `scale`, into a state."""
  count, *moments = group(state, name)
  shapes = [m.shape for m in moments[:len(moments) // 2]]
  replace_group(state, name, [
      np.full_like(count, 50), *(scale * rng.randn(*s) for s in shapes),
      *(scale**2 * rng.uniform(0.5, 2, s) for s in shapes)])


def randomize(rng: np.random.RandomState, learner: learner_lib.Learner) -> None:
  """Draws all weights, the targets' apart from the others.

  The next step does not copy the targets: the step count becomes 1.
  """
  state = learner.get_state()
  for name in ('critic', 'policy', 'target'):
    replace_group(state, name, [
        rng.randn(*x.shape) / np.sqrt(x.shape[0]) if x.ndim == 2 else
        x.mean().round() + 0.3 * rng.randn(*x.shape)
        for x in group(state, name)])
  state['counts/0'] = np.ones_like(state['counts/0'])
  learner.set_state(state)


def step(learner: learner_lib.Learner, batch: types.Transition,
         episode_penalties: np.ndarray) -> Dict[str, np.ndarray]:
  """Does one step and returns its metrics alone."""
  learner.read_metrics()
  learner.step(types.Transition(*map(tf.constant, batch)),
               tf.constant(episode_penalties))
  return learner.read_metrics()


def assert_states_equal(first: State, second: State, atol: float = 0.0,
                        ignore: Sequence[str] = ()) -> None:
  """Asserts that two states agree, apart from the groups in `ignore`."""
  assert set(first) == set(second)
  for name in first:
    if name.split('/')[0] not in ignore:
      np.testing.assert_allclose(
          first[name], second[name], rtol=0, atol=atol, err_msg=name)
