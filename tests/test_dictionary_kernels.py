"""Kernels of dictionaries against linear programs and exact cones: pivots, edges, searches, and what drifts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from regionenum.engine.cells import CUTS, NEGATIVE, POSITIVE, SCREEN, SPLIT, begin, drop
from regionenum.engine.cells import add as add_row
from regionenum.engine.cells import test as probe
from regionenum.engine.dictionary.cut_kernel import OLD, rebuild, recentre
from regionenum.engine.dictionary.layout import (
    AGE,
    COL_FLIP,
    COL_VAR,
    COLUMN,
    DIM,
    END_AT,
    EXTRA,
    N_BASIC,
    N_ROWS,
    PIVOTS,
    PLACE,
    POINT_AT,
    ROW_FLIP,
    ROW_VAR,
    SIZE,
    UPPER,
    VALUE,
    append_row,
    copy_cell,
    drop_row,
    express,
    grow_cells,
    make_cells,
    swap_rows,
    vertex_point,
)
from regionenum.engine.dictionary.proof_kernel import has_drifted
from regionenum.engine.dictionary.renew_kernel import renew
from regionenum.engine.dictionary.simplex_kernel import (
    AT_VERTEX,
    FAILED,
    OPTIMAL,
    PASSED,
    edge,
    follow,
    negate_column,
    negate_row,
    pivot,
    seek,
)
from tests.random_cells import CELL, DICTIONARY, Cell, Row, random_row, seeds

BUDGET = settings(max_examples=40, deadline=None)
dims, counts = st.integers(1, 6), st.integers(0, 8)
EVERYTHING = 100.0
"""More than any row here reaches."""


class Dictionary(Cell):
    """A cell as a dictionary, opened: what its table says about any point of it."""

    @classmethod
    def made(cls, seed, dim, n):
        return cls.random(DICTIONARY, dim, n, np.random.default_rng(seed))

    @property
    def table(self):
        return self.cells.tables[CELL]

    @property
    def label(self):
        return self.cells.labels[CELL]

    @property
    def basic(self):
        return slice(0, int(self.label[SIZE, N_BASIC]))

    def variable(self, number, flipped, z):
        """Value of a variable at z, from its line."""
        if number < self.dim:
            return 1 - z[number] if flipped else z[number]
        line = self.cells.lines[number - self.dim]
        value = line[: self.dim] @ z + line[len(line) - EXTRA]
        return -value if flipped else value

    def check(self):
        """Every row of the dictionary is its variable, at random points; vertex and witness are in the cell."""
        label, table = self.label, self.table
        for z in np.random.default_rng(0).normal(size=(3, self.dim)):
            t = [self.variable(label[COL_VAR, j], label[COL_FLIP, j], z) for j in range(self.dim)]
            for i in range(label[SIZE, N_ROWS]):
                expected = self.variable(label[ROW_VAR, i], label[ROW_FLIP, i], z)
                assert table[VALUE, i] + table[COLUMN:, i] @ t == pytest.approx(expected, abs=1e-7)
                assert table[UPPER, i] == (1.0 if label[ROW_VAR, i] < self.dim else np.inf)
        for k in range(self.dim):
            p = label[PLACE, k]
            assert (label[ROW_VAR, p] if p >= 0 else label[COL_VAR, -1 - p]) == k
        assert (table[VALUE, self.basic] > -1e-9).all()
        assert self.contains(self.witness())
        point = table[POINT_AT, : self.dim]
        A, b = self.inequalities()
        assert (point >= -1e-9).all()
        assert (point <= 1 + 1e-9).all()
        assert (A @ point <= b + 1e-9).all()

    def inequalities(self):
        """A z <= b, rows as they were given."""
        signs = np.array([1.0 if side == POSITIVE else -1.0 for _, side in self.planes.values()])
        normals = np.array([row.normal for row, _ in self.planes.values()]).reshape(-1, self.dim)
        return -signs[:, None] * normals, signs * np.array([row.constant for row, _ in self.planes.values()])

    def highest(self, r, sign):
        """Maximum of sign * row r, by HiGHS."""
        line = self.cells.lines[self.label[ROW_VAR, r] - self.dim]
        normal, constant = sign * line[: self.dim], sign * line[len(line) - EXTRA]
        A, b = self.inequalities()
        limits = {"A_ub": A, "b_ub": b} if len(A) else {}
        return constant - linprog(-normal, bounds=[(0, 1)] * self.dim, **limits).fun

    def vertex(self):
        vertex_point(self.table, self.label, -1, 0.0, END_AT)
        return self.table[END_AT, : self.dim].copy()


@given(seed=seeds, dim=dims, n=counts)
@BUDGET
def test_splitting_keeps_the_dictionary_true(seed, dim, n):
    cell = Dictionary.made(seed, dim, n)
    cell.add(random_row(np.random.default_rng(seed), dim))
    cell.check()
    recentre(cell.table, cell.label, cell.cells.lines)
    cell.check()


@given(seed=seeds, dim=dims, n=counts, sign=st.sampled_from([-1.0, 1.0]))
@BUDGET
def test_seek_finds_the_maximum_of_linprog(seed, dim, n, sign):
    rng = np.random.default_rng(seed)
    cell = Dictionary.made(seed, dim, n)
    r = cell.add(random_row(rng, dim))
    best, worst = cell.highest(r, sign), -cell.highest(r, -sign)
    status, _, _ = seek(cell.table, cell.label, r, sign, EVERYTHING)
    assert status == OPTIMAL
    assert sign * cell.table[VALUE, r] == pytest.approx(best, abs=1e-8)
    # optimal multipliers have one sign
    assert (sign * cell.table[COLUMN:, r] <= 1e-9).all()
    cell.check()
    status, _, _ = seek(cell.table, cell.label, r, -sign, -best - 1.0)
    assert status == AT_VERTEX
    status, _, _ = seek(cell.table, cell.label, r, -sign, EVERYTHING)
    assert status == OPTIMAL
    assert sign * cell.table[VALUE, r] == pytest.approx(worst, abs=1e-8)
    middle = 0.5 * (worst + best)
    if best - worst > 1e-6:
        status, j, length = seek(cell.table, cell.label, r, sign, middle)
        assert status == PASSED
        end = cell.table[VALUE, r] + length * cell.table[COLUMN + j, r]
        assert sign * end > middle >= sign * cell.table[VALUE, r]


@given(seed=seeds, dim=dims, n=counts, at=st.integers(0, 5), bland=st.booleans())
@BUDGET
def test_an_edge_ends_where_the_first_row_meets_its_bound(seed, dim, n, at, bland):
    cell = Dictionary.made(seed, dim, n)
    j = at % dim
    length, row = edge(cell.table, cell.label, j, bland)
    end = cell.table[VALUE, cell.basic] + length * cell.table[COLUMN + j, cell.basic]
    upper = cell.table[UPPER, cell.basic].copy()
    assert (end > -1e-9).all()
    assert (end < upper + 1e-9).all()
    if row >= 0:
        assert min(abs(end[row]), abs(upper[row] - end[row])) < 1e-9
    else:
        assert length == 1.0
        assert cell.label[COL_VAR, j] < dim
    vertex_point(cell.table, cell.label, j, length, END_AT)
    expected = cell.table[END_AT, :dim].copy()
    follow(cell.table, cell.label, j, row)
    np.testing.assert_allclose(cell.vertex(), expected, atol=1e-9)
    cell.check()


@given(seed=seeds, dim=dims, n=st.integers(1, 8))
@BUDGET
def test_a_pivot_and_its_inverse_change_nothing(seed, dim, n):
    cell = Dictionary.made(seed, dim, n)
    r = cell.add(random_row(np.random.default_rng(seed), dim))
    before, label = cell.table.copy(), cell.label.copy()
    j = int(np.abs(cell.table[COLUMN:, r]).argmax())
    pivot(cell.table, cell.label, r, j)
    assert cell.label[COL_VAR, j] == label[ROW_VAR, r]
    assert cell.label[ROW_VAR, r] == label[COL_VAR, j]
    pivot(cell.table, cell.label, r, j)
    n_rows = cell.label[SIZE, N_ROWS]
    np.testing.assert_allclose(cell.table[VALUE:, :n_rows], before[VALUE:, :n_rows], atol=1e-9)
    assert cell.label[SIZE, AGE] == label[SIZE, AGE] + 2
    for line in (ROW_VAR, ROW_FLIP, COL_VAR, COL_FLIP, PLACE):
        np.testing.assert_array_equal(cell.label[line, :n_rows], label[line, :n_rows])


@given(seed=seeds, dim=dims, n=st.integers(1, 8))
@BUDGET
def test_negating_a_slack_turns_its_sign_and_nothing_else(seed, dim, n):
    cell = Dictionary.made(seed, dim, n)
    r = cell.add(random_row(np.random.default_rng(seed), dim))
    before = cell.table[VALUE:, r].copy()
    negate_row(cell.table, cell.label, r)
    np.testing.assert_array_equal(cell.table[VALUE:, r], -before)
    assert cell.label[ROW_FLIP, r] == 1
    negate_row(cell.table, cell.label, r)
    hyperplanes = [j for j in range(dim) if cell.label[COL_VAR, j] >= dim]
    for j in hyperplanes[:1]:
        column, flip = cell.table[COLUMN + j].copy(), cell.label[COL_FLIP, j]
        negate_column(cell.table, cell.label, j)
        np.testing.assert_array_equal(cell.table[COLUMN + j], -column)
        assert cell.label[COL_FLIP, j] == 1 - flip
        negate_column(cell.table, cell.label, j)
    cell.check()


@given(seed=seeds, dim=dims, n=counts)
@BUDGET
def test_express_says_what_the_line_says_at_any_vertex(seed, dim, n):
    cell = Dictionary.made(seed, dim, n)
    rng = np.random.default_rng(seed)
    r = cell.add(random_row(rng, dim))
    seek(cell.table, cell.label, r, 1.0, EVERYTHING)
    before = cell.table[VALUE:, r].copy()
    cell.table[VALUE:, r] = rng.normal(size=cell.table.shape[0] - VALUE)
    express(cell.table, cell.label, cell.cells.lines[cell.label[ROW_VAR, r] - dim], r)
    np.testing.assert_allclose(cell.table[VALUE:, r], before, atol=1e-8)
    cell.check()


@given(seed=seeds, dim=dims, n=counts)
@BUDGET
def test_rows_move_with_all_that_is_theirs(seed, dim, n):
    cell = Dictionary.made(seed, dim, n)
    rng = np.random.default_rng(seed)
    rows = [cell.add(random_row(rng, dim)) for _ in range(12)]
    content = {int(cell.label[ROW_VAR, r]): cell.table[UPPER:, r].copy() for r in rows}
    swap_rows(cell.table, cell.label, rows[2], rows[7])
    swap_rows(cell.table, cell.label, rows[4], rows[4])
    gone = int(cell.label[ROW_VAR, rows[5]])
    drop_row(cell.table, cell.label, rows[5])
    copy_cell(cell.table, cell.label, cell.cells.tables[2], cell.cells.labels[2])
    for table, label in ((cell.table, cell.label), (cell.cells.tables[2], cell.cells.labels[2])):
        first, last = label[SIZE, N_BASIC], label[SIZE, N_ROWS]
        assert last - first == 11
        assert {int(v) for v in label[ROW_VAR, first:last]} == set(content) - {gone}
        for r in range(first, last):
            np.testing.assert_array_equal(table[UPPER:, r], content[int(label[ROW_VAR, r])])
        # what is behind the last row is zero up to a whole block, so that blocks can be handled whole
        behind = -(-last // 8) * 8
        assert not table[VALUE:, last:behind].any()
    drop_row(cell.table, cell.label, int(cell.label[SIZE, N_ROWS]) - 1)
    assert cell.label[SIZE, N_ROWS] - cell.label[SIZE, N_BASIC] == 10
    cell.check()


def test_storage_grows_with_all_that_is_in_it():
    cell = Dictionary.made(3, 4, 6)
    small = cell.cells
    cell.cells = grow_cells(small, 9, 200, 400)
    assert cell.cells.tables.shape == (9, COLUMN + 4, 200)
    assert len(cell.cells.lines) == 400
    assert cell.cells.work is small.work
    cell.check()
    assert cell.cut(random_row(np.random.default_rng(5), 4)) in (CUTS, NEGATIVE, POSITIVE)
    cell.check()


# --- Degenerate vertices


def pyramid(rng, dim, n):
    """A cell at whose vertex 0, a corner of the cube, n hyperplanes meet, with small integers."""
    cell = Dictionary(DICTIONARY, dim)
    inside = np.full(dim, 0.25) + rng.integers(0, 3, dim) / 16
    while len(cell.planes) < n and cell.next_line < 60:
        normal = rng.integers(-3, 4, dim).astype(float)
        if normal.any() and normal @ inside != 0.0:
            cell.cut(Row(0.0, normal), POSITIVE if normal @ inside > 0 else NEGATIVE)
    return cell


@given(seed=seeds, dim=st.integers(2, 6))
@BUDGET
def test_searches_end_at_degenerate_vertices(seed, dim):
    """Many more than `dim` hyperplanes through one corner; searches away from it and back."""
    rng = np.random.default_rng(seed)
    cell = pyramid(rng, dim, 12)
    cell.check()
    for _ in range(3):
        r = cell.add(Row(float(rng.integers(-1, 2)), np.append(rng.integers(-3, 4, dim - 1), 1.0)))
        for sign in (1.0, -1.0, 1.0):
            status, _, _ = seek(cell.table, cell.label, r, sign, EVERYTHING)
            assert status == OPTIMAL
            assert sign * cell.table[VALUE, r] == pytest.approx(cell.highest(r, sign), abs=1e-8)
    cell.check()


def degenerate(rows):
    """The cube at its vertex 0, with rows through it made constraints just so: coordinate j is nonbasic in column j."""
    cell = Dictionary(DICTIONARY, len(rows[0]))
    for normal in rows:
        cell.add(Row(0.0, np.array(normal, np.float64)))
    cell.label[SIZE, N_BASIC] += len(rows)
    return cell


def test_blands_rule_breaks_ties_by_the_smallest_number():
    """Three rows end the edge along z_0 at once; the second has the largest element."""
    cell = degenerate([[-0.5, 1.0], [-1.0, 1.0], [-0.75, 1.0]])
    assert edge(cell.table, cell.label, 0, False) == (0.0, 1)
    assert edge(cell.table, cell.label, 0, True) == (0.0, 0)
    # by the number of the variable, wherever it is
    swap_rows(cell.table, cell.label, 0, 2)
    assert edge(cell.table, cell.label, 0, True) == (0.0, 2)


def test_blands_rule_ends_a_cycle():
    """Dantzig's rule alone goes round for ever: Hall and McKinnon, The simplest examples where the simplex method cycles
    and conditions where EXPAND fails to prevent cycling, Mathematical Programming 2004, section 2.
    """
    rows = np.array([[-0.4, -0.2, 1.4, 0.2], [7.8, 1.4, -7.8, -0.4], [2.3, 2.15, -13.55, -0.4]])
    cell = Dictionary(DICTIONARY, 4)
    table, label, lines = cell.table, cell.label, cell.cells.lines
    for k, row in enumerate(rows):
        # as it is: scaled, it would not cycle
        lines[k, :4] = row
        assert append_row(table, label) == k
        label[ROW_VAR, k] = 4 + k
        express(table, label, lines[k], k)
    label[SIZE, N_BASIC] = 2
    best = -linprog(-rows[2], A_ub=-rows[:2], b_ub=np.zeros(2), bounds=[(0, 1)] * 4).fun
    assert seek(table, label, 2, 1.0, EVERYTHING)[0] == OPTIMAL
    assert table[VALUE, 2] == pytest.approx(best)
    # the first 2 d + 8 steps and one more made no progress
    assert label[SIZE, AGE] > 2 * 4 + 8


# --- Old dictionaries


def aged(seed, dim, n, searches):
    """A dictionary that has been pivoted often, and its pending row."""
    rng = np.random.default_rng(seed)
    cell = Dictionary.made(seed, dim, n)
    rows = [cell.add(random_row(rng, dim)) for _ in range(4)]
    for k in range(searches):
        status, _, _ = seek(cell.table, cell.label, rows[k % 4], float(rng.choice([-1.0, 1.0])), EVERYTHING)
        assert status == OPTIMAL
    return cell, rows


@given(seed=seeds, dim=st.integers(2, 6), n=st.integers(2, 8))
@settings(max_examples=25, deadline=None)
def test_an_old_dictionary_computed_afresh_is_the_same(seed, dim, n):
    cell, _ = aged(seed, dim, n, 60)
    n_rows = cell.label[SIZE, N_ROWS]
    before, label = cell.table[:, :n_rows].copy(), cell.label.copy()
    assert renew(cell.table, cell.label, cell.cells.lines, cell.cells.system)
    np.testing.assert_allclose(cell.table[VALUE:, :n_rows], before[VALUE:], atol=1e-6, rtol=1e-6)
    assert cell.label[SIZE, AGE] == 0
    for line in (ROW_VAR, ROW_FLIP, COL_VAR, COL_FLIP):
        np.testing.assert_array_equal(cell.label[line, :n_rows], label[line, :n_rows])
    cell.check()


@given(seed=seeds, dim=dims, n=counts)
@BUDGET
def test_what_has_drifted_is_mended_by_computing_afresh(seed, dim, n):
    cell = Dictionary.made(seed, dim, n)
    rng = np.random.default_rng(seed)
    r = cell.add(random_row(rng, dim))
    assert renew(cell.table, cell.label, cell.cells.lines, cell.cells.system)
    truth = cell.table.copy()
    assert not has_drifted(cell.table, cell.label, cell.cells.lines, r)
    n_rows = cell.label[SIZE, N_ROWS]
    cell.table[VALUE:, :n_rows] += 1e-9 * rng.choice([-1.0, 1.0], (dim + 1, n_rows))
    assert has_drifted(cell.table, cell.label, cell.cells.lines, r)
    assert renew(cell.table, cell.label, cell.cells.lines, cell.cells.system)
    np.testing.assert_allclose(cell.table[VALUE:, :n_rows], truth[VALUE:, :n_rows], atol=1e-12)
    assert not has_drifted(cell.table, cell.label, cell.cells.lines, r)


@given(seed=seeds, dim=dims, n=counts, spoilt=st.booleans())
@BUDGET
def test_a_dictionary_made_again_from_its_constraints_is_the_same_cell(seed, dim, n, spoilt):
    """Of its numbers nothing is used but the witness."""
    cell = Dictionary.made(seed, dim, n)
    rng = np.random.default_rng(seed)
    r = cell.add(random_row(rng, dim))
    line = cell.label[ROW_VAR, r]
    highest, witness = [cell.highest(r, sign) for sign in (1.0, -1.0)], cell.witness()
    if spoilt:
        cell.table[VALUE:] = rng.normal(size=cell.table[VALUE:].shape)
    rebuild(cell.table, cell.label, cell.cells.lines, cell.cells.work)
    np.testing.assert_array_equal(cell.witness(), witness)
    r = int(cell.label[SIZE, N_BASIC])
    assert cell.label[SIZE, N_ROWS] == r + 1
    assert cell.label[ROW_VAR, r] == line
    for sign, best in zip((1.0, -1.0), highest, strict=True):
        assert seek(cell.table, cell.label, r, sign, EVERYTHING)[0] == OPTIMAL
        assert sign * cell.table[VALUE, r] == pytest.approx(best, abs=1e-8)
    cell.check()


def test_a_singular_basis_is_given_up():
    cell = Dictionary(DICTIONARY, 2)
    assert cell.cut(Row(-0.5, np.array([1.0, 0.0])), POSITIVE) == CUTS
    line = cell.label[COL_VAR, :2].max()
    assert line >= 2
    cell.label[COL_VAR, :2] = line
    assert not renew(cell.table, cell.label, cell.cells.lines, cell.cells.system)


def test_a_basis_that_is_no_vertex_is_noticed():
    """Flipping a hyperplane puts the vertex outside the cell."""
    cell = Dictionary(DICTIONARY, 1)
    for at in (0.25, 0.5):
        assert cell.cut(Row(-at, np.ones(1)), POSITIVE) == CUTS
    rows = [i for i in range(cell.label[SIZE, N_BASIC]) if cell.label[ROW_VAR, i] >= 1]
    assert renew(cell.table, cell.label, cell.cells.lines, cell.cells.system)
    cell.label[ROW_FLIP, rows[0]] ^= 1
    assert not renew(cell.table, cell.label, cell.cells.lines, cell.cells.system)


def test_old_dictionaries_are_computed_afresh_before_a_row_is_added():
    cell, _rows = aged(1, 4, 8, 300)
    limit = OLD + 2 * 4
    assert cell.label[SIZE, AGE] > limit
    cell.add(random_row(np.random.default_rng(2), 4))
    assert cell.label[SIZE, AGE] == 0
    cell.label[SIZE, AGE] = limit
    cell.add(random_row(np.random.default_rng(3), 4))
    assert cell.label[SIZE, AGE] == limit
    cell.check()


@given(seed=seeds, dim=st.integers(1, 5), n=counts)
@BUDGET
def test_a_test_mends_a_dictionary_that_is_spoilt(seed, dim, n):
    """Outcomes are proved from the lines; a table of wrong numbers makes no wrong answer, as long as there is a basis."""
    cell = Dictionary.made(seed, dim, n)
    rng = np.random.default_rng(seed)
    row = random_row(rng, dim, through=cell.witness())
    r = cell.add(row)
    m = cell.label[SIZE, N_ROWS]
    cell.table[VALUE:, :m] *= 1.0 + 1e-6 * rng.normal(size=(dim + 1, m))
    cell.label[SIZE, AGE] = 1
    below, above = cell.exact.sides(row.form())
    outcome = probe(cell.cells, CELL, r, SPLIT)
    if outcome == CUTS:
        assert below
        assert above
    elif outcome in (NEGATIVE, POSITIVE):
        assert not (above if outcome == NEGATIVE else below)


def test_work_is_counted():
    cell = Dictionary(DICTIONARY, 3)
    before = cell.cells.work.copy()
    assert cell.cut(Row(-1.0, np.array([1.0, 0.5, 0.25])), POSITIVE) == CUTS
    lps, pivots, kept, *_ = cell.cells.work - before
    assert lps >= 1
    assert pivots == cell.label[SIZE, AGE] >= 1
    assert kept == 0
    assert cell.cells.work[PIVOTS] == pivots


def test_a_search_in_a_spoilt_dictionary_ends():
    """A slack that rises without end, which a bounded cell does not have."""
    cells = make_cells(1, 1, 16, 8, 4)
    begin(cells, 0, 0)
    r = add_row(cells, 0, 0, -0.25, np.ones(1), 0.0)
    assert probe(cells, 0, r, SCREEN) == CUTS
    table, label = cells.tables[0], cells.labels[0]
    pivot(table, label, r, 0)
    table[COLUMN, : label[SIZE, N_ROWS]] = 1.0
    label[SIZE, N_BASIC] = 0
    drop(cells, 0, 0)
    r = add_row(cells, 0, 1, -0.5, np.ones(1), 0.0)
    table[COLUMN, r] = 1.0
    assert seek(table, label, r, 1.0, EVERYTHING)[0] == FAILED
    assert label[SIZE, DIM] == 1
