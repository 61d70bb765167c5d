"""Whether a hyperplane cuts a cell, and the cells on its two sides.

A cut test asks for a point strictly on each side. The witness gives one side; the simplex method seeks a vertex on the
other and stops at the first edge that gets there. A value counts as being on a side when it is more than `CUT_TOL`
(plus the bound on the row's own rounding error) away from zero; rows are distances in domain coordinates, so no
scaling of the weights changes an answer. A decision by a value within `DOUBT` of zero is counted as doubtful: rounding
could have made it.
"""

from __future__ import annotations

from regionenum.engine.counters import DOUBTFUL, LPS, PIVOTS, TESTS
from regionenum.engine.policy import kernel
from regionenum.engine.simplex_kernel import (
    AGE,
    COLUMN,
    COLUMN_WITNESS,
    CONE,
    COST_TOL,
    DIM,
    FAILED,
    N_BASIC,
    N_ROWS,
    OPTIMAL,
    PASSED,
    POINT,
    ROW_VAR,
    SCRATCH,
    SIZE,
    VALUE,
    WITNESS,
    copy_cell,
    drop_row,
    move_witness,
    negate_column,
    pivot,
    recentre,
    seek,
    swap_rows,
)

CUT_TOL = 2e-11
DOUBT = 1e-9

DECIDED, CUTS_CELL, BROKEN = 0, 1, 2


@kernel
def _counted_seek(table, label, r, sign, enough, counters):
    before = label[SIZE, AGE]
    found = seek(table, label, r, sign, enough)
    counters[LPS] += 1
    counters[PIVOTS] += label[SIZE, AGE] - before
    return found


@kernel
def probe(table, label, r, error, only_whether, counters):
    """Does pending row r cut the cell? Returns (outcome, side, column, length).

    DECIDED : no; the cell is on `side` (0 negative, 1 positive).
    CUTS_CELL : yes. The witness and the present vertex are on `side` (the vertex possibly on the hyperplane), and the
    end of the edge along `column`, of that length, is on the other. With `only_whether` those three are left out.
    BROKEN : the simplex method failed.

    The witness may be moved to another interior point and the vertex to another vertex.
    """
    tolerance, band = CUT_TOL + error, DOUBT + 4.0 * error
    counters[TESTS] += 1
    if abs(table[WITNESS, r]) <= tolerance:
        status, j, length = _counted_seek(table, label, r, 1.0, tolerance, counters)
        if status == FAILED:
            return BROKEN, 0, -1, 0.0
        if status == OPTIMAL:
            counters[DOUBTFUL] += 1
            return DECIDED, 0, -1, 0.0
        move_witness(table, label, j, length, 0.5)
    sign = 1.0 if table[WITNESS, r] > 0.0 else -1.0
    if only_whether and -sign * table[POINT, r] > band and sign * table[WITNESS, r] > band:
        return CUTS_CELL, 0, -1, 0.0
    if -sign * table[VALUE, r] > band:
        if only_whether and sign * table[WITNESS, r] > band:
            return CUTS_CELL, 0, -1, 0.0
        _cross_to_vertex(table, label, r)
        sign = -sign
    status, j, length = _counted_seek(table, label, r, -sign, band, counters)
    if status == OPTIMAL:
        best = -sign * table[VALUE, r]
        if best > -band and not _only_at_apex(table, label, r, -sign, band):
            counters[DOUBTFUL] += 1
        if best <= tolerance:
            return DECIDED, (1 if sign > 0.0 else 0), -1, 0.0
        # A sliver beyond the hyperplane: walk back from its tip to find the edge that crosses.
        _cross_to_vertex(table, label, r)
        sign = -sign
        status, j, length = _counted_seek(table, label, r, -sign, tolerance, counters)
        if status == OPTIMAL:
            return DECIDED, (1 if sign > 0.0 else 0), -1, 0.0
    if status != PASSED:
        return BROKEN, 0, -1, 0.0
    if max(sign * table[VALUE, r], sign * table[WITNESS, r]) <= band:
        counters[DOUBTFUL] += 1
    return CUTS_CELL, (1 if sign > 0.0 else 0), j, length


@kernel
def _only_at_apex(table, label, r, sign, band):
    """Whether sign * row r, at its maximum, is clearly negative all over a cone but at the apex.

    It is if it falls along every nonbasic variable: the maximum is then unique, and the apex, where every row is 0, is it.
    """
    rise = -1e300
    for j in range(label[SIZE, DIM]):
        rise = max(rise, sign * table[COLUMN + j, r])
    return label[SIZE, CONE] == 1 and rise <= -band


