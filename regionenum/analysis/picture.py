"""What a picture of a run shows: polygons, their colours' meaning, and coordinates; `plot.py` draws it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from regionenum.analysis.colouring import coloured, neighbours
from regionenum.analysis.polygons import Polygons, class_polygons, region_polygons
from regionenum.analysis.pullback import Pieces, coordinates
from regionenum.analysis.recorded import Recorded
from regionenum.analysis.region import Region
from regionenum.choices import Fill
from regionenum.domain import Chart
from regionenum.errors import InputError
from regionenum.network.layers import Network
from regionenum.network.units import MAXIMUM, Floats, Ints
from regionenum.results.findings import Findings
from regionenum.results.patterns import Packing
from regionenum.results.schema import fixed_array

WINDOW = 1.25
"""A picture of a whole space reaches that many times as far as the farthest witness."""


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
        return cls(*chart.bounds, tuple(f"coordinate {k}" for k in range(chart.dim)))

    def of_points(self, y: Floats) -> Floats:
        """Picture coordinates of points y (..., d) of the domain."""
        return np.asarray(self.origin + self.scale * y)


def picture(found: Findings, fill: Fill | str = Fill.REGION, layer: int | str | None = None) -> Picture:
    """What `plot` draws.

    Raises
    ------
    InputError
        As `plot`.
    """
    if fill not in list(Fill):
        raise InputError(f'fill is "{fill}"; choose one of {", ".join(Fill)}')
    fill = Fill(fill)
    if layer is not None and fill is not Fill.DIMENSION:
        raise InputError(f'a layer is chosen only with fill="dimension", not with fill="{fill}"; leave it out')
    network, chart = found.subject.network, chart_of(found)
    if chart.dim > 2:
        raise InputError(
            f"the domain has {chart.dim} free dimensions, a plot has one or two; fix the other inputs with equal lower "
            "and upper bounds"
        )
    pieces = pieces_of(found)
    if fill is Fill.CLASS:
        polygons, value = _classes(network, chart, pieces)
        shares = np.bincount(value, weights=polygons.areas)
        total = shares.sum()
        return Picture(
            polygons, value, {k: f"class {k}: {s / total:.1%}" for k, s in enumerate(shares) if s > 0.0}, fill
        )
    polygons = region_polygons(network, chart, pieces)
    if fill is Fill.REGION:
        return Picture(polygons, coloured(len(polygons), neighbours(network, chart, pieces, polygons)), {}, fill)
    k = layer_number(found, layer)
    value = fixed_array(found.regions.column("ranks"))[:, k].astype(np.int64)
    name = found.layers[k].name
    counts = np.bincount(value)
    return Picture(
        polygons, value, {r: f"dimension {r} after `{name}`: {c:,}" for r, c in enumerate(counts) if c}, fill
    )


def chart_of(found: Findings) -> Chart:
    """The coordinates of a result's domain; of a whole space those of a cube that holds every witness."""
    chart = found.subject.problem.chart
    if not chart.whole:
        return chart
    recorded = Recorded.of(found)
    x = recorded.witness[~np.isnan(recorded.witness).any(axis=1)]
    if not found.subject.witnesses:
        x = np.array([Region(recorded, i).witness for i in range(len(recorded))]).reshape(-1, recorded.witness.shape[1])
    y = np.linalg.lstsq(chart.directions.toarray(), (x - chart.origin).T, rcond=None)[0]
    reach = WINDOW * max(1.0, float(np.abs(y).max(initial=0.0)))
    half = np.full(chart.dim, reach)
    return Chart(chart.origin, chart.directions, lower=-half, width=2.0 * half)


def pieces_of(found: Findings) -> Pieces:
    """(n, n_units of all unit layers) pieces of the recorded regions."""
    return Packing.of(found.subject.network).unpack(fixed_array(found.regions.column("pattern")))


def layer_number(found: Findings, layer: int | str | None) -> int:
    """The number of the unit layer that is meant: by number or name, the last by default."""
    names = [known.name for known in found.layers]
    if not names:
        raise InputError("the network has no units, so there is no layer after which dimensions are known")
    if layer is None:
        return len(names) - 1
    if isinstance(layer, str) and layer in names:
        return names.index(layer)
    if isinstance(layer, int) and 0 <= layer < len(names):
        return layer
    known = f"one of {', '.join(names)}" if isinstance(layer, str) else f"a number from 0 to {len(names) - 1}"
    raise InputError(f"layer is {layer!r}; choose {known}")


def _classes(network: Network, chart: Chart, pieces: Pieces) -> tuple[Polygons, Ints]:
    if network.n_out > 1:
        return class_polygons(network, chart, pieces)
    last = network.unit_layers[-1].units if network.unit_layers else None
    if last is None or last.n_units > 1 or last.function_of[0] != MAXIMUM or network.layers[-1].units is not last:
        raise InputError("the network has one output and so no classes; choose another fill")
    # a decision at the end of the network: the winner is the class
    return region_polygons(network, chart, pieces), pieces[:, -1].astype(np.int64)
