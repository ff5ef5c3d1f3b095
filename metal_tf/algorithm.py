"""What distinguishes the paper's agents: three switches on one learner."""

from typing import NamedTuple


class Algorithm(NamedTuple):
  """An agent of the D4PG family.

  Attributes:
    name: as in the launchers and in logs.
    title: as in the paper's tables.
    learns_multiplier: whether lambda follows the Lagrange update (Algorithm 1,
      line 6; Algorithm 3) or stays at the configured value.
    learns_meta_parameter: whether alpha_lambda follows the meta-gradient
      (Algorithm 1, lines 15-17). Needs `learns_multiplier`.
    learns_shaping: whether a scale and an offset of the shaped reward follow a
      meta-gradient (MeSh). Needs `learns_multiplier` and takes the place of
      `learns_meta_parameter`.
  """
  name: str
  title: str
  learns_multiplier: bool
  learns_meta_parameter: bool
  learns_shaping: bool = False

  @property
  def splits_batch(self) -> bool:
    """Whether an outer loss needs a validation part; else all of it trains."""
    return self.learns_meta_parameter or self.learns_shaping


def check(algorithm: Algorithm) -> None:
  """Refuses switches that contradict each other.

  Args:
    algorithm: the agent.

  Raises:
    ValueError: naming the agent and the switches.
  """
  if algorithm.splits_batch and not algorithm.learns_multiplier:
    switch = ('learns_meta_parameter' if algorithm.learns_meta_parameter else
              'learns_shaping')
    raise ValueError(f'{algorithm.name}: {switch} needs learns_multiplier.')
  if algorithm.learns_meta_parameter and algorithm.learns_shaping:
    raise ValueError(f'{algorithm.name}: learns_meta_parameter and '
                     'learns_shaping exclude each other.')


METAL = Algorithm(
    name='metal', title='MetaL', learns_multiplier=True,
    learns_meta_parameter=True)
