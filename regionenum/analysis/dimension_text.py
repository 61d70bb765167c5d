"""The tables of `rn.analyze` as text of a width: numbers lose digits, and names their beginnings, before a line is too long."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from regionenum.analysis.dimension_tables import BY_NAME, Table, Tables
from regionenum.network.describe import brief

MOST_ROWS = 1000
"""Rows of one table that are printed."""

SUMMARY = ("dimensions", "children", "transitions", "cutting", "descent", "last_split")
"""Tables that are shown where none is named; of `cutting` only the summary."""

_GAP = 2
_SHORTEST_NAME = 6


def lines(analysis: Tables, names: Sequence[str], width: int) -> list[str]:
    """The lines of a text.

    Parameters
    ----------
    names : of the tables to show in full; if there are none, a summary of those that are there

    Raises
    ------
    InputError
        If a table does not exist, or needs rows that were not recorded.
    """
    found: list[str] = []
    chosen = names or [name for name in SUMMARY if name in analysis.tables_there]
    for name in chosen:
        table = analysis.table(name)
        summed_up = name == "cutting" and not names
        shown = _cutting_summary(table) if summed_up else _SHOWN[name](table.slice(0, MOST_ROWS))
        found += [*wrapped(f"{name}: {BY_NAME[name].meaning.split(' (')[0]}", width), "", *rendered(shown, width)]
        if table.num_rows > MOST_ROWS and not summed_up:
            found.append(f"... and {table.num_rows - MOST_ROWS:,} rows more, which CSV, JSON and Parquet have")
        found.append("")
    if analysis.notes and not names:
        return [*found, *(line for note in analysis.notes for line in wrapped(note, width))]
    return found[:-1]


def wrapped(sentence: str, width: int) -> list[str]:
    """A sentence in lines of a width."""
    found = [""]
    for word in sentence.split():
        if found[-1] and len(found[-1]) + 1 + len(word) > width:
            found.append("")
        found[-1] += f"{' ' * bool(found[-1])}{word}"
    return found


# Columns ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shown:
    """A column of text: header (may have two lines), values, and how to write one, in full or in short."""

    header: str
    values: Sequence[Any]
    full: Callable[[Any], str]
    short: Callable[[Any], str]
    is_name: bool = False


@dataclass(frozen=True)
class TextTable:
    """A table of such columns."""

    columns: tuple[Shown, ...]


def rendered(table: TextTable, width: int) -> list[str]:
    """The lines of a table, one or two of header first, none longer than a width of seven places or more for each column."""
    cells = [[column.full(value) for value in column.values] for column in table.columns]
    headers = [(["", *column.header.split("\n")])[-2:] for column in table.columns]

    def widths() -> list[int]:
        return [max(map(len, (*header, *column)), default=0) for header, column in zip(headers, cells, strict=True)]

    def excess() -> int:
        found = widths()
        return sum(found) + _GAP * (len(found) - 1) - width

    # the widest numbers are shortened first
    for k in sorted(range(len(cells)), key=lambda k: -widths()[k]):
        if excess() > 0:
            column = table.columns[k]
            cells[k] = [column.short(value) for value in column.values]
    names = [k for k, column in enumerate(table.columns) if column.is_name]
    longest = max((widths()[k] for k in names), default=0)
    while excess() > 0 and longest > _SHORTEST_NAME:
        longest -= 1
        for k in names:
            cells[k] = [ending(name, longest) for name in table.columns[k].values]
    final = widths()
    by_row = [header for header in zip(*headers, strict=True) if any(header)]
    by_row += zip(*cells, strict=True)
    return [
        (" " * _GAP)
        .join(
            text.ljust(size) if column.is_name else text.rjust(size)
            for text, size, column in zip(row, final, table.columns, strict=True)
        )
        .rstrip()
        for row in by_row
    ]


def ending(name: str, most: int) -> str:
    """A name of at most so many letters: the end of a module's path says more than its beginning."""
    return name if len(name) <= most else f"...{name[3 - most :]}"


def _count(n: int | None) -> str:
    return "-" if n is None else f"{n:,}"


def _short_count(n: int | None) -> str:
    return _count(n) if n is None or n < 10**5 else _scientific(n)


def _scientific(n: int) -> str:
    mantissa, exponent = f"{n:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def _mean(x: float | None) -> str:
    if x is None:
        return "-"
    return f"{x:,.2f}" if x < 1000 else f"{x:,.0f}"


def _short_mean(x: float | None) -> str:
    return "-" if x is None else f"{x:.3g}" if x < 1000 else _short_count(round(x))


def _percent(x: float | None) -> str:
    """Never 0 or 100 unless it is."""
    if x is None:
        return "-"
    if 0 < x < 0.0005:
        return "<0.1%"
    return ">99.9%" if 0.9995 <= x < 1 else f"{x:.1%}"


def _bound(x: float) -> str:
    """A bound as it was rounded up; it is not rounded down again."""
    return brief(int(x)) if math.isfinite(x) else ">1e308"


