"""How the figures look: one colour an agent everywhere, safe for colour-blind.

Colours of Okabe and Ito for the paper's agents, of Tol's muted scheme for what
else there is. An agent also has one marker everywhere, and the paper's agents
have dashes of their own, so that figures can be read without colour.
"""

import io
from typing import ContextManager, Dict, NamedTuple, Sequence

import matplotlib
from matplotlib import figure as mpl_figure
import numpy as np

from metal_tf.report import naming

_KNOWN: Dict[str, str] = {
    naming.METAL: '#0072B2',
    naming.RC_D4PG: '#D55E00',
    naming.D4PG: '#4D4D4D',
    'RS-0.1': '#E69F00',
    'RS-1.0': '#009E73',
    'RS-10.0': '#CC79A7',
    'RS-100.0': '#8C564B',
    naming.MESH: '#56B4E9',
    naming.outer_label('actor_critic'): '#332288',
    naming.outer_label('actor'): '#882255',
}
_OTHERS = ('#44AA99', '#999933', '#AA4499', '#117733', '#DDCC77', '#88CCEE')
_MARKERS = 'osD^vP*X<>hpd8'
_DASHES = ('-', (0, (5, 1.5)), (0, (1, 1)), (0, (4, 1, 1, 1)),
           (0, (3, 1, 1, 1, 1, 1)), (0, (9, 2)), (0, (1, 3)))

# Text sizes are for a width of 6 inches, shown on a phone as well.
_RC = {
    'font.size': 11, 'axes.titlesize': 11, 'axes.labelsize': 11,
    'legend.fontsize': 10, 'axes.spines.top': False, 'axes.spines.right': False,
    'axes.grid': True, 'grid.color': '#E5E5E5', 'grid.linewidth': 0.6,
    'axes.axisbelow': True, 'figure.facecolor': 'white',
    'savefig.facecolor': 'white', 'svg.hashsalt': 'metal_tf',
    'legend.frameon': False,
}
_DPI = 130


class Look(NamedTuple):
  """Of one agent."""
  color: str
  marker: str
  dashes: object


class Made(NamedTuple):
  """A figure.

  Attributes:
    stem: of its files.
    title: what it is of the paper, or is.
    see: what to see in it, in plain words.
    caption: what is drawn, and over what.
    png: its pixels.
    svg: the same as vectors.
  """
  stem: str
  title: str
  see: str
  caption: str
  png: bytes
  svg: bytes


class Missing(NamedTuple):
  """A figure that the grid does not support, and what is missing for it."""
  title: str
  why: str


def looks(labels: Sequence[str]) -> Dict[str, Look]:
  """Returns the look of each of all the agents of a report.

  The paper's agents look the same in every report.
  """
  others = [label for label in labels if label not in _KNOWN]
  found = {}
  for label in labels:
    known = label in _KNOWN
    i = list(_KNOWN).index(label) if known else (
        len(_KNOWN) + others.index(label))
    color = _KNOWN[label] if known else (
        _OTHERS[others.index(label) % len(_OTHERS)])
    found[label] = Look(color, _MARKERS[i % len(_MARKERS)],
                        _DASHES[i % len(_DASHES)])
  return found


def new(width: float, height: float) -> mpl_figure.Figure:
  """An empty figure of that size in inches; its layout is made for it."""
  with matplotlib.rc_context(_RC):
    return mpl_figure.Figure(figsize=(width, height), layout='constrained')


def legend_columns(labels: Sequence[str], width: float, most: int) -> int:
  """How many columns of a legend fit into a figure.

  Args:
    labels: its texts.
    width: of the figure in inches.
    most: columns that look well.
  """
  # In inches: a mark with its margins, and a letter of the legend's size.
  column = 0.5 + 0.075 * max(map(len, labels))
  return int(np.clip(width // column, 1, min(most, len(labels))))


def context() -> ContextManager[None]:
  """The settings in which axes have to be made."""
  return matplotlib.rc_context(_RC)


def made(stem: str, title: str, see: str, caption: str,
         figure: mpl_figure.Figure) -> Made:
  """Renders a figure in both forms."""
  files = {}
  # Without the date, equal runs give equal files.
  with matplotlib.rc_context(_RC):
    for kind, metadata in (('png', {'Software': None}),
                           ('svg', {'Date': None})):
      stream = io.BytesIO()
      figure.savefig(stream, format=kind, dpi=_DPI, metadata=metadata)
      files[kind] = stream.getvalue()
      # Once is enough: finding the layout takes as long as drawing.
      figure.set_layout_engine('none')
  return Made(stem, title, see, caption, **files)
