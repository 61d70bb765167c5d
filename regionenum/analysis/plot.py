"""Pictures of the regions of a run, in one or two free dimensions (`Result.plot`)."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np

from regionenum.analysis.colouring import CLASSES, DIMENSIONS, LIGHT, coloured, neighbours
from regionenum.analysis.polygons import Polygons, class_polygons, output_values, region_polygons
from regionenum.analysis.pullback import Pieces, coordinates
from regionenum.domain import Chart
from regionenum.engine.interface import Problem
from regionenum.errors import InputError
from regionenum.network.layers import Network
from regionenum.network.units import MAXIMUM, Floats, Ints
from regionenum.results.patterns import Packing
from regionenum.results.schema import fixed_array

if TYPE_CHECKING:
    from regionenum.results.summary import Result

Fill: TypeAlias = Literal["region", "dimension", "class"]

_LABELS = 12
"""Largest number of outputs drawn as graphs, or classes listed in a legend."""


@dataclass(frozen=True)
class Picture:
    """What is drawn: polygons in the domain's coordinates, each with a value.

    Attributes
    ----------
    polygons : the regions, or the parts of them that one class has
    value : (n,) what the colour says: a number of a colour, a dimension, or a class
    legend : {value: text}, empty where colours only tell neighbours apart
    fill : what was asked for
    """

    polygons: Polygons
    value: Ints
    legend: dict[int, str]
    fill: Fill


@dataclass(frozen=True)
class Axes:
    """The coordinates of the picture: u = origin + scale * y.

    Input values where each coordinate of the domain moves one input value of its own, the domain's coordinates otherwise.
    """

    origin: Floats
    scale: Floats
    labels: tuple[str, ...]

    @classmethod
    def of(cls, chart: Chart, input_shape: tuple[int, ...]) -> Axes:
        """The coordinates of a picture of this domain."""
        forms = coordinates(chart)
        moved = forms[:, :-1] != 0.0
        if (moved.sum(axis=0) == 1).all() and (moved.sum(axis=1) <= 1).all():
            inputs = moved.argmax(axis=0)
            names = [", ".join(map(str, np.unravel_index(k, input_shape))) for k in inputs]
            labels = tuple(f"input ({name})" if len(input_shape) > 1 else f"input {name}" for name in names)
            return cls(forms[inputs, -1], forms[inputs, np.arange(chart.dim)], labels)
        return cls(np.zeros(chart.dim), np.ones(chart.dim), tuple(f"coordinate {k}" for k in range(chart.dim)))

    def of_points(self, y: Floats) -> Floats:
        """Picture coordinates of points y (..., d) of the domain."""
        return np.asarray(self.origin + self.scale * y)


def picture(result: Result, fill: Fill = "region", layer: int | str | None = None) -> Picture:
    """What `plot` draws.

    Raises
    ------
    InputError
        As `plot`.
    """
    if fill not in get_args(Fill):
        raise InputError(f'fill is "{fill}"; choose one of {", ".join(get_args(Fill))}')
    if layer is not None and fill != "dimension":
        raise InputError(f'a layer is chosen only with fill="dimension", not with fill="{fill}"; leave it out')
    network, chart = result.network, _chart(result)
    if chart.dim > 2:
        raise InputError(
            f"the domain has {chart.dim} free dimensions, a plot has one or two; fix the other inputs with equal lower "
            "and upper bounds"
        )
    pieces = Packing.of(network).unpack(fixed_array(result.regions.column("pattern")))
    if fill == "class":
        polygons, value = _classes(network, chart, pieces)
        shares = np.bincount(value, weights=polygons.areas)
        total = shares.sum()
        return Picture(
            polygons, value, {k: f"class {k}: {s / total:.1%}" for k, s in enumerate(shares) if s > 0.0}, fill
        )
    polygons = region_polygons(network, chart, pieces)
    if fill == "region":
        return Picture(polygons, coloured(len(polygons), neighbours(network, chart, pieces, polygons)), {}, fill)
    k = _layer_number(result, layer)
    value = fixed_array(result.regions.column("ranks"))[:, k].astype(np.int64)
    name = result.layers[k].name
    counts = np.bincount(value)
    return Picture(
        polygons, value, {r: f"dimension {r} after `{name}`: {c:,}" for r, c in enumerate(counts) if c}, fill
    )


def plot(
    result: Result,
    fill: Fill = "region",
    layer: int | str | None = None,
    ax: Any = None,
    path: str | PathLike[str] | None = None,
) -> Any:
    """Draw the regions of a result over a domain with one or two free dimensions; `Result.plot` says more.

    Returns
    -------
    The matplotlib axes.

    Raises
    ------
    InputError
        If regions were not recorded, the domain has more than two free dimensions, `fill` or `layer` is unknown, classes are
        asked of a network with one output, matplotlib is missing, or the picture cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError("plots need matplotlib; install it with: pip install 'regionenum[plot]'") from error
    drawn = picture(result, fill, layer)
    if ax is None and path is None:
        from matplotlib import pyplot

        ax = pyplot.subplots(figsize=(7.0, 5.6), layout="constrained")[1]
    elif ax is None:
        # a figure of its own, so that no window system is needed and nothing is left open
        ax = Figure(figsize=(7.0, 5.6), layout="constrained").subplots()
    chart = _chart(result)
    axes = Axes.of(chart, result.network.input_shape)
    if chart.dim == 1:
        _draw_line(ax, result, drawn, axes)
    else:
        _draw_plane(ax, drawn, axes)
    corners = axes.of_points(Polygons.domain(chart, 1).corners[0])
    _set_limits(ax, corners.min(axis=0), corners.max(axis=0))
    state = "" if result.complete else " (incomplete: there are more)"
    ax.set_title(f"{result.count:,} region{'' if result.count == 1 else 's'}{state}")
    if path is not None:
        _save(ax, Path(path))
    return ax


