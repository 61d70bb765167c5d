"""What is proved about cells is true: lines and their bounds, points inside, rows that are not reached, and cones.

The truth is found in integers. Multipliers, bounds and points are spoilt on purpose: a proof may fail, but must not lie.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from regionenum.engine.cells import CUTS, DOUBTFUL, NEGATIVE, POSITIVE, SCREEN, SPLIT, begin, copy, drop, place
from regionenum.engine.cells import add as add_row
from regionenum.engine.cells import split as split_cell
from regionenum.engine.cells import test as probe
from regionenum.engine.dictionary.layout import (
    BOUND,
    COLUMN,
    CONSTANT,
    EXTRA,
    OTHER_AT,
    make_cells,
)
from regionenum.engine.dictionary.proof_kernel import (
    does_not_reach,
    is_inside,
    scaled_line,
    value_at,
)
from regionenum.engine.dictionary.simplex_kernel import OPTIMAL, seek
from tests.exact_cones import Cone
from tests.random_cells import (
    CELL,
    DICTIONARY,
    Cell,
    Row,
    exact_highest,
    seeds,
    unit,
)

BUDGET = settings(max_examples=60, deadline=None)
EVERYTHING = 100.0
magnitudes = st.sampled_from([0, 0, 0, -40, 40, -300, 300, -1040, 1000])


def empty_line(dim):
    return np.zeros(-(-dim // 8) * 8 + EXTRA)


def padded(point):
    found = np.zeros(-(-len(point) // 8) * 8)
    found[: len(point)] = point
    return found


@given(
    seed=seeds,
    dim=st.integers(1, 9),
    exponent=magnitudes,
    spread=st.integers(0, 60),
    error=st.sampled_from([0.0, 1e-3]),
)
@BUDGET
def test_every_value_of_a_scaled_line_is_within_its_bound(seed, dim, exponent, spread, error):
    """The line is the row times a power of two; random weights, with products that round, tiny and huge ones."""
    rng = np.random.default_rng(seed)
    with np.errstate(under="ignore"):
        normal = rng.normal(size=dim) * np.exp2(exponent - rng.integers(0, spread + 1, dim))
        constant = float(rng.normal() * np.exp2(float(exponent)))
    if not normal.any():
        return
    row, wrong = Row(constant, normal), error * float(np.abs(normal).max())
    line, pad = empty_line(dim), -(-dim // 8) * 8
    scaled_line(line, constant, normal, wrong)
    assert 0.5 <= np.abs(line[:dim]).max() < 1.0
    assert not line[dim:pad].any()
    scale = Fraction(2) ** -int(math.frexp(np.abs(normal).max())[1])
    bound = Fraction(line[pad + BOUND])
    assert bound > 0
    for point in (np.zeros(dim), np.ones(dim), *rng.uniform(size=(6, dim))):
        found = Fraction(value_at(line, padded(point)))
        # the true function may be off by `wrong` either way
        assert abs(found - scale * row.at(point)) + scale * Fraction(wrong) <= bound
    size = np.abs(line[:dim]).sum() + abs(line[pad + CONSTANT])
    assert bound <= 2 * (
        Fraction(wrong) * scale + Fraction(2 * dim + 16) * Fraction(size) / 2**53 + Fraction(1, 2**999)
    )


def test_the_bound_of_a_line_covers_what_the_order_of_a_sum_can_do():
    """Large terms that cancel: 1 + 2^-53 - 1 is 0 or 2^-53, by the order."""
    normal = np.array([1.0, 2.0**-53, -1.0])
    line = empty_line(3)
    scaled_line(line, 0.0, normal, 0.0)
    assert line[8 + BOUND] >= 2.0**-53


@given(seed=seeds, dim=st.integers(1, 5), n=st.integers(1, 6), depth=st.integers(2, 60))
@BUDGET
def test_a_point_that_is_proved_inside_is_inside(seed, dim, n, depth):
    """Points close to a hyperplane, on both sides, and on it as well as float64 can tell."""
    rng = np.random.default_rng(seed)
    cell = Cell.random(DICTIONARY, dim, n, rng)
    table, label, lines = cell.cells.tables[CELL], cell.cells.labels[CELL], cell.cells.lines
    assert is_inside(table, label, lines, 0)
    witness = cell.witness()
    for row, _ in cell.planes.values():
        toward = -row.normal / (row.normal @ row.normal)
        for shift in (0.0, 2.0**-depth, -(2.0**-depth)):
            point = witness + (float(row.at(witness)) + shift) * toward
            table[OTHER_AT, :dim] = point
            if is_inside(table, label, lines, OTHER_AT):
                assert cell.contains(point)
            elif not cell.contains(point):
                continue
            else:
                # inside, and not proved: then only just
                assert min(abs(float(r.at(point))) for r, _ in cell.planes.values()) < 1e-12 or depth > 30
    for outside in (0.0, 1.0, -0.25, 1.25):
        table[OTHER_AT, :dim] = witness
        table[OTHER_AT, 0] = outside
        assert not is_inside(table, label, lines, OTHER_AT)


def test_a_witness_leaves_a_hyperplane_by_more_than_its_bound():
    """z > 0.9 is known up to 0.2: at no point of the cell it is certain, though far from it the opposite is."""
    cells = make_cells(1, 1, 16, 8, 4)
    begin(cells, 0, 0)
    place(cells, 0, np.array([0.9]))
    r = add_row(cells, 0, 0, -0.9, np.ones(1), 0.2)
    assert probe(cells, 0, r, SPLIT) == DOUBTFUL


def touching(cell, normal, beyond):
    """A row with its maximum on the cell at `beyond`, as well as float64 can tell, and what its maximum is exactly."""
    highest = exact_highest(cell.exact, Row(0.0, normal))
    row = Row(float(-highest) + beyond, normal)
    return row, exact_highest(cell.exact, row)


@given(seed=seeds, dim=st.integers(1, 4), n=st.integers(0, 6), spoil=st.sampled_from([0.0, 1e-16, 1e-12, 1e-6, 1.0]))
@BUDGET
def test_what_is_proved_not_to_be_reached_is_not_reached(seed, dim, n, spoil):
    """With the multipliers of the last basis, or with others: what is claimed holds exactly."""
    rng = np.random.default_rng(seed)
    cell = Cell.random(DICTIONARY, dim, n, rng)
    table, label, lines = cell.cells.tables[CELL], cell.cells.labels[CELL], cell.cells.lines
    for beyond in (-0.1, -1e-10, -1e-14, -1e-16, 0.0, 1e-16, 1e-14, 1e-10):
        row, highest = touching(cell, rng.normal(size=dim), beyond)
        for sign in (1.0, -1.0):
            given_row = row if sign > 0 else -row
            r = cell.add(given_row, line=60)
            assert seek(table, label, r, sign, EVERYTHING)[0] == OPTIMAL
            table[COLUMN:, r] *= 1.0 + spoil * rng.normal(size=dim)
            claimed = does_not_reach(table, label, lines, cell.cells.work, r, sign)
            assert not (claimed and highest > 0)
            if beyond <= -1e-10 and not spoil:
                assert claimed
            drop(cell.cells, CELL, r)


@given(seed=seeds, dim=st.integers(2, 4), n=st.integers(1, 6))
@BUDGET
def test_no_multipliers_prove_what_is_false(seed, dim, n):
    """Any numbers whatever, for rows that just reach into the cell."""
    rng = np.random.default_rng(seed)
    cell = Cell.random(DICTIONARY, dim, n, rng)
    table, label, lines = cell.cells.tables[CELL], cell.cells.labels[CELL], cell.cells.lines
    row, highest = touching(cell, rng.normal(size=dim), 1e-15)
    r = cell.add(row, line=60)
    seek(table, label, r, 1.0, EVERYTHING)
    best = table[COLUMN:, r].copy()
    for _ in range(20):
        table[COLUMN:, r] = best * np.exp2(rng.integers(-3, 4, dim)) + rng.normal(size=dim) * rng.choice(
            [0.0, 1e-12, 1.0]
        )
        if does_not_reach(table, label, lines, cell.cells.work, r, 1.0):
            assert highest <= 0


def test_errors_of_constraints_weigh_as_much_as_their_multipliers():
    """z_0 > 1/2 up to 2^-20, and z_0 > 1/2 - 2^-21 in 8 times the size: proved only where the constraint is exact."""
    for error, proved in ((0.0, True), (2.0**-20, False)):
        cell = Cell(DICTIONARY, 1)
        r = cell.add(Row(-0.5, np.ones(1)), error=error)
        assert probe(cell.cells, CELL, r, SPLIT) == CUTS
        side = split_cell(cell.cells, CELL, r, 1)
        f = CELL if side == POSITIVE else 1
        r = add_row(cell.cells, f, 1, -0.5 + 2.0**-21, np.ones(1), 0.0)
        assert (probe(cell.cells, f, r, SPLIT) == POSITIVE) == proved


def test_the_error_of_the_row_itself_counts_too():
    cell = Cell(DICTIONARY, 2)
    table, label, lines = cell.cells.tables[CELL], cell.cells.labels[CELL], cell.cells.lines
    for error, proved in ((2.0**-21, True), (2.0**-19, False)):
        r = cell.add(Row(-1.0 - 2.0**-20, np.array([1.0, 0.0])), line=60, error=error)
        assert seek(table, label, r, 1.0, EVERYTHING)[0] == OPTIMAL
        assert does_not_reach(table, label, lines, cell.cells.work, r, 1.0) == proved
        drop(cell.cells, CELL, r)


# --- Cones: all rows are 0 at the apex (1/2, .., 1/2, 0)


def cone_row(direction):
    """The row a . (2 z' - 1) + b t for (a, b), exact for small dyadic numbers."""
    direction = np.asarray(direction, np.float64)
    a, b = direction[:-1], direction[-1]
    return Row(float(-a.sum()), np.append(2.0 * a, b))


class OpenCone:
    """A cone {g > 0} over the dictionary, beside the same in integers, of coordinates p with t > 0."""

    def __init__(self, dim):
        self.cells, self.dim = make_cells(4, dim, 96, 120, 64), dim
        begin(self.cells, CELL, 1)
        exact = Cone.everything(dim).sides(unit(dim - 1, dim))[1]
        assert exact is not None
        self.exact, self.next_line = exact, 0

    def form(self, direction):
        values = [Fraction(v) for v in direction]
        scale = math.lcm(*(v.denominator for v in values))
        return tuple(int(v * scale) for v in values)

    def truth(self, direction):
        below, above = self.exact.sides(self.form(direction))
        return CUTS if below and above else POSITIVE if above else NEGATIVE

    def test(self, direction, purpose):
        row = cone_row(direction)
        r = add_row(self.cells, CELL, self.next_line, row.constant, row.normal, 0.0)
        return r, probe(self.cells, CELL, r, purpose)

    def screened(self, direction, purpose=SPLIT):
        r, outcome = self.test(direction, purpose)
        drop(self.cells, CELL, r)
        return outcome

    def cut(self, direction):
        """Keep the positive side, if both are there."""
        r, outcome = self.test(direction, SPLIT)
        if outcome != CUTS:
            drop(self.cells, CELL, r)
            return
        assert self.truth(direction) == CUTS
        side = split_cell(self.cells, CELL, r, 1)
        if side != POSITIVE:
            copy(self.cells, 1, CELL)
        self.next_line += 1
        above = self.exact.sides(self.form(direction))[1]
        assert above is not None
        self.exact = above


def random_cone(rng, dim, n):
    cone = OpenCone(dim)
    for _ in range(n):
        cone.cut(rng.integers(-8, 9, dim) / 4.0)
    return cone


@given(seed=seeds, dim=st.integers(2, 5), n=st.integers(0, 7))
@BUDGET
def test_what_is_proved_of_cones_is_true(seed, dim, n):
    rng = np.random.default_rng(seed)
    cone = random_cone(rng, dim, n)
    for _ in range(6):
        direction = rng.integers(-8, 9, dim) / 4.0
        if not direction[:-1].any():
            continue
        truth, outcome = cone.truth(direction), cone.screened(direction)
        assert outcome == truth or outcome > CUTS


@given(seed=seeds, dim=st.integers(2, 4))
@BUDGET
def test_rows_that_are_nearly_combinations_of_a_cones_rows(seed, dim):
    """Minus a sum of the cone's rows is 0 at the apex alone; less by next to nothing, it reaches into the cone, or not."""
    rng = np.random.default_rng(seed)
    while True:
        rows = rng.integers(-8, 9, (dim, dim)) / 4.0
        if abs(np.linalg.det(rows)) > 1e-9:
            break
    cone = OpenCone(dim)
    for row in rows:
        if row[:-1].any():
            cone.cut(row)
    for exponent in (2, 20, 40, 50, 52):
        for drop_one in (False, True):
            factors = rng.integers(1, 5, dim) / 4.0
            factors[0] *= not drop_one
            direction = -factors @ rows + 2.0**-exponent * rng.integers(-1, 2, dim)
            if direction[:-1].any():
                truth, outcome = cone.truth(direction), cone.screened(direction)
                assert outcome == truth or outcome > CUTS


def test_a_hyperplane_that_meets_a_cone_at_its_apex_alone_is_proved_to():
    """The quadrant p > 0, t > 0 over a half-line, and rows of which it is on one side."""
    cone = OpenCone(2)
    cone.cut([1.0, 0.0])
    for direction, outcome in (([-1.0, -1.0], NEGATIVE), ([1.0, 0.25], POSITIVE), ([1.0, -1.0], CUTS)):
        assert cone.truth(direction) == outcome
        assert cone.screened(direction) == outcome
    # between two rays at a small angle
    cone.cut([-1.0, 1.0])
    cone.cut([1.0, -1.0 + 2.0**-20])
    for slope, outcome in ((-1.0 + 2.0**-19, POSITIVE), (-1.0 - 2.0**-19, NEGATIVE), (-1.0 + 2.0**-21, CUTS)):
        assert cone.truth([1.0, slope]) == outcome
        assert cone.screened([1.0, slope], SPLIT) == outcome
        assert cone.screened([1.0, slope], SCREEN) == outcome
