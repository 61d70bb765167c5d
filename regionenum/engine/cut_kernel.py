"""Whether a hyperplane cuts a cell, and the cells on its two sides.

A cut test asks for a point strictly on each side. The witness gives one side; the simplex method seeks a vertex on the
other and stops at the first edge that gets there. A value counts as being on a side when it is more than `CUT_TOL` (plus
the bound on the row's own rounding error) away from zero; rows are distances in domain coordinates, so no scaling of the
weights changes an answer. A decision by a value within `DOUBT` of zero is counted as doubtful: rounding could have made it.
"""

from __future__ import annotations

from regionenum.engine.policy import kernel
from regionenum.engine.simplex_kernel import (
    AT_VERTEX,
    COST_TOL,
    FAILED,
    OPTIMAL,
    PASSED,
    copy_cell,
    move_witness,
    negate_column,
    pivot,
    recentre,
    seek,
    swap_rows,
)

CUT_TOL = 2e-11
DOUBT = 1e-9

DECIDED, CUT, BROKEN = 0, 1, 2

TESTS, LPS, REUSED, DOUBTFUL, DOUBTFUL_RANKS = 0, 1, 2, 3, 4
"""Places in the array of counters."""


@kernel
def probe(cells, f, r, error, only_whether, counters):
    """Does pending row r cut the cell? Returns (outcome, side, column, length).

    DECIDED : no; the cell is on `side` (0 negative, 1 positive).
    CUT : yes. The witness and the present vertex are on `side` (the vertex possibly on the hyperplane), and the end of the
    edge along `column`, of that length, is on the other. With `only_whether` the last three are not computed.
    BROKEN : the simplex method failed.

    The witness may be moved to another interior point and the vertex to another vertex.
    """
    table = cells.table[f]
    last = table.shape[0] - 1
    tolerance, band = CUT_TOL + error, DOUBT + 4.0 * error
    counters[TESTS] += 1
    if abs(table[last, r]) <= tolerance:
        counters[LPS] += 1
        status, j, length = seek(cells, f, r, 1.0, tolerance)
        if status == FAILED:
            return BROKEN, 0, -1, 0.0
        if status == OPTIMAL:
            counters[DOUBTFUL] += 1
            return DECIDED, 0, -1, 0.0
        move_witness(cells, f, j, length, 0.5)
    sign = 1.0 if table[last, r] > 0.0 else -1.0
    if -sign * table[0, r] > band:
        if only_whether:
            return CUT, 0, -1, 0.0
        _cross_to_vertex(cells, f, r)
        sign = -sign
    counters[LPS] += 1
    status, j, length = seek(cells, f, r, -sign, band)
    if status == OPTIMAL:
        best = -sign * table[0, r]
        if best > -band:
            counters[DOUBTFUL] += 1
        if best <= tolerance:
            return DECIDED, (1 if sign > 0.0 else 0), -1, 0.0
        # A sliver beyond the hyperplane: walk back from its tip to find the edge that crosses.
        _cross_to_vertex(cells, f, r)
        sign = -sign
        status, j, length = seek(cells, f, r, -sign, tolerance)
        if status == OPTIMAL:
            return DECIDED, (1 if sign > 0.0 else 0), -1, 0.0
    if status != PASSED:
        return BROKEN, 0, -1, 0.0
    if max(sign * table[0, r], sign * table[last, r]) <= band:
        counters[DOUBTFUL] += 1
    return CUT, (1 if sign > 0.0 else 0), j, length


@kernel
def _cross_to_vertex(cells, f, r):
    """Move the witness across row r = 0, towards the vertex, which is on the other side."""
    table = cells.table[f]
    inside, outside = table[table.shape[0] - 1, r], table[0, r]
    move_witness(cells, f, -1, 0.0, 0.5 * (1.0 + inside / (inside - outside)))


@kernel
def split(cells, f, child, r, variable, side, j, length, far, far_columns):
    """Cut the cell by pending row r: cell f keeps `side`, where its witness is, and `child` gets the other.

    `j`, `length` : the edge that crosses, from `probe`. The pivot of row r with column j puts the vertex on the hyperplane;
    the slack of one side is the row, of the other its negative. The child's witness lies between the crossing of the
    hyperplane by the segment from the witness to the end of that edge, and that end. `far`, `far_columns` are scratch.
    """
    swap_rows(cells, f, r, cells.n_basic[f])
    r = cells.n_basic[f]
    table = cells.table[f]
    dim = table.shape[0] - 2
    inside, outside = table[dim + 1, r], table[0, r] + length * table[1 + j, r]
    tau = 0.5 * (1.0 + inside / (inside - outside))
    n_rows = cells.n_rows[f]
    for i in range(n_rows):
        near = table[dim + 1, i]
        far[i] = near + tau * (table[0, i] + length * table[1 + j, i] - near)
    for k in range(dim):
        far_columns[k] = (1.0 - tau) * cells.col_witness[f, k]
    far_columns[j] += tau * length
    far[r], far_columns[j] = far_columns[j], far[r]
    cells.row_var[f, r] = variable
    pivot(cells, f, r, j)
    cells.n_basic[f] += 1
    copy_cell(cells, f, child)
    for i in range(n_rows):
        cells.table[child, dim + 1, i] = far[i]
    for k in range(dim):
        cells.col_witness[child, k] = far_columns[k]
    negate_column(cells, child if side == 1 else f, j)
    if tau > 0.98:
        recentre(cells, child)


@kernel
def restrict(cells, f, r, variable, error, counters):
    """Restrict the cell to row r > 0, where r is its only pending row; returns DECIDED, CUT or BROKEN.

    DECIDED : nothing is left of the cell. CUT : the cell is now the part with row r > 0; a row that is redundant at sight
    is dropped, any other is a constraint with the slack `variable`.
    """
    table = cells.table[f]
    dim = table.shape[0] - 2
    tolerance, band = CUT_TOL + error, DOUBT + 4.0 * error
    counters[TESTS] += 1
    if table[dim + 1, r] > tolerance and table[0, r] >= 0.0:
        redundant = True
        for k in range(dim):
            if table[1 + k, r] < -COST_TOL:
                redundant = False
                break
        if redundant:
            for k in range(dim + 2):
                table[k, r] = 0.0
            cells.n_rows[f] -= 1
            return CUT
    counters[LPS] += 1
    status, j, length = seek(cells, f, r, 1.0, band)
    if status == FAILED:
        return BROKEN
    if status == OPTIMAL:
        if table[0, r] > -band:
            counters[DOUBTFUL] += 1
        if table[0, r] <= tolerance:
            return DECIDED
    inside = table[dim + 1, r]
    if inside <= tolerance:
        inside = min(inside, 0.0)
        outside = table[0, r] + length * table[1 + j, r] if status == PASSED else table[0, r]
        move_witness(cells, f, j, length, 0.5 * (1.0 + inside / (inside - outside)))
    cells.row_var[f, r] = variable
    if status == PASSED:
        pivot(cells, f, r, j)
    cells.n_basic[f] += 1
    return CUT
