"""Words that several captions and tables share."""

from typing import Dict, Iterable, List, Mapping, Sequence


def span(values: Iterable[int]) -> str:
  """The range of some numbers: '3', or '3 to 5'."""
  ends = sorted(values)
  return f'{ends[0]}' if ends[0] == ends[-1] else f'{ends[0]} to {ends[-1]}'


def seeds(counts: Mapping[str, Sequence[int]]) -> str:
  """What n is, in a sentence.

  Args:
    counts: of each agent that is drawn, its seeds on each condition or block
      that it is drawn over.
  """
  spans: Dict[str, List[str]] = {}
  for label, numbers in counts.items():
    spans.setdefault(span(numbers), []).append(label)
  if len(spans) == 1:
    [n] = spans
    return f'Seeds per agent and condition: n = {n}.'
  return 'Seeds per condition: ' + '; '.join(
      f'{", ".join(labels)} n = {n}' for n, labels in spans.items()) + '.'
