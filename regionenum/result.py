"""The public face of what an enumeration found: `Result`, and `open_run`, which makes one from a run directory.

It stands above `results`, which keeps what was found, and `analysis`, which computes from it, and brings both together.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from typing import Any

import numpy.typing as npt
import scipy.sparse as sp

from regionenum.analysis.decision import DecisionBoundary
from regionenum.analysis.geometry import Geometry
from regionenum.analysis.occupancy import Occupancy
from regionenum.analysis.plot import plot
from regionenum.analysis.region import Region
from regionenum.choices import Fill, Record
from regionenum.domain import Domain
from regionenum.engine.interface import Counters, Statistics
from regionenum.network.layers import Network
from regionenum.network.units import Floats, Ints
from regionenum.results.findings import Audit, Findings, LayerSummary, OutputSummary
from regionenum.results.reader import read_run
from regionenum.results.schema import Table


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """What an enumeration found; while it is incomplete, all counts are lower bounds.

    Attributes
    ----------
    findings : Findings
        What is kept of it, in memory or in a run directory.
    """

    findings: Findings

    @property
    def count(self) -> int:
        """Number of full-dimensional activation regions found."""
        return self.findings.count

    @property
    def complete(self) -> bool:
        """Whether the tree was exhausted."""
        return self.findings.totals.complete

    @property
    def exact(self) -> bool:
        """Whether every decision is certain: proved by rigorous bounds on rounding errors, or made in exact arithmetic.

        The counts are then those of the network and the domain as their float64 numbers say, read as rational numbers.
        """
        return self.findings.subject.exact

    @property
    def audit(self) -> Audit:
        """How many decisions were certain, made in exact arithmetic, overturned by it, or left in doubt."""
        return self.findings.audit

    @property
    def network(self) -> Network:
        """The network that was enumerated."""
        return self.findings.subject.network

    @property
    def domain(self) -> Domain:
        """The part of the input space that was enumerated."""
        return self.findings.subject.domain

    @property
    def record(self) -> Record:
        """What was kept of the cells."""
        return self.findings.subject.record

    @property
    def engine(self) -> str:
        """Name of the engine."""
        return self.findings.subject.engine

    @property
    def seconds(self) -> float:
        """Wall-clock time, of all attempts together."""
        return self.findings.totals.seconds

    @property
    def statistics(self) -> Statistics:
        """Counts of cells by layer and rank, as arrays; `layers` says the same in words."""
        return self.findings.totals.statistics

    @property
    def counters(self) -> Counters:
        """What the engine did, doubtful decisions included."""
        return self.findings.totals.counters

    @property
    def input(self) -> LayerSummary:
        """The domain itself as a layer of one cell, whose map (the identity) has the domain's dimension as rank."""
        return self.findings.input

    @property
    def layers(self) -> tuple[LayerSummary, ...]:
        """The cells after each unit layer of the network, in order."""
        return self.findings.layers

    @property
    def output(self) -> OutputSummary:
        """The regions by the rank of the network's own map, after its last affine layer."""
        return self.findings.output

    @property
    def regions(self) -> Table:
        """The table of regions: pattern, ranks, output_rank, witness (`results/schema.py` describes the columns).

        Raises
        ------
        InputError
            If regions were not recorded.
        """
        return self.findings.regions

    @property
    def cells(self) -> Table:
        """The table of the cells of all layers, each with its parent.

        Raises
        ------
        InputError
            If the tree was not recorded.
        """
        return self.findings.cells

    def distinct_maps(self) -> int:
        """Number of different affine functions, from the domain's coordinates to the output, among the regions.

        Decided without a tolerance. Reads the recorded rows part by part and keeps 16 bytes for each different map.

        Raises
        ------
        InputError
            If regions were not recorded.
        """
        return self.findings.distinct_maps()

    def locate(self, points: npt.ArrayLike) -> Ints:
        """The region of each of many points: its row in `regions`.

        Exact: patterns are computed in float64 with bounds on the errors, and in integers where these leave one open. A point
        on the boundary of regions goes to the one with the smallest pattern, unit by unit, of those whose closure contains it.

        Parameters
        ----------
        points : (n, ...) array_like
            Inputs, flat or in the shape that the network takes; a single one may be given as it is. An input of a slice stands
            for the point of the slice nearest to it, and is outside if that is more than 1e-9 of its size away.

        Returns
        -------
        (n,) int64 array
            -1 outside of the domain, and where an incomplete run found no region.

        Raises
        ------
        InputError
            If regions were not recorded, or the points are not finite numbers of the shape of inputs.
        """
        return self._geometry.locator(points)

    def occupancy(self, points: npt.ArrayLike) -> Occupancy:
        """Which regions hold the points of a data set, and which hold none.

        Parameters
        ----------
        points : (n, ...) array_like
            As for `locate`.

        Returns
        -------
        Occupancy
            `region` of each point, `counts` of points for each region, `occupied` and `empty` regions, points `sharing` one.

        Raises
        ------
        InputError
            As `locate`.
        """
        return self._geometry.occupancy(points)

    def region(self, i: int) -> Region:
        """Region i as a polyhedron and an affine map, in input coordinates; everything is computed when it is asked for.

        Raises
        ------
        InputError
            If regions were not recorded, or there is no such row.
        """
        return self._geometry.region(i)

    def maps(self, rows: npt.ArrayLike | None = None) -> tuple[Floats, Floats]:
        """The affine maps x -> A x + b of many regions, in float64.

        Parameters
        ----------
        rows : (m,) array_like of int, optional
            Numbers of regions; by default all.

        Returns
        -------
        A, b
            (m, n_out, n_in) and (m, n_out).

        Raises
        ------
        InputError
            If regions were not recorded, or there is no such row.
        """
        return self._geometry.maps(rows)

    def adjacency(self) -> sp.csr_array:
        """Which regions share a facet: whose closures have a common part of dimension d - 1. Exact.

        Returns
        -------
        (n, n) scipy.sparse.csr_array of bool
            Symmetric, the diagonal empty.

        Raises
        ------
        InputError
            If regions were not recorded, or a function of a unit is not continuous because its coefficients were rounded.
        """
        return self._geometry.facets.matrix(len(self._geometry.recorded))

    def graph(self) -> Any:
        """`adjacency` as a networkx.Graph of the numbers of regions.

        Raises
        ------
        InputError
            As `adjacency`, or if networkx is missing.
        """
        return self._geometry.graph()

    def connected_regions(self) -> Ints:
        """Connected linear regions: regions merged across common facets where the function is the same affine map.

        Definition 4 of Stargalla et al., arXiv 2505.16716. Maps are compared as in `distinct_maps`.

        Returns
        -------
        (n,) int64 array
            A label for each region, from 0; their number is the largest label and 1.

        Raises
        ------
        InputError
            As `adjacency`.
        """
        return self._geometry.connected

    def volumes(self) -> Floats:
        """(n,) volumes of all regions, d-dimensional, in the inputs; infinite where a region is not bounded.

        In float64: all at once in one and two dimensions, by Qhull for each region in three to six; `region(i).exact_volume()`
        is a rational number.

        Raises
        ------
        InputError
            If regions were not recorded, or the domain has more than six dimensions.
        """
        return self._geometry.volumes

    def volume_by_dimension(self, layer: int | str | None = None) -> Table:
        """Number and volume of the regions by the dimension of the map to the output of a unit layer.

        Parameters
        ----------
        layer : int or str, optional
            Number or name of the layer; the last by default.

        Returns
        -------
        Table
            `dimension`, `regions`, `volume`, `share` of the domain's volume.

        Raises
        ------
        InputError
            As `volumes`, or if there is no such layer.
        """
        return self._geometry.volume_by_dimension(layer)

    def decision_boundary(self) -> DecisionBoundary:
        """The pieces of the decision boundary of a classifier, which chooses the largest output. Exact.

        A piece is a facet between two parts of the domain, in each of which the network is affine and one class is chosen.
        Unless the network ends in a decision, the domain is explored once more with one (`with_decision`), in this process.

        Returns
        -------
        DecisionBoundary
            `total` pieces, of which `crossing` lie inside a region; `table()` lists them.

        Raises
        ------
        InputError
            If regions were not recorded, the result is incomplete, or the network has one output.
        """
        return self._geometry.decision

    @cached_property
    def _geometry(self) -> Geometry:
        return Geometry(self.findings)

    def plot(
        self,
        fill: Fill | str = Fill.REGION,
        layer: int | str | None = None,
        ax: Any = None,
        path: str | PathLike[str] | None = None,
    ) -> Any:
        """Draw the regions over a domain with one or two free dimensions, with matplotlib.

        In two dimensions regions are polygons; in one they are intervals below the graphs of the outputs.

        Parameters
        ----------
        fill : Fill or str
            What the colours say: "region", nothing but that neighbours are different regions; "dimension", the rank of the
            map to the output of a unit layer; "class", the largest output, by which regions are split.
        layer : int or str, optional
            Number or name of the unit layer whose ranks are drawn; the last by default.
        ax : matplotlib.axes.Axes, optional
            What to draw on; by default a new figure, of pyplot if there is no path.
        path : path, optional
            File to write the figure to, in the format of its ending.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        InputError
            If regions were not recorded, the domain has more than two free dimensions, `fill` or `layer` is unknown,
            classes are asked of a network with one output, matplotlib is missing, or the file cannot be written.
        """
        return plot(self.findings, fill, layer, ax, path)

    def __repr__(self) -> str:
        return (
            f"<Result: {self.count:,} regions, {'complete' if self.complete else 'incomplete'}, "
            f"{'exact' if self.exact else 'not exact'}, {self.seconds:.3g} s>"
        )


def open_run(path: str | PathLike[str]) -> Result:
    """The result in a run directory, finished or not; rows are read from its parts when they are asked for.

    Parameters
    ----------
    path : path
        The run directory.

    Returns
    -------
    Result

    Raises
    ------
    InputError
        If the directory is not a run, has another format version, or what its manifest lists is not there.
    """
    return Result(read_run(path))
