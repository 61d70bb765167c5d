"""The verbs of cells, for every representation: the same tests for dictionaries and for intervals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regionenum.engine import cells as verbs
from regionenum.engine.cells import (
    CUTS,
    DOUBTFUL,
    LEAF,
    NEGATIVE,
    NEW_LINE,
    POSITIVE,
    RESTRICT,
    SCREEN,
    SPLIT,
    register,
)
from regionenum.engine.compiled import CompiledEngine
from regionenum.engine.policy import OPTIONS
from tests.exploring import explore
from tests.interval_cells import make_intervals
from tests.interval_walk import SEEDS, problem
from tests.random_cells import (
    CELL,
    CHILD,
    KEPT,
    REPRESENTATIONS,
    SPARE,
    Cell,
    Representation,
    Row,
    exact_highest,
    exact_outcome,
    random_row,
    seeds,
)

BUDGET = settings(max_examples=40, deadline=None)
any_cells = pytest.mark.parametrize("kind", REPRESENTATIONS, ids=lambda kind: kind.name)
PURPOSES = (SCREEN, SPLIT, LEAF, RESTRICT)


def drawn(kind: Representation, data: Any, most: int = 6) -> tuple[Cell, np.random.Generator]:
    """A random cell."""
    dim, n, seed = data.draw(kind.dims()), data.draw(st.integers(0, most)), data.draw(seeds)
    rng = np.random.default_rng(seed)
    return Cell.random(kind, dim, n, rng), rng


def middle(dim: int) -> np.ndarray:
    return np.full(dim, 0.5)


def coordinate(dim: int, at: float, sign: float = 1.0) -> Row:
    """The row sign (z_0 - at)."""
    return Row(-sign * at, sign * np.eye(dim)[0])


@any_cells
def test_a_cell_begins_as_the_unit_cube(kind):
    for dim in range(1, kind.most + 1):
        cell = Cell(kind, dim)
        assert cell.contains(cell.witness())
        assert verbs.n_pending(cell.cells, CELL) == 0
        assert verbs.capacity(cell.cells) == 4
        for k in range(dim):
            for at, sign, outcome in ((-0.25, 1.0, POSITIVE), (1.25, 1.0, NEGATIVE), (0.25, -1.0, CUTS)):
                row = Row(-sign * at, sign * np.eye(dim)[k])
                for purpose in PURPOSES:
                    assert cell.screened(row, purpose) == outcome


@any_cells
@given(data=st.data())
@BUDGET
def test_every_outcome_is_true(kind, data):
    """Whatever is proved holds exactly; what is in general position is proved."""
    cell, rng = drawn(kind, data)
    for _ in range(4):
        row = random_row(rng, cell.dim, through=rng.uniform(-0.3, 1.3, cell.dim))
        truth = exact_outcome(cell.exact, row)
        lowest, highest = -exact_highest(cell.exact, -row), exact_highest(cell.exact, row)
        clear = min(abs(lowest), abs(highest)) > 1e-6
        for purpose in PURPOSES:
            outcome = cell.screened(row, purpose)
            if outcome in (NEGATIVE, POSITIVE):
                assert outcome == truth
            elif outcome == CUTS and purpose in (SPLIT, LEAF):
                assert truth == CUTS
            elif outcome == CUTS and purpose == RESTRICT:
                assert highest > 0
            if clear:
                assert outcome == truth
        assert cell.contains(cell.witness())


@any_cells
@given(data=st.data())
@BUDGET
def test_a_row_that_touches_is_never_said_to_cut(kind, data):
    """The row is 0 at most on the cell, and 0 at a corner: a proof that it cuts would be wrong."""
    cell, rng = drawn(kind, data)
    normal = rng.integers(-4, 5, cell.dim) / 4.0
    if not normal.any():
        normal[0] = 1.0
    free = Row(0.0, normal)
    corner = exact_highest(cell.exact, free)
    row = Row(-float(corner), normal)
    truth = exact_outcome(cell.exact, row)
    for purpose in (SPLIT, LEAF):
        outcome = cell.screened(row, purpose)
        assert outcome in (truth, DOUBTFUL)
        if outcome == DOUBTFUL:
            r = cell.add(row, NEW_LINE)
            assert verbs.test(cell.cells, CELL, r, purpose) == DOUBTFUL
            assert verbs.likely(cell.cells, CELL) in (NEGATIVE, POSITIVE, CUTS)
            verbs.drop(cell.cells, CELL, r)


@any_cells
@given(data=st.data())
@BUDGET
def test_both_sides_of_a_split_are_what_they_should_be(kind, data):
    cell, rng = drawn(kind, data)
    row = random_row(rng, cell.dim, through=cell.witness() + 1e-3 * rng.normal(size=cell.dim))
    if exact_outcome(cell.exact, row) != CUTS:
        return
    extra = random_row(rng, cell.dim)
    last = cell.add(extra, line=KEPT - 1)
    r = cell.add(row)
    line = int(verbs.line_of(cell.cells, CELL, r))
    outcome = verbs.test(cell.cells, CELL, r, SPLIT)
    if outcome == DOUBTFUL:
        return
    assert outcome == CUTS
    side = verbs.split(cell.cells, CELL, r, CHILD)
    assert side in (NEGATIVE, POSITIVE)
    assert last == 0 or kind.name == "dictionary"
    for f, part in ((CELL, side), (CHILD, 1 - side)):
        assert cell.lines_pending(f) == [KEPT - 1]
        cell.planes[line] = row, part
        assert cell.contains(cell.witness(f))
        cone = cell.exact.sides(row.form())[part]
        assert cone is not None
        for other in (extra, random_row(rng, cell.dim)):
            truth = exact_outcome(cone, other)
            for purpose in PURPOSES:
                position = verbs.add(cell.cells, f, NEW_LINE, other.constant, other.normal, 0.0)
                found = verbs.test(cell.cells, f, position, purpose)
                verbs.drop(cell.cells, f, position)
                assert found in (truth, DOUBTFUL) or (found == CUTS and purpose in (SCREEN, RESTRICT))


@any_cells
@given(data=st.data())
@BUDGET
def test_restricting_keeps_the_positive_side(kind, data):
    cell, rng = drawn(kind, data, most=3)
    for _ in range(5):
        row = random_row(rng, cell.dim)
        line = cell.next_line
        r = cell.add(row)
        outcome = verbs.test(cell.cells, CELL, r, RESTRICT)
        above = cell.exact.sides(row.form())[1]
        if outcome == CUTS:
            assert above is not None
            verbs.restrict(cell.cells, CELL, r)
            cell.exact = above
            cell.planes[line] = row, POSITIVE
        else:
            verbs.drop(cell.cells, CELL, r)
            assert outcome != NEGATIVE or above is None
            assert outcome != POSITIVE or exact_outcome(cell.exact, row) == POSITIVE
        assert verbs.n_pending(cell.cells, CELL) == 0
        assert cell.contains(cell.witness())


@any_cells
@given(data=st.data())
@BUDGET
def test_pending_rows_restrict_nothing_and_are_found_by_their_lines(kind, data):
    cell, rng = drawn(kind, data, most=3)
    probe = random_row(rng, cell.dim)
    before = cell.screened(probe, SCREEN)
    lines = rng.permutation(np.arange(20, 20 + data.draw(st.integers(1, 12)))).tolist()
    kept: dict[int, Row] = {}
    for line in lines:
        kept[line] = random_row(rng, cell.dim)
        assert cell.add(kept[line], line) == verbs.pending(cell.cells, CELL, len(kept) - 1)
        assert sorted(cell.lines_pending()) == sorted(kept)
    assert cell.screened(probe, SCREEN) == before
    assert cell.contains(cell.witness())
    while kept:
        r = verbs.first_pending(cell.cells, CELL)
        line = int(verbs.line_of(cell.cells, CELL, r))
        assert line == min(kept)
        # the row on this line is the one that was put there
        truth, found = exact_outcome(cell.exact, kept[line]), verbs.test(cell.cells, CELL, r, LEAF)
        assert found in (truth, DOUBTFUL)
        drop = verbs.pending(cell.cells, CELL, int(rng.integers(len(kept))))
        del kept[int(verbs.line_of(cell.cells, CELL, drop))]
        verbs.drop(cell.cells, CELL, drop)
        assert sorted(cell.lines_pending()) == sorted(kept)


@any_cells
@given(data=st.data())
@BUDGET
def test_a_copy_is_the_same_cell_and_goes_its_own_way(kind, data):
    cell, rng = drawn(kind, data, most=4)
    cell.add(random_row(rng, cell.dim), line=KEPT - 1)
    verbs.copy(cell.cells, CELL, SPARE)
    np.testing.assert_array_equal(cell.witness(SPARE), cell.witness())
    assert cell.lines_pending(SPARE) == cell.lines_pending() == [KEPT - 1]
    row = random_row(rng, cell.dim)
    normal = row.normal.copy()
    answers = []
    for f in (CELL, SPARE):
        r = verbs.add(cell.cells, f, 0, row.constant, normal, 0.0)
        answers.append(verbs.test(cell.cells, f, r, LEAF))
        verbs.drop(cell.cells, f, r)
    assert answers[0] == answers[1]
    before = cell.witness(SPARE)
    verbs.drop(cell.cells, CELL, verbs.first_pending(cell.cells, CELL))
    for _ in range(3):
        cell.cut(random_row(rng, cell.dim))
    assert cell.lines_pending(SPARE) == [KEPT - 1]
    np.testing.assert_array_equal(cell.witness(SPARE), before)


@any_cells
def test_new_lines_are_not_those_of_the_walk_nor_of_cells_below(kind):
    cell = Cell(kind, 1)
    cell.cut(coordinate(1, 0.75), NEGATIVE)
    r = cell.add(coordinate(1, 0.5), NEW_LINE)
    assert cell.lines_pending() == [KEPT]
    assert verbs.test(cell.cells, CELL, r, RESTRICT) == CUTS
    verbs.restrict(cell.cells, CELL, r)
    verbs.copy(cell.cells, CELL, CHILD)
    # two cells restricted by rows of their own, in turn
    for f, at in ((CHILD, 0.625), (CELL, 0.625)):
        r = verbs.add(cell.cells, f, NEW_LINE, -at, np.ones(1), 0.0)
        assert verbs.line_of(cell.cells, f, r) > KEPT
        assert verbs.test(cell.cells, f, r, RESTRICT) == CUTS
        verbs.restrict(cell.cells, f, r)
    for f in (CELL, CHILD):
        for at, outcome in ((0.6, POSITIVE), (0.7, CUTS), (0.8, NEGATIVE)):
            r = verbs.add(cell.cells, f, NEW_LINE, -at, np.ones(1), 0.0)
            assert verbs.test(cell.cells, f, r, LEAF) == outcome
            verbs.drop(cell.cells, f, r)


@any_cells
def test_the_error_of_a_row_is_heard(kind):
    """A row that may be wrong by more than it is beyond the cell proves nothing there."""
    for dim in range(1, kind.most + 1):
        cell = Cell(kind, dim)
        for at, certain in ((1.125, NEGATIVE), (-0.125, POSITIVE), (0.9375, CUTS)):
            for error, outcome in ((0.0078125, certain), (0.25, DOUBTFUL)):
                r = cell.add(coordinate(dim, at), NEW_LINE, error)
                assert verbs.test(cell.cells, CELL, r, SPLIT) == outcome
                verbs.drop(cell.cells, CELL, r)


@any_cells
def test_what_is_likely_is_what_the_numbers_say(kind):
    cell = Cell(kind, 1)
    for at, says in ((1.125, NEGATIVE), (-0.125, POSITIVE)):
        r = cell.add(coordinate(1, at), NEW_LINE, 0.25)
        assert verbs.test(cell.cells, CELL, r, LEAF) == DOUBTFUL
        assert verbs.likely(cell.cells, CELL) == says
        verbs.drop(cell.cells, CELL, r)


@any_cells
@given(data=st.data())
@BUDGET
def test_tight_constraints_prove_the_answer(kind, data):
    """The cell that only the named constraints cut out of the cube is enough for the outcome."""
    cell, rng = drawn(kind, data)
    row = random_row(rng, cell.dim, through=rng.uniform(-0.2, 1.2, cell.dim))
    r = cell.add(row)
    outcome = verbs.test(cell.cells, CELL, r, SPLIT)
    if outcome not in (NEGATIVE, POSITIVE):
        return
    lines = np.full(cell.dim, -1)
    n = verbs.tight(cell.cells, CELL, r, lines)
    assert 0 <= n <= cell.dim
    assert len(set(lines[:n].tolist())) == n
    cone = Cell(kind, cell.dim).exact
    for line in lines[:n].tolist():
        plane, side = cell.planes[line]
        part = cone.sides(plane.form())[side]
        assert part is not None
        cone = part
    assert exact_outcome(cone, row) == outcome


@any_cells
def test_a_witness_can_be_placed_before_constraints_come(kind):
    for dim in range(1, kind.most + 1):
        cell = Cell(kind, dim)
        point = np.full(dim, 0.25)
        cell.add(coordinate(dim, 0.5), line=KEPT - 1)
        verbs.place(cell.cells, CELL, point)
        np.testing.assert_array_equal(cell.witness(), point)
        for row in (coordinate(dim, 0.125), coordinate(dim, 0.375, -1.0)):
            line = cell.next_line
            r = cell.add(row)
            assert verbs.test(cell.cells, CELL, r, RESTRICT) == CUTS
            verbs.restrict(cell.cells, CELL, r)
            cell.planes[line] = row, POSITIVE
        np.testing.assert_array_equal(cell.witness(), point)
        assert cell.contains(point)
        # the pending row is known to be negative at the new witness
        r = verbs.first_pending(cell.cells, CELL)
        assert verbs.test(cell.cells, CELL, r, SPLIT) == NEGATIVE


@any_cells
@given(data=st.data())
@BUDGET
def test_centring_stays_inside(kind, data):
    cell, rng = drawn(kind, data)
    cell.add(random_row(rng, cell.dim), line=KEPT - 1)
    for _ in range(3):
        verbs.centre(cell.cells, CELL)
        assert cell.contains(cell.witness())
    assert cell.lines_pending() == [KEPT - 1]


@any_cells
def test_centring_moves_away_from_a_side(kind):
    for dim in range(1, kind.most + 1):
        cell = Cell(kind, dim)
        verbs.place(cell.cells, CELL, np.full(dim, 2.0**-20))
        for _ in range(30):
            verbs.centre(cell.cells, CELL)
        assert cell.witness().min() > 0.01


@any_cells
def test_room_runs_out_at_some_time(kind):
    cell = Cell(kind, 1)
    assert verbs.has_room(cell.cells, CELL, 1)
    assert not verbs.has_room(cell.cells, CELL, 10_000)
    n = 0
    while verbs.has_room(cell.cells, CELL, 1):
        cell.add(coordinate(1, 0.5), line=n)
        n += 1
    assert 16 <= n <= 96
    assert cell.lines_pending() == list(range(n))


@any_cells
def test_a_slab_thinner_than_rounding_is_doubtful(kind):
    """z_0 > 1/3 and z_0 < 1/3 + 2^-56: an open cell, but no float64 is proved to be inside."""
    for dim in range(1, kind.most + 1):
        cell = Cell(kind, dim)
        third = 1.0 / 3.0
        assert cell.cut(coordinate(dim, third), POSITIVE) == CUTS
        row = Row(third * 4.0 + 2.0**-52, -4.0 * np.eye(dim)[0])
        assert exact_outcome(cell.exact, row) == CUTS
        for purpose in (SPLIT, LEAF):
            assert cell.screened(row, purpose) == DOUBTFUL


def test_a_representation_has_all_verbs_and_no_others():
    verb = verbs.REPRESENTATIONS[REPRESENTATIONS[0].cells]
    with pytest.raises(TypeError, match=r"Half has the verbs \['add'\]; a representation has \['add', 'begin', "):
        register(type("Half", (), {}), verb["add"])
    assert set(verb) == set(verbs.VERBS)


@numba.njit(**OPTIONS)
def _count_cut(cells, levels, normal):
    """In how many pieces hyperplanes cut the cell; the door as kernels see it."""
    verbs.begin(cells, 0, 0)
    for c in range(levels.shape[0]):
        verbs.add(cells, 0, c, -levels[c], normal, 0.0)
    top, pieces = 0, 0
    while top >= 0:
        while verbs.n_pending(cells, top) > 0:
            r = verbs.first_pending(cells, top)
            if verbs.test(cells, top, r, SPLIT) == CUTS:
                verbs.split(cells, top, r, top + 1)
                top += 1
            else:
                verbs.drop(cells, top, r)
        pieces += 1
        top -= 1
    return pieces


def test_kernels_are_compiled_for_the_type_of_cells():
    levels = np.array([0.25, 0.75, 1.5, 0.5, -0.25])
    assert _count_cut(make_intervals(8, 8, 8), levels, np.ones(1)) == 4


def test_the_walk_itself_goes_over_intervals():
    """Networks of one input, walked over intervals and over dictionaries; maxima, leaky ReLUs, three layers."""
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    command = [sys.executable, "-m", "tests.interval_walk"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    compared = 0
    for seed, (cells, doubts) in zip(SEEDS, json.loads(done.stdout), strict=True):
        found = explore(CompiledEngine(), problem(seed))
        if not (doubts or found.counters.doubtful or found.counters.doubtful_ranks):
            assert found.statistics.cells[1:].tolist() == cells[1:]
            compared += 1
    assert compared >= 6
