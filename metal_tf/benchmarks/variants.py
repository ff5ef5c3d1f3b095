"""Every variant that one flag makes, run for some episodes: does it work?

    ./bazelw run //metal_tf/benchmarks:variants

For each variant and form one run from a launcher, as a user would start it. The
table has the exit status, the speed beside D4PG's of the same form, the setting
as the run's `config.json` recorded it, and how far the meta-gradient is from
finite differences (float64, small networks; the largest relative error of both
paths). Runs take turns, so compare large differences of speed only.
"""

import os
import subprocess
import sys
import tempfile
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from absl import app
from absl import flags
import numpy as np
# Before absl's main, see metal_tf/cli/main.py.
import tensorflow as tf  # pylint: disable=unused-import

from metal_tf.agent.testing import gradient_check
from metal_tf.runs import rates
from metal_tf.runs import run_folder

_EPISODES = flags.DEFINE_integer(
    'episodes', 5, 'Episodes of each run.', lower_bound=3)
_DOMAIN = flags.DEFINE_string('domain', 'cartpole', 'Domain.')
_FORMS = flags.DEFINE_list(
    'forms', ['one process', 'local_mp'],
    'Forms of a run: "one process", or launch types of Launchpad.')



class Variant(NamedTuple):
  """A variant of an agent.

  Attributes:
    launcher: name.
    settings: flags by name.
    check: largest relative error of its meta-gradient; None if it has none.
  """
  launcher: str
  settings: Dict[str, str]
  check: Optional[Callable[[], float]] = None


def _metal(regime: str, paths: Tuple[str, ...] = ('direct', 'through_weights'),
           **settings: Any) -> Callable[[], float]:
  """Checks MetaL; the actor's outer loss has no direct path."""

  def check() -> float:
    checked = gradient_check.check_metal(
        regime, **settings, **gradient_check.critic_settings(regime))
    return max(checked.error(path) for path in paths)

  return check


def _mesh() -> float:
  return max(abs(got - difference) / abs(difference)
             for got, difference in gradient_check.check_mesh())


VARIANTS = (
    Variant('d4pg', {}),
    Variant('rc_d4pg', {}),
    Variant('rs_d4pg', {'lagrange_multiplier': '0.1'}),
    Variant('metal', {}, _metal('warm')),
    Variant('metal', {'outer_divergence': 'cross_entropy'},
            _metal('warm', divergence='cross_entropy')),
    Variant('metal', {'outer_divergence': 'kl'},
            _metal('warm', divergence='kl')),
    Variant('metal', {'outer_loss': 'actor'},
            _metal('warm', ('through_weights',), outer_loss='actor')),
    Variant('metal', {'outer_loss': 'actor_critic'},
            _metal('warm_sum', outer_loss='actor_critic')),
    Variant('metal', {'meta_optimizer': 'adam'},
            _metal('warm', meta_optimizer='adam')),
    Variant('metal', {'multiplier_projection': 'straight_through'},
            _metal('warm', projected=True,
                   multiplier_projection='straight_through')),
    Variant('metal', {'critic': 'scalar', 'inner_optimizer': 'sgd'},
            _metal('scalar_sgd')),
    Variant('metal', {'constraints': 'balance_velocity:0.115,slider_pos:0.95'},
            _metal('warm', num_constraints=3)),
    Variant('metal', {'replay': 'prioritized'}, _metal('warm')),
    Variant('mesh', {}, _mesh),
)


class Result(NamedTuple):
  """What a run came to; speeds per second, NaN where it was too short."""
  status: int
  learner_steps: float
  recorded: str


def measure(variant: Variant, form: str) -> Result:
  """Runs a variant once.

  Args:
    variant: which.
    form: 'one process' or Launchpad's launch type.
  """
  with tempfile.TemporaryDirectory() as directory:
    arguments = [f'--{name}={value}'
                 for name, value in variant.settings.items()]
    if form != 'one process':
      arguments.append(f'--lp_launch_type={form}')
    with open(os.path.join(directory, 'out'), 'w', encoding='utf-8') as out:
      status = subprocess.run(
          [sys.executable, '-m', 'metal_tf.cli', variant.launcher,
           f'--domain={_DOMAIN.value}', f'--num_episodes={_EPISODES.value}',
           f'--workdir={directory}', '--evaluation_period=0',
           '--feasibility_episodes=0', *arguments],
          env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
          stdout=out, stderr=subprocess.STDOUT, check=False).returncode
    if status:
      with open(os.path.join(directory, 'out'), encoding='utf-8') as out:
        print(out.read(), file=sys.stderr)
      return Result(status, np.nan, '')
    run = run_folder.read(directory)
    recorded = [f'{name}={run.config[name]}' for name in variant.settings]
    speed = rates.of(run)
    return Result(status, speed.learner_steps if speed else np.nan,
                  ', '.join(recorded) or 'defaults')


def main(_: List[str]) -> None:
  print(f'{os.cpu_count()} cores, load before: {os.getloadavg()[0]:.1f}, '
        f'{_EPISODES.value} episodes of {_DOMAIN.value} each\n')
  print('| agent | setting recorded | form | exit status | learner steps/s | '
        'relative to D4PG | meta-gradient\'s error |')
  print('| --- | --- | --- | --- | --- | --- | --- |')
  failed = False
  errors = [variant.check() if variant.check else None for variant in VARIANTS]
  for form in _FORMS.value:
    base = np.nan
    for variant, error in zip(VARIANTS, errors):
      result = measure(variant, form)
      failed |= bool(result.status)
      if variant.launcher == 'd4pg':
        base = result.learner_steps
      print(f'| {variant.launcher} | {result.recorded} | {form} | '
            f'{result.status} | {result.learner_steps:.1f} | '
            f'{result.learner_steps / base:.2f} | '
            + ('none |' if error is None else f'{error:.1e} |'), flush=True)
  sys.exit(int(failed))


if __name__ == '__main__':
  app.run(main)
