"""Trains MeSh, our reconstruction: `bazel run //launchers:mesh`."""

from baselines import mesh
from launchers import main

if __name__ == '__main__':
  main.launch(mesh.MESH)
