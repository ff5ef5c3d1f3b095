"""All agents by name, for programs that run or read about several of them.

The launcher of an agent is `launchers/<name>.py`.
"""

from typing import Dict

from baselines import d4pg
from baselines import mesh
from baselines import rc_d4pg
from baselines import rs_d4pg
from metal_tf import algorithm

# In the order of the paper's Table 1, in which MeSh is not.
ALGORITHMS: Dict[str, algorithm.Algorithm] = {
    agent.name: agent for agent in (
        d4pg.D4PG, algorithm.METAL, rc_d4pg.RC_D4PG, rs_d4pg.RS_D4PG,
        mesh.MESH)}

# The setting that is meant by a value behind the name, as in `rs_d4pg:0.1`.
MAIN_SETTING: Dict[str, str] = {'rs_d4pg': 'lagrange_multiplier'}
