"""What cells are told of the rows of a layer and of those before: levels, what is passed on, and the dimension of the span."""

from __future__ import annotations

import numpy as np

from regionenum.domain import Box, Polytope
from regionenum.engine.cells import NEW_LINE, add, begin, line_of
from regionenum.engine.dictionary import verbs  # noqa: F401  (registers them)
from regionenum.engine.dictionary.layout import EXTRA, LEVEL, PASSED, SPAN, make_cells
from regionenum.engine.interface import Problem
from regionenum.engine.tables import CUT, make_tables
from regionenum.engine.walk.span_kernel import relate_rows
from regionenum.engine.walk.state import RANK, make_walk
from regionenum.network.units import RELU, Units, leaky_relu
from tests.line import chain


def test_cells_are_told_of_levels_and_of_what_is_passed_on() -> None:
    """A ReLU that is on, one that is off and a leaky one that is off; a constraint; the next layers."""
    network = chain(
        ([[1.0, 2.0], [0.5, -1.0], [1.0, 1.0]], np.zeros(3), Units.each([RELU, RELU, leaky_relu(0.5)])),
        (np.ones((2, 3)), np.zeros(2), Units.pointwise(RELU, 2)),
        (np.ones((1, 2)), np.zeros(1), Units.pointwise(RELU, 1)),
    )
    domain = Polytope([[1.0, 1.0]], [0.5], within=Box(-1.0, 1.0))
    tables = make_tables(Problem.over(network, domain))
    assert tables.at[:, CUT].tolist() == [0, 4, 6, 7]
    walk, cells = make_walk(tables, 0, 2), make_cells(1, 2, 16, 16, 8, 3)
    at = cells.lines.shape[1] - EXTRA
    before = cells.work[SPAN:].tolist()

    def told() -> list[tuple[int, int]]:
        return [(int(line[at + LEVEL]), int(line[at + PASSED])) for line in cells.lines[:7]]

    relate_rows(tables, walk, cells, 0)
    assert told() == [(1, 0)] * 4 + [(0, 0)] * 3
    # all rows of the first layer there can be
    assert cells.work[SPAN:].tolist() == before == [2, 2, 2]
    walk.images.piece[:5] = 1, 0, 0, 0, 1
    walk.tally.path[RANK, :3] = 2, 1, 0
    relate_rows(tables, walk, cells, 1)
    # the last cut of the first layer is the constraint, which no unit reads
    assert told() == [(1, 1), (1, 0), (1, 1), (1, 0), (2, 0), (2, 0), (0, 0)]
    assert cells.work[SPAN:].tolist() == [2, 2, 2]
    relate_rows(tables, walk, cells, 2)
    assert told()[4:] == [(2, 0), (2, 1), (3, 0)]
    assert cells.work[SPAN:].tolist() == [2, 2, 1]


def test_a_difference_of_candidates_is_of_no_layer() -> None:
    """Its line may have been that of another row."""
    cells = make_cells(1, 2, 16, 16, 2, 1)
    begin(cells, 0, 0)
    at = cells.lines.shape[1] - EXTRA
    cells.lines[:, at + LEVEL] = cells.lines[:, at + PASSED] = 1
    r = add(cells, 0, NEW_LINE, 0.5, np.array([-1.0, 0.5]), 0.0)
    line = cells.lines[line_of(cells, 0, r)]
    assert (line[at + LEVEL], line[at + PASSED]) == (0, 0)
