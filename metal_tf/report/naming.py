"""Which runs are runs of the same agent: names, and what must not be pooled.

Two runs are of one agent if they agree in every setting of `config.LEARNING`
that their algorithm uses.
"""

import dataclasses
import json
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

from metal_tf import config as config_lib
from metal_tf.agent import agents
from metal_tf.runs import run_folder
from metal_tf.runs import time_scales

METAL = agents.METAL.title
RC_D4PG = 'RC-D4PG'
D4PG = 'D4PG'
MESH = 'MeSh'
RS = 'RS-'
_TITLES = {agents.METAL.name: METAL, 'rc_d4pg': RC_D4PG, 'd4pg': D4PG,
           'mesh': MESH}
# The agents of the paper's Table 1, MetaL first.
PAPER = (METAL, RC_D4PG, D4PG, 'RS-0.1', 'RS-1.0', 'RS-10.0', 'RS-100.0')
# The settings that are learning rates of lambda and alpha_lambda.
RATES = ('lagrange_lr', 'meta_lr')
OUTER_LOSSES = ('critic', 'actor_critic', 'actor')

# What the label of an agent says.
_IN_LABEL = {agents.METAL.name: 'outer_loss',
             agents.RS_D4PG.name: 'lagrange_multiplier'}

_SETTINGS = {field.name: setting
             for field, setting in config_lib.Config.settings()}

Settings = Tuple[Tuple[str, str], ...]


class Variant(NamedTuple):
  """One agent as the report names it.

  Attributes:
    label: its name in tables and legends.
    settings: what it was trained with where that is not the default, as JSON.
  """
  label: str
  settings: Settings


def outer_label(outer_loss: str) -> str:
  """The name of MetaL with that outer loss."""
  return METAL if outer_loss == 'critic' else (
      f'{METAL} ({outer_loss.replace("_", "+")})')


def base_label(run: run_folder.RunFolder) -> str:
  """The paper's name of a run's agent."""
  if run.algorithm == 'rs_d4pg':
    return f'{RS}{float(run.config["lagrange_multiplier"])}'
  if run.algorithm == agents.METAL.name:
    return outer_label(run.config.get('outer_loss', 'critic'))
  return _TITLES.get(run.algorithm, run.algorithm)


def config_of(run: run_folder.RunFolder) -> Dict[str, Any]:
  """All settings of a run; one that it does not have is at its preset's."""
  return {**_defaults(run), **run.config}


def _defaults(run: run_folder.RunFolder) -> Dict[str, Any]:
  """The settings of a run's preset."""
  return dataclasses.asdict(config_lib.Config.of_preset(
      run.config.get('preset', config_lib.Config.preset)))


def settings_of(run: run_folder.RunFolder) -> Settings:
  """The settings that make the agent, where they are not the default.

  Defaults are those of the run's preset. A setting that is not there is at its
  default. Of alpha_eta, whose default has been another, what the run had
  counts, whether it was given or not.
  """
  defaults, config = _defaults(run), config_of(run)
  alpha_eta = run.rates.get('meta_lr')
  if alpha_eta is not None:
    config['meta_lr'] = None if alpha_eta == time_scales.default_meta_lr(
        config['meta_optimizer'], config['outer_divergence']) else alpha_eta
  return tuple(
      (name, _json(value)) for name, value in sorted(config.items())
      if _makes_the_agent(name, run.algorithm)
      and not (name in defaults and _json(value) == _json(defaults[name])))


def _makes_the_agent(name: str, algorithm: str) -> bool:
  """Whether a setting tells runs of an algorithm apart beside its label."""
  setting = _SETTINGS.get(name)
  if name in config_lib.RETIRED:
    return False
  if setting is None:  # Of another version.
    return True
  return (setting.role == config_lib.LEARNING
          and name != _IN_LABEL.get(algorithm)
          and (setting.agents is None or algorithm in setting.agents
               or algorithm not in agents.ALGORITHMS))


def _json(value: Any) -> str:
  return json.dumps(value)


def inner_batch(run: run_folder.RunFolder) -> Tuple[int, int]:
  """Samples that the inner update takes of a batch, and all of the batch.

  MetaL and MeSh validate on the rest, the others train on all of it.
  """
  config = config_lib.Config(**{
      name: run.config[name] for name in ('batch_size', 'validation_fraction')
      if name in run.config})
  splits = run.algorithm in (agents.METAL.name, 'mesh')
  return (config.batch_size - (config.num_validation if splits else 0),
          config.batch_size)


def assign(runs: Sequence[run_folder.RunFolder]) -> List[Variant]:
  """Names the agent of each run.

  Among agents of one name with different settings, the one at the defaults
  keeps the plain name; where none has a finished run at the defaults, the one
  with the most finished runs does (the one nearest the defaults if there are
  several). The others get the settings in which they differ from it.

  Args:
    runs: of a report.

  Returns:
    one variant per run, in the given order; equal ones may be pooled.
  """
  described = [(base_label(run), settings_of(run)) for run in runs]
  counts: Dict[str, Dict[Settings, int]] = {}
  for run, (label, settings) in zip(runs, described):
    group = counts.setdefault(label, {})
    group[settings] = group.get(settings, 0) + (
        run.status == run_folder.FINISHED)
  plain = {
      label: () if group.get(()) else min(
          group, key=lambda s: (-group[s], len(s), s))
      for label, group in counts.items()}
  return [
      Variant(_suffixed(label, settings, plain[label]), settings)
      for label, settings in described]


def differences(one: Settings, other: Settings) -> List[str]:
  """Returns the names of the settings in which two agents differ, sorted."""
  a, b = dict(one), dict(other)
  return [name for name in sorted({**a, **b}) if a.get(name) != b.get(name)]


def _suffixed(label: str, settings: Settings, plain: Settings) -> str:
  if settings == plain:
    return label
  own = dict(settings)
  parts = [f'{name}={own.get(name, "default")}'
           for name in differences(settings, plain)]
  return f'{label} [{", ".join(parts)}]'.replace('"', '')


def plain(label: str) -> str:
  """A label without the settings that it names."""
  return label.split(' [')[0]


def order(labels: Sequence[str]) -> List[str]:
  """Sorts labels without repeats: the paper's table, then the other agents."""
  known = (*PAPER, *map(outer_label, OUTER_LOSSES[1:]), MESH)

  def key(label: str) -> Tuple[int, str, str]:
    base = plain(label)
    return known.index(base) if base in known else len(known), base, label

  return sorted(set(labels), key=key)
