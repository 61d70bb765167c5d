"""The tables of a study as text of a given width: what all rows share stands above, and columns that matter less give way."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from regionenum.network.describe import brief
from regionenum.results.schema import Table
from regionenum.study.table import by_architecture

WIDTH = 80
"""Of the text in files, and where the width of the terminal is unknown."""

_GAP = 2


@dataclass(frozen=True)
class _Column:
    """A column of a text table.

    Attributes
    ----------
    head : its title
    show : the cell of a row
    rank : columns with larger numbers give way first; 0 never does
    left : whether it is text
    """

    head: str
    show: Callable[[dict[str, Any]], str]
    rank: int
    left: bool = False


def study_text(name: str, table: Table, notes: list[str], width: int = WIDTH) -> str:
    """Both tables, the growth by layer, the dimensions, and what is to be said below them."""
    rows = table.to_pylist()
    if not rows:
        return "\n".join([f"Study {name}: no network has a run yet", *notes]) + "\n"
    averaged = by_architecture(table).to_pylist()
    shared = _shared(rows)
    lines = [f"Study {name}: {len(rows)} network{'' if len(rows) == 1 else 's'}"]
    if shared:
        lines += _wrapped(f"All of them: {shared}", width)
    several, over = len(averaged) < len(rows), "networks" if any(row["file"] for row in rows) else "seeds"
    parts: list[tuple[str, list[str]]] = []
    if several:
        parts.append((f"By architecture, mean and standard deviation over {over}", _averages(averaged, width)))
    parts.append(("Networks", _networks(rows, width)))
    parts.append(
        (
            "Growth by layer: regions after each" + (f", mean over {over}" if several else ""),
            _growth(averaged, width),
        )
    )
    parts.append(("Dimension of the network's own map: regions", _histograms(rows, width)))
    for title, table_lines in parts:
        lines += ["", title, "", *table_lines]
    lower = sum(not row["complete"] for row in rows)
    if lower:
        said = "1 network is" if lower == 1 else f"{lower} networks are"
        notes = [*notes, f"{said} incomplete (marked +): the counts are lower bounds"]
    sentences = [line for note in notes for line in _wrapped(note, width)]
    return "\n".join([*lines, *([""] if notes else []), *sentences]) + "\n"


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


_KEYS = {"data": "data", "parameters_asked": "asked", "epoch": "epoch", "seed": "seed"}
"""Labels of a network beside its architecture, and the titles of their columns."""


def _shared(rows: list[dict[str, Any]]) -> str:
    """What all rows have in common, in words."""
    words = {"parameters_asked": "parameters asked for"}
    said = [
        f"{words.get(key, key)} {rows[0][key]}"
        for key in _KEYS
        if rows[0][key] is not None and key not in _varying(rows)
    ]
    return ", ".join(said)


def _varying(rows: list[dict[str, Any]]) -> list[str]:
    """The labels in which rows differ."""
    return [key for key in _KEYS if len({row.get(key) for row in rows}) > 1]


def _labels(rows: list[dict[str, Any]]) -> list[_Column]:
    """Columns that say which network a row is about."""
    # several given networks may be of one architecture
    found = [_Column("architecture", lambda row: row["name"] if row.get("file") else row["architecture"], 0, left=True)]
    for key in _varying(rows):
        found.append(_Column(_KEYS[key], lambda row, key=key: _whole(row[key]), 0, left=key == "data"))  # type: ignore[misc]
    return found


def _networks(rows: list[dict[str, Any]], width: int) -> list[str]:
    columns = [
        *_labels(rows),
        _Column("params", lambda row: _whole(row["parameters"]), 1),
        _Column("units", lambda row: _whole(row["units"]), 7),
        _Column("test", lambda row: _share(row["test_accuracy"]), 2),
        _Column("train", lambda row: _share(row["train_accuracy"]), 6),
        _Column("regions", lambda row: f"{row['regions']:,}{'' if row['complete'] else '+'}", 0),
        _Column("maps", lambda row: _whole(row["distinct_maps"]), 1),
        _Column("dim", lambda row: _mean(row["mean_dimension"]), 3),
        _Column("regions/s", lambda row: _whole(row["rate"]), 4),
        _Column("seconds", lambda row: f"{row['seconds']:.2f}", 5),
        _Column("bound", lambda row: f"10^{row['log10_bound']:.1f}", 8),
    ]
    return _table(columns, rows, width)


def _averages(rows: list[dict[str, Any]], width: int) -> list[str]:
    def spread(measure: str, show: Callable[[Any], str]) -> Callable[[dict[str, Any]], str]:
        def cell(row: dict[str, Any]) -> str:
            mean = row[f"{measure}_mean"]
            return "" if mean is None else f"{show(mean)} ± {show(row[f'{measure}_std'])}"

        return cell

    def ends(row: dict[str, Any]) -> str:
        return f"{row['regions_min']:,.0f} .. {row['regions_max']:,.0f}"

    columns = [
        *_labels(rows),
        _Column("seeds", lambda row: str(row["networks"]), 4),
        _Column("params", lambda row: _whole(row["parameters_mean"]), 2),
        _Column("test", spread("test_accuracy", _share), 3),
        _Column("regions", lambda row: spread("regions", _whole)(row) + ("" if row["complete"] else "+"), 0),
        _Column("least .. most", ends, 5),
        _Column("maps", spread("distinct_maps", _whole), 1),
        _Column("dim", spread("mean_dimension", _mean), 6),
        _Column("regions/s", lambda row: _whole(row["rate_mean"]), 7),
    ]
    return _table(columns, rows, width)


def _growth(rows: list[dict[str, Any]], width: int) -> list[str]:
    def cells(row: dict[str, Any], number: Callable[[float], str]) -> str:
        found = row["regions_by_layer"]
        return "different depths" if found is None else "  ".join(map(number, found)) or "no units: 1 region"

    return _lists("regions after each layer", cells, _labels(rows), rows, width)


def _histograms(rows: list[dict[str, Any]], width: int) -> list[str]:
    def cells(row: dict[str, Any], number: Callable[[float], str]) -> str:
        return "  ".join(f"{bar['dimension']}: {number(bar['regions'])}" for bar in row["dimensions"])

    return _lists("dimension: regions", cells, _labels(rows), rows, width)


def _lists(
    head: str,
    cells: Callable[[dict[str, Any], Callable[[float], str]], str],
    labels: list[_Column],
    rows: list[dict[str, Any]],
    width: int,
) -> list[str]:
    """A table whose last column has several numbers, which are shortened to two digits where they would not fit."""
    for number in (_whole, lambda n: f"{n:.2g}"):
        columns = [*labels, _Column(head, lambda row, number=number: cells(row, number), 0, left=True)]  # type: ignore[misc]
        if _wide([(column, [column.show(row) for row in rows]) for column in columns]) <= width:
            break
    return _table(columns, rows, width)


def _table(columns: list[_Column], rows: list[dict[str, Any]], width: int) -> list[str]:
    """The lines of a table; columns without content are left out, and then those that matter least, until it fits.

    If what never gives way is too wide, the longest cells are cut short, the ends of architectures last.
    """
    kept = [(column, [column.show(row) for row in rows]) for column in columns]
    kept = [(column, cells) for column, cells in kept if any(cells) or column.rank == 0]
    while _wide(kept) > width and any(column.rank for column, _ in kept):
        kept.remove(max(kept, key=lambda pair: pair[0].rank))
    lines = []
    widths = [max(len(column.head), *map(len, cells)) for column, cells in kept]
    too_much = sum(widths) + _GAP * (len(kept) - 1) - width
    if too_much > 0:
        widest = max(range(len(kept)), key=lambda k: widths[k] if kept[k][0].left else 0)
        widths[widest] = max(8, widths[widest] - too_much)
    for k in range(-1, len(rows)):
        cells = [column.head if k < 0 else shown[k] for column, shown in kept]
        padded = [
            _cut(cell, size).ljust(size) if column.left else cell.rjust(size)
            for cell, size, (column, _) in zip(cells, widths, kept, strict=True)
        ]
        lines.append((" " * _GAP).join(padded).rstrip())
    return lines


def _wide(kept: list[tuple[_Column, list[str]]]) -> int:
    return sum(max(len(column.head), *map(len, cells)) for column, cells in kept) + _GAP * (len(kept) - 1)


def _cut(text: str, width: int) -> str:
    """The text, or its beginning and an ellipsis."""
    return text if len(text) <= width else text[: width - 1] + "…"


def _whole(value: float | str | None) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return f"{value:,.0f}" if value < 10**9 else brief(round(value))


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _mean(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
