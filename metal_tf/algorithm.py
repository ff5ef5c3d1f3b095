"""What distinguishes the paper's agents: two switches on one learner."""

from typing import NamedTuple


class Algorithm(NamedTuple):
  """An agent of the D4PG family.

  Attributes:
    name: as in the launchers and in logs.
    title: as in the paper's tables.
    learns_multiplier: whether lambda follows the Lagrange update (Algorithm 1,
      line 6; Algorithm 3) or stays at the configured value.
    learns_meta_parameter: whether alpha_lambda follows the meta-gradient
      (Algorithm 1, lines 15-17). Needs `learns_multiplier`. The batch is then
      split; otherwise all of it trains.
  """
  name: str
  title: str
  learns_multiplier: bool
  learns_meta_parameter: bool


METAL = Algorithm(
    name='metal', title='MetaL', learns_multiplier=True,
    learns_meta_parameter=True)