def _short_bound(x: float) -> str:
    if x < 10**5 or not math.isfinite(x):
        return _bound(x)
    exponent = math.floor(math.log10(x))
    tenths = -(-int(x) // 10 ** (exponent - 1))
    return f"{tenths / 10:.1f}e{exponent}" if tenths < 100 else f"1.0e{exponent + 1}"


def _names(header: str, table: Table, column: str) -> Shown:
    return Shown(header, table.column(column).to_pylist(), str, str, is_name=True)


def _of(header: str, table: Table, column: str, full: Callable[[Any], str] = _count) -> Shown:
    short = {_count: _short_count, _mean: _short_mean, _bound: _short_bound}.get(full, full)
    return Shown(header, table.column(column).to_pylist(), full, short)


def _cells_of(table: Table, header: str = "after") -> list[Shown]:
    return [_names(header, table, "name"), _of("dim", table, "dimension")]


# Tables ----------------------------------------------------------------------------------------------------------------------


def _dimensions(table: Table) -> TextTable:
    return TextTable((*_cells_of(table), _of("regions", table, "regions"), _of("share", table, "share", _percent)))


def _children(table: Table) -> TextTable:
    return TextTable(
        (
            *_cells_of(table),
            _of("regions", table, "regions"),
            _of("children\nmean", table, "mean", _mean),
            _of("children\nmax", table, "max"),
            _of("\nunsplit", table, "unsplit_share", _percent),
            _of("\nbound", table, "bound", _bound),
            _of("bound\nby rank", table, "rank_bound", _bound),
            _of("max of\nbound", table, "max_of_rank_bound", _percent),
        )
    )


def _transitions(table: Table) -> TextTable:
    return TextTable(
        (
            *_cells_of(table),
            _names("to", table, "to_name"),
            _of("dim", table, "to_dimension"),
            _of("regions", table, "regions"),
            _of("share", table, "share", _percent),
        )
    )


def _spread(table: Table) -> TextTable:
    return TextTable(
        (
            *_cells_of(table),
            _of("children\nleast", table, "least"),
            _of("children\nmost", table, "most"),
            _of("regions", table, "regions"),
            _of("share", table, "share", _percent),
        )
    )


def _cutting(table: Table) -> TextTable:
    units = [
        f"{n:,}{' or more' * more}"
        for n, more in zip(*(table.column(name).to_pylist() for name in ("units", "and_more")), strict=True)
    ]
    return TextTable(
        (
            *_cells_of(table),
            Shown("units", units, str, str),
            _of("regions", table, "regions"),
            _of("share", table, "share", _percent),
        )
    )


def _cutting_summary(table: Table) -> TextTable:
    """Mean, median, nine tenths and maximum instead of the distribution."""
    found: dict[tuple[int, str, int], list[tuple[int, int, bool]]] = {}
    for row in table.to_pylist():
        found.setdefault((row["layer"], row["name"], row["dimension"]), []).append(
            (row["units"], row["regions"], row["and_more"])
        )
    totals = [sum(n for _, n, _ in bins) for bins in found.values()]
    means = [sum(units * n for units, n, _ in bins) / total for bins, total in zip(found.values(), totals, strict=True)]

    def column(header: str, values: Iterable[Any], full: Callable[[Any], str] = _count) -> Shown:
        return Shown(header, list(values), full, {_count: _short_count, _mean: _short_mean}.get(full, full))

    return TextTable(
        (
            Shown("after", [name for _, name, _ in found], str, str, is_name=True),
            column("dim", (rank for _, _, rank in found)),
            column("regions", totals),
            column("units\nmean", means, _mean),
            column("units\nmedian", (_quantile(bins, 1, 2) for bins in found.values())),
            column("units\n90%", (_quantile(bins, 9, 10) for bins in found.values())),
            column("units\nmax", (f"{bins[-1][0]:,}{'+' * bins[-1][2]}" for bins in found.values()), str),
        )
    )


def _quantile(bins: list[tuple[int, int, bool]], part: int, whole: int) -> int:
    """The least value that at least part / whole of the counted are no larger than; bins are in ascending order."""
    total, so_far = sum(n for _, n, _ in bins), 0
    for value, n, _ in bins:
        so_far += n
        if so_far * whole >= total * part:
            return value
    raise AssertionError("the bins hold all that was counted")


def _descent(table: Table) -> TextTable:
    return TextTable(
        (
            *_cells_of(table),
            _of("regions", table, "regions"),
            _of("final\nregions", table, "final_regions"),
            _of("\nshare", table, "share", _percent),
            _of("in one\nmean", table, "mean", _mean),
            _of("in one\nmax", table, "max"),
            _of("never\nsplit", table, "never_split_share", _percent),
        )
    )


def _spread_exact(table: Table) -> TextTable:
    return TextTable(
        (
            *_cells_of(table),
            _of("children", table, "children"),
            _of("regions", table, "regions"),
            _of("share", table, "share", _percent),
        )
    )


def _last_split(table: Table) -> TextTable:
    return TextTable(
        (
            _names("last split by", table, "name"),
            _of("dim", table, "dimension"),
            _of("output\ndim", table, "output_dimension"),
            _of("regions", table, "regions"),
            _of("share", table, "share", _percent),
        )
    )


def _cells(table: Table) -> TextTable:
    return TextTable(tuple(_of(name.replace("_", "\n"), table, name) for name in table.column_names))


_SHOWN: dict[str, Callable[[Table], TextTable]] = {
    "dimensions": _dimensions,
    "children": _children,
    "transitions": _transitions,
    "spread": _spread,
    "cutting": _cutting,
    "descent": _descent,
    "spread_exact": _spread_exact,
    "last_split": _last_split,
    "cells": _cells,
}
