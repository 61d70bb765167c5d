"""The report of a study: one HTML file with its tables, and regions drawn against parameters, accuracy and layers."""

from __future__ import annotations

import math
from importlib.util import find_spec
from typing import Any

from regionenum.analysis.html import COLOURS, figure, heading, legend, new_figure, page, paragraph
from regionenum.analysis.html import table as html_table
from regionenum.results.schema import Table
from regionenum.study.description import Study
from regionenum.study.prepare import write_file
from regionenum.study.table import by_architecture

_MARKERS = "osD^vP*Xh<>"


def write_report(study: Study, table: Table, notes: list[str]) -> None:
    """Write report.html into the folder of the study; without matplotlib it has no pictures, and says so.

    Raises
    ------
    RunError
        If it cannot be written.
    """
    text = report(study.study.name, table, notes)
    write_file(study.out / "report.html", lambda file: file.write(text.encode()))


def report(name: str, table: Table, notes: list[str]) -> str:
    """The report as text."""
    rows, averaged = table.to_pylist(), by_architecture(table).to_pylist()
    parts = [paragraph(f"{len(rows)} networks of {len(averaged)} architectures. {_certainty(rows)}")]
    parts += [paragraph(note, note=True) for note in notes]
    if find_spec("matplotlib") is None:
        parts.append(paragraph("matplotlib is not installed, so there are no pictures.", note=True))
    elif rows:
        parts += _pictures(rows, averaged)
    parts += [
        heading("Architectures: mean ± standard deviation over their networks (seeds), least .. most"),
        _averages(averaged),
    ]
    parts += [heading("Networks"), _networks(rows)]
    return page(f"Study {name}", parts)


def _certainty(rows: list[dict[str, Any]]) -> str:
    exact, complete = all(row["exact"] for row in rows), all(row["complete"] for row in rows)
    counted = "All counts are exact" if exact else "Some counts were decided in floating point"
    return counted + (" and complete." if complete else "; of incomplete networks (marked +) they are lower bounds.")


def _pictures(rows: list[dict[str, Any]], averaged: list[dict[str, Any]]) -> list[str]:
    shapes = list(dict.fromkeys(_label(row) for row in rows))
    look = {
        label: {"color": COLOURS[k % len(COLOURS)], "marker": _MARKERS[k % len(_MARKERS)]}
        for k, label in enumerate(shapes)
    }
    found = []
    for key, words in (("parameters", "parameters"), ("test_accuracy", "accuracy on test samples")):
        if sum(row[key] is not None and row["regions"] > 0 for row in rows) > 1:
            found.append(_scatter(rows, look, key, words))
    found.append(_growth(averaged, look))
    found.append(_dimensions(rows, look))
    return found


def _scatter(rows: list[dict[str, Any]], look: dict[str, dict[str, str]], key: str, words: str) -> str:
    drawn, ax = new_figure()
    for label, style in look.items():
        points = [
            (row[key], row["regions"])
            for row in rows
            if _label(row) == label and row[key] is not None and row["regions"]
        ]
        if points:
            ax.plot(*zip(*points, strict=True), linestyle="none", label=label, **style)
    ax.set(xlabel=words, ylabel="regions", yscale="log")
    legend(ax)
    return figure(drawn, f"Regions of each network against its {words}")


def _growth(averaged: list[dict[str, Any]], look: dict[str, dict[str, str]]) -> str:
    drawn, ax = new_figure()
    labelled = set()
    for row in averaged:
        # a run that was stopped at once has found nothing, which a logarithm does not show
        layers = [1.0, *(n or math.nan for n in row["regions_by_layer"] or [])]
        # one line for every epoch, one label for all of them
        label = _label(row)
        ax.plot(range(len(layers)), layers, label=None if label in labelled else label, **look[label])
        labelled.add(label)
    ax.set(xlabel="layers of units passed", ylabel="regions, mean over seeds", yscale="log")
    ax.xaxis.get_major_locator().set_params(integer=True)
    legend(ax)
    return figure(drawn, "Growth by layer: regions after each layer of units")


def _dimensions(rows: list[dict[str, Any]], look: dict[str, dict[str, str]]) -> str:
    """Shares of the regions by dimension, of all networks of an architecture together."""
    drawn, ax = new_figure()
    width = 0.8 / len(look)
    for k, (label, style) in enumerate(look.items()):
        total: dict[int, int] = {}
        for row in rows:
            for bar in row["dimensions"] if _label(row) == label else ():
                total[bar["dimension"]] = total.get(bar["dimension"], 0) + bar["regions"]
        n = sum(total.values()) or 1
        places = [rank + (k + 0.5) * width - 0.4 for rank in total]
        ax.bar(places, [count / n for count in total.values()], width, label=label, color=style["color"])
    ax.set(xlabel="dimension of the network's own map", ylabel="share of the regions")
    ax.xaxis.get_major_locator().set_params(integer=True)
    legend(ax)
    return figure(drawn, "Regions by the dimension of the network's own map")


def _label(row: dict[str, Any]) -> str:
    said = [row["architecture"], row["data"]]
    return ", ".join(part for part in said if part)


def _averages(averaged: list[dict[str, Any]]) -> str:
    head = (
        "architecture",
        "epoch",
        "networks",
        "parameters",
        "test accuracy",
        "regions",
        "",
        "dimension",
        "distinct maps",
    )
    lines = []
    for row in averaged:
        ends = "" if row["regions_min"] is None else f"{row['regions_min']:,.0f} .. {row['regions_max']:,.0f}"
        lines.append(
            (
                _label(row),
                _number(row["epoch"]),
                str(row["networks"]),
                _number(row["parameters_mean"]),
                _spread(row, "test_accuracy", ".3f"),
                _spread(row, "regions", ",.0f") + ("" if row["complete"] else "+"),
                ends,
                _spread(row, "mean_dimension", ".2f"),
                _spread(row, "distinct_maps", ",.0f"),
            )
        )
    return html_table(head, lines)


def _networks(rows: list[dict[str, Any]]) -> str:
    head = (
        "name",
        "parameters",
        "units",
        "train",
        "test",
        "regions",
        "by layer",
        "dimension: regions",
        "maps",
        "regions/s",
        "s",
    )
    lines = [
        (
            row["name"],
            _number(row["parameters"]),
            _number(row["units"]),
            _number(row["train_accuracy"], ".3f"),
            _number(row["test_accuracy"], ".3f"),
            _number(row["regions"]) + ("" if row["complete"] else "+"),
            "  ".join(map(_number, row["regions_by_layer"])),
            "  ".join(f"{bar['dimension']}: {bar['regions']:,}" for bar in row["dimensions"]),
            _number(row["distinct_maps"]),
            _number(row["rate"]),
            _number(row["seconds"], ".2f"),
        )
        for row in rows
    ]
    return html_table(head, lines, text=(0, 6, 7))


def _spread(row: dict[str, Any], measure: str, shown: str) -> str:
    mean = row[f"{measure}_mean"]
    return "" if mean is None else f"{mean:{shown}} ± {row[f'{measure}_std']:{shown}}"


def _number(value: float | None, shown: str = ",.0f") -> str:
    return "" if value is None else f"{value:{shown}}"