@kernel
def _cross_to_vertex(table, label, r):
    """Move the witness across row r = 0, towards the vertex, which is on the other side."""
    inside, outside = table[WITNESS, r], table[VALUE, r]
    move_witness(table, label, -1, 0.0, 0.5 * (1.0 + inside / (inside - outside)))


@kernel
def split(table, label, child_table, child_label, r, variable, side, j, length, counters):
    """Cut the cell by pending row r: the cell keeps `side`, where its witness is, and the child gets the other.

    `j`, `length` : the edge that crosses, from `probe`. The pivot of row r with column j puts the vertex on the
    hyperplane; the slack of one side is the row, of the other its negative. The child's witness lies on the segment
    from the witness to the end of that edge, half way between the hyperplane and that end. Each part keeps a vertex
    off the hyperplane as its `POINT`: the end of the edge, and its start unless that is on the hyperplane.
    """
    swap_rows(table, label, r, label[SIZE, N_BASIC])
    r = label[SIZE, N_BASIC]
    dim, n_rows = label[SIZE, DIM], label[SIZE, N_ROWS]
    sign = 1.0 if side == 1 else -1.0
    inside, outside = table[WITNESS, r], table[VALUE, r] + length * table[COLUMN + j, r]
    tau = 0.5 * (1.0 + inside / (inside - outside))
    far, entering, values = table[SCRATCH], table[COLUMN + j], table[VALUE]
    for i in range(n_rows):
        far[i] = values[i] + length * entering[i]
    if sign * values[r] > DOUBT:
        _copy_line(table, VALUE, POINT, n_rows)
    elif sign * table[POINT, r] <= DOUBT:
        _copy_line(table, WITNESS, POINT, n_rows)
    label[ROW_VAR, r] = variable
    pivot(table, label, r, j)
    counters[PIVOTS] += 1
    far[r] = length
    label[SIZE, N_BASIC] += 1
    copy_cell(table, label, child_table, child_label)
    _copy_line(child_table, SCRATCH, POINT, n_rows)
    witness = child_table[WITNESS]
    for i in range(n_rows):
        witness[i] += tau * (far[i] - witness[i])
    for k in range(dim):
        target = outside if k == j else 0.0
        child_table[COLUMN_WITNESS, k] += tau * (target - child_table[COLUMN_WITNESS, k])
    if side == 1:
        negate_column(child_table, child_label, j)
    else:
        negate_column(table, label, j)
    if tau > 0.98:
        recentre(child_table, child_label)


@kernel
def _copy_line(table, source, target, n_rows):
    for i in range(n_rows):
        table[target, i] = table[source, i]


@kernel
def restrict(table, label, r, variable, error, counters):
    """Restrict the cell to row r > 0, where r is its only pending row; returns DECIDED, CUTS_CELL or BROKEN.

    DECIDED : nothing is left of the cell. CUTS_CELL : the cell is now the part with row r > 0; a row that is redundant
    at sight is dropped, any other becomes a constraint with the slack `variable`.
    """
    tolerance, band = CUT_TOL + error, DOUBT + 4.0 * error
    counters[TESTS] += 1
    if table[WITNESS, r] > tolerance and table[VALUE, r] >= 0.0:
        redundant = True
        for k in range(COLUMN, table.shape[0]):
            if table[k, r] < -COST_TOL:
                redundant = False
                break
        if redundant:
            drop_row(table, label, r)
            return CUTS_CELL
    status, j, length = _counted_seek(table, label, r, 1.0, band, counters)
    if status == FAILED:
        return BROKEN
    if status == OPTIMAL:
        if table[VALUE, r] > -band and not _only_at_apex(table, label, r, 1.0, band):
            counters[DOUBTFUL] += 1
        if table[VALUE, r] <= tolerance:
            return DECIDED
    inside = table[WITNESS, r]
    if inside <= tolerance:
        inside = min(inside, 0.0)
        outside = table[VALUE, r] + length * table[COLUMN + j, r] if status == PASSED else table[VALUE, r]
        move_witness(table, label, j, length, 0.5 * (1.0 + inside / (inside - outside)))
    label[ROW_VAR, r] = variable
    if status == PASSED:
        pivot(table, label, r, j)
        counters[PIVOTS] += 1
    label[SIZE, N_BASIC] += 1
    return CUTS_CELL
