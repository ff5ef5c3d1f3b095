"""A line of numbers as a line of text."""

from typing import Optional

import numpy as np

_LEVELS = '▁▂▃▄▅▆▇█'


def bins(values: np.ndarray, width: int) -> np.ndarray:
  """Means over equal parts of a series.

  Args:
    values: `[N]`, oldest first; NaN where there is no number.
    width: most parts.

  Returns:
    `[min(N, width)]`; NaN for a part without any number.
  """
  parts = np.array_split(values, min(len(values), width)) if len(values) else []
  return np.array([
      np.mean(part[np.isfinite(part)]) if np.isfinite(part).any() else np.nan
      for part in parts])


def line(means: np.ndarray, low: Optional[float] = None,
         high: Optional[float] = None) -> str:
  """Draws one character a number, a space for NaN.

  Args:
    means: `[N]`.
    low: number that the lowest character stands for; the smallest by default.
    high: likewise for the highest.
  """
  finite = means[np.isfinite(means)]
  if not len(finite):
    return ' ' * len(means)
  low = float(finite.min()) if low is None else low
  high = float(finite.max()) if high is None else high
  span = high - low
  top = len(_LEVELS) - 1
  return ''.join(
      ' ' if not np.isfinite(value) else
      _LEVELS[min(top, max(0, round((value - low) / span * top)))] if span > 0
      else _LEVELS[0] for value in means)
