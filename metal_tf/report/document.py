"""A report is Markdown, from which its page is made; and tables of texts.

The page is one file: images are embedded, nothing is loaded, nothing is run.
"""

import base64
import html
import re
from typing import Iterable, List, Mapping, Sequence

import markdown
import pandas as pd

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1b; --paper: #fff;
  --line: #d5d5d5; --soft: #f4f4f4; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e6e6; --paper: #16181b;
  --line: #3a3d42; --soft: #22252a; } }
body { margin: 0 auto; max-width: 72rem; padding: 1rem; color: var(--ink);
  background: var(--paper); font: 16px/1.5 system-ui, sans-serif;
  overflow-wrap: break-word; }
h1 { font-size: 1.6rem; line-height: 1.2; }
h2 { font-size: 1.25rem; margin-top: 2.4rem;
  border-bottom: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin-top: 1.6rem; }
p, li { max-width: 46rem; }
.wide { max-width: none; overflow-x: auto; margin: 1rem 0; }
details { margin: 1rem 0; padding-left: .8rem;
  border-left: 3px solid var(--line); }
summary { cursor: pointer; font-weight: 600; }
table { border-collapse: collapse; font-size: .85rem; }
th, td { padding: .25rem .6rem; text-align: left; border-bottom: 1px solid
  var(--line); font-variant-numeric: tabular-nums; vertical-align: top; }
th { background: var(--soft); }
td { white-space: nowrap; }
td[style*=left] { min-width: 13rem; white-space: normal; }
img { max-width: 100%; height: auto; background: #fff; }
code { background: var(--soft); padding: 0 .2em; overflow-wrap: anywhere; }
"""


# Of its pixels that a picture is wide at least; one that is wider than a phone
# then scrolls in its box. Letters are 9 pixels of the screen high.
_LEAST = 0.45


def table(frame: pd.DataFrame) -> str:
  """A table of texts; columns of numbers are set right, others left."""
  marks = [
      ':---' if any(len(cell) > 24 and re.search('[a-z]{3}', cell)
                    for cell in cells) else
      '---:' if all(re.match(r'[-−–\d]|$', cell) for cell in cells) else '---'
      for _, cells in frame.items()]
  return '\n'.join(
      '| ' + ' | '.join(cell.replace('|', r'\|') for cell in row) + ' |'
      for row in (frame.columns, marks, *frame.values))


def items(texts: Sequence[str]) -> str:
  """A list; '' for none."""
  return '\n'.join(f'- {text}' for text in texts)


def fold(summary: str, *parts: str) -> List[str]:
  """Parts of a page that are shown on demand, under a line that is not."""
  return [f'<details><summary>{summary}</summary>', *parts, '</details>']


def to_html(title: str, text: str, images: Mapping[str, bytes]) -> str:
  """Makes one self-contained page.

  Args:
    title: of the page.
    text: Markdown; HTML in it, as the last line of a log may have it, is shown
      as it is written, but for the lines of `fold`.
    images: PNG of each picture by its stem; the text names
      `figures/<stem>.png`.
  """
  parser = markdown.Markdown(extensions=['tables'])
  parser.preprocessors.deregister('html_block')
  for pattern in ('html', 'autolink', 'automail'):
    parser.inlinePatterns.deregister(pattern)
  body = re.sub(
      r'<p>(<img .*)src="figures/(\w+)\.png" />',
      lambda found: f'<p class="wide">{found[1]}{_embedded(images[found[2]])}>',
      parser.convert(text))
  body = body.replace('<table>', '<div class="wide"><table>').replace(
      '</table>', '</table></div>')
  body = re.sub(
      r'<p>&lt;details&gt;&lt;summary&gt;(.*)&lt;/summary&gt;</p>',
      r'<details><summary>\1</summary>', body).replace(
          '<p>&lt;/details&gt;</p>', '</details>')
  return (
      '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
      '<meta name="viewport" content="width=device-width, initial-scale=1">'
      f'<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n'
      f'<body>\n{body}\n</body></html>\n')


def _embedded(png: bytes) -> str:
  """Attributes of an image, with all of it; a phone shows its letters legibly.

  Args:
    png: its pixels; bytes 16 to 19 are its width.
  """
  width = int.from_bytes(png[16:20], 'big')
  return (f'style="min-width: {_LEAST * width:.0f}px" src="data:image/png;'
          f'base64,{base64.b64encode(png).decode("ascii")}"')


_LATEX = {'&': r'\&', '%': r'\%', '_': r'\_', '#': r'\#', '±': r'$\pm$',
          '–': '--', '−': '$-$', '†': r'$^\dagger$', '‡': r'$^\ddagger$',
          'β': r'$\beta$', '≤': r'$\leq$', '{': r'\{', '}': r'\}', '$': r'\$',
          '\\': r'\textbackslash{}'}


def to_latex(frame: pd.DataFrame, caption: str) -> str:
  """Writes a table for LaTeX's booktabs package."""
  def line(cells: Iterable[str]) -> str:
    return ' & '.join(map(_escape, cells)) + r' \\'
  return '\n'.join([
      r'% Needs \usepackage{booktabs}.', r'\begin{table}', r'\centering',
      r'\begin{tabular}{l' + 'r' * (len(frame.columns) - 1) + '}', r'\toprule',
      line(frame.columns), r'\midrule', *map(line, frame.values),
      r'\bottomrule',
      r'\end{tabular}', r'\caption{' + _escape(caption) + '}', r'\end{table}',
      ''])


def _escape(text: str) -> str:
  return ''.join(_LATEX.get(character, character) for character in text)
