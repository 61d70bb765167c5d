"""Reports as one HTML file that needs nothing else: no network, no script, no font; light or dark as the reader likes.

What is put in is text and is escaped here; pictures are matplotlib figures, embedded as SVG.
"""

from __future__ import annotations

import html
import io
import re
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

from regionenum.errors import InputError

INK = "#010203"
"""The colour in which figures draw what is to have the colour of the text, whatever that is."""

COLOURS = ("#3b7dd8", "#d1741f", "#2f9e6e", "#b8509e", "#8a7a12", "#6f62c9")
"""Colours that can be told apart, and seen on light and on dark."""

_STYLE = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1c1f23; --line: #d5d9de; --soft: #5a636e; --head: #f3f5f7; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #16181b; --ink: #e6e8ea; --line: #3a4048; --soft: #a0a8b2; --head: #1f2328; }
}
body { background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem;
  padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
p.note { color: var(--soft); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid var(--line); padding: 0.25rem 0.7rem; text-align: right; white-space: nowrap; }
th { background: var(--head); font-weight: 600; }
th.text, td.text { text-align: left; }
figure { margin: 1rem 0; } figure svg { color: var(--ink); height: auto; max-width: 100%; }
figcaption { color: var(--soft); }
"""


def page(title: str, parts: Iterable[str]) -> str:
    """A whole document, of parts that the functions below made."""
    body = "\n".join(parts)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{html.escape(title)}</h1>\n{body}\n</body>\n</html>\n"
    )


def heading(text: str) -> str:
    """A heading of a section."""
    return f"<h2>{html.escape(text)}</h2>"


def paragraph(text: str, *, note: bool = False) -> str:
    """A paragraph; a note is printed softer."""
    return f'<p class="{"note" if note else "text"}">{html.escape(text)}</p>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]], text: Iterable[int] = (0,)) -> str:
    """A table.

    Parameters
    ----------
    head : titles of the columns
    rows : cells of each row
    text : numbers of the columns that hold text and not numbers
    """
    left = set(text)

    def line(kind: str, cells: Sequence[str]) -> str:
        shown = (
            f"<{kind}{' class=text' if k in left else ''}>{html.escape(cell)}</{kind}>" for k, cell in enumerate(cells)
        )
        return f"<tr>{''.join(shown)}</tr>"

    body = "\n".join(line("td", row) for row in rows)
    return f'<div class="wide"><table>\n<thead>{line("th", head)}</thead>\n<tbody>\n{body}\n</tbody>\n</table></div>'


def figure(drawn: Any, caption: str) -> str:
    """A matplotlib figure with a caption; what it drew in `INK` has the colour of the page's text."""
    import matplotlib

    stream = io.StringIO()
    # text as text, which readers can search and screen readers read; names of parts that do not change with every run
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": caption}):
        drawn.savefig(
            stream, format="svg", transparent=True, bbox_inches="tight", metadata={"Date": None, "Creator": None}
        )
    svg = re.sub(r"^.*?(?=<svg)", "", stream.getvalue(), flags=re.DOTALL).replace(INK, "currentColor").strip()
    # names of parts are one space for the whole page
    prefix = f"f{zlib.crc32(caption.encode()):x}-"
    svg = re.sub(r'(\bid="|href="#|url\(#)', lambda match: match[1] + prefix, svg)
    return f"<figure>\n{svg}\n<figcaption>{html.escape(caption)}</figcaption>\n</figure>"


def new_figure(width: float = 7.0, height: float = 4.2) -> tuple[Any, Any]:
    """An empty figure and its axes, in inches, drawn in `INK`.

    Raises
    ------
    InputError
        If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError("pictures need matplotlib; install it with: pip install 'regionenum[plot]'") from error
    drawn = Figure(figsize=(width, height), layout="constrained")
    ax = drawn.subplots()
    ax.tick_params(colors=INK, which="both")
    for spine in ax.spines.values():
        spine.set_color(INK)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for label in (ax.xaxis.label, ax.yaxis.label, ax.title):
        label.set_color(INK)
    return drawn, ax


def legend(ax: Any) -> None:
    """A legend beside the axes, for what was drawn with a label."""
    found = ax.get_legend_handles_labels()[0]
    if found:
        ax.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0), borderaxespad=0.0, frameon=False, labelcolor=INK)