def _chart(result: Result) -> Chart:
    return Problem.over(result.network, result.domain).chart


def _layer_number(result: Result, layer: int | str | None) -> int:
    names = [known.name for known in result.layers]
    if not names:
        raise InputError("the network has no units, so there is no layer after which to draw dimensions")
    if layer is None:
        return len(names) - 1
    if isinstance(layer, str) and layer in names:
        return names.index(layer)
    if isinstance(layer, int) and 0 <= layer < len(names):
        return layer
    raise InputError(f"layer is {layer!r}; choose one of {', '.join(names)}, or its number from 0 to {len(names) - 1}")


def _classes(network: Network, chart: Chart, pieces: Pieces) -> tuple[Polygons, Ints]:
    if network.n_out > 1:
        return class_polygons(network, chart, pieces)
    last = network.unit_layers[-1].units if network.unit_layers else None
    if last is None or last.n_units > 1 or last.function_of[0] != MAXIMUM or network.layers[-1].units is not last:
        raise InputError("the network has one output and so no classes; choose another fill")
    # a decision at the end of the network: the winner is the class
    return region_polygons(network, chart, pieces), pieces[:, -1].astype(np.int64)


def _palette(drawn: Picture) -> list[Any]:
    """A colour for each value that can occur."""
    listed = {"region": LIGHT, "dimension": DIMENSIONS, "class": CLASSES}[drawn.fill]
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


def _draw_line(ax: Any, result: Result, drawn: Picture, axes: Axes) -> None:
    from matplotlib.collections import PolyCollection

    network, chart = result.network, _chart(result)
    pieces = Packing.of(network).unpack(fixed_array(result.regions.column("pattern")))
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


def _save(ax: Any, path: Path) -> None:
    try:
        ax.figure.savefig(path, dpi=200, bbox_inches="tight")
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); choose a file in an existing folder") from error
    # matplotlib: a format that it does not know
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error
