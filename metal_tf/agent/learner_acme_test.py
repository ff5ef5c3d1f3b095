"""The D4PG setting against Acme's D4PGLearner: same weights, same batches."""

from typing import List

from absl.testing import parameterized
from acme import types as acme_types
from acme.utils import loggers
import numpy as np
import tensorflow as tf

from metal_tf import config as config_lib
from metal_tf.agent import agents
from metal_tf.agent import learner as learner_lib
from metal_tf.agent.testing import fixtures
from metal_tf.benchmarks import acme_peer

_STEPS = 20
_DISCOUNT = 0.99**5


class _Kept(loggers.Logger):
  """Keeps what Acme's learner would log."""

  def __init__(self):
    self.rows: List[dict] = []

  def write(self, data: dict) -> None:
    self.rows.append({k: float(v) for k, v in data.items()})

  def close(self) -> None:
    pass


class AcmeTest(tf.test.TestCase, parameterized.TestCase):

  @parameterized.parameters(False, True)
  def test_same_losses_and_parameters(self, xla):
    rng = np.random.RandomState(0)
    spec = fixtures.make_spec(1, observation_size=5, action_size=1)
    config = config_lib.Config(target_update_period=5, xla=xla)
    self.assertEqual(
        (config.policy_layer_sizes, config.critic_layer_sizes,
         config.num_atoms, config.batch_size),
        ((256, 256, 256), (512, 512, 256), 51, 256))
    ours = learner_lib.Learner(spec, agents.D4PG, config)
    batches = []
    for _ in range(_STEPS):
      batch = fixtures.random_batch(rng, spec, config.batch_size)
      discount = np.where(rng.rand(256) < 0.1, 0, _DISCOUNT)
      batches.append(batch._replace(
          r_t=rng.uniform(-20, 20, [256]).astype(np.float32),
          discount_t=discount.astype(np.float32)))
    # Acme multiplies by its own discount what ours stores as one product.
    data = tf.data.Dataset.from_tensor_slices(
        acme_types.Transition(*(np.stack(x) for x in zip(*(
            (b.o_tm1, b.a_tm1, b.r_t,
             (b.discount_t > 0).astype(np.float32), b.o_t)
            for b in batches))))).map(acme_peer.Sample)
    logger = _Kept()
    acme = acme_peer.make_learner(spec, config, iter(data), logger)
    acme_online = (*acme._critic_network.trainable_variables,
                   *acme._policy_network.trainable_variables)
    for source, target in zip(ours.networks.online_variables, acme_online):
      self.assertEqual(source.shape, target.shape)
      target.assign(source)
    metrics = []
    for batch in batches:
      metrics.append(fixtures.step(
          ours, batch, np.zeros([config.penalty_samples, 1], np.float32)))
      acme.step()

    for name in ('critic_loss', 'policy_loss'):
      np.testing.assert_allclose(
          [m[name] for m in metrics], [row[name] for row in logger.rows],
          rtol=1e-5, err_msg=name)
    difference = np.concatenate([
        np.abs(x.numpy() - y.numpy()).ravel() for x, y in zip(
            ours.networks.online_variables, acme_online)])
    share = np.mean(difference <= 1e-6)
    print(f'{difference.size} parameters, {share:.6%} within 1e-6, largest '
          f'difference {difference.max():.2e}')
    self.assertGreaterEqual(share, 0.9999)
    self.assertLessEqual(difference.max(), 2e-4)


if __name__ == '__main__':
  tf.test.main()
