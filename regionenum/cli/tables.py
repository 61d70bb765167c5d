"""The summary of a result as tables or as JSON."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from regionenum.cli.progress import elapsed
from regionenum.result import Result
from regionenum.results.findings import LayerSummary

PLAIN_WIDTH = 160
"""Width of tables that do not go to a terminal."""


def print_result(result: Result, *, as_json: bool = False, maps: bool = False) -> None:
    """Print a result to stdout; with `maps`, the distinct affine maps are counted as well, which reads all rows."""
    distinct_maps = result.distinct_maps() if maps else None
    if as_json:
        print(json.dumps(as_dict(result) | ({} if distinct_maps is None else {"distinct_maps": distinct_maps})))
        return
    terminal = sys.stdout.isatty()
    console = Console(file=sys.stdout, width=None if terminal else PLAIN_WIDTH)
    show_result(result, console)
    if distinct_maps is not None:
        console.print(Text(f"{distinct_maps:,} distinct affine maps among the regions"))


def show_result(result: Result, console: Console) -> None:
    """Print the tables of a result to a console."""
    style = box.SIMPLE_HEAD if console.is_terminal else None
    console.print(_layers(result, style))
    console.print()
    console.print(_splits(result, style))
    console.print()
    for line in _sentences(result):
        console.print(Text(line), soft_wrap=not console.is_terminal)


def as_dict(result: Result) -> dict[str, Any]:
    """A result as JSON types; `by_rank` maps the rank, as text, to its summary."""
    return {
        "count": result.count,
        "complete": result.complete,
        "exact": result.exact,
        "seconds": result.seconds,
        "engine": result.engine,
        "record": str(result.record),
        "network": result.network.hash,
        "domain": result.domain.describe(),
        "input": asdict(result.input),
        "layers": [asdict(layer) for layer in result.layers],
        "output": asdict(result.output),
        "audit": asdict(result.audit),
        "counters": asdict(result.counters),
        "notes": list(result.network.notes),
    }


def _layers(result: Result, style: box.Box | None) -> Table:
    table = _table("Regions after each layer", style, "layer", "regions", "dimension: regions")
    table.columns[2].justify = "left"
    for layer in result.layers:
        ranks = sorted(layer.by_rank.items(), reverse=True)
        table.add_row(layer.name, f"{layer.regions:,}", "  ".join(f"{rank}: {s.regions:,}" for rank, s in ranks))
    if len(result.network.layers) > len(result.layers):
        output = sorted(result.output.by_rank.items(), reverse=True)
        ranks_of = "  ".join(f"{rank}: {n:,}" for rank, n in output)
        table.add_row(f"{result.output.name} (output)", f"{result.count:,}", ranks_of)
    return table


def _splits(result: Result, style: box.Box | None) -> Table:
    """Children by dimension: one row for each rank of each layer that another layer follows."""
    table = _table(
        "How the next layer splits them, by dimension",
        style,
        *("layer", "dimension", "regions", "children", "mean children", "max children", "unsplit"),
    )
    layers: list[LayerSummary] = [result.input, *result.layers]
    for layer in layers[:-1]:
        for rank, s in sorted(layer.by_rank.items(), reverse=True):
            numbers = (f"{s.regions:,}", f"{s.children:,}", f"{s.children / s.regions:.2f}", f"{s.max_children:,}")
            table.add_row(layer.name, str(rank), *numbers, f"{s.unsplit:,}")
    return table


def plain_table(title: str, console: Console, *columns: str) -> Table:
    """An empty table in the style that suits a console."""
    return _table(title, box.SIMPLE_HEAD if console.is_terminal else None, *columns)


def _table(title: str, style: box.Box | None, *columns: str) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", box=style, pad_edge=False, padding=(0, 2, 0, 0)
    )
    for k, column in enumerate(columns):
        # numbers are folded on a narrow terminal, never cut short
        table.add_column(column, justify="right" if k else "left", overflow="fold")
    return table


def _sentences(result: Result) -> list[str]:
    c, audit = result.counters, result.audit
    state = "complete" if result.complete else "incomplete: all counts are lower bounds"
    certainty = "exact" if result.exact else "decided in floating point"
    lines = [
        f"{result.count:,} regions ({state}; {certainty})",
        f"decisions: {audit.decisions:,}; certain by bounds on rounding: {audit.certain:,}; "
        f"made in exact arithmetic: {audit.resolved:,} ({audit.overturned:,} of them against float64)",
    ]
    if audit.doubtful:
        lines.append(f"doubtful decisions: {audit.doubtful:,} ({c.doubtful_ranks:,} of them about a dimension)")
        lines.append(
            "A doubtful decision is so close to zero that rounding could have made it: the counts may be wrong there."
        )
    lines.append(f"time: {elapsed(result.seconds)} ({result.engine} engine)")
    return [*lines, *(f"note: {note}" for note in result.network.notes)]
