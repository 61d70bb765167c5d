"""Kernels against plain NumPy and SciPy on small random cells."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from regionenum.domain import Box
from regionenum.engine.counters import N_COUNTERS
from regionenum.engine.cut_kernel import CUTS_CELL, DECIDED, probe, split
from regionenum.engine.interface import Problem
from regionenum.engine.layer_kernel import make_images, pull_back, read_row
from regionenum.engine.rank_kernel import layer_rank, make_ranks
from regionenum.engine.refresh_kernel import refresh
from regionenum.engine.simplex_kernel import (
    AT_VERTEX,
    COL_FLIP,
    COL_VAR,
    COLUMN,
    COLUMN_WITNESS,
    N_BASIC,
    N_ROWS,
    OPTIMAL,
    PASSED,
    POINT,
    ROW_FLIP,
    ROW_VAR,
    SIZE,
    VALUE,
    WITNESS,
    append_row,
    drop_row,
    edge,
    express,
    follow,
    locate,
    make_cells,
    recentre,
    seek,
    unit_cube,
    witness_point,
)
from regionenum.engine.tables import ROW, UNIT, make_tables
from regionenum.network.layers import Layer, Network
from regionenum.network.units import RELU, Units, leaky_relu

seeds = st.integers(0, 2**32 - 1)


class Cell:
    """A cell with the rows it was made of, and what its dictionary says about any point of it."""

    def __init__(self, rng, dim, n_hyperplanes):
        tables, labels = make_cells(2, dim, 64)
        self.dim, self.table, self.label = dim, tables[0], labels[0]
        self.child = tables[1], labels[1]
        self.counters = np.zeros(N_COUNTERS, np.int64)
        unit_cube(self.table, self.label)
        self.rows = []  # (constant, normal) of hyperplane k, whose slack is variable dim + k
        self.sides = []
        for _ in range(n_hyperplanes):
            self.cut(rng)

    def pending(self, rng, through=None):
        """Append a random hyperplane, by default through a point near the middle of the cube."""
        normal = rng.normal(size=self.dim)
        normal /= np.linalg.norm(normal)
        point = rng.uniform(0.2, 0.8, self.dim) if through is None else through
        constant = -normal @ point
        locate(self.label)
        r = append_row(self.table, self.label)
        self.label[ROW_VAR, r] = len(self.rows)
        express(self.table, self.label, constant, normal, r)
        return r, (constant, normal)

    def cut(self, rng):
        r, row = self.pending(rng)
        outcome, side, j, length = probe(self.table, self.label, r, 0.0, False, self.counters)
        if outcome == DECIDED:
            drop_row(self.table, self.label, r)
            return
        assert outcome == CUTS_CELL
        variable = self.dim + len(self.rows)
        split(self.table, self.label, *self.child, r, variable, side, j, length, self.counters)
        self.rows.append(row)
        self.sides.append(side)
        if rng.integers(2):
            self.table[...], self.label[...] = self.child
            self.sides[-1] = 1 - side

    def value(self, variable, flipped, y):
        """Value of a variable at y, from the original rows."""
        if variable < self.dim:
            return 1 - y[variable] if flipped else y[variable]
        constant, normal = self.rows[variable - self.dim]
        return (constant + normal @ y) * (1 if self.sides[variable - self.dim] else -1)

    def inequalities(self):
        signs = np.where(self.sides, 1.0, -1.0)
        A = np.array([normal for _, normal in self.rows]).reshape(-1, self.dim) * -signs[:, None]
        return A, np.array([constant for constant, _ in self.rows]) * signs

    def check(self):
        """Every row of the dictionary is the original row, at random points; vertex and witness are in the cell."""
        label, table = self.label, self.table
        for y in np.random.default_rng(0).normal(size=(3, self.dim)):
            t = [self.value(label[COL_VAR, j], label[COL_FLIP, j], y) for j in range(self.dim)]
            for i in range(label[SIZE, N_BASIC]):
                expected = self.value(label[ROW_VAR, i], label[ROW_FLIP, i], y)
                assert table[VALUE, i] + table[COLUMN:, i] @ t == pytest.approx(expected, abs=1e-7)
        m = label[SIZE, N_BASIC]
        assert (table[VALUE, :m] > -1e-9).all()
        y = self.witness()
        A, b = self.inequalities()
        assert (y > 0).all()
        assert (y < 1).all()
        assert (A @ y < b).all()
        at_witness = table[VALUE, :m] + table[COLUMN_WITNESS, : self.dim] @ table[COLUMN:, :m]
        np.testing.assert_allclose(at_witness, table[WITNESS, :m], atol=1e-9)

    def witness(self):
        point = np.zeros(self.dim)
        locate(self.label)
        witness_point(self.table, self.label, point)
        return point


def _minimum(cost, A, b):
    """Least value of cost . y over the cell."""
    return linprog(cost, A_ub=A if len(A) else None, b_ub=b if len(A) else None, bounds=[(0, 1)] * len(cost)).fun


@settings(max_examples=60, deadline=None)
@given(seed=seeds, dim=st.integers(1, 6), n=st.integers(0, 8))
def test_splitting_keeps_the_dictionary_true(seed, dim, n):
    cell = Cell(np.random.default_rng(seed), dim, n)
    cell.check()
    recentre(cell.table, cell.label)
    cell.check()


@settings(max_examples=60, deadline=None)
@given(seed=seeds, dim=st.integers(1, 6), n=st.integers(0, 8), sign=st.sampled_from([-1.0, 1.0]))
def test_seek_finds_the_maximum_of_linprog(seed, dim, n, sign):
    rng = np.random.default_rng(seed)
    cell = Cell(rng, dim, n)
    r, (constant, normal) = cell.pending(rng)
    A, b = cell.inequalities()
    best = sign * constant - _minimum(-sign * normal, A, b)
    status, _, _ = seek(cell.table, cell.label, r, sign, 100.0)
    assert status == OPTIMAL
    assert sign * cell.table[VALUE, r] == pytest.approx(best, abs=1e-8)
    # optimal multipliers have one sign
    assert (sign * cell.table[COLUMN:, r] <= 1e-9).all()
    status, j, length = seek(cell.table, cell.label, r, -sign, -best - 1.0)
    assert status == AT_VERTEX
    status, j, length = seek(cell.table, cell.label, r, -sign, 100.0)
    assert status == OPTIMAL
    start = sign * cell.table[VALUE, r]
    middle = 0.5 * (start + best)
    if best - start > 1e-6:
        status, j, length = seek(cell.table, cell.label, r, sign, middle)
        assert status == PASSED
        assert (
            sign * (cell.table[VALUE, r] + length * cell.table[COLUMN + j, r]) > middle >= sign * cell.table[VALUE, r]
        )


@settings(max_examples=60, deadline=None)
@given(seed=seeds, dim=st.integers(1, 5), n=st.integers(0, 6))
def test_probe_agrees_with_both_linear_programs(seed, dim, n):
    rng = np.random.default_rng(seed)
    cell = Cell(rng, dim, n)
    r, (constant, normal) = cell.pending(rng, through=rng.uniform(-0.3, 1.3, dim))
    A, b = cell.inequalities()
    lowest, highest = (constant + s * _minimum(s * normal, A, b) for s in (1.0, -1.0))
    outcome, side, _, _ = probe(cell.table, cell.label, r, 0.0, bool(rng.integers(2)), cell.counters)
    if min(highest, -lowest) > 1e-6:
        assert outcome == CUTS_CELL
    elif min(highest, -lowest) < -1e-6:
        assert outcome == DECIDED
        assert side == (lowest > 0)
    assert cell.table[POINT, r] <= highest + 1e-9
    assert cell.table[POINT, r] >= lowest - 1e-9


def test_an_edge_ends_where_the_first_row_meets_its_bound():
    cell = Cell(np.random.default_rng(3), 3, 4)
    for j in range(3):
        length, row = edge(cell.table, cell.label, j, False)
        m = cell.label[SIZE, N_BASIC]
        end = cell.table[VALUE, :m] + length * cell.table[COLUMN + j, :m]
        upper = np.where(cell.label[ROW_VAR, :m] < 3, 1.0, np.inf)
        assert (end > -1e-12).all()
        assert (end < upper + 1e-12).all()
        if row >= 0:
            assert min(abs(end[row]), abs(upper[row] - end[row])) < 1e-12
    length, row = edge(cell.table, cell.label, 0, False)
    m = cell.label[SIZE, N_BASIC]
    variables = cell.label[ROW_VAR, :m].copy()
    end = cell.table[VALUE, :m] + length * cell.table[COLUMN, :m]
    follow(cell.table, cell.label, 0, row)
    stayed = (cell.label[ROW_VAR, :m] == variables) & (cell.label[ROW_FLIP, :m] == 0)
    assert stayed.any()
    np.testing.assert_allclose(cell.table[VALUE, :m][stayed], end[stayed], atol=1e-12)
    cell.check()


def _random_network(rng, dim, widths):
    layers, n_in = [], dim
    for k, width in enumerate(widths):
        weight = rng.integers(-4, 5, size=(width, n_in)) / 4
        function = RELU if rng.integers(2) else leaky_relu(0.25)
        layers.append(Layer(f"{k}", weight, rng.integers(-4, 5, size=width) / 4, Units.pointwise(function, width)))
        n_in = width
    return Network(tuple(layers), (dim,))


@settings(max_examples=60, deadline=None)
@given(seed=seeds, dim=st.integers(1, 4), widths=st.lists(st.integers(1, 5), min_size=2, max_size=3))
def test_pulled_back_rows_and_ranks_are_those_of_the_composed_map(seed, dim, widths):
    rng = np.random.default_rng(seed)
    network = _random_network(rng, dim, widths)
    problem = Problem.over(network, Box(-1, 1))
    tables = make_tables(problem)
    images, ranks = make_images(problem, tables), make_ranks(tables)
    matrix, constant, bound = 2 * np.eye(dim), -np.ones(dim), dim
    for layer, description in enumerate(network.layers):
        if layer:
            pull_back(tables, images, layer)
        rows, offsets = description.weight @ matrix, description.weight @ constant + description.bias
        for n in range(description.n_rows):
            normal = np.zeros(dim)
            found = read_row(tables.at, images, layer, n, normal)
            error = images.error[tables.at[layer, ROW] + n]
            assert 0 <= error < 1e-12
            assert abs(found - offsets[n]) <= error
            assert np.abs(normal - rows[n]).sum() <= error
        sides = rng.integers(2, size=description.n_rows)
        images.cut_side[tables.at[layer, UNIT] : tables.at[layer + 1, UNIT]] = sides
        slopes = np.array(description.units.functions[0].slopes)[sides]
        matrix, constant = slopes[:, None] * rows, slopes * offsets
        ranks.order[tables.at[layer, UNIT] : tables.at[layer + 1, UNIT]] = rng.permutation(description.n_rows)
        for _ in range(2):  # the second time from what was kept
            rank, _ = layer_rank(tables.at, tables.units, images, ranks, layer, bound)
            assert rank == np.linalg.matrix_rank(matrix)
        bound = rank


@settings(max_examples=30, deadline=None)
@given(seed=seeds, dim=st.integers(1, 5), n=st.integers(1, 8))
def test_a_refreshed_dictionary_is_the_same_dictionary(seed, dim, n):
    rng = np.random.default_rng(seed)
    cell = Cell(rng, dim, n)
    # the same hyperplanes as the first layer of a network over the unit cube
    weight = np.array([normal for _, normal in cell.rows]).reshape(-1, dim)
    if not len(weight):
        return
    bias = np.array([constant for constant, _ in cell.rows])
    network = Network((Layer("0", weight, bias, Units.pointwise(RELU, len(weight))),), (dim,))
    problem = Problem.over(network, Box(0, 1))
    tables = make_tables(problem)
    images = make_images(problem, tables)
    images.cut_side[:] = cell.sides
    n_rows = cell.label[SIZE, N_ROWS]
    before = cell.table[:, :n_rows].copy()
    assert refresh(tables, images, cell.table, cell.label, np.zeros(dim), np.zeros((dim, 2 * dim + 1)))
    np.testing.assert_allclose(cell.table[WITNESS:, :n_rows], before[WITNESS:], atol=1e-6, rtol=1e-6)
    cell.check()
