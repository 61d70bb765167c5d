"""The decision boundary of a classifier, piece by piece.

A classifier chooses the largest of its outputs, of equal ones the first. With a last maximum over them (`with_decision`)
regions are split where the choice changes, and a *piece* of the boundary is a facet between two of them that choose
differently. Most pieces cross a region of the network itself; others lie between two of its regions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from regionenum.analysis.adjacency import Neighbours
from regionenum.analysis.pattern_index import PatternIndex
from regionenum.analysis.recorded import Recorded
from regionenum.choices import Record
from regionenum.engine.by_name import engine_by_name
from regionenum.engine.explore import explore
from regionenum.engine.interface import Options, Problem
from regionenum.errors import InputError
from regionenum.network.layers import Network
from regionenum.network.transform import with_decision
from regionenum.network.units import MAXIMUM, Ints
from regionenum.results.findings import Findings
from regionenum.results.row_store import RowStore
from regionenum.results.schema import Table, fixed_array


@dataclass(frozen=True, eq=False)
class DecisionBoundary:
    """The pieces of a decision boundary.

    Attributes
    ----------
    region, other : (m,) the regions of the result on both sides; the same where a piece crosses a region
    classes : (m, 2) what is chosen there
    """

    region: Ints
    other: Ints
    classes: Ints

    @property
    def total(self) -> int:
        """Number of pieces."""
        return len(self.region)

    @property
    def crossing(self) -> int:
        """Pieces that cross a region: pairs of a region and two classes that meet inside it."""
        return int(np.count_nonzero(self.region == self.other))

    def table(self) -> pa.Table:
        """`region`, `other`, `class`, `other_class` (int64), a row for each piece."""
        first, second = self.classes.T
        return pa.table({"region": self.region, "other": self.other, "class": first, "other_class": second})


def ends_in_decision(network: Network) -> bool:
    """Whether the network's output is the maximum of all rows of its last layer."""
    if not network.layers:
        return False
    last = network.layers[-1]
    units = last.units
    return units.n_units == 1 and units.function_of[0] == MAXIMUM and sorted(units.rows) == list(range(last.n_rows))


def decision_boundary(found: Findings, recorded: Recorded) -> DecisionBoundary:
    """The decision boundary of the network of a result.

    The regions are split by exploring the network with a decision, in this process, unless it ends in one.

    Raises
    ------
    InputError
        If the result is incomplete, or the network has one output.
    """
    if not found.totals.complete:
        raise InputError("the result is incomplete, and so would be its decision boundary; resume the run first")
    network = found.subject.network
    if ends_in_decision(network):
        split, base = recorded, np.arange(len(recorded))
    else:
        split = _explored(found, with_decision(network))
        index = PatternIndex(recorded.packed, recorded.packing)
        base = np.concatenate(
            [np.zeros(0, np.int64)]
            + [index.find(recorded.packing.pack(split.pieces(rows)[:, :-1])) for rows in split.blocks(64)]
        )
    neighbours = Neighbours(split)
    last = int(neighbours.conditions.unit_at[-1]) - 1
    facets = neighbours(neighbours.conditions.unit == last)
    classes = np.stack([split.pieces(side)[:, -1].astype(np.int64) for side in (facets.first, facets.second)], axis=1)
    differ = classes[:, 0] != classes[:, 1]
    return DecisionBoundary(base[facets.first[differ]], base[facets.second[differ]], classes[differ])


def _explored(found: Findings, network: Network) -> Recorded:
    """The regions of another network over the domain of a result."""
    problem = Problem.over(network, found.subject.domain)
    options = Options(Record.REGIONS, found.subject.exact)
    store = RowStore(problem, Record.REGIONS)
    packed, ranks, witness = list[np.ndarray](), list[np.ndarray](), list[np.ndarray]()
    for batch in explore(engine_by_name(found.subject.engine), problem, options):
        if batch.cells is not None and len(batch.cells):
            table: Table = store.store([batch.cells], 0)
            packed.append(fixed_array(table.column("pattern")))
            ranks.append(fixed_array(table.column("ranks")))
            witness.append(fixed_array(table.column("witness")))
    joined = np.concatenate(packed)
    return Recorded(problem, True, joined, np.concatenate(ranks)[:, : problem.depth], np.concatenate(witness))
