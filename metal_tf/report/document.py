"""A report as a list of blocks, written as Markdown, HTML or LaTeX.

The page is one file: images are embedded, nothing is loaded, nothing is run.
Text may have `code` and **bold** in it.
"""

import base64
import html
import re
from typing import List, Mapping, NamedTuple, Sequence, Union


class Heading(NamedTuple):
  """Of a section; level 2 or 3."""
  text: str
  level: int = 2


class Text(NamedTuple):
  """A paragraph."""
  text: str


class Items(NamedTuple):
  """A list."""
  items: Sequence[str]


class Table(NamedTuple):
  """A table; cells are text, the first of a row names it."""
  header: Sequence[str]
  rows: Sequence[Sequence[str]]


class Picture(NamedTuple):
  """A figure: name of its file, title, caption."""
  stem: str
  title: str
  caption: str


Block = Union[Heading, Text, Items, Table, Picture]

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1b; --paper: #fff;
  --line: #d5d5d5; --soft: #f4f4f4; --quiet: #5a5a5a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e6e6; --paper: #16181b;
  --line: #3a3d42; --soft: #22252a; --quiet: #a4a8ae; } }
body { margin: 0 auto; max-width: 72rem; padding: 1rem; color: var(--ink);
  background: var(--paper); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; }
h2 { font-size: 1.25rem; margin-top: 2.4rem;
  border-bottom: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin-top: 1.6rem; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .85rem; }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid
  var(--line); font-variant-numeric: tabular-nums; vertical-align: top; }
th { background: var(--soft); }
td { white-space: nowrap; }
td:first-child, th:first-child { text-align: left; }
th.text { text-align: left; }
td.text { text-align: left; white-space: normal; min-width: 14rem; }
figure { margin: 1.5rem 0; }
figure img { max-width: 100%; height: auto; background: #fff; }
figcaption { color: var(--quiet); font-size: .9rem; }
code { background: var(--soft); padding: 0 .2em; overflow-wrap: anywhere; }
"""


def to_markdown(title: str, blocks: Sequence[Block]) -> str:
  """Writes Markdown; figures are links to `figures/<stem>.png`."""
  return f'# {title}\n\n' + blocks_to_markdown(blocks)


def blocks_to_markdown(blocks: Sequence[Block]) -> str:
  """The same without a title, for a part of a page."""
  lines: List[str] = []
  for block in blocks:
    if isinstance(block, Heading):
      lines += ['#' * block.level + f' {block.text}', '']
    elif isinstance(block, Text):
      lines += [block.text, '']
    elif isinstance(block, Items):
      lines += [*(f'- {item}' for item in block.items), '']
    elif isinstance(block, Table):
      lines += [_pipes(block.header), _pipes(['---'] * len(block.header)),
                *map(_pipes, block.rows), '']
    else:
      lines += [f'![{block.title}](figures/{block.stem}.png)', '',
                f'**{block.title}.** {block.caption}', '']
  return '\n'.join(lines)


def _pipes(cells: Sequence[str]) -> str:
  return '| ' + ' | '.join(cell.replace('|', r'\|') for cell in cells) + ' |'


def to_html(title: str, blocks: Sequence[Block],
            images: Mapping[str, bytes]) -> str:
  """Writes one self-contained page.

  Args:
    title: of the page.
    blocks: its content.
    images: PNG of each picture by its stem.
  """
  body = [f'<h1>{_inline(title)}</h1>']
  for block in blocks:
    if isinstance(block, Heading):
      body.append(f'<h{block.level}>{_inline(block.text)}</h{block.level}>')
    elif isinstance(block, Text):
      body.append(f'<p>{_inline(block.text)}</p>')
    elif isinstance(block, Items):
      body.append('<ul>' + ''.join(
          f'<li>{_inline(item)}</li>' for item in block.items) + '</ul>')
    elif isinstance(block, Table):
      body.append(_html_table(block))
    else:
      data = base64.b64encode(images[block.stem]).decode('ascii')
      body.append(
          f'<figure><img alt="{html.escape(block.title)}" '
          f'src="data:image/png;base64,{data}"><figcaption>'
          f'<strong>{_inline(block.title)}.</strong> {_inline(block.caption)}'
          '</figcaption></figure>')
  return (
      '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
      '<meta name="viewport" content="width=device-width, initial-scale=1">'
      f'<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n'
      '<body>\n' + '\n'.join(body) + '\n</body></html>\n')


def _inline(text: str) -> str:
  text = html.escape(text, quote=False)
  text = re.sub(r'`([^`]+)`', r'<code>\1</code>', text)
  return re.sub(r'\*\*(.+?)\*\*', r'<strong>\1</strong>', text)


def _html_table(table: Table) -> str:
  # Columns of sentences are set left and wrap, numbers right.
  words = [any(len(row[i]) > 24 and re.search('[a-z]{3}', row[i])
               for row in table.rows) for i in range(len(table.header))]

  def line(tag, cells):
    return '<tr>' + ''.join(
        f'<{tag}{" class=text" if word else ""}>{_inline(cell)}</{tag}>'
        for cell, word in zip(cells, words)) + '</tr>'

  return ('<div class="wide"><table><thead>' + line('th', table.header) +
          '</thead><tbody>' + ''.join(line('td', row) for row in table.rows) +
          '</tbody></table></div>')


_LATEX = {'&': r'\&', '%': r'\%', '_': r'\_', '#': r'\#', '±': r'$\pm$',
          '–': '--', '−': '$-$', '†': r'$^\dagger$', '‡': r'$^\ddagger$',
          'β': r'$\beta$', '≤': r'$\leq$', '{': r'\{', '}': r'\}', '$': r'\$',
          '\\': r'\textbackslash{}'}


def to_latex(table: Table, caption: str) -> str:
  """Writes a table for LaTeX's booktabs package."""
  def line(cells):
    return ' & '.join(map(_escape, cells)) + r' \\'
  return '\n'.join([
      r'% Needs \usepackage{booktabs}.', r'\begin{table}', r'\centering',
      r'\begin{tabular}{l' + 'r' * (len(table.header) - 1) + '}', r'\toprule',
      line(table.header), r'\midrule', *map(line, table.rows), r'\bottomrule',
      r'\end{tabular}', r'\caption{' + _escape(caption) + '}', r'\end{table}',
      ''])


def _escape(text: str) -> str:
  return ''.join(_LATEX.get(character, character) for character in text)
