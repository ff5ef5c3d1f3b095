"""The paper's mathematics as pure functions.

Nothing here knows replay, flags, launchers or environments. Shapes are written
in brackets: `B` batch, `N` atoms of the value distribution, `K` constraints.
"""
