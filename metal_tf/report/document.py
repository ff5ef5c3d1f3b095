"""A report is Markdown, from which its page is made; and tables of texts.

The page is one file: images are embedded, nothing is loaded, nothing is run.
"""

import base64
import html
import re
from typing import Iterable, Mapping, Sequence

import markdown
import pandas as pd

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1b; --paper: #fff;
  --line: #d5d5d5; --soft: #f4f4f4; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e6e6; --paper: #16181b;
  --line: #3a3d42; --soft: #22252a; } }
body { margin: 0 auto; max-width: 72rem; padding: 1rem; color: var(--ink);
  background: var(--paper); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; }
h2 { font-size: 1.25rem; margin-top: 2.4rem;
  border-bottom: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin-top: 1.6rem; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .85rem; }
th, td { padding: .25rem .6rem; text-align: left; border-bottom: 1px solid
  var(--line); font-variant-numeric: tabular-nums; vertical-align: top; }
th { background: var(--soft); }
td[style], td:first-child { white-space: nowrap; }
td { min-width: 4rem; }
img { max-width: 100%; height: auto; background: #fff; }
code { background: var(--soft); padding: 0 .2em; overflow-wrap: anywhere; }
"""


def table(frame: pd.DataFrame) -> str:
  """A table of texts; columns of sentences are set left, others right."""
  words = [any(len(cell) > 24 and re.search('[a-z]{3}', cell)
               for cell in cells) for _, cells in frame.items()]
  marks = ['---', *('---' if word else '---:' for word in words[1:])]
  return '\n'.join(
      '| ' + ' | '.join(cell.replace('|', r'\|') for cell in row) + ' |'
      for row in (frame.columns, marks, *frame.values))


def items(texts: Sequence[str]) -> str:
  """A list; '' for none."""
  return '\n'.join(f'- {text}' for text in texts)


def to_html(title: str, text: str, images: Mapping[str, bytes]) -> str:
  """Makes one self-contained page.

  Args:
    title: of the page.
    text: Markdown; HTML in it, as the last line of a log may have it, is shown
      as it is written.
    images: PNG of each picture by its stem; the text names
      `figures/<stem>.png`.
  """
  parser = markdown.Markdown(extensions=['tables'])
  parser.preprocessors.deregister('html_block')
  for pattern in ('html', 'autolink', 'automail'):
    parser.inlinePatterns.deregister(pattern)
  body = re.sub(
      r'src="figures/(\w+)\.png"',
      lambda found: 'src="data:image/png;base64,'
      + base64.b64encode(images[found[1]]).decode('ascii') + '"',
      parser.convert(text))
  body = body.replace('<table>', '<div class="wide"><table>').replace(
      '</table>', '</table></div>')
  return (
      '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
      '<meta name="viewport" content="width=device-width, initial-scale=1">'
      f'<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n'
      f'<body>\n{body}\n</body></html>\n')


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
