"""Pictures of the regions of a run, in one or two free dimensions (`Result.plot`)."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from regionenum.analysis.colouring import CLASSES, DIMENSIONS, LIGHT
from regionenum.analysis.figures import axes_for, check_drawing, save_figure
from regionenum.analysis.picture import Axes, Picture, chart_of, picture, pieces_of
from regionenum.analysis.polygons import Polygons, output_values
from regionenum.choices import Fill
from regionenum.network.units import Floats
from regionenum.results.findings import Findings

_LABELS = 12
"""Largest number of outputs drawn as graphs, or classes listed in a legend."""


def plot(
    found: Findings,
    fill: Fill | str = Fill.REGION,
    layer: int | str | None = None,
    ax: Any = None,
    path: str | PathLike[str] | None = None,
) -> Any:
    """Draw the regions that were found over a domain with one or two free dimensions; `Result.plot` says more.

    Returns
    -------
    The matplotlib axes.

    Raises
    ------
    InputError
        If regions were not recorded, the domain has more than two free dimensions, `fill` or `layer` is unknown, classes are
        asked of a network with one output, matplotlib is missing, or the picture cannot be
        written in the format of its ending.
    """
    check_drawing(path)
    drawn = picture(found, fill, layer)
    ax = axes_for(ax, path)
    chart = chart_of(found)
    axes = Axes.of(chart, found.subject.network.input_shape)
    if chart.dim == 1:
        _draw_line(ax, found, drawn, axes)
    else:
        _draw_plane(ax, drawn, axes)
    corners = axes.of_points(Polygons.domain(chart, 1).corners[0])
    _set_limits(ax, corners.min(axis=0), corners.max(axis=0))
    state = "" if found.totals.complete else " (incomplete: there are more)"
    if found.subject.problem.chart.whole:
        state += ", seen through a window"
    ax.set_title(f"{found.count:,} region{'' if found.count == 1 else 's'}{state}")
    if path is not None:
        save_figure(ax, Path(path))
    return ax


def _palette(drawn: Picture) -> list[Any]:
    """A colour for each value that can occur."""
    listed = {Fill.REGION: LIGHT, Fill.DIMENSION: DIMENSIONS, Fill.CLASS: CLASSES}[drawn.fill]
    n = int(drawn.value.max(initial=0)) + 1
    if n <= len(listed):
        return list(listed)
    from matplotlib import colormaps

    return [colormaps["cividis"](k / (n - 1)) for k in range(n)]


def _draw_plane(ax: Any, drawn: Picture, axes: Axes) -> None:
    from matplotlib.collections import PolyCollection

    corners: Any = axes.of_points(drawn.polygons.corners)
    palette = _palette(drawn)
    real = drawn.polygons.size > 0
    ax.add_collection(
        PolyCollection(
            corners[real],
            facecolors=[palette[k] for k in drawn.value[real].tolist()],
            edgecolors="#333333",
            linewidths=float(np.clip(12.0 / np.sqrt(max(len(corners), 1)), 0.03, 0.6)),
        )
    )
    ax.set(xlabel=axes.labels[0], ylabel=axes.labels[1])
    _add_legend(ax, drawn, palette)


def _draw_line(ax: Any, found: Findings, drawn: Picture, axes: Axes) -> None:
    from matplotlib.collections import PolyCollection

    network, chart = found.subject.network, chart_of(found)
    pieces = pieces_of(found)
    intervals, outputs = output_values(network, chart, pieces)
    palette = _palette(drawn)
    ends = axes.of_points(drawn.polygons.corners)[..., 0]
    bands: Any = np.stack([ends[:, [0, 1, 1, 0]], np.broadcast_to([0.0, 0.0, 1.0, 1.0], (len(ends), 4))], axis=2)
    ax.add_collection(
        PolyCollection(
            bands,
            facecolors=[palette[k] for k in drawn.value.tolist()],
            alpha=0.55,
            linewidths=0,
            transform=ax.get_xaxis_transform(),
        ),
        autolim=False,
    )
    order = np.argsort(intervals.corners[:, :, 0].min(axis=1), kind="stable")
    x = axes.of_points(intervals.corners[order])[..., 0].reshape(-1)
    styles = ("-", "--", ":", "-.")
    for k in range(min(network.n_out, _LABELS)):
        ax.plot(x, outputs[order, :, k].reshape(-1), styles[k % 4], color=_LINES[k % len(_LINES)], label=f"output {k}")
    boundaries = np.unique(x)
    if len(boundaries) <= 400:
        ax.set_xticks(boundaries, minor=True)
        ax.tick_params(axis="x", which="minor", length=7, width=0.6, direction="in")
    ax.set(xlabel=axes.labels[0], ylabel="output")
    _add_legend(ax, drawn, palette)


_LINES = ("#000000", "#0072B2", "#D55E00")
"""Colours of graphs: black, and blue and vermilion of Okabe and Ito."""


def _set_limits(ax: Any, low: Floats, high: Floats) -> None:
    ax.set_xlim(low[0], high[0])
    if len(low) == 2:
        ax.set_ylim(low[1], high[1])
        width, height = high - low
        if 1 / 2 <= width / height <= 2:
            ax.set_aspect("equal")


def _add_legend(ax: Any, drawn: Picture, palette: list[Any]) -> None:
    from matplotlib.patches import Patch

    patches = [Patch(facecolor=palette[k], edgecolor="#333333", label=text) for k, text in drawn.legend.items()]
    handles = [*ax.get_legend_handles_labels()[0], *patches[:_LABELS]]
    if handles:
        ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.02, 1.0), borderaxespad=0.0, frameon=False)
