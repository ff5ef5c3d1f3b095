"""Every setting of a run, with its default, once.

The launchers' flags, their help texts and the table of defaults in the docs are
derived from `Config`. The origin of a default is one of

- `paper`: in the paper's main text,
- `checked`: in public source code or a sister paper,
- `recalled`: recalled from the paper's appendix, which could not be opened,
- `our choice`: unknown, chosen for this project.
"""

import dataclasses
import os
from typing import Any, FrozenSet, Mapping, Optional, Sequence, Tuple

import numpy as np

# Settings that there were once, by name, and what became of each. Folders of
# such runs are read as if they did not have them.
RETIRED = {
    'deterministic': 'every run of one process can be repeated and goes on '
                     'exactly now, unless Reverb keeps its replay '
                     '(--replay_store)',
}

# What a setting says: what is learned and how, on what, or only where, how long
# and with what machinery (the suite's two versions give the same numbers).
LEARNING, TASK, RUN = ROLES = ('learning', 'task', 'run')
_METAL, _OUTER = ('metal',), ('metal', 'mesh')
_LAGRANGE = ('metal', 'rc_d4pg', 'mesh')
ORIGINS = ('paper', 'checked', 'recalled', 'our choice')

# Settings that go together, by the name that `preset` calls them by. With
# `small` an episode costs a fifth of what it costs with `paper`, and the higher
# learning rates, which small networks tolerate, need fewer episodes: see
# docs/calibration.md, "The learning rates of the preset small".
PRESETS: Mapping[str, Mapping[str, Any]] = {
    'paper': {},
    'small': dict(policy_layer_sizes=(128, 128), critic_layer_sizes=(256, 128),
                  batch_size=128, policy_lr=3e-4, critic_lr=1e-3),
}


@dataclasses.dataclass(frozen=True)
class Setting:
  """What is known of one field of `Config`.

  Attributes:
    help: one sentence for the flag's help.
    origin: one of `ORIGINS`.
    unit: of the value, or ''.
    minimum: smallest allowed value, or None.
    maximum: largest allowed value, or None.
    exclusive: whether the bounds themselves are forbidden.
    choices: allowed values, or None.
    role: one of `ROLES`. The report counts runs that differ in settings of
      `LEARNING` as different agents, in those of `TASK` as different
      conditions, and pools those that differ in settings of `RUN`.
    changeable: whether a run may go on with another value.
    agents: names of the agents that use it, or None for all.
    named: whether the name of a run's default folder has it where it is not
      the default.
    axis: the flag of the sweep that decides it, or ''.
  """
  help: str
  origin: str
  unit: str = ''
  minimum: Optional[float] = None
  maximum: Optional[float] = None
  exclusive: bool = False
  choices: Optional[Sequence[str]] = None
  role: str = LEARNING
  changeable: bool = False
  agents: Optional[Tuple[str, ...]] = None
  named: bool = False
  axis: str = ''

  @property
  def allowed(self) -> str:
    """The allowed values in words, or '' where there is no restriction."""
    if self.choices:
      return 'one of ' + ', '.join(self.choices)
    low, high = self.minimum, self.maximum
    if low is None and high is None:
      return ''
    if high is None:
      return f'{">" if self.exclusive else ">="} {low:.10g}'
    if low is None:
      return f'{"<" if self.exclusive else "<="} {high:g}'
    left, right = ('(', ')') if self.exclusive else ('[', ']')
    return f'in {left}{low:.10g}, {high:.10g}{right}'


def _setting(default: Any, help: str, origin: str, **details: Any) -> Any:
  return dataclasses.field(
      default=default, metadata={'setting': Setting(help, origin, **details)})


