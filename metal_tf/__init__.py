"""Constrained reinforcement learning with Meta-Gradient D4PG."""

from metal_tf import versions

versions.check()
