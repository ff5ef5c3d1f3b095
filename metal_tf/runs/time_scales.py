"""How fast lambda and alpha_lambda move: the rates that are not given.

In the paper lambda has 20,000 episodes. In a shorter run it has to be faster,
and no faster than that: with lambda near its end before the task is learned,
the task is learned late, if at all. So alpha_1 follows from the number of
learner steps. That is done once, at a run's first start; a run that is
prolonged keeps its rates.
"""

import dataclasses
import json
from typing import Any, Dict, List, Mapping, Optional

from metal_tf import config as config_lib

# Of a full episode, where the environment does not say; the suite's have it.
EPISODE_STEPS = 1000

# Where lambda would end if J_C lay above its threshold by so much throughout.
_LAMBDA_AT_END = 2.0
_VIOLATION = 0.5

# alpha_eta for gradient descent. With the squared TD error alpha_lambda roughly
# follows lambda, as -0.71 alpha_eta lambda^2, at different alpha_1 and lengths
# (docs/algorithm.md), so alpha_eta says at which lambda the rate has gone down.
# The calibration's runs of 500 episodes had 28.125. Cross entropy and KL had
# gradients of 1e-8 to 1e-7 on cartpole at alpha_1 = 1e-4, of which 25,000 steps
# at 1e3 move alpha_lambda by 1.
_META_LR = {'td': 28.125, 'cross_entropy': 1e3, 'kl': 1e3}
# Adam's steps do not depend on the gradient's size.
_ADAM_META_LR = 1e-3

# The defaults of runs from before rates followed from the length. Such a run
# has no entry `resolved` in its config.json.
_EARLIER: Mapping[str, Any] = dict(
    lagrange_lr=1e-4, meta_optimizer='adam', meta_epsilon=1e-8,
    outer_divergence='cross_entropy', exploration_sigma=0.3)

RATES = ('lagrange_lr', 'meta_lr')


def resolve(config: config_lib.Config,
            episode_steps: int) -> config_lib.Config:
  """Makes rates that are unset numbers.

  alpha_1: if violated by 0.5 throughout, lambda ends at 2, that is
  `0.5 alpha_1 steps = 2`. alpha_eta: a constant for each optimizer and outer
  loss.

  Args:
    config: settings; rates that are given stay.
    episode_steps: steps of a full episode; 0 is taken for 1000.

  Returns:
    The settings with numbers for `lagrange_lr` and `meta_lr`.
  """
  alpha_1 = config.lagrange_lr
  if alpha_1 is None:
    alpha_1 = _LAMBDA_AT_END / (
        _VIOLATION * learner_steps(config, episode_steps))
  alpha_eta = config.meta_lr
  if alpha_eta is None:
    alpha_eta = default_meta_lr(config.meta_optimizer, config.outer_divergence)
  return config.replace(lagrange_lr=alpha_1, meta_lr=alpha_eta)


def default_meta_lr(meta_optimizer: str, outer_divergence: str
                    ) -> Optional[float]:
  """alpha_eta where it is not given; None for what this version has not."""
  return (_ADAM_META_LR if meta_optimizer == 'adam' else
          _META_LR.get(outer_divergence))


def learner_steps(config: config_lib.Config, episode_steps: int) -> float:
  """Learner steps of a whole run; 0 steps an episode are taken for 1000."""
  return (config.num_episodes * episode_length(config, episode_steps) *
          config.samples_per_insert / config.batch_size)


def episode_length(config: config_lib.Config, episode_steps: int) -> int:
  """Steps of a full episode, as far as is known before the first.

  Args:
    config: the run's settings, of which one cuts episodes.
    episode_steps: what the environment says, 0 for nothing.
  """
  steps = episode_steps or EPISODE_STEPS
  return (steps if config.max_episode_steps is None else
          min(steps, config.max_episode_steps))