@dataclasses.dataclass(frozen=True)
class Config:
  """The settings of a training run. `settings()` documents each field.

  Paths, numpy's numbers and lists are taken as the plain values that they mean.
  """

  # The task.
  domain: str = _setting(
      'cartpole', 'Task family of the Real-World RL suite.', 'paper',
      choices=('cartpole', 'walker', 'quadruped', 'humanoid'),
      role=TASK, axis='domains')
  task: str = _setting(
      '', "Task of the domain; empty means the paper's.", 'paper', role=TASK)
  safety_coeff: float = _setting(
      0.3, 'Safety coefficient of the suite: smaller makes every constraint '
      'harder. The paper uses 0.05, 0.1, 0.2 and 0.3.', 'paper',
      minimum=0, maximum=1, role=TASK, axis='safety_coeffs')
  constraints: Tuple[str, ...] = _setting(
      (), 'Constraints as name[:threshold],...; empty means the domain\'s '
      'constraint in the paper (checked for cartpole and walker).', 'recalled',
      role=TASK)
  threshold: Optional[float] = _setting(
      None, 'Threshold beta for the constraints without one of their own; '
      'unset means the task\'s default (cartpole\'s is in the paper).',
      'recalled',
      unit='mean penalty per step', minimum=0, maximum=1, role=TASK,
      axis='thresholds')
  suite: str = _setting(
      'auto', 'Who simulates: the real realworldrl_suite, the builtin tasks, '
      'or the real one where it is installed.', 'our choice',
      choices=('auto', 'realworldrl', 'builtin'), role=RUN)
  rwrl_spec: str = _setting(
      '', "Delays, noise, perturbations and so on of the real suite: a JSON "
      'file, or JSON itself, with keys such as delay_spec and noise_spec (see '
      'docs/tasks.md); empty means none. The content is recorded, not the '
      'path.', 'paper', role=TASK)
  environment: str = _setting(
      '', "An environment of your own in place of the suite's: "
      'FILE.py:function or package.module:function, relative to where you '
      'stand; the function takes a seed (see docs/own_environments.md). The '
      'settings above belong to the suite and stay unset with it.',
      'our choice', role=TASK)
  environment_kwargs: str = _setting(
      '', 'Settings of your own environment: a JSON object whose entries the '
      'function gets by name, after the seed.', 'our choice', role=TASK,
      axis='environment_kwargs')

  # The run.
  preset: str = _setting(
      'paper', 'A set of settings by its name: those of this table, or small '
      'networks and batches and higher learning rates, with which a run takes '
      'minutes (see docs/runs.md). Flags that are given override it.',
      'our choice',
      choices=tuple(PRESETS), role=TASK, named=True)
  num_episodes: int = _setting(
      20000, 'Length of training.', 'paper', unit='episodes', minimum=1,
      role=RUN, changeable=True)
  seed: int = _setting(
      0, 'Seed of networks, environment, exploration and replay.',
      'our choice', minimum=0, maximum=2**31 - 1, role=RUN, axis='seeds')
  workdir: str = _setting(
      '', 'Folder for everything the run writes; the same command again '
      'resumes there. Relative to where you stand; empty means a name under '
      './runs made of algorithm, domain, coefficient, seed and of what else is '
      'varied often.', 'our choice', role=RUN, changeable=True, axis='workdir')
  num_actors: int = _setting(
      1, 'Actors. More than one, or --lp_launch_type, runs the Launchpad '
      'program instead of everything in one process.', 'our choice', minimum=1,
      maximum=1000, changeable=True)
  stall_seconds: float = _setting(
      600.0, 'With several workers: a run in which nothing has moved for this '
      'long is stopped; after a tenth of it a line says who waits for what.',
      'our choice', unit='s', minimum=0, exclusive=True,
      role=RUN, changeable=True)
  checkpoint_seconds: float = _setting(
      60.0, 'Time between checkpoints. A kill costs at most so much work, or '
      'two episodes where these take longer.', 'our choice',
      unit='s', minimum=0, role=RUN, changeable=True)
  evaluation_period: int = _setting(
      10, 'Training episodes between two evaluation episodes without noise; 0: '
      'none.', 'our choice', unit='episodes', minimum=0,
      role=RUN, changeable=True)
  max_episode_steps: Optional[int] = _setting(
      None, 'An episode that has not ended after this many steps is cut, and '
      "the value of its last state bootstrapped; unset means 10000, or the "
      "environment's own length where that is longer.", 'our choice',
      unit='steps', minimum=1)
  feasibility_episodes: int = _setting(
      2, 'Before a new run, episodes of a zero policy and as many of a random '
      'one, whose J_C is shown beside the thresholds; an episode takes a '
      'second or a few; 0: none.', 'our choice', unit='episodes', minimum=0,
      role=RUN, changeable=True)

  # Constraint handling.
  lagrange_lr: Optional[float] = _setting(
      None, 'alpha_1, learning rate of the multiplier; unset means that it '
      "follows from the run's length at its first start, 4 / learner steps, so "
      'that lambda would end at 2 if J_C were 0.5 above the threshold '
      'throughout.', 'our choice',
      minimum=0, agents=_LAGRANGE)
  lagrange_multiplier: float = _setting(
      0.0, 'lambda: where it starts for agents that learn it (0 in the paper), '
      'where it stays for RS-D4PG.', 'paper',
      unit='reward per penalty', minimum=0, agents=(*_LAGRANGE, 'rs_d4pg'))
  meta_lr: Optional[float] = _setting(
      None, 'alpha_eta, learning rate of the meta-parameter alpha_lambda; '
      'unset means, for sgd, 28.125 with --outer_divergence=td (found with '
      'penalties of 0 and 1 on cartpole) and 1e3 with the others, and 1e-3 for '
      'adam.', 'our choice', minimum=0,
      agents=_METAL)
  meta_optimizer: str = _setting(
      'sgd', 'Optimizer of alpha_lambda: gradient descent, as the paper '
      'writes it, whose steps shrink with the gradient, or Adam.', 'paper',
      choices=('sgd', 'adam'), agents=_METAL)
  meta_epsilon: float = _setting(
      1e-15, "Adam's epsilon for alpha_lambda: where the gradient is smaller, "
      'the step follows its size; where it is larger, only its sign. The '
      'default is below all gradients that occur, so that their scale does not '
      'matter; those of cartpole are about 1e-8.', 'our choice', minimum=0,
      exclusive=True, agents=_METAL)
  meta_parameter_limit: float = _setting(
      10.0, 'alpha_lambda is kept within plus and minus this.', 'our choice',
      minimum=0, exclusive=True, agents=_METAL)
  multiplier_projection: str = _setting(
      'exact', 'Derivative of max(0, .) in the update of lambda, where it '
      'acts: exact has 0 there; straight_through leaves the projection out of '
      'the derivative, as Theorem 1 does.', 'our choice',
      choices=('exact', 'straight_through'), agents=_LAGRANGE)
  outer_loss: str = _setting(
      'critic', "The outer loss: the critic's, the actor's, or their sum. The "
      "actor's form is our reading.", 'paper',
      choices=('critic', 'actor', 'actor_critic'), agents=_METAL, named=True)
  outer_divergence: str = _setting(
      'td', 'What the outer critic loss measures: the squared TD error of the '
      "distributions' means, which takes the paper's formula as it is printed "
      'and is what Theorem 1 differentiates, or cross entropy or KL of the '
      'distributions. The paper does not say. A scalar critic has td alone.',
      'our choice',
      choices=('td', 'cross_entropy', 'kl'), agents=_OUTER)
  validation_fraction: float = _setting(
      0.5, 'Share of a batch that the outer loss is taken on.', 'our choice',
      minimum=0, maximum=1, exclusive=True, agents=_OUTER)

  # MeSh.
  mesh_lr: float = _setting(
      1e-4, "Adam's learning rate for MeSh's scale and offset of the shaped "
      'reward.', 'our choice', minimum=0, agents=('mesh',))
  mesh_layer_sizes: Tuple[int, ...] = _setting(
      (64, 64), "Hidden widths of MeSh's network.", 'our choice', minimum=1,
      agents=('mesh',))

  # D4PG.
  critic: str = _setting(
      'distributional', 'What the critic learns: a distribution by cross '
      'entropy, or one value by its squared TD error, as Theorem 1 has it; the '
      'latter has no atoms.', 'paper', choices=('distributional', 'scalar'),
      named=True)
  inner_optimizer: str = _setting(
      'adam', "Optimizer of the critic's inner update: Adam, with clipping, or "
      "Theorem 1's plain gradient descent, which --clip_norm leaves alone.",
      'checked', choices=('adam', 'sgd'))
  batch_size: int = _setting(
      256, 'Transitions per learner step, validation part included.', 'checked',
      minimum=2)
  discount: float = _setting(
      0.99, 'gamma.', 'checked', minimum=0, maximum=1)
  n_step: int = _setting(
      5, 'Steps of the n-step return.', 'checked', unit='steps', minimum=1)
  policy_lr: float = _setting(
      1e-4, "Adam's learning rate for the policy.", 'checked', minimum=0)
  critic_lr: float = _setting(
      1e-4, 'alpha_theta_c, learning rate of the critic.', 'checked', minimum=0)
  policy_layer_sizes: Tuple[int, ...] = _setting(
      (256, 256, 256), 'Hidden widths of the policy.', 'checked', minimum=1)
  critic_layer_sizes: Tuple[int, ...] = _setting(
      (512, 512, 256), 'Hidden widths of the critic.', 'checked', minimum=1)
  num_atoms: int = _setting(
      51, 'Atoms of the value distribution.', 'checked', minimum=2)
  vmin: float = _setting(
      -150.0, 'Lowest atom.', 'checked', unit='discounted return')
  vmax: float = _setting(
      150.0, 'Highest atom.', 'checked', unit='discounted return')
  clip_norm: float = _setting(
      40.0, "Bound on the global norm of the policy's, of the critic's and of "
      "MeSh's gradient.", 'checked', minimum=0, exclusive=True)
  dqda_clip_norm: float = _setting(
      1.0, 'Bound on the norm of dQ/da, per transition.', 'checked', minimum=0,
      exclusive=True)
  target_update_period: int = _setting(
      100, 'Learner steps between copies to the target networks.', 'checked',
      unit='learner steps', minimum=1)
  exploration_sigma: float = _setting(
      0.1, 'Standard deviation of the Gaussian exploration noise.', 'recalled',
      unit="half ranges of an action, (maximum - minimum) / 2", minimum=0)
  xla: bool = _setting(
      True, 'Compile the learner step with XLA.', 'our choice', role=RUN)
  steps_per_call: int = _setting(
      32, 'Learner steps that one process makes in one call of the compiled '
      'update, one after the other, on batches that are drawn before the first '
      'of them; several workers make one.',
      'our choice', unit='learner steps', minimum=1, maximum=1000)
  learner_threads: int = _setting(
      0, 'Threads of the learner step; 0: what TF_NUM_INTRAOP_THREADS and '
      'TF_NUM_INTEROP_THREADS say, else all cores. From 2 on, a step of '
      'networks of the paper\'s size is made in parts on two threads, and a '
      'call makes one step.', 'our choice', unit='threads', minimum=0,
      maximum=1000, role=RUN, changeable=True)

  # Replay.
  replay_capacity: int = _setting(
      1_000_000, 'Transitions kept, first in first out.', 'checked',
      unit='transitions', minimum=1)
  min_replay_size: int = _setting(
      1000, 'Transitions before learning starts.', 'checked',
      unit='transitions', minimum=1)
  samples_per_insert: float = _setting(
      32.0, 'Times that a transition is sampled on average; with batches of '
      '256 one learner step per 8 environment steps.', 'checked', minimum=0,
      exclusive=True)
  penalty_capacity: int = _setting(
      100, 'Episode penalties kept, first in first out.', 'our choice',
      unit='episodes', minimum=1, agents=_LAGRANGE)
  penalty_samples: int = _setting(
      32, 'Episode penalties averaged per learner step to estimate J_C.',
      'our choice', unit='episodes', minimum=1, agents=_LAGRANGE)
  replay: str = _setting(
      'uniform', 'How transitions are drawn. The paper counts prioritized '
      "replay among D4PG's parts without settings; Acme's D4PG draws "
      'uniformly.',
      'checked', choices=('uniform', 'prioritized'), named=True)
  replay_store: str = _setting(
      'auto', 'Where transitions and episode penalties are kept. auto: a run '
      'of one process keeps them itself, so that one seed gives one run and a '
      'killed run goes on exactly; the Launchpad program of several workers '
      'keeps them in Reverb; a run in one process that began with Reverb goes '
      'on with it. reverb: in one process, too. own: never Reverb, so one '
      'process only.', 'our choice', choices=('auto', 'own', 'reverb'),
      role=RUN,
      changeable=True)
  priority_exponent: float = _setting(
      0.6, 'alpha of prioritized replay: transitions are drawn in proportion '
      'to priority ** alpha; 0 is uniform. The proportional variant of Schaul '
      'et al. (2016).', 'checked', minimum=0, maximum=1)
  importance_exponent: float = _setting(
      0.4, 'beta of prioritized replay: a transition weighs (N P) ** -beta in '
      "the critic's loss; 1 corrects fully. Where Schaul et al. (2016) begin; "
      'they raise it to 1 in the course of a run, here it stays.', 'our choice',
      minimum=0, maximum=1)

  def __post_init__(self) -> None:
    for field in dataclasses.fields(self):
      object.__setattr__(self, field.name, _plain(getattr(self, field.name)))

  @classmethod
  def settings(cls) -> Sequence[Tuple[dataclasses.Field, Setting]]:
    """Returns each field with its documentation, in order."""
    return [(field, field.metadata['setting'])
            for field in dataclasses.fields(cls)]

  @classmethod
  def names(cls, **attributes: Any) -> FrozenSet[str]:
    """Returns the names of the settings that have these attributes.

    Args:
      **attributes: of `Setting`, each with its value.
    """
    return frozenset(
        field.name for field, setting in cls.settings()
        if all(getattr(setting, name) == value
               for name, value in attributes.items()))

  def replace(self, **changes: Any) -> 'Config':
    """Returns a copy with some settings changed."""
    return dataclasses.replace(self, **changes)

  @classmethod
  def of_preset(cls, preset: str, **changes: Any) -> 'Config':
    """Returns the settings of a preset, with some changed.

    Args:
      preset: a key of `PRESETS`.
      **changes: settings that win over the preset's.
    """
    return cls(**{'preset': preset, **PRESETS[preset], **changes})

  @property
  def multiplier_learning_rate(self) -> float:
    """alpha_1 of settings whose rates are resolved.

    Raises:
      ValueError: if they are not, see `metal_tf.runs.time_scales.resolve`.
    """
    return _resolved('lagrange_lr', self.lagrange_lr)

  @property
  def meta_learning_rate(self) -> float:
    """alpha_eta of settings whose rates are resolved; errors likewise."""
    return _resolved('meta_lr', self.meta_lr)

  @property
  def num_validation(self) -> int:
    """Transitions of a batch in its validation part."""
    return round(self.batch_size * self.validation_fraction)


def _resolved(name: str, rate: Optional[float]) -> float:
  if rate is None:
    raise ValueError(f'{name} is unset: time_scales.resolve makes it a number.')
  return rate


def _plain(value: Any) -> Any:
  """A setting as flags and JSON have it."""
  if isinstance(value, os.PathLike):
    return os.fspath(value)
  if isinstance(value, np.generic) or (
      isinstance(value, np.ndarray) and not value.ndim):
    return value.item()
  if isinstance(value, (list, tuple, np.ndarray)):
    return tuple(_plain(item) for item in value)
  return value
