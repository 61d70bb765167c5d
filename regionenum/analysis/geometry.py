"""The geometry of a result's regions, each part computed once and when it is first asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from regionenum.analysis.adjacency import Facets, Neighbours, connected
from regionenum.analysis.decision import DecisionBoundary, decision_boundary
from regionenum.analysis.locate import Locator
from regionenum.analysis.occupancy import Occupancy
from regionenum.analysis.picture import layer_number
from regionenum.analysis.pullback import Pullback, blocks
from regionenum.analysis.recorded import Recorded
from regionenum.analysis.region import Region
from regionenum.analysis.volume import by_dimension, volumes
from regionenum.errors import InputError
from regionenum.network.units import Floats, Ints
from regionenum.results.findings import Findings


@dataclass(frozen=True, eq=False)
class Geometry:
    """What `Result` says of regions as geometry; it has the documentation."""

    found: Findings

    @cached_property
    def recorded(self) -> Recorded:
        """The recorded regions."""
        return Recorded.of(self.found)

    @cached_property
    def locator(self) -> Locator:
        """Where points are."""
        return Locator(self.recorded)

    @cached_property
    def facets(self) -> Facets:
        """The facets between regions."""
        return Neighbours(self.recorded)()

    @cached_property
    def connected(self) -> Ints:
        """Labels of connected linear regions."""
        return connected(self.recorded, self.facets)

    @cached_property
    def volumes(self) -> Floats:
        """Volumes of all regions."""
        return volumes(self.recorded)

    @cached_property
    def decision(self) -> DecisionBoundary:
        """The decision boundary."""
        return decision_boundary(self.found, self.recorded)

    def region(self, number: int) -> Region:
        """One region."""
        n = len(self.recorded)
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or not 0 <= number < n:
            raise InputError(f"region({number!r}): give the number of a recorded region, from 0 to {n - 1}")
        return Region(self.recorded, int(number))

    def occupancy(self, points: npt.ArrayLike) -> Occupancy:
        """A data set among the regions."""
        return Occupancy(self.locator(points), len(self.recorded))

    def maps(self, rows: npt.ArrayLike | None) -> tuple[Floats, Floats]:
        """A (m, n_out, n_in) and b (m, n_out) of some regions."""
        network, n = self.recorded.problem.network, len(self.recorded)
        chosen = np.arange(n) if rows is None else np.atleast_1d(np.asarray(rows))
        if chosen.dtype.kind not in "iu" or chosen.ndim != 1 or ((chosen < 0) | (chosen >= n)).any():
            raise InputError(f"rows: give numbers of recorded regions, from 0 to {n - 1}")
        found = np.empty((len(chosen), network.n_out, network.n_in + 1))
        for block in blocks(network, network.n_in, len(chosen)):
            outputs = Pullback(network, None, self.recorded.pieces(chosen[block])).to_outputs()
            found[block] = np.moveaxis(outputs, 2, 0)
        return found[..., :-1], found[..., -1]

    def volume_by_dimension(self, layer: int | str | None) -> pa.Table:
        """Volumes by the dimension of the map after a layer."""
        return by_dimension(self.recorded, layer_number(self.found, layer), self.volumes)

    def graph(self) -> Any:
        """Adjacency as a networkx graph."""
        try:
            import networkx
        except ImportError as error:
            raise InputError("graphs need networkx; install it with: pip install 'regionenum[graph]'") from error
        graph = networkx.Graph()
        graph.add_nodes_from(range(len(self.recorded)))
        graph.add_edges_from(zip(self.facets.first.tolist(), self.facets.second.tolist(), strict=True))
        return graph
