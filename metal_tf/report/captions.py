"""Words that several captions and tables share."""

from typing import Iterable


def span(values: Iterable[int]) -> str:
  """The range of some numbers: '3', or '3 to 5'."""
  ends = sorted(values)
  return f'{ends[0]}' if ends[0] == ends[-1] else f'{ends[0]} to {ends[-1]}'
