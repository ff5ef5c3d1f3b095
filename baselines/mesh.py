"""MeSh: meta-gradient shaping (paper, section 5), as this project reads it.

The paper compares MetaL with an agent whose meta-gradients learn a scale and an
offset of the shaped reward, and says little more. This one is our
reconstruction: a small network of (s, a) gives a scale `sigma > 0` and an
offset `b`, the critic learns `sigma (r - lambda . c) + b` on the training part,
and the outer loss is its loss towards the unscaled `r - lambda . c` on the
validation part. Lambda is RC-D4PG's. The definition is in docs/algorithm.md.

    bazel run //launchers:mesh -- --domain=cartpole
"""

from metal_tf.agent import agents
from metal_tf.cli import main

if __name__ == '__main__':
  main.launch(agents.MESH)