def too_fast(config: config_lib.Config, episode_steps: int) -> Optional[float]:
  """When lambda would be at 1 if violated by 0.5 throughout, if that is early.

  Args:
    config: settings with a number for `lagrange_lr`.
    episode_steps: as in `resolve`.

  Returns:
    The episode, or None if it lies behind the first fifth of the run.
  """
  alpha_1 = config.multiplier_learning_rate
  if not alpha_1:
    return None
  share = 1 / (_VIOLATION * alpha_1 * learner_steps(config, episode_steps))
  return share * config.num_episodes if share < 0.2 else None


def describe(given: config_lib.Config, resolved: config_lib.Config,
             episode_steps: int, prolonged: bool, meta: bool) -> List[str]:
  """Says what the rates are and why, one line each, with warnings.

  Args:
    given: the settings, as they are given.
    resolved: what `resolve` made of them.
    episode_steps: as in `resolve`.
    prolonged: whether the rates are those of an earlier start.
    meta: whether the agent learns alpha_lambda.
  """
  rate = resolved.multiplier_learning_rate
  steps = learner_steps(resolved, episode_steps)
  origin = (
      'as given' if given.lagrange_lr is not None else
      "kept from the run's first start" if prolonged else
      f'chosen so that lambda would reach {_LAMBDA_AT_END:g} at the end of '
      f'this run ({steps:.0f} learner steps) if J_C stayed {_VIOLATION:g} '
      'above its threshold')
  lines = [f'Learning rate of lambda: alpha_1 = {rate:.3g}, {origin}.']
  if given.lagrange_lr is None and not prolonged and not episode_steps:
    lines.append('The environment does not say how long its episodes are; '
                 f'{episode_length(given, episode_steps)} steps are assumed.')
  if given.lagrange_lr is not None and not prolonged:
    episode = too_fast(resolved, episode_steps)
    if episode is not None:
      unset = resolve(given.replace(lagrange_lr=None), episode_steps)
      lines.append(
          f'Warning: with --lagrange_lr={rate:g} lambda reaches 1 within '
          f'{episode:.0f} of {resolved.num_episodes} episodes if J_C stays '
          f'{_VIOLATION:g} above its threshold, maybe before the task is '
          'learned. Without the flag the rate would be '
          f'{unset.multiplier_learning_rate:.2g}.')
  if meta:
    origin = (
        'as given' if given.meta_lr is not None else
        "kept from the run's first start" if prolonged else
        f'the default for {given.meta_optimizer}' + (
            f' and {given.outer_divergence}'
            if given.meta_optimizer == 'sgd' else ''))
    lines.append('Learning rate of alpha_lambda: alpha_eta = '
                 f'{resolved.meta_learning_rate:.3g}, {origin}.')
  return lines


def saved_settings(saved: Mapping[str, Any]) -> Dict[str, Any]:
  """The settings of a run that is on disk, all of this version's.

  A setting that is younger than the run is at what the run did without it:
  today's default, or the earlier one where that has changed.

  Args:
    saved: content of a run's `config.json`.
  """
  defaults = config_lib.Config()
  if is_earlier(saved):
    defaults = defaults.replace(**_EARLIER)
  return {**json.loads(json.dumps(dataclasses.asdict(defaults))),
          **saved['config']}


def is_earlier(saved: Mapping[str, Any]) -> bool:
  """Whether a run is from before rates followed from the length."""
  return 'resolved' not in saved


def resumed_settings(saved: Mapping[str, Any],
                     given: Mapping[str, Any]) -> Dict[str, Any]:
  """What the same command means for a run that began with other defaults.

  Args:
    saved: content of the run's `config.json`.
    given: settings of the command that resumes it, as JSON has them.

  Returns:
    The given settings. In those of an earlier run, a default of today's stands
    for the default of its time, if that is what the run has.
  """
  if not is_earlier(saved):
    return dict(given)
  before, defaults = saved_settings(saved), config_lib.Config()
  return {
      **given, **{
          name: earlier for name, earlier in _EARLIER.items()
          if before[name] == earlier
          and given[name] == getattr(defaults, name)}}
