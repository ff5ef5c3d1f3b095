"""The paper's agents: what each one learns, as settings of one learner."""

from typing import Dict, NamedTuple, Optional


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
    fixed_multiplier: the only value that lambda may have, for an agent that is
      defined by it; None lets the configuration decide.
  """
  name: str
  title: str
  learns_multiplier: bool
  learns_meta_parameter: bool
  learns_shaping: bool = False
  fixed_multiplier: Optional[float] = None

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


# The unconstrained agent (section 2): lambda is 0 and stays there. Penalties
# are still stored and reported.
D4PG = Algorithm(
    name='d4pg', title='D4PG', learns_multiplier=False,
    learns_meta_parameter=False, fixed_multiplier=0.0)

# Algorithm 1: lambda's learning rate follows the meta-gradient.
METAL = Algorithm(
    name='metal', title='MetaL', learns_multiplier=True,
    learns_meta_parameter=True)

# Reward-constrained D4PG (section 3, Algorithm 3): lambda follows the projected
# gradient of the Lagrange loss at the fixed rate alpha_1.
RC_D4PG = Algorithm(
    name='rc_d4pg', title='RC-D4PG', learns_multiplier=True,
    learns_meta_parameter=False)

# Reward shaping with a fixed multiplier (section 5), which the user chooses.
RS_D4PG = Algorithm(
    name='rs_d4pg', title='RS-D4PG', learns_multiplier=False,
    learns_meta_parameter=False)

# Meta-gradient shaping (section 5), as this project reads it: a small network
# of (s, a) scales and moves the shaped reward; lambda is RC-D4PG's.
MESH = Algorithm(
    name='mesh', title='MeSh', learns_multiplier=True,
    learns_meta_parameter=False, learns_shaping=True)

# In the order of the paper's Table 1, in which MeSh is not.
ALGORITHMS: Dict[str, Algorithm] = {
    agent.name: agent for agent in (D4PG, METAL, RC_D4PG, RS_D4PG, MESH)}

# The setting that is meant by a value behind the name, as in `rs_d4pg:0.1`.
MAIN_SETTING: Dict[str, str] = {'rs_d4pg': 'lagrange_multiplier'}
