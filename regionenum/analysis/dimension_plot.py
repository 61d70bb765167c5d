"""Pictures of an analysis (`Analysis.plot`): children by dimension against the bound, and the flow of dimensions."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from regionenum.analysis.dimension_tables import Table, Tables
from regionenum.analysis.dimension_text import ending
from regionenum.analysis.figures import axes_for, check_drawing, save_figure
from regionenum.choices import AnalysisPlot
from regionenum.errors import InputError

LAYERS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Colours of layers, from Okabe and Ito (Color universal design, 2008), safe for colour-blind readers; markers differ too."""

_MARKERS = "osD^vPX"

_BOUND: dict[str, Any] = {"marker": "_", "markersize": 14, "markeredgewidth": 2, "linestyle": "--", "linewidth": 1}

_WIDTH = 0.6
"""Width that the layers share around one dimension."""

_NAME = 16
"""Letters of a layer's name that are shown."""


def plot(analysis: Tables, kind: AnalysisPlot | str, ax: Any, path: str | PathLike[str] | None) -> Any:
    """Draw an analysis; `Analysis.plot` says more.

    Returns
    -------
    The matplotlib axes.

    Raises
    ------
    InputError
        If the kind is unknown, matplotlib is missing, or the file cannot be written in the format of its ending.
    """
    if kind not in list(AnalysisPlot):
        raise InputError(f'kind is "{kind}"; choose one of {", ".join(AnalysisPlot)}')
    check_drawing(path)
    drawer = {AnalysisPlot.CHILDREN: _children, AnalysisPlot.DIMENSIONS: _dimensions}[AnalysisPlot(kind)]
    table = analysis.table(str(kind))
    ax = axes_for(ax, path)
    title = drawer(ax, table)
    ax.set_title(title if analysis.complete else f"{title} (incomplete: there are more)")
    if path is not None:
        save_figure(ax, Path(path))
    return ax


def _children(ax: Any, table: Table) -> str:
    """Mean (filled), maximum (open) and bound (dashed) of each layer; every cell has a child, so that logarithms exist."""
    from matplotlib.lines import Line2D
    from matplotlib.ticker import MaxNLocator

    rows = [row for row in table.to_pylist() if row["closed"]]
    layers = list(dict.fromkeys(row["layer"] for row in rows))
    handles = []
    for k, layer in enumerate(layers):
        of_layer = [row for row in rows if row["layer"] == layer]
        colour, marker = LAYERS[k % len(LAYERS)], _MARKERS[k % len(_MARKERS)]
        # side by side, so that the points of one dimension do not hide each other
        beside = _WIDTH * ((k + 0.5) / len(layers) - 0.5)
        x = [row["dimension"] + beside for row in of_layer]
        # what has no float64 is left out of the line
        bounds = [row["rank_bound"] if np.isfinite(row["rank_bound"]) else np.nan for row in of_layer]
        name = " by ".join(ending(of_layer[0][side], _NAME) for side in ("name", "next_name"))
        handles += ax.plot(x, [row["mean"] for row in of_layer], f"-{marker}", color=colour, label=name)
        ax.plot(x, [row["max"] for row in of_layer], marker, color=colour, markerfacecolor="none", markersize=9)
        ax.plot(x, bounds, color=colour, **_BOUND)
    handles += [
        Line2D([], [], color="#333333", marker="o", label="mean"),
        Line2D(
            [], [], color="#333333", marker="o", markerfacecolor="none", markersize=9, linestyle="", label="maximum"
        ),
        Line2D([], [], color="#333333", label="bound by rank", **_BOUND),
    ]
    ranks = sorted({row["dimension"] for row in rows}) or [0]
    ax.set_yscale("log")
    ax.set_xlim(ranks[0] - 0.5, ranks[-1] + 0.5)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.set(xlabel="dimension of the cell", ylabel="children of a cell")
    ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.02, 1.0), borderaxespad=0.0, frameon=False)
    return "How the next layer splits cells"


def _dimensions(ax: Any, table: Table) -> str:
    """One bar for each layer, the dimensions stacked from 0 upwards, from dark to light."""
    from matplotlib import colormaps

    rows = [row for row in table.to_pylist() if row["share"] is not None]
    layers = list(dict.fromkeys((row["layer"], row["name"]) for row in rows))
    place = {layer: k for k, (layer, _) in enumerate(layers)}
    most = max((row["dimension"] for row in rows), default=0)
    below = np.zeros(len(layers))
    for rank in range(most + 1):
        shares = np.zeros(len(layers))
        for row in rows:
            if row["dimension"] == rank:
                shares[place[row["layer"]]] = row["share"]
        if shares.any():
            ax.bar(
                np.arange(len(layers)),
                shares,
                bottom=below,
                width=0.8,
                color=colormaps["cividis"](rank / max(most, 1)),
                edgecolor="#333333",
                linewidth=0.4,
                label=f"dimension {rank}",
            )
        below += shares
    ax.set_xticks(np.arange(len(layers)), [ending(name, _NAME) for _, name in layers], rotation=30, ha="right")
    ax.set(ylabel="share of the cells after the layer", ylim=(0, 1))
    ax.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0), borderaxespad=0.0, frameon=False, reverse=True)
    return "Dimensions of cells, layer by layer"
